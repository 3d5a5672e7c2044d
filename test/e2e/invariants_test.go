package e2e

import (
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// rank orders the statuses: no status may follow one of a higher rank.
var rank = map[string]int{"queued": 1, "in_progress": 2, "pending": 2, "success": 3, "failure": 3, "error": 3}

// invariants hold what must be true whatever went wrong: nobody did what the vendors' references
// forbid, no deployment ran twice, and GitHub was told in order, with one end.
func (w *world) invariants() {
	for _, v := range w.gh.Violations() {
		w.t.Error("GitHub: ", v)
	}

	for _, v := range w.ci.Violations() {
		w.t.Error("CircleCI: ", v)
	}

	for _, parameter := range []string{"seraph_key", "deployment_id"} {
		for value, pipelines := range w.ci.ByParameter(parameter) {
			if len(pipelines) > 1 {
				w.t.Errorf("%s %s was run %d times: %q", parameter, value, len(pipelines), pipelines)
			}
		}
	}

	for _, d := range w.gh.Deployments() {
		if !w.silent[d.ID] {
			w.toldInOrder(d)
		}
	}
}

func (w *world) toldInOrder(d github.Deployment) {
	highest, story := 0, make([]string, 0, len(d.Statuses))
	var ends []string
	for _, s := range d.Statuses {
		if s.State == "inactive" {
			continue // GitHub's own word for what a newer deployment has replaced
		}

		story = append(story, s.State+" "+s.Description)
		if rank[s.State] < highest || rank[s.State] == 0 {
			w.t.Errorf("deployment %d in %s: the status %q is out of order: %q", d.ID, d.Environment, s.State, story)
		}

		highest = max(highest, rank[s.State])
		if rank[s.State] == 3 {
			ends = append(ends, s.State)
		}
	}

	if told := strings.Join(ends, " "); len(ends) != 1 && told != "failure success" {
		w.t.Errorf(
			"deployment %d in %s has the ends %q, want one, or a failure and a success: %q",
			d.ID,
			d.Environment,
			told,
			story,
		)
	}
}
