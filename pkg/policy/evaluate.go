package policy

import (
	"slices"
	"time"
)

// rule is one entry in the table of rules.
type rule struct {
	name       string
	configured func(Policy) bool // nil: the rule always applies
	evaluate   func(*evaluation) Outcome
	forcible   bool // a forced deployment may override it
	local      bool // it needs only the database and the clock, not GitHub
	forward    bool // it is about what is new, so that a rollback to what ran before passes it
}

// rules holds the rules in the order in which they are evaluated and shown. The two rules that look
// at the outcome of the others, force and max_wait, are not among them.
var rules = []rule{
	{
		name:       RuleRoutes,
		configured: func(p Policy) bool { return p.WrongRoute != "" },
		evaluate:   func(e *evaluation) Outcome { return reject(CodeWrongRoute, "%s", e.policy.WrongRoute) },
		local:      true,
	},
	{
		name:       RuleAllow,
		configured: func(p Policy) bool { return p.Allow != nil },
		evaluate:   (*evaluation).evaluateAllow,
	},
	{
		name:       RuleRefs,
		configured: func(p Policy) bool { return len(p.Refs) > 0 },
		evaluate:   (*evaluation).evaluateRefs,
	},
	{
		name:       RuleRequireAhead,
		configured: func(p Policy) bool { return p.RequireAhead },
		evaluate:   (*evaluation).evaluateRequireAhead,
		forcible:   true,
		forward:    true,
	},
	{
		name:       RuleChecks,
		configured: func(p Policy) bool { return p.Checks != nil },
		evaluate:   (*evaluation).evaluateChecks,
		forcible:   true,
		forward:    true,
	},
	{
		name:       RuleAfter,
		configured: func(p Policy) bool { return len(p.After) > 0 },
		evaluate:   (*evaluation).evaluateAfter,
		forcible:   true,
		forward:    true,
	},
	{
		name:       RuleFreeze,
		configured: func(p Policy) bool { return len(p.Freezes) > 0 },
		evaluate:   (*evaluation).evaluateFreeze,
		forcible:   true,
		local:      true,
		forward:    true,
	},
	{
		name:     RuleLocks,
		evaluate: (*evaluation).evaluateLocks,
		forcible: true,
		local:    true,
	},
	{
		name:       RuleApprovals,
		configured: func(p Policy) bool { return p.Approvals != nil },
		evaluate:   (*evaluation).evaluateApprovals,
		local:      true,
	},
	{
		name:     RuleConcurrency,
		evaluate: (*evaluation).evaluateConcurrency,
		local:    true,
	},
}

// evaluation is one evaluation of a policy. The rules fill in the fields below now.
type evaluation struct {
	policy    Policy // as it is for the request
	route     Policy // as the route has it, which approvals are bound to
	request   Request
	facts     Facts
	now       time.Time
	localOnly bool

	ownLocks   []int64 // locks that the requester owns
	otherLocks []int64 // locks of others, which stop the deployment
	cancelID   int64   // the running deployment that the concurrency rule wants canceled
}

// Evaluate decides about a request by all rules.
func (p Policy) Evaluate(r Request, f Facts, now time.Time) Verdict {
	e := &evaluation{policy: p.of(r), route: p, request: r, facts: f, now: now}
	return e.verdict()
}

// EvaluateLocal decides about a request by the rules that need only the database and the clock:
// freeze, locks, approvals and concurrency. It answers cheaply whether a waiting deployment has to
// go on waiting. It takes for granted what only the full evaluation can tell: that whoever forces
// the deployment may do so, that those who approved may still approve, and that the running one may
// be canceled. So a deployment that it allows
// must still be evaluated in full.
func (p Policy) EvaluateLocal(r Request, f Facts, now time.Time) Verdict {
	e := &evaluation{policy: p.of(r), route: p, request: r, facts: f, now: now, localOnly: true}
	return e.verdict()
}

func (e *evaluation) verdict() Verdict {
	forceOutcome, forced := e.evaluateForce()
	outcomes := make([]Outcome, 0, len(rules)+2)

	for _, rule := range rules {
		if rule.configured != nil && !rule.configured(e.policy) || e.localOnly && !rule.local {
			continue
		}

		o := e.evaluate(rule)
		o.Rule = rule.name
		if rule.forcible {
			o = e.override(o, forced)
		}

		outcomes = append(outcomes, o)
	}

	if e.request.Force != nil && !e.localOnly {
		forceOutcome.Rule = RuleForce
		outcomes = append(outcomes, forceOutcome)
	}
	if o, applies := e.evaluateMaxWait(outcomes); applies {
		o.Rule = RuleMaxWait
		outcomes = append(outcomes, o)
	}

	v := newVerdict(outcomes)
	v.PassedLocks = e.passedLocks(forced)
	v.OnlyQueued = v.Decision == DecisionWait && onlyQueued(outcomes)
	if !e.localOnly && e.request.Deployment != 0 && onlyQueued(outcomes) {
		v.Cancels = e.cancelID
	}

	return v
}

// of returns the policy as it is for a request: RollbackAllow says who may roll back. GitHub lets nobody
// create a deployment who lacks write permission. So a person who asks this service needs it, too, unless
// Allow names another permission.
func (p Policy) of(r Request) Policy {
	if r.Rollback && p.RollbackAllow != nil {
		p.Allow = p.RollbackAllow
	}

	isPerson := r.Requester.ID != 0 && r.Requester.App == ""
	if !r.AskedHere || !isPerson || p.Allow != nil && p.Allow.requiresPermission() {
		return p
	}

	var allowed Subjects
	if p.Allow != nil {
		allowed = *p.Allow
	}
	allowed.Permission = PermissionWrite
	p.Allow = &allowed

	return p
}

func (e *evaluation) evaluate(r rule) Outcome {
	if r.forward && e.request.passesForward() {
		return allow("a rollback needs no %s", r.name)
	}
	return r.evaluate(e)
}

// onlyQueued says whether a deployment waits for nothing but the other deployments of its
// environment. Only then may it have the running one canceled, or end those that wait.
func onlyQueued(outcomes []Outcome) bool {
	return !slices.ContainsFunc(outcomes, func(o Outcome) bool {
		return o.Decision != DecisionAllow && o.Rule != RuleConcurrency
	})
}

// evaluateMaxWait rejects what has waited for its rules too long. Waiting in the queue is not
// limited. The second result is false if the rule has nothing to say: the route does not set
// max_wait, and the default has not passed.
func (e *evaluation) evaluateMaxWait(outcomes []Outcome) (Outcome, bool) {
	limit := e.policy.MaxWait
	if limit <= 0 {
		limit = DefaultMaxWait
	}

	waiting := slices.IndexFunc(outcomes, func(o Outcome) bool {
		return o.Decision == DecisionWait && o.Rule != RuleConcurrency
	})
	exceeded := !e.request.AcceptedAt.IsZero() && e.now.Sub(e.request.AcceptedAt) > limit
	if waiting >= 0 && exceeded {
		return reject(CodeWaitedTooLong, "waited %s for %s", formatDuration(limit), outcomes[waiting].Message), true
	}

	return allow("may wait for up to %s", formatDuration(limit)), e.policy.MaxWait > 0
}
