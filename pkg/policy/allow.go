package policy

// evaluateAllow says whether the requester may deploy at all.
func (e *evaluation) evaluateAllow() Outcome {
	requester, membership := e.request.Requester, e.facts.Requester
	name := displayName(requester, membership)

	m := e.policy.Allow.match(requester, membership)
	switch {
	case m.included:
		return allow("%s may deploy", name)
	case m.uncertain():
		return unknown(name+": "+m.missing, "")
	}

	o := e.notAllowed(name, m)
	o.Who = e.policy.Allow.String()
	return o
}

func (e *evaluation) notAllowed(name string, m match) Outcome {
	environment, requester := e.request.Environment, e.request.Requester
	switch {
	case m.lacksPermission:
		has := e.facts.Requester.Value.Permission.Value
		return reject(CodeNotAllowed, "%s needs %s permission to deploy to %s, and has %s",
			name, e.policy.Allow.Permission, environment, has)
	case isTokenOnly(requester):
		return reject(CodeNotAllowed, "the API token %s is none of those who may deploy to %s", requester.Token, environment)
	case requester.App == "" && requester.ID == 0:
		return reject(CodeNotAllowed, "the deployment names no requester, and not everybody may deploy to %s", environment)
	default:
		return reject(CodeNotAllowed, "%s is none of those who may deploy to %s", name, environment)
	}
}
