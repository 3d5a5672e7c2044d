package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// evaluateChecks says whether the checks that count are green. One that failed decides at once;
// those that have not finished, or are not there yet, are waited for.
func (e *evaluation) evaluateChecks() Outcome {
	rule := e.policy.Checks
	commit := shortSHA(e.request.SHA)
	switch {
	case rule.Set == ChecksRequired && !e.facts.Required.Known:
		return unknown("the list of checks that the branch requires", e.facts.Required.Problem)
	case !e.facts.Checks.Known:
		return unknown("the checks of "+commit, e.facts.Checks.Problem)
	case !e.facts.Pipelines.Known:
		return unknown("the pipelines of "+commit, e.facts.Pipelines.Problem)
	}

	checks := newestChecks(e.facts.foreignChecks())
	names := rule.countedNames(checks, e.facts.Required.Value)

	var failed, pending []CheckName
	for _, name := range names {
		switch stateOf(name, checks) {
		case CheckGreen:
		case CheckRed:
			failed = append(failed, name)
		default:
			pending = append(pending, name)
		}
	}

	switch {
	case len(failed) > 0:
		o := reject(CodeChecksFailed, "%s failed", listChecks(failed, checks))
		o.Who = e.orByForce("a rerun and a new deployment")
		return o
	case len(names) == 0 && rule.Set == ChecksRequired:
		return e.waitForRequired()
	case len(names) == 0:
		return e.waitForChecks("the first check of "+commit, "no check of "+commit+" started")
	case len(pending) > 0:
		list := listChecks(pending, checks)
		return e.waitForChecks(list, list+" did not finish")
	case len(names) == 1:
		return allow("the check is green")
	default:
		return allow("all %d checks are green", len(names))
	}
}

// waitForRequired waits where no check is required: a branch that nobody protects must not be a way
// around the rule.
func (e *evaluation) waitForRequired() Outcome {
	if len(e.facts.Required.Value) > 0 {
		const ignored = "every required check is ignored; no other was required"
		return e.waitForChecks("a required check that is not ignored", ignored)
	}

	return e.waitForChecks(
		"a required check (nothing is required here: name the checks in the route)",
		"nothing is required here: name the checks in the route; no check was required",
	)
}

// waitForChecks waits for checks as long as the policy says, then rejects. what is what it waits
// for, and timedOut says what did not happen in time.
func (e *evaluation) waitForChecks(what, timedOut string) Outcome {
	limit := e.policy.Checks.Wait
	if limit <= 0 {
		limit = DefaultChecksWait
	}

	accepted := e.request.AcceptedAt
	if !accepted.IsZero() && !e.now.Before(accepted.Add(limit)) {
		return reject(CodeChecksTimeout, "%s within %s", timedOut, formatDuration(limit))
	}

	return wait(CodeChecksPending, "%s", what)
}

// countedNames returns the checks that count, sorted unless they are listed. Ignore does not apply
// to listed names.
func (c Checks) countedNames(checks []Check, required []CheckName) []CheckName {
	var names []CheckName
	switch c.Set {
	case ChecksListed:
		return c.Names
	case ChecksRequired:
		names = slices.Clone(required)
	default:
		for _, check := range checks {
			names = append(names, CheckName{Name: check.Name})
		}
	}

	names = slices.DeleteFunc(names, func(n CheckName) bool {
		return slices.ContainsFunc(c.Ignore, func(glob string) bool { return Match(glob, n.Name) })
	})
	slices.SortFunc(names, func(a, b CheckName) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.App, b.App))
	})
	return slices.Compact(names)
}

// stateOf returns the worst state of the checks that a name means. It is empty if there is none: a
// check that only others than the named app have set is not there yet.
func stateOf(name CheckName, checks []Check) CheckState {
	var state CheckState
	for _, c := range checks {
		if c.Name == name.Name && c.setBy(name.App) {
			state = worseState(state, c.State)
		}
	}
	return state
}

// setBy says whether an app set the check; every check is set by the empty app.
func (c Check) setBy(app string) bool {
	switch {
	case app == "":
		return true
	case isID(app):
		return c.AppID != 0 && app == appID(c.AppID)
	default:
		return c.App != "" && strings.EqualFold(appSlug(app), c.App)
	}
}

// appID writes an app's id as CheckName.App does.
func appID(id int64) string { return fmt.Sprintf("id:%d", id) }

// checkSource is what tells two checks apart. Of the checks from one source the newest counts.
type checkSource struct {
	name   string
	status bool // GitHub keeps one status of a context, whoever set it
	app    string
	appID  int64
	suite  int64
	series string
	run    int64 // a check run whose suite is not known stands alone
}

func (c Check) source() checkSource {
	switch {
	case c.Status:
		return checkSource{name: c.Name, status: true}
	case c.Series != "" && !c.Skipped:
		return checkSource{name: c.Name, app: c.App, appID: c.AppID, series: c.Series}
	case c.Suite == 0:
		return checkSource{name: c.Name, app: c.App, appID: c.AppID, run: c.ID}
	default:
		return checkSource{name: c.Name, app: c.App, appID: c.AppID, suite: c.Suite}
	}
}

// newestChecks returns the newest check of each source. A rerun stays in its check suite, so it
// replaces the run before; a run of another suite stands beside it, because it may come from another
// workflow or another event.
func newestChecks(checks []Check) []Check {
	position := make(map[checkSource]int, len(checks))
	newest := make([]Check, 0, len(checks))
	for _, c := range checks {
		i, known := position[c.source()]
		switch {
		case !known:
			position[c.source()] = len(newest)
			newest = append(newest, c)
		case c.newerThan(newest[i]):
			newest[i] = c
		}
	}

	return newest
}

// newerThan compares two checks of one source. Suites differ only within a series.
func (c Check) newerThan(other Check) bool {
	if c.Suite != other.Suite {
		return c.Suite > other.Suite
	}
	if !c.At.Equal(other.At) {
		return c.At.After(other.At)
	}
	return c.ID > other.ID
}

// worseState returns the worse of two states. The empty state means that there is no check yet; an unknown
// state counts as pending.
func worseState(a, b CheckState) CheckState {
	switch {
	case a == CheckRed || b == CheckRed:
		return CheckRed
	case b == CheckGreen && (a == CheckGreen || a == ""):
		return CheckGreen
	default:
		return CheckPending
	}
}
