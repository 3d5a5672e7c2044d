package github

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/policy"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

var sha = strings.Repeat("0a", 20)

func (a factClient) checks(t *testing.T) []policy.Check {
	t.Helper()
	a.later()
	got, err := a.Checks(t.Context(), a.repo, a.installation, sha)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestChecksComeWhole(t *testing.T) {
	forEachFactClient(t, func(t *testing.T, a factClient) {
		if got := a.checks(t); len(got) != 0 {
			t.Errorf("a commit without any: %v", got)
		}

		for i := range 230 {
			a.sim.SetCommitStatus(sha, fmt.Sprint("ci/", i), "success")
			a.sim.AddCheckRun(sha, fmt.Sprint("job ", i), "completed", "success")
		}

		a.sim.SetCommitStatus(sha, "ci/0", "error")
		a.sim.AddCheck(sha, sim.CheckRun{Name: "job 0", Conclusion: "timed_out"})
		got := a.checks(t)
		red := slices.DeleteFunc(slices.Clone(got), func(c policy.Check) bool { return c.State != policy.Red })
		if len(got) != 460 || len(red) != 2 || red[0].Name != "ci/0" || red[0].App != "" || red[1].Name != "job 0" ||
			red[1].App != "simulated-ci" ||
			red[1].At.IsZero() {
			t.Errorf("%d, of them red: %+v", len(got), red)
		}

		got[1].Name = "changed" // is the caller's own
		if again, err := a.Checks(t.Context(), a.repo, a.installation, sha); err != nil || again[1].Name != "ci/1" {
			t.Errorf("%+v %v", again[1], err)
		}
	})
}

// What GitHub calls it, and what it counts for. What is unknown is never green.
func TestCheckStates(t *testing.T) {
	for text, want := range map[string]policy.CheckState{
		"success": policy.Green, "pending": policy.Pending, "failure": policy.Red, "error": policy.Red, "": policy.Pending, "fine": policy.Pending,
	} {
		if got, err := (commitStatus{
			ID:      1,
			Context: "ci",
			State:   text,
			Created: &now,
		}).toCheck(); got.State != want || err != nil {
			t.Errorf("status %q: %s %v", text, got.State, err)
		}
	}

	for conclusion, want := range map[string]policy.CheckState{
		"success": policy.Green, "neutral": policy.Green, "skipped": policy.Green, "failure": policy.Red, "timed_out": policy.Red, "cancelled": policy.Red,
		"action_required": policy.Red, "stale": policy.Red, "startup_failure": policy.Red, "": policy.Red, "fine": policy.Red,
	} {
		if got, err := (checkRun{
			ID:         1,
			Name:       "build",
			Status:     "completed",
			Conclusion: conclusion,
		}).toCheck(now); got.State != want || err != nil {
			t.Errorf("conclusion %q: %s %v", conclusion, got.State, err)
		}
	}

	for _, status := range []string{"queued", "in_progress", "waiting", "requested", "pending", "", "done"} {
		if got, err := (checkRun{
			ID:         1,
			Name:       "build",
			Status:     status,
			Conclusion: "success",
		}).toCheck(now); got.State != policy.Pending || err != nil {
			t.Errorf("run %q: %s %v", status, got.State, err)
		}
	}
}

// The newest counts: times must be such that a run that waits for its start is not hidden by one
// that is over.
func TestCheckTimes(t *testing.T) {
	early, late := now.Add(-time.Hour), now.Add(-time.Minute)
	for name, c := range map[string]struct {
		run  checkRun
		want time.Time
	}{
		"started":          {checkRun{Status: "completed", Started: &early, Completed: &late}, early},
		"only completed":   {checkRun{Status: "completed", Completed: &late}, late},
		"waits":            {checkRun{Status: "queued"}, now},
		"waits since then": {checkRun{Status: "queued", Started: &early}, early},
	} {
		c.run.ID, c.run.Name = 1, "build"
		if got, err := c.run.toCheck(now); !got.At.Equal(c.want) || err != nil {
			t.Errorf("%s: %v %v", name, got.At, err)
		}
	}

	if got, err := (commitStatus{
		ID:      1,
		Context: "ci",
		Created: &early,
		Updated: &late,
	}).toCheck(); !got.At.Equal(late) || err != nil {
		t.Errorf("%v %v", got.At, err)
	}
}

const (
	oneStatus = `{"total_count":%d,"statuses":[{"id":%d,"context":"ci","state":"success","created_at":"2026-11-22T12:00:00Z"}]}`
	oneRun    = `{"total_count":%d,"check_runs":[{"id":%d,"name":"build","status":"completed","conclusion":"success","started_at":"2026-11-22T12:00:00Z"}]}`
)

// A part of the checks, or an answer that holds none, must not pass for all of them.
func TestNoPartOfTheChecks(t *testing.T) {
	whole := map[bool]string{true: fmt.Sprintf(oneRun, 1, 1), false: fmt.Sprintf(oneStatus, 1, 1)}
	for name, c := range map[string]struct {
		runs bool
		text string
	}{
		"empty": {false, ""}, "null": {false, "null"}, "object": {false, "{}"}, "half": {false, whole[false][:60]}, "page of a front": {false, "<html>"},
		"no list":         {false, `{"total_count":0,"statuses":null}`},
		"no count":        {false, `{"statuses":[]}`},
		"count too large": {false, fmt.Sprintf(oneStatus, 2, 1)},
		"no context":      {false, `{"total_count":1,"statuses":[{"id":1,"state":"success","created_at":"2026-11-22T12:00:00Z"}]}`},
		"no time":         {false, `{"total_count":1,"statuses":[{"id":1,"context":"ci","state":"success"}]}`},
		"runs: empty":     {true, ""}, "runs: object": {true, "{}"}, "runs: no list": {true, `{"total_count":0}`},
		"runs: count too large": {true, fmt.Sprintf(oneRun, 7, 1)},
		"runs: no name":         {true, `{"total_count":1,"check_runs":[{"id":1,"status":"completed","conclusion":"success"}]}`},
		"runs: no id":           {true, fmt.Sprintf(oneRun, 1, 0)},
	} {
		client := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "check-runs") == c.runs {
				_, _ = io.WriteString(w, c.text)
				return
			}

			_, _ = io.WriteString(w, whole[!c.runs])
		})

		if got, err := client.Checks(t.Context(), request.Repository, 0, sha); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Pages shift while statuses are added: one is shown twice and another not at all. And a list may
