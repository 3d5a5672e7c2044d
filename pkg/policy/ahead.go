package policy

import "strings"

// evaluateRequireAhead says whether the commit contains the commit that is deployed.
func (e *evaluation) evaluateRequireAhead() Outcome {
	deployed, compared := e.facts.Deployed, e.facts.Compared
	commit, environment := shortSHA(e.request.SHA), e.request.Environment

	switch {
	case !deployed.Known:
		return unknown("the commit deployed to "+environment, deployed.Problem)
	case deployed.Value == "":
		return allow("no earlier deployment to %s is known", environment)
	case strings.EqualFold(deployed.Value, e.request.SHA):
		return allow("%s is already deployed to %s", commit, environment)
	}

	current := shortSHA(deployed.Value)
	comparison := "the comparison of " + commit + " with " + current
	if !compared.Known {
		return unknown(comparison, compared.Problem)
	}

	switch compared.Value {
	case ComparisonAhead, ComparisonIdentical:
		return allow("%s contains %s, which is deployed to %s", commit, current, environment)
	case ComparisonBehind, ComparisonDiverged:
		o := reject(CodeNotAhead, "%s does not contain %s, which is deployed to %s (%s)",
			commit, current, environment, compared.Value)
		o.Who = e.orByForce("a newer commit")
		return o
	default:
		return unknown(comparison, unexpected(string(compared.Value)))
	}
}
