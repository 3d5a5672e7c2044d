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

func (s simulated) checks(t *testing.T) []policy.Check {
	t.Helper()
	return s.query(t, policy.CheckQuery{SHA: sha})
}

func (s simulated) query(t *testing.T, q policy.CheckQuery) []policy.Check {
	t.Helper()
	s.expireCache()
	got, err := s.Checks(t.Context(), s.repo, s.installation, q)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestChecks_AllPages(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		if got := s.checks(t); len(got) != 0 {
			t.Errorf("commit without checks: got %v, want none", got)
		}

		for i := range 230 {
			s.sim.SetCommitStatus(sha, fmt.Sprint("ci/", i), "success")
			s.sim.AddCheckRun(sha, fmt.Sprint("job ", i), "completed", "success")
		}
		s.sim.SetCommitStatus(sha, "ci/0", "error")
		s.sim.AddCheck(sha, sim.CheckRun{Name: "job 0", Conclusion: "timed_out"})

		got := s.checks(t)
		red := slices.DeleteFunc(slices.Clone(got), func(c policy.Check) bool { return c.State != policy.CheckRed })
		if len(got) != 460 || len(red) != 2 {
			t.Fatalf("got %d checks, red ones %+v, want 460 and 2 red ones", len(got), red)
		}
		if red[0].Name != "ci/0" || red[0].App != "" {
			t.Errorf("red commit status: got %+v, want ci/0 without an app", red[0])
		}
		if red[1].Name != "job 0" || red[1].App != "simulated-ci" || red[1].At.IsZero() {
			t.Errorf("red check run: got %+v, want job 0 of simulated-ci with a time", red[1])
		}

		got[1].Name = "changed" // the cached slice is another one
		again, err := s.Checks(t.Context(), s.repo, s.installation, policy.CheckQuery{SHA: sha})
		if err != nil || again[1].Name != "ci/1" {
			t.Errorf("read again: got %+v (%v), want ci/1", again[1], err)
		}
	})
}

// What tells two checks apart must arrive: app, suite, who set a status, and where its details are.
func TestChecks_WhatTellsThemApart(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		const pipeline = "https://app.circleci.com/pipelines/github/acme/api/25"
		app := s.sim.AppID("other-ci")
		s.sim.AddCommitStatus(sha, sim.CommitStatus{Context: "build", State: "success", Creator: "mallory"})
		s.sim.AddCommitStatus(sha, sim.CommitStatus{
			Context:   "test",
			State:     "success",
			App:       "other-ci",
			TargetURL: pipeline,
		})
		s.sim.AddCheck(sha, sim.CheckRun{Name: "build", App: "github-actions", Suite: 41, Conclusion: "failure"})
		s.sim.AddCheck(sha, sim.CheckRun{Name: "build", App: "github-actions", Suite: 42, Conclusion: "skipped"})
		s.sim.AddCheck(sha, sim.CheckRun{Name: "build", App: "other-ci", Suite: 43, DetailsURL: pipeline})

		want := map[string]policy.Check{
			"build of nobody":   {Name: "build", Status: true, State: policy.CheckGreen},
			"test of an app":    {Name: "test", Status: true, AppID: app, URL: pipeline, State: policy.CheckGreen},
			"build in suite 41": {Name: "build", App: "github-actions", AppID: 15368, Suite: 41, State: policy.CheckRed},
			"build of another app": {
				Name:  "build",
				App:   "other-ci",
				AppID: app,
				Suite: 43,
				URL:   pipeline,
				State: policy.CheckGreen,
			},
			"build in suite 42": {
				Name:    "build",
				App:     "github-actions",
				AppID:   15368,
				Suite:   42,
				State:   policy.CheckGreen,
				Skipped: true,
			},
		}

		var got []policy.Check
		for _, c := range s.checks(t) {
			c.At, c.ID = time.Time{}, 0
			if !strings.Contains(c.URL, "circleci") {
				c.URL = "" // the simulator's own
			}
			got = append(got, c)
		}

		for name, check := range want {
			if !slices.Contains(got, check) {
				t.Errorf("%s: got %+v, want %+v among them", name, got, check)
			}
		}
		if len(got) != len(want) {
			t.Errorf("got %d checks, want %d", len(got), len(want))
		}
	})
}

