package policy

// evaluateAllow says whether the requester may deploy at all.
func (e *evaluation) evaluateAllow() Outcome {
	requester, membership := e.request.Requester, e.facts.Requester
	name := displayName(requester, membership)

	m := e.policy.Allow.match(requester, membership)
	switch {
	case m.included:
		return allow("%s is allowed to deploy to %s", name, e.request.Environment)
	case m.uncertain():
		return m.missing.unknown(name)
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
		return reject(CodeNotAllowed, "%s needs %s permission to deploy to %s, but has %s",
			name, e.policy.Allow.Permission, environment, has)
	case isTokenOnly(requester):
		return reject(CodeNotAllowed, "the API token %s is not allowed to deploy to %s", requester.Token, environment)
	case requester.App == "" && requester.ID == 0:
		return reject(CodeNotAllowed, "a deployment to %s needs a known requester", environment)
	default:
		return reject(CodeNotAllowed, "%s is not allowed to deploy to %s", name, environment)
	}
}
