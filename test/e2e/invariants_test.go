package e2e

import (
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// rank orders the states: no status may follow one of a higher rank.
var rank = map[string]int{"queued": 1, "in_progress": 2, "pending": 2, "success": 3, "failure": 3, "error": 3}

// checkInvariants checks what must be true whatever went wrong: no call violated the references of GitHub
// and CircleCI, no deployment ran twice, and the statuses of each are in order with one final status.
func (h *harness) checkInvariants() {
	for _, v := range h.gh.Violations() {
		h.t.Error("GitHub: ", v)
	}

	for _, v := range h.ci.Violations() {
		h.t.Error("CircleCI: ", v)
	}

	for _, parameter := range []string{"seraph_key", "deployment_id"} {
		for value, pipelines := range h.ci.ByParameter(parameter) {
			if len(pipelines) > 1 {
				h.t.Errorf("pipelines of %s %s: got %q, want 1", parameter, value, pipelines)
			}
		}
	}

	for _, d := range h.gh.Deployments() {
		if !h.unchecked[d.ID] {
			h.checkStatuses(d)
		}
	}
}

// checkStatuses checks the order and the final status of a deployment.
func (h *harness) checkStatuses(d github.Deployment) {
	highest := 0
	var all, final []string
	for _, s := range d.Statuses {
		if s.State == "inactive" {
			continue // written by GitHub itself when a newer deployment succeeds
		}

		all = append(all, s.State+" "+s.Description)
		if rank[s.State] < highest || rank[s.State] == 0 {
			h.t.Errorf("deployment %d in %s: status %q is out of order: %q", d.ID, d.Environment, s.State, all)
		}

		highest = max(highest, rank[s.State])
		if rank[s.State] == 3 {
			final = append(final, s.State)
		}
	}

	if states := strings.Join(final, " "); len(final) != 1 && states != "failure success" {
		h.t.Errorf("deployment %d in %s: got final states %q, want one, or a failure and a success: %q",
			d.ID, d.Environment, states, all)
	}
}