// have no end.
func TestPagesOfChecks(t *testing.T) {
	pages, last, total := 0, 3, 3
	c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "check-runs") {
			_, _ = io.WriteString(w, `{"total_count":0,"check_runs":[]}`)
			return
		}
		if pages++; pages < last {
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, r.Host, r.URL.Path, pages+1))
		}

		_, _ = fmt.Fprintf(w, oneStatus, total, max(2, pages))
	})

	ask := func() ([]policy.Check, error) {
		pages = 0
		c.cache.entries = map[string]*entry{}
		return c.Checks(t.Context(), request.Repository, 0, sha)
	}

	if got, err := ask(); err == nil || !strings.Contains(err.Error(), "counts 3") {
		t.Errorf("one is missing: %+v %v", got, err)
	}

	total = 2
	if got, err := ask(); err != nil || len(got) != 2 {
		t.Errorf("%+v %v", got, err)
	}

	last = 1 << 30
	if got, err := ask(); err == nil || pages != maxCheckPages {
		t.Errorf("without end: %d after %d pages, %v", len(got), pages, err)
	}
}

// However GitHub answers, only what it calls green is.
func FuzzChecks(f *testing.F) {
	f.Add(
		[]byte(
			`{"id":1,"name":"build","status":"completed","conclusion":"success","context":"ci","state":"success","created_at":"2026-11-22T12:00:00Z"}`,
		),
	)

	f.Add([]byte(`{"id":1,"name":"build","status":"queued","conclusion":null,"app":null,"started_at":null}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var run checkRun
		if json.Unmarshal(raw, &run) == nil {
			got, err := run.toCheck(now)
			green := run.Status == "completed" &&
				slices.Contains([]string{"success", "neutral", "skipped"}, run.Conclusion)
			if err == nil && (got.Name == "" || got.ID == 0 || (got.State == policy.Green) != green) {
				t.Errorf("%s: %+v", raw, got)
			}
		}

		var status commitStatus
		if json.Unmarshal(raw, &status) == nil {
			got, err := status.toCheck()
			if err == nil &&
				(got.Name == "" || got.ID == 0 || got.At.IsZero() || (got.State == policy.Green) != (status.State == "success")) {
				t.Errorf("%s: %+v", raw, got)
			}
		}
	})
}
