package route

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// detour says why a request must not be deployed by its route, which is the one at an index: an
// earlier route has rules and would have matched, but for the way in which the environment is written
// or for the task. Both are chosen by whoever makes the deployment. It is empty if the route may be
// taken.
//
// By its task a request avoids rules that the route taken lacks, or has looser; two rules that only differ are both
// the operator's word. A route that names the environment without a pattern is taken for what it says, and so is one
// that names the task, as long as the environment is not written differently.
func (t *Table) detour(req deployment.Request, index int) string {
	taken := t.routes[index]
	if glob(taken.Environment).literal() {
		return ""
	}

	namesTask := taken.Task != "" && glob(taken.Task).literal()
	for _, passed := range t.routes[:index] {
		if !passed.hasRules || !glob(passed.Repository).match(req.Repository.FullName()) {
			continue
		}

		sameTask := passed.matchesTask(req.Task)
		escapesByTask := !namesTask && passed.weakerIn(taken)
		switch {
		case !sameTask && !escapesByTask:
			continue
		case passed.matchesEnvironment(req):
			return fmt.Sprintf("task %s avoids the rules of line %d (%s to %s): "+
				"use its task, or add a route for this task",
				shown(req.Task), passed.Line, passed.Repository, passed.Environment)
		case passed.resembles(req.Environment):
			return fmt.Sprintf("environment %s looks like %s, whose rules are in line %d: write it in the same way",
				shown(req.Environment), passed.Environment, passed.Line)
		}
	}

	return ""
}

func (r Route) matchesTask(task string) bool {
	return slices.ContainsFunc(r.tasks, func(g glob) bool { return g.match(task) })
}

// resembles says whether an environment looks like one of the route's.
func (r Route) resembles(environment string) bool {
	return policy.Match(skeleton(r.Environment), skeleton(environment))
}

// weakerIn says whether another route lacks a rule of this one, or has a looser one.
func (r Route) weakerIn(other Route) bool {
	missing, looser := r.Policy.WeakerIn(other.Policy)
	return len(missing)+len(looser) > 0
}

// shown quotes a name so that white space and characters that are not shown can be seen.
func shown(name string) string {
	const longest = 40
	if runes := []rune(name); len(runes) > longest {
		name = string(runes[:longest-1]) + "…"
	}
	return fmt.Sprintf("%+q", name)
}

// Bypass is a route with rules, and a later one with fewer or looser ones that is also for its repository and
// environment, and so takes deployments whose task the first route does not match.
type Bypass struct {
	Ruled   Route
	Later   Route
	Missing []string // names of the rules that the later route does not have
	Looser  []string // names of those that let more through there
}

// String says what a deployment can avoid.
func (b Bypass) String() string {
	var how []string
	if len(b.Missing) > 0 {
		how = append(how, "without "+strings.Join(b.Missing, ", "))
	}
	if len(b.Looser) > 0 {
		how = append(how, "with a looser "+strings.Join(b.Looser, ", "))
	}

	return fmt.Sprintf("%s: %s is for the same place %s, and takes other tasks there",
		b.Ruled.Name(), b.Later.Name(), strings.Join(how, " and "))
}

// Bypasses returns the pairs of routes of which the later one is for the place of the earlier one with
// fewer or looser rules.
func (t *Table) Bypasses() []Bypass {
	var list []Bypass
	for i, ruled := range t.routes {
		for _, later := range t.routes[i+1:] {
			missing, looser := ruled.Policy.WeakerIn(later.Policy)
			if len(missing)+len(looser) > 0 && ruled.sharesPlace(later) {
				list = append(list, Bypass{Ruled: ruled, Later: later, Missing: missing, Looser: looser})
			}
		}
	}
	return list
}

// sharesPlace says whether one of two routes is for repositories and environments of the other one.
func (r Route) sharesPlace(other Route) bool {
	overlap := func(a, b string) bool { return glob(a).covers(glob(b)) || glob(b).covers(glob(a)) }
	return overlap(r.Repository, other.Repository) && overlap(r.Environment, other.Environment)
}