// The picture of an App is the only word on it in a combined status. No other picture means an App.
func TestCommitStatus_App(t *testing.T) {
	tests := []struct {
		name, avatar string
		want         int64
	}{
		{name: "app", avatar: "https://avatars.githubusercontent.com/in/15368?v=4", want: 15368},
		{name: "app on another host", avatar: "https://avatars2.githubusercontent.com/in/15368", want: 15368},
		{name: "person", avatar: "https://avatars.githubusercontent.com/u/15368?v=4"},
		{name: "OAuth app", avatar: "https://avatars.githubusercontent.com/oa/15368?v=4"},
		{name: "another site", avatar: "https://avatars.example.com/in/15368"},
		{name: "in the query", avatar: "https://avatars.githubusercontent.com/u/1?/in/15368"},
		{name: "more of a path", avatar: "https://avatars.githubusercontent.com/in/15368/u/1"},
		{name: "number too great", avatar: "https://avatars.githubusercontent.com/in/99999999999999999999"},
		{name: "none"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status := commitStatus{ID: 1, Context: "ci", State: "success", Avatar: tt.avatar, Created: &now}
			if got, err := status.toCheck(); got.AppID != tt.want || err != nil {
				t.Errorf("got app %d (%v), want %d", got.AppID, err, tt.want)
			}
		})
	}
}

// A commit may have more runs than are read in all; those with the names that matter are read still.
func TestChecks_ByName(t *testing.T) {
	simulation, options, req := newSimulation(t, sim.Options{})
	s := simulated{Client: newClient(t, options), sim: simulation, clock: &testClock{at: time.Now()}, repo: req.Repository}
	for i := range 1100 {
		s.sim.AddCheckRun(sha, fmt.Sprint("job ", i), "completed", "success")
	}
	s.sim.AddCheckRun(sha, "lint & test", "completed", "failure")

	_, err := s.Checks(t.Context(), s.repo, s.installation, policy.CheckQuery{SHA: sha})
	if err == nil || !strings.Contains(err.Error(), "more than 1000") {
		t.Errorf("all: got error %v, want one about more than 1000 runs", err)
	}

	before := s.sim.Calls()[sim.OpCheckRuns]
	got := s.query(t, policy.CheckQuery{SHA: sha, Names: []string{"job 7", "lint & test", "gone"}})
	if len(got) != 2 || got[0].Name != "job 7" || got[1].State != policy.CheckRed {
		t.Errorf("by name: got %+v, want job 7 and a red lint & test", got)
	}
	if calls := s.sim.Calls()[sim.OpCheckRuns] - before; calls != 4 {
		t.Errorf("by name: got %d calls, want 4: the first page and one for each name", calls)
	}
}

// Where few runs are on a commit, one call reads them, however many names matter.
func TestChecks_ByNameOnOnePage(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		s.sim.AddCheckRun(sha, "build", "completed", "success")
		got := s.query(t, policy.CheckQuery{SHA: sha, Names: []string{"build", "lint", "test"}})
		if calls := s.sim.Calls()[sim.OpCheckRuns]; calls != 1 || len(got) != 1 {
			t.Errorf("got %+v with %d calls, want build with 1", got, calls)
		}
	})
}

func TestChecks_History(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		for i := range 120 {
			s.sim.SetCommitStatus(sha, fmt.Sprint("ci/", i%60), "success")
		}
		s.sim.AddCheck(sha, sim.CheckRun{Name: "build", Conclusion: "failure"})
		s.sim.AddCheck(sha, sim.CheckRun{Name: "build"})

		if got := s.checks(t); len(got) != 61 {
			t.Errorf("newest: got %d checks, want 61", len(got))
		}
		if got := s.query(t, policy.CheckQuery{SHA: sha, History: true}); len(got) != 122 {
			t.Errorf("history: got %d checks, want 122", len(got))
		}
	})
}

// A state that is not documented is never green.
func TestCommitStatus_State(t *testing.T) {
	tests := []struct {
		state string
		want  policy.CheckState
	}{
		{state: "success", want: policy.CheckGreen},
		{state: "pending", want: policy.CheckPending},
		{state: "failure", want: policy.CheckRed},
		{state: "error", want: policy.CheckRed},
		{state: "", want: policy.CheckPending},
		{state: "fine", want: policy.CheckPending},
	}

	for _, tt := range tests {
		t.Run(tt.state, func(t *testing.T) {
			got, err := commitStatus{ID: 1, Context: "ci", State: tt.state, Created: &now}.toCheck()
			if got.State != tt.want || err != nil {
				t.Errorf("got %s (%v), want %s", got.State, err, tt.want)
			}
		})
	}
}

