package policy

import (
	"slices"
	"strings"
)

// evaluateAfter says whether the commit has succeeded in the environments that come first. The
// strictest outcome of all of them counts.
func (e *evaluation) evaluateAfter() Outcome {
	environments := e.policy.environmentsBefore(e.request.Environment)
	if len(environments) == 0 {
		return allow("%s needs no other environment first", e.request.Environment)
	}

	strictest := allow("%s has succeeded in %s", shortSHA(e.request.SHA), listNames(environments))
	for _, environment := range environments {
		if o := e.evaluateAfterOne(environment); o.Decision.stricterThan(strictest.Decision) {
			strictest = o
		}
	}

	return strictest
}

// environmentsBefore returns the environments of the after rule in which a commit must succeed
// before it may be deployed to another one. If that one is itself in the list, only those before it
// count: a route for many environments must not have them wait for themselves.
func (p Policy) environmentsBefore(environment string) []string {
	own := slices.IndexFunc(p.After, func(e string) bool { return strings.EqualFold(e, environment) })
	if own < 0 {
		return p.After
	}
	return p.After[:own]
}

func (e *evaluation) evaluateAfterOne(environment string) Outcome {
	prior := e.facts.After[strings.ToLower(environment)]
	commit := shortSHA(e.request.SHA)
	if !prior.Known {
		return unknown("the result of "+commit+" in "+environment, prior.Problem)
	}

	switch prior.Value {
	case PriorSucceeded:
		return allow("%s has succeeded in %s", commit, environment)
	case PriorOpen:
		return wait(CodeAfterPending, "%s to succeed in %s", commit, environment)
	case PriorNone, PriorFailed:
		o := reject(CodeAfterMissing, "%s has not succeeded in %s", commit, environment)
		o.Who = e.orByForce("a deployment to " + environment)
		return o
	default:
		return unknown("the result of "+commit+" in "+environment, unexpected(string(prior.Value)))
	}
}
