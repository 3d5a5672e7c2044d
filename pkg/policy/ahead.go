package policy

import "strings"

// evaluateRequireAhead says whether the commit contains the commit that is deployed.
func (e *evaluation) evaluateRequireAhead() Outcome {
	deployed, compared := e.facts.Deployed, e.facts.Compared
	commit := shortSHA(e.request.SHA)

	switch {
	case !deployed.Known:
		return unknown("what is deployed to "+e.request.Environment, deployed.Problem)
	case deployed.Value == "":
		return allow("nothing is known to be deployed there")
	case strings.EqualFold(deployed.Value, e.request.SHA):
		return allow("%s is deployed there now", commit)
	}

	current := shortSHA(deployed.Value)
	if !compared.Known {
		return unknown("how "+commit+" stands to "+current, compared.Problem)
	}

	switch compared.Value {
	case Ahead, Identical:
		return allow("%s contains %s, which is deployed there", commit, current)
	case Behind, Diverged:
		o := reject(CodeNotAhead, "%s does not contain %s, which is deployed there (%s)", commit, current, compared.Value)
		o.Who = e.orByForce("a newer commit")
		return o
	default:
		return unknown("how "+commit+" stands to "+current, string(compared.Value))
	}
}
