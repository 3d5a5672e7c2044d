package chaos

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// evidence is what the simulators know of one deployment.
type evidence struct {
	github.Deployment
	accepted  bool // its webhook was answered with 2xx
	pipelines []circleci.Pipeline
	triggers  []circleci.Trigger
}

var rank = map[string]int{"queued": 1, "in_progress": 2, "pending": 2, "success": 3, "failure": 3, "error": 3}

// told are the statuses that the program wrote. GitHub itself makes a success inactive when a newer one comes.
func told(d github.Deployment) []github.Status {
	return slices.DeleteFunc(slices.Clone(d.Statuses), func(s github.Status) bool { return s.State == "inactive" })
}

func ended(d github.Deployment) bool {
	d.Statuses = told(d)
	return len(d.Statuses) > 0 && rank[d.Statuses[len(d.Statuses)-1].State] == 3
}

// open lists the deployments whose end GitHub has not heard.
func (w *world) open() []github.Deployment {
	return slices.DeleteFunc(w.github.Deployments(), ended)
}

// judge compares what happened with what was promised.
func (w *world) judge(t *testing.T) {
	all := w.gather(t)
	accepted, superseded, doubts := 0, 0, 0
	for _, e := range all {
		if e.accepted {
			accepted++
		}
		if e.overtaken(all) {
			superseded++
			continue
		}
		if e.Repository == keyless && strings.Contains(e.last().Description, "may have started it") {
			doubts++
			continue
		}
		if faults := e.faults(); len(faults) > 0 {
			t.Errorf("deployment %d (%s %s): %s\n%s", e.ID, e.Repository, e.Environment, strings.Join(faults, "; "), w.story(t, e))
		}
	}
	for key, ids := range w.circleci.ByParameter("seraph_key") {
		if len(ids) > 1 {
			t.Errorf("key %s ran %d times: %v", key, len(ids), ids)
		}
	}
	w.judgeSlots(t, all)
	for _, v := range append(w.github.Violations(), w.circleci.Violations()...) {
		t.Errorf("violation: %s", v)
	}
	for _, id := range w.strangers {
		if p, _ := w.circleci.Pipeline(id); slices.ContainsFunc(p.Workflows, func(f circleci.Workflow) bool { return f.Status == "canceled" }) {
			t.Errorf("the stranger's pipeline %s was canceled", id)
		}
	}
	t.Logf("%d deployments, %d accepted by webhook, %d superseded, %d in doubt without a key; %d triggers, %d pipelines, %d of strangers; %d calls to GitHub, %d to CircleCI",
		len(all), accepted, superseded, doubts, len(w.circleci.Triggers()), len(w.circleci.Pipelines()), len(w.strangers), sum(w.github.Calls()), sum(w.circleci.Calls()))
}

// overtaken says whether a deployment whose webhook did not come was rightly rejected: a newer one of its environment had run.
func (e evidence) overtaken(all []evidence) bool {
	if len(e.pipelines) > 0 || !strings.HasPrefix(e.last().Description, "superseded by #") {
		return false
	}
	return slices.ContainsFunc(all, func(o evidence) bool {
		return o.Repository == e.Repository && o.Environment == e.Environment && e.last().Description == fmt.Sprintf("superseded by #%d", o.ID) &&
			o.ID > e.ID && len(o.pipelines) > 0 && o.pipelines[0].CreatedAt.Before(e.last().At.Add(11*time.Minute))
	})
}

func (e evidence) last() github.Status {
	if len(e.Statuses) == 0 {
		return github.Status{}
	}
	return e.Statuses[len(e.Statuses)-1]
}

func (w *world) gather(t *testing.T) []evidence {
	t.Helper()
	byID := map[string]*evidence{}
	var all []*evidence
	for _, d := range w.github.Deployments() {
		d.Statuses = told(d)
		e := &evidence{Deployment: d}
		byID[strconv.FormatInt(d.ID, 10)] = e
		all = append(all, e)
	}
	for _, d := range w.github.Deliveries() {
		var body struct {
			Deployment struct {
				ID json.Number `json:"id"`
			} `json:"deployment"`
		}
		if err := json.Unmarshal(d.Body, &body); err != nil {
			t.Fatal(err)
		}
		if e := byID[body.Deployment.ID.String()]; e != nil && d.Event == "deployment" && d.StatusCode/100 == 2 {
			e.accepted = true
		}
	}
	for _, p := range w.circleci.Pipelines() {
		if e := byID[fmt.Sprint(p.Parameters["deployment_id"])]; e != nil {
			e.pipelines = append(e.pipelines, p)
		} else if !slices.Contains(w.strangers, p.ID) {
			t.Errorf("pipeline %s belongs to no deployment: %v", p.ID, p.Parameters)
		}
	}
	for _, tr := range w.circleci.Triggers() {
		if e := byID[fmt.Sprint(tr.Parameters["deployment_id"])]; e != nil {
			e.triggers = append(e.triggers, tr)
		}
	}
	out := make([]evidence, len(all))
	for i, e := range all {
		out[i] = *e
	}
	return out
}