// A status or a conclusion that is not documented is never green.
func TestCheckRun_State(t *testing.T) {
	tests := []struct {
		status, conclusion string
		want               policy.CheckState
	}{
		{status: "completed", conclusion: "success", want: policy.CheckGreen},
		{status: "completed", conclusion: "neutral", want: policy.CheckGreen},
		{status: "completed", conclusion: "skipped", want: policy.CheckGreen},
		{status: "completed", conclusion: "failure", want: policy.CheckRed},
		{status: "completed", conclusion: "timed_out", want: policy.CheckRed},
		{status: "completed", conclusion: "cancelled", want: policy.CheckRed},
		{status: "completed", conclusion: "action_required", want: policy.CheckRed},
		{status: "completed", conclusion: "stale", want: policy.CheckRed},
		{status: "completed", conclusion: "startup_failure", want: policy.CheckRed},
		{status: "completed", conclusion: "", want: policy.CheckRed},
		{status: "completed", conclusion: "fine", want: policy.CheckRed},
		{status: "queued", conclusion: "success", want: policy.CheckPending},
		{status: "in_progress", conclusion: "success", want: policy.CheckPending},
		{status: "waiting", conclusion: "success", want: policy.CheckPending},
		{status: "requested", conclusion: "success", want: policy.CheckPending},
		{status: "pending", conclusion: "success", want: policy.CheckPending},
		{status: "", conclusion: "success", want: policy.CheckPending},
		{status: "done", conclusion: "success", want: policy.CheckPending},
	}

	for _, tt := range tests {
		t.Run(tt.status+" "+tt.conclusion, func(t *testing.T) {
			run := checkRun{ID: 1, Name: "build", Status: tt.status, Conclusion: tt.conclusion}
			if got, err := run.toCheck(now); got.State != tt.want || err != nil {
				t.Errorf("got %s (%v), want %s", got.State, err, tt.want)
			}
		})
	}
}

// Of several runs with one name the newest counts, so one that has not started must not look older
// than one that is completed.
func TestCheckRun_Time(t *testing.T) {
	early, late := now.Add(-time.Hour), now.Add(-time.Minute)
	tests := []struct {
		name string
		run  checkRun
		want time.Time
	}{
		{
			name: "started",
			run:  checkRun{ID: 1, Name: "build", Status: "completed", Started: &early, Completed: &late},
			want: early,
		},
		{
			name: "only completed",
			run:  checkRun{ID: 1, Name: "build", Status: "completed", Completed: &late},
			want: late,
		},
		{
			name: "queued",
			run:  checkRun{ID: 1, Name: "build", Status: "queued"},
			want: now,
		},
		{
			name: "queued with a time",
			run:  checkRun{ID: 1, Name: "build", Status: "queued", Started: &early},
			want: early,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := tt.run.toCheck(now); !got.At.Equal(tt.want) || err != nil {
				t.Errorf("got %v (%v), want %v", got.At, err, tt.want)
			}
		})
	}
}

func TestCommitStatus_Time(t *testing.T) {
	early, late := now.Add(-time.Hour), now.Add(-time.Minute)
	got, err := commitStatus{ID: 1, Context: "ci", Created: &early, Updated: &late}.toCheck()
	if !got.At.Equal(late) || err != nil {
		t.Errorf("got %v (%v), want the later time %v", got.At, err, late)
	}
}

