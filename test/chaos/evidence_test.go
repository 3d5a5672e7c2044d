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

type status = github.Status

// evidence is what the simulators know of one deployment. All its times are by the same clock.
type evidence struct {
	github.Deployment
	accepted  time.Time // when its webhook was first answered with 2xx; zero: never
	pipelines []circleci.Pipeline
	calls     []call
}

var rank = map[string]int{"queued": 1, "in_progress": 2, "pending": 2, "success": 3, "failure": 3, "error": 3}

// told are the statuses that the program wrote. GitHub itself makes a success inactive when a newer
// one comes.
func told(d github.Deployment) []status {
	return slices.DeleteFunc(slices.Clone(d.Statuses), func(s status) bool { return s.State == "inactive" })
}

func ended(d github.Deployment) bool {
	list := told(d)
	return len(list) > 0 && rank[list[len(list)-1].State] == 3
}

func number(id int64) string { return strconv.FormatInt(id, 10) }

// open lists the deployments whose end GitHub has not heard and must hear.
func (w *world) open() []github.Deployment {
	return slices.DeleteFunc(
		w.github.Deployments(),
		func(d github.Deployment) bool { return ended(d) || w.restored.forgot(d.ID) },
	)
}

func (e evidence) last() status {
	if len(e.Statuses) == 0 {
		return status{}
	}
	return e.Statuses[len(e.Statuses)-1]
}

func (e evidence) acceptedBefore(at time.Time) bool {
	return !e.accepted.IsZero() && e.accepted.Before(at)
}

// slot is what one deployment at a time may have.
func (e evidence) slot() string { return e.Repository + " " + e.Environment }

// gather sorts all that the simulators know by deployment.
func (w *world) gather(t *testing.T) []*evidence {
	t.Helper()
	byID := map[string]*evidence{}
	var all []*evidence
	for _, d := range w.github.Deployments() {
		d.Statuses = told(d)
		e := &evidence{Deployment: d}
		byID[number(d.ID)] = e
		all = append(all, e)
	}

	w.gatherDeliveries(t, byID)
	for _, p := range w.circleci.Pipelines() {
		p = w.inRealTime(p)
		if e := byID[fmt.Sprint(p.Parameters["deployment_id"])]; e != nil {
			e.pipelines = append(e.pipelines, p)
		} else if !slices.Contains(w.strange, p.ID) {
			t.Errorf("pipeline %s belongs to no deployment: %v", p.ID, p.Parameters)
		}
	}

	for _, c := range w.tally.all() {
		if e := byID[c.deployment]; e != nil {
			e.calls = append(e.calls, c)
		}
	}

	return all
}

func (w *world) gatherDeliveries(t *testing.T, byID map[string]*evidence) {
	t.Helper()
	for _, d := range w.github.Deliveries() {
		var body struct {
			Deployment struct {
				ID json.Number `json:"id"`
			} `json:"deployment"`
		}

		if err := json.Unmarshal(d.Body, &body); err != nil {
			t.Fatal(err)
		}

		answered := d.At.Add(d.Duration)
		e := byID[body.Deployment.ID.String()]
		if e != nil && d.Event == "deployment" && d.StatusCode/100 == 2 &&
			(e.accepted.IsZero() || answered.Before(e.accepted)) {
			e.accepted = answered
		}
	}
}

// inRealTime takes CircleCI's clock out of a pipeline.
func (w *world) inRealTime(p circleci.Pipeline) circleci.Pipeline {
	p.CreatedAt = w.real(p.CreatedAt)
	for i := range p.Workflows {
		if f := &p.Workflows[i]; !f.StoppedAt.IsZero() {
			f.StoppedAt = w.real(f.StoppedAt)
		}
	}
	return p
}

// story is all that is known of a deployment, for the person who must find out what went wrong.
func (w *world) story(e *evidence) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  created %s, accepted by webhook: %s", clock(e.At), clock(e.accepted))
	if r := w.restored; !r.up.IsZero() {
		fmt.Fprintf(&b, "; backup %s, down %s, up %s, forgotten %v, rolled back %v",
			clock(r.copied), clock(r.down), clock(r.up), r.forgotten[e.ID], r.rolledBack[e.ID])
	}

	for _, c := range e.calls {
		fmt.Fprintf(&b, "\n  trigger %s answered %d", clock(c.at), c.answer)
	}

	for _, p := range e.pipelines {
		fmt.Fprintf(&b, "\n  pipeline %s %s %s %d %s %s key %v",
			clock(p.CreatedAt), p.ID, p.Project, p.Number, p.Scenario, p.State, p.Parameters["seraph_key"])
		for _, flow := range p.Workflows {
			fmt.Fprintf(&b, "\n    workflow %s %s, stopped %s", flow.Name, flow.Status, clock(flow.StoppedAt))
		}
	}

	for _, s := range e.Statuses {
		fmt.Fprintf(&b, "\n  status %s %s %q %s", clock(s.At), s.State, s.Description, s.LogURL)
	}

	_, row := w.processes[0].get("/api/v1/deployments/"+number(e.ID), apiToken)
	return b.String() + "\n  " + row + "\n" + w.about(number(e.ID))
}

func clock(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format("15:04:05.000")
}
