package policy

import (
	"slices"
	"time"
)

// evaluateForce says whether whoever forces the deployment may do so. API tokens are authorized by
// their scope before the policy is asked, so the force list is not checked for them. A route without
// a force list lets nobody force, tokens included.
func (e *evaluation) evaluateForce() (o Outcome, forced bool) {
	force := e.request.Force
	switch {
	case e.localOnly:
		return Outcome{}, force != nil
	case force == nil:
		return Outcome{}, false
	case e.policy.Force == nil:
		const format = "nobody is allowed to force a deployment to %s"
		return reject(CodeForceNotAllowed, format, e.request.Environment), false
	}

	membership := e.facts.Forcer
	if !membership.Known && force.By.Same(e.request.Requester) {
		membership = e.facts.Requester
	}

	name := displayName(force.By, membership)
	m := e.policy.Force.match(force.By, membership)
	switch {
	case m.included || isTokenOnly(force.By):
		return allow("%s is allowed to force the deployment: %s", name, force.Reason), true
	case m.uncertain():
		return m.missing.unknown(name), false
	}

	o = reject(CodeForceNotAllowed, "%s is not allowed to force a deployment to %s", name, e.request.Environment)
	o.Who = e.policy.Force.String()
	return o, false
}

// override turns the outcome of a rule that is not met into one that allows the deployment, if the
// deployment is forced. Otherwise it adds who could force it.
func (e *evaluation) override(o Outcome, forced bool) Outcome {
	if o.Decision == DecisionAllow {
		return o
	}

	if forced {
		o.Decision = DecisionAllow
		o.Forced = true
		o.Until = time.Time{}
	}
	if o.Who == "" && e.policy.Force != nil {
		o.Who = e.policy.Force.String() + ", by force"
	}

	return o
}

// orByForce adds those who may force the deployment to what else would help.
func (e *evaluation) orByForce(help string) string {
	if e.policy.Force == nil {
		return help
	}
	return help + ", or " + e.policy.Force.String() + " by force"
}

// passedLocks returns the locks that do not stop the deployment.
func (e *evaluation) passedLocks(forced bool) []int64 {
	passed := e.ownLocks
	if forced {
		passed = slices.Concat(e.ownLocks, e.otherLocks)
	}
	slices.Sort(passed)
	return passed
}
