package policy

import (
	"maps"
	"slices"
)

// evaluateChecks says whether the checks that count are green. One that failed decides at once;
// those that have not finished, or are not there yet, are waited for.
func (e *evaluation) evaluateChecks() Outcome {
	rule := e.policy.Checks
	commit := shortSHA(e.request.SHA)
	switch {
	case !e.facts.Checks.Known:
		return unknown("the checks of "+commit, e.facts.Checks.Problem)
	case rule.Set == ChecksRequired && !e.facts.Required.Known:
		return unknown("the list of checks that the branch requires", e.facts.Required.Problem)
	}

	states := stateByName(e.facts.Checks.Value)
	names := rule.countedNames(states, e.facts.Required.Value)
	if rule.Set == ChecksRequired && len(names) == 0 {
		return allow("the branch requires no checks")
	}

	var failed, pending []string
	for _, name := range names {
		switch states[name] {
		case CheckGreen:
		case CheckRed:
			failed = append(failed, name)
		default:
			pending = append(pending, name)
		}
	}

	switch {
	case len(failed) > 0:
		o := reject(CodeChecksFailed, "%s failed", listChecks(failed))
		o.Who = e.orByForce("a rerun and a new deployment")
		return o
	case len(names) == 0:
		return e.waitForChecks("the first check of "+commit, "no check of "+commit+" started")
	case len(pending) > 0:
		return e.waitForChecks(listChecks(pending), listChecks(pending)+" did not finish")
	case len(names) == 1:
		return allow("the check is green")
	default:
		return allow("all %d checks are green", len(names))
	}
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

// countedNames returns the names of the checks that count, sorted unless they are listed. Ignore
// does not apply to listed names.
func (c Checks) countedNames(states map[string]CheckState, required []string) []string {
	var names []string
	switch c.Set {
	case ChecksListed:
		return c.Names
	case ChecksRequired:
		names = slices.Clone(required)
	default:
		names = slices.Collect(maps.Keys(states))
	}

	names = slices.DeleteFunc(names, func(name string) bool {
		return slices.ContainsFunc(c.Ignore, func(glob string) bool { return Match(glob, name) })
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// stateByName returns the state of each name: the newest check of each app counts, and the worst of
// them decides, because GitHub lets several apps use one name.
func stateByName(checks []Check) map[string]CheckState {
	type source struct{ name, app string }

	newest := make(map[source]*Check, len(checks))
	for i, c := range checks {
		from := source{c.Name, c.App}
		if known := newest[from]; known == nil || c.newerThan(*known) {
			newest[from] = &checks[i]
		}
	}

	states := make(map[string]CheckState, len(newest))
	for from, c := range newest {
		states[from.name] = worseState(states[from.name], c.State)
	}

	return states
}

func (c Check) newerThan(other Check) bool {
	if !c.At.Equal(other.At) {
		return c.At.After(other.At)
	}
	return c.ID > other.ID
}

// worseState returns the worse of two states. An empty one is none yet; one that we do not know
// counts as pending.
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
