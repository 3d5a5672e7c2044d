package policy

import (
	"maps"
	"slices"
)

func (j *evaluation) checks() Outcome {
	c := j.p.Checks
	switch {
	case !j.f.Checks.Known:
		return unknown("the checks of "+short(j.r.SHA), j.f.Checks.Problem)
	case c.Set == ChecksRequired && !j.f.Required.Known:
		return unknown("the checks that the branch requires", j.f.Required.Problem)
	}

	states := byName(j.f.Checks.Value)
	names := c.counting(states, j.f.Required.Value)
	if c.Set == ChecksRequired && len(names) == 0 {
		return allow("the branch requires no checks")
	}

	var red, pending []string
	for _, name := range names {
		switch states[name] {
		case Green:
		case Red:
			red = append(red, name)
		default: // one that is not there yet, too
			pending = append(pending, name)
		}
	}

	switch {
	case len(red) > 0:
		o := reject(CodeChecksFailed, "%s failed", named(red))
		o.Who = j.passers("a rerun and a new deployment")
		return o
	case len(names) == 0:
		return j.pending("the first check of "+short(j.r.SHA), "no check of "+short(j.r.SHA)+" began")
	case len(pending) > 0:
		return j.pending(named(pending), named(pending)+" did not end")
	}

	return allow("%d green", len(names))
}

// pending waits for checks as long as the policy says.
func (j *evaluation) pending(what, ended string) Outcome {
	most := j.p.Checks.Wait
	if most <= 0 {
		most = DefaultChecksWait
	}
	if accepted := j.r.AcceptedAt; !accepted.IsZero() && !j.now.Before(accepted.Add(most)) {
		return reject(CodeChecksTimeout, "%s within %s", ended, span(most))
	}
	return wait(CodeChecksPending, "%s", what)
}

// counting are the names of the checks that count, in order. A listed name counts whatever is
// ignored.
func (c Checks) counting(states map[string]CheckState, required []string) []string {
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

// source is where a check comes from: of each the newest counts.
type source struct{ name, app string }

// byName is the worst of the newest checks of each name: GitHub lets several apps use one.
func byName(checks []Check) map[string]CheckState {
	newest := make(map[source]*Check, len(checks))
	for i, c := range checks {
		from := source{c.Name, c.App}
		if known := newest[from]; known == nil || c.newer(*known) {
			newest[from] = &checks[i]
		}
	}

	states := make(map[string]CheckState, len(newest))
	for from, c := range newest {
		states[from.name] = worse(states[from.name], c.State)
	}

	return states
}

func (c Check) newer(than Check) bool {
	if !c.At.Equal(than.At) {
		return c.At.After(than.At)
	}
	return c.ID > than.ID
}

// worse of two states; one that we do not know is pending.
func worse(a, b CheckState) CheckState {
	switch {
	case a == Red || b == Red:
		return Red
	case b == Green && (a == Green || a == ""):
		return Green
	default:
		return Pending
	}
}