// faults are the promises that were broken to one deployment.
func (e evidence) faults() []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	switch {
	case len(e.Statuses) == 0 && e.accepted:
		fault("accepted and lost")
	case len(e.Statuses) == 0:
		fault("not accepted, and never found in GitHub's list")
	case !ended(e.Deployment):
		fault("has not ended")
	}
	if len(e.pipelines) != 1 {
		fault("ran %d times", len(e.pipelines))
	} else if want := stories[e.pipelines[0].Scenario]; ended(e.Deployment) && e.Statuses[len(e.Statuses)-1].State != want {
		fault("its pipeline's story is %s, so it should end with %s", e.pipelines[0].Scenario, want)
	}
	for i := 1; i < len(e.Statuses); i++ {
		before, s := e.Statuses[i-1], e.Statuses[i]
		if rank[s.State] < rank[before.State] || rank[before.State] == 3 {
			fault("%s after %s", s.State, before.State)
		}
		if rank[s.State] > 1 && s.State == before.State && s.Description == before.Description && s.LogURL == before.LogURL {
			fault("%s told twice", s.State)
		}
	}
	return faults
}

// judgeSlots holds that no environment had two pipelines at a time.
func (w *world) judgeSlots(t *testing.T, all []evidence) {
	type run struct {
		id         int64
		began, end time.Time
	}
	slots := map[string][]run{}
	for _, e := range all {
		for _, p := range e.pipelines {
			r := run{id: e.ID, began: p.CreatedAt, end: p.CreatedAt}
			for _, flow := range p.Workflows {
				if flow.StoppedAt.After(r.end) {
					r.end = flow.StoppedAt
				}
			}
			slot := e.Repository + " " + e.Environment
			slots[slot] = append(slots[slot], r)
		}
	}
	for slot, runs := range slots {
		slices.SortFunc(runs, func(a, b run) int { return a.began.Compare(b.began) })
		for i := 1; i < len(runs); i++ {
			if runs[i].began.Before(runs[i-1].end) {
				t.Errorf("%s: deployments %d and %d ran at the same time", slot, runs[i-1].id, runs[i].id)
			}
		}
	}
}

// story is all that is known of a deployment, for the person who must find out what went wrong.
func (w *world) story(t *testing.T, e evidence) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  created %s, accepted by webhook: %v\n", clock(e.At), e.accepted)
	for _, tr := range e.triggers {
		fmt.Fprintf(&b, "  trigger %s %s effect %v pipeline %s key %v\n", clock(tr.At), tr.Project, tr.Effect, tr.PipelineID, tr.Parameters["seraph_key"])
	}
	for _, p := range e.pipelines {
		fmt.Fprintf(&b, "  pipeline %s %s %s %s %s\n", clock(p.CreatedAt), p.ID, p.Project, p.Scenario, p.State)
		for _, flow := range p.Workflows {
			fmt.Fprintf(&b, "    workflow %s %s, stopped %s\n", flow.Name, flow.Status, clock(flow.StoppedAt))
		}
	}
	for _, s := range e.Statuses {
		fmt.Fprintf(&b, "  status %s %s %q %s\n", clock(s.At), s.State, s.Description, s.LogURL)
	}
	id := strconv.FormatInt(e.ID, 10)
	_, row := w.processes[0].get(t, "/api/v1/deployments/"+id, apiToken)
	return b.String() + "  " + row + "\n" + w.about(t, id)
}

func clock(at time.Time) string { return at.UTC().Format("15:04:05.000") }

func sum(calls map[string]int) int {
	total := 0
	for _, n := range calls {
		total += n
	}
	return total
}
