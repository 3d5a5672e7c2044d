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

// evidence is what the simulators know of one deployment. All its times are by the local clock.
type evidence struct {
	github.Deployment
	accepted  time.Time // when its webhook was first answered with 2xx; zero: never
	pipelines []circleci.Pipeline
	calls     []call
}

// rank orders the states: no status may follow one of a higher rank.
var rank = map[string]int{"queued": 1, "in_progress": 2, "pending": 2, "success": 3, "failure": 3, "error": 3}

// ownStatuses returns the statuses that Seraph wrote. GitHub itself makes a success inactive when a newer
// one comes.
func ownStatuses(d github.Deployment) []status {
	return slices.DeleteFunc(slices.Clone(d.Statuses), func(s status) bool { return s.State == "inactive" })
}

func ended(d github.Deployment) bool {
	list := ownStatuses(d)
	return len(list) > 0 && rank[list[len(list)-1].State] == 3
}

func formatID(id int64) string { return strconv.FormatInt(id, 10) }

// openDeployments returns the deployments that still need a final status.
func (h *harness) openDeployments() []github.Deployment {
	return slices.DeleteFunc(h.github.Deployments(), func(d github.Deployment) bool {
		return ended(d) || h.restored.forgot(d.ID) || d.Environment == unrouted
	})
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

// slot names what only one deployment at a time may occupy.
func (e evidence) slot() string { return e.Repository + " " + e.Environment }

// collect returns what the simulators know of each deployment.
func (h *harness) collect(t *testing.T) []*evidence {
	t.Helper()
	byID := map[string]*evidence{}
	var all []*evidence
	for _, d := range h.github.Deployments() {
		d.Statuses = ownStatuses(d)
		e := &evidence{Deployment: d}
		byID[formatID(d.ID)] = e
		all = append(all, e)
	}

	h.collectDeliveries(t, byID)

	for _, p := range h.circleci.Pipelines() {
		p = h.correctClock(p)
		if e := byID[fmt.Sprint(p.Parameters["deployment_id"])]; e != nil {
			e.pipelines = append(e.pipelines, p)
		} else if !slices.Contains(h.unrelatedIDs, p.ID) {
			t.Errorf("pipeline %s belongs to no deployment: %v", p.ID, p.Parameters)
		}
	}

	for _, c := range h.triggers.all() {
		if e := byID[c.deployment]; e != nil {
			e.calls = append(e.calls, c)
		}
	}

	return all
}

func (h *harness) collectDeliveries(t *testing.T, byID map[string]*evidence) {
	t.Helper()
	for _, d := range h.github.Deliveries() {
		var body struct {
			Deployment struct {
				ID json.Number `json:"id"`
			} `json:"deployment"`
		}
		if err := json.Unmarshal(d.Body, &body); err != nil {
			t.Fatal(err)
		}

		e := byID[body.Deployment.ID.String()]
		if e == nil || d.Event != "deployment" || d.StatusCode/100 != 2 {
			continue
		}

		answered := d.At.Add(d.Duration)
		if e.accepted.IsZero() || answered.Before(e.accepted) {
			e.accepted = answered
		}
	}
}

// correctClock converts the times of a pipeline to the local clock.
func (h *harness) correctClock(p circleci.Pipeline) circleci.Pipeline {
	p.CreatedAt = h.localTime(p.CreatedAt)
	for i := range p.Workflows {
		if f := &p.Workflows[i]; !f.StoppedAt.IsZero() {
			f.StoppedAt = h.localTime(f.StoppedAt)
		}
	}
	return p
}

// describe returns all that is known of a deployment, for the analysis of a failure.
func (h *harness) describe(e *evidence) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  created %s, accepted by webhook: %s", formatTime(e.At), formatTime(e.accepted))
	for _, r := range h.restored {
		fmt.Fprintf(&b, "; copied %s, down %s, up %s, forgotten %v, rolled back %v",
			formatTime(r.copied), formatTime(r.down), formatTime(r.up), r.forgotten[e.ID], r.rolledBack[e.ID])
	}

	for _, c := range e.calls {
		fmt.Fprintf(&b, "\n  trigger %s answered %d", formatTime(c.at), c.status)
	}

	for _, p := range e.pipelines {
		fmt.Fprintf(&b, "\n  pipeline %s %s %s %d %s %s key %v",
			formatTime(p.CreatedAt), p.ID, p.Project, p.Number, p.Scenario, p.State, p.Parameters["seraph_key"])
		for _, flow := range p.Workflows {
			fmt.Fprintf(&b, "\n    workflow %s %s, stopped %s", flow.Name, flow.Status, formatTime(flow.StoppedAt))
		}
	}

	for _, s := range e.Statuses {
		fmt.Fprintf(&b, "\n  status %s %s %q %s", formatTime(s.At), s.State, s.Description, s.LogURL)
	}

	_, row := h.processes[0].get("/api/v1/deployments/"+formatID(e.ID), apiToken)
	return b.String() + "\n  " + row + "\n" + h.logLines(formatID(e.ID))
}

func formatTime(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format("15:04:05.000")
}