// A part of the checks, or a response without a list, must not be taken for all of them.
func TestChecks_InvalidResponse(t *testing.T) {
	const (
		status   = `{"id":1,"context":"ci","state":"success","created_at":"2026-11-22T12:00:00Z"}`
		statuses = `{"total_count":1,"statuses":[` + status + `]}`

		run  = `{"id":1,"name":"build","status":"completed","conclusion":"success","started_at":"2026-11-22T12:00:00Z"}`
		runs = `{"total_count":1,"check_runs":[` + run + `]}`
	)

	tests := []struct {
		name, statuses, runs string
	}{
		{name: "statuses: empty", statuses: "", runs: runs},
		{name: "statuses: null", statuses: "null", runs: runs},
		{name: "statuses: empty object", statuses: "{}", runs: runs},
		{name: "statuses: cut", statuses: `{"total_count":1,"statuses":[{"id":1,"context":"ci","st`, runs: runs},
		{name: "statuses: HTML page of a proxy", statuses: "<html>", runs: runs},
		{name: "statuses: no list", statuses: `{"total_count":0,"statuses":null}`, runs: runs},
		{name: "statuses: no count", statuses: `{"statuses":[]}`, runs: runs},
		{name: "statuses: fewer than counted", statuses: `{"total_count":2,"statuses":[` + status + `]}`, runs: runs},
		{
			name:     "statuses: no context",
			statuses: `{"total_count":1,"statuses":[{"id":1,"state":"success","created_at":"2026-11-22T12:00:00Z"}]}`,
			runs:     runs,
		},
		{
			name:     "statuses: no time",
			statuses: `{"total_count":1,"statuses":[{"id":1,"context":"ci","state":"success"}]}`,
			runs:     runs,
		},
		{name: "runs: empty", statuses: statuses, runs: ""},
		{name: "runs: empty object", statuses: statuses, runs: "{}"},
		{name: "runs: no list", statuses: statuses, runs: `{"total_count":0}`},
		{name: "runs: fewer than counted", statuses: statuses, runs: `{"total_count":7,"check_runs":[` + run + `]}`},
		{
			name:     "runs: no name",
			statuses: statuses,
			runs:     `{"total_count":1,"check_runs":[{"id":1,"status":"completed","conclusion":"success"}]}`,
		},
		{
			name:     "runs: no id",
			statuses: statuses,
			runs: `{"total_count":1,"check_runs":[{"id":0,"name":"build","status":"completed",` +
				`"conclusion":"success","started_at":"2026-11-22T12:00:00Z"}]}`,
		},
	}

	read := func(t *testing.T, statuses, runs string) ([]policy.Check, error) {
		c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "check-runs") {
				_, _ = io.WriteString(w, runs)
				return
			}

			_, _ = io.WriteString(w, statuses)
		})
		return c.Checks(t.Context(), request.Repository, 0, policy.CheckQuery{SHA: sha})
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := read(t, tt.statuses, tt.runs); err == nil {
				t.Errorf("got %+v, want an error", got)
			}
		})
	}

	t.Run("valid", func(t *testing.T) {
		if got, err := read(t, statuses, runs); err != nil || len(got) != 2 {
			t.Errorf("got %+v (%v), want 2 checks", got, err)
		}
	})
}

// If a status is added between two pages, one is listed twice and another not at all.
func TestChecks_Pages(t *testing.T) {
	tests := []struct {
		name      string
		last      int // number of the last page; the first two list the status 2, page N lists N
		total     int // what GitHub counts
		want      int // checks; 0: an error
		wantPages int
		wantError string
	}{
		{name: "one status is missing", last: 3, total: 3, wantPages: 3, wantError: "counts 3"},
		{name: "all statuses", last: 3, total: 2, want: 2, wantPages: 3},
		{name: "list without end", last: 1 << 30, total: 2, wantPages: 10, wantError: "more than 1000"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pages := 0
			c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "check-runs") {
					_, _ = io.WriteString(w, `{"total_count":0,"check_runs":[]}`)
					return
				}

				if pages++; pages < tt.last {
					linkNextPage(w, r, pages+1)
				}

				const body = `{"total_count":%d,"statuses":[` +
					`{"id":%d,"context":"ci","state":"success","created_at":"2026-11-22T12:00:00Z"}]}`
				_, _ = fmt.Fprintf(w, body, tt.total, max(2, pages))
			})

			got, err := c.Checks(t.Context(), request.Repository, 0, policy.CheckQuery{SHA: sha})
			if len(got) != tt.want || (err == nil) != (tt.wantError == "") {
				t.Errorf("got %+v (%v), want %d checks, error %q", got, err, tt.want, tt.wantError)
			}
			if err != nil && !strings.Contains(err.Error(), tt.wantError) {
				t.Errorf("got error %v, want %q in it", err, tt.wantError)
			}
			if pages != tt.wantPages {
				t.Errorf("got %d pages read, want %d", pages, tt.wantPages)
			}
		})
	}
}

// Whatever GitHub sends, only what it calls green is green.
func FuzzChecks(f *testing.F) {
	f.Add([]byte(`{"id":1,"name":"build","status":"completed","conclusion":"success",` +
		`"context":"ci","state":"success","created_at":"2026-11-22T12:00:00Z"}`))
	f.Add([]byte(`{"id":1,"name":"build","status":"queued","conclusion":null,"app":null,"started_at":null}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var run checkRun
		if json.Unmarshal(raw, &run) == nil {
			got, err := run.toCheck(now)
			green := run.Status == "completed" &&
				slices.Contains([]string{"success", "neutral", "skipped"}, run.Conclusion)
			if err == nil && (got.Name == "" || got.ID == 0 || (got.State == policy.CheckGreen) != green) {
				t.Errorf("run %s: got %+v, want green: %t", raw, got, green)
			}
		}

		var status commitStatus
		if json.Unmarshal(raw, &status) == nil {
			got, err := status.toCheck()
			green := status.State == "success"
			incomplete := got.Name == "" || got.ID == 0 || got.At.IsZero()
			if err == nil && (incomplete || (got.State == policy.CheckGreen) != green) {
				t.Errorf("status %s: got %+v, want green: %t", raw, got, green)
			}
		}
	})
}
