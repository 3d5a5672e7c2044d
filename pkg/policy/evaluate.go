package policy

import (
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// evaluation is one evaluation.
type evaluation struct {
	p   Policy
	r   Request
	f   Facts
	now time.Time

	here    bool    // only what our own rows and the clock say
	own     []int64 // locks of the requester
	others  []int64 // locks that keep it
	cancels int64
}

// rule is one of the rules, as they are asked in turn.
type rule struct {
	name     string
	exists   func(Policy) bool // nil: always
	say      func(*evaluation) Outcome
	passable bool // force passes it
	here     bool // our own rows and the clock are enough
}

var rules = []rule{
	{RuleAllow, func(p Policy) bool { return p.Allow != nil }, (*evaluation).allow, false, false},
	{RuleRefs, func(p Policy) bool { return len(p.Refs) > 0 }, (*evaluation).refs, false, false},
	{RuleRequireAhead, func(p Policy) bool { return p.RequireAhead }, (*evaluation).ahead, true, false},
	{RuleChecks, func(p Policy) bool { return p.Checks != nil }, (*evaluation).checks, true, false},
	{RuleAfter, func(p Policy) bool { return len(p.After) > 0 }, (*evaluation).after, true, false},
	{RuleFreeze, func(p Policy) bool { return len(p.Freezes) > 0 }, (*evaluation).freeze, true, true},
	{RuleLocks, nil, (*evaluation).locks, true, true},
	{RuleApprovals, func(p Policy) bool { return p.Approvals != nil }, (*evaluation).approvals, false, true},
	{RuleConcurrency, nil, (*evaluation).line, false, true},
}

// Needs are the facts that the rules need for a request.
func (p Policy) Needs(r Request) Needs {
	n := Needs{
		Requester: p.Allow.ask(r.Requester),
		Deployed:  p.RequireAhead,
		Compared:  p.RequireAhead,
		Checks:    p.Checks != nil,
		Required:  p.Checks != nil && p.Checks.Set == ChecksRequired,
		After:     lower(p.first(r)),
		Approvals: p.NeedsLocal(r).Approvals,
	}

	if r.Force == nil {
		return n
	}

	if ask := p.Force.ask(r.Force.By); r.Force.By.Same(r.Requester) {
		n.Requester = n.Requester.and(ask)
	} else {
		n.Forcer = ask
	}

	return n
}

// NeedsLocal are the facts that EvaluateHere needs.
func (p Policy) NeedsLocal(r Request) Needs {
	return Needs{Approvals: p.Approvals != nil && r.Deployment != 0}
}

// Evaluate says what the rules say of a request now.
func (p Policy) Evaluate(r Request, f Facts, now time.Time) Verdict {
	j := &evaluation{p: p, r: r, f: f, now: now}
	return j.verdict()
}

// EvaluateLocal says what our own rows and the clock say of a deployment that was let in before:
// freeze, locks, approvals and the queue. Whether somebody may force, or the running one be
// canceled, is a question to all rules: those are passed here. What it allows must still be
// evaluated.
func (p Policy) EvaluateLocal(r Request, f Facts, now time.Time) Verdict {
	j := &evaluation{p: p, r: r, f: f, now: now, here: true}
	return j.verdict()
}

func (j *evaluation) verdict() Verdict {
	v := Verdict{Outcomes: make([]Outcome, 0, len(rules)+2)}
	force, forcing := j.force()
	for _, rule := range rules {
		if rule.exists != nil && !rule.exists(j.p) || j.here && !rule.here {
			continue
		}

		o := rule.say(j)
		o.Rule = rule.name
		if rule.passable {
			o = j.pass(o, forcing)
		}

		v.Outcomes = append(v.Outcomes, o)
	}

	if j.r.Force != nil && !j.here {
		force.Rule = RuleForce
		v.Outcomes = append(v.Outcomes, force)
	}
	if o, exists := j.maxWait(v.Outcomes); exists {
		o.Rule = RuleMaxWait
		v.Outcomes = append(v.Outcomes, o)
	}

	v.sum()
	v.Passed = j.passed(forcing)
	if !j.here && j.r.Deployment != 0 && onlyInLine(v.Outcomes) {
		v.Cancels = j.cancels
	}

	return v
}

// pass lets a rule be passed that does not hold, by force.
func (j *evaluation) pass(o Outcome, forcing bool) Outcome {
	if o.Decision == DecisionAllow {
		return o
	}
	if forcing {
		o.Decision, o.Forced, o.Until = DecisionAllow, true, time.Time{}
	}
	if o.Who == "" && j.p.Force != nil {
		o.Who = j.p.Force.String() + ", by force"
	}

	return o
}

func (j *evaluation) passed(forcing bool) []int64 {
	all := j.own
	if forcing {
		all = slices.Concat(j.own, j.others)
	}
	slices.Sort(all)
	return all
}

// onlyInLine says that nothing but others of its environment keeps a deployment: only then may it
// have one canceled.
func onlyInLine(all []Outcome) bool {
	return !slices.ContainsFunc(
		all,
		func(o Outcome) bool { return o.Decision != DecisionAllow && o.Rule != RuleConcurrency },
	)
}

// sum makes one word of all.
func (v *Verdict) sum() {
	timed := true
	var until time.Time
	v.Decision = DecisionAllow
	for _, o := range v.Outcomes {
		v.Forced = v.Forced || o.Forced
		if o.Decision.harder(v.Decision) {
			v.Decision = o.Decision
		}
		if o.Decision != DecisionWait {
			continue
		}

		timed = timed && !o.Until.IsZero()
		if o.Until.After(until) {
			until = o.Until
		}
	}

	if v.Decision == DecisionWait && timed {
		v.Until = until
	}
}

// harder says whether a word is harder than another one.
func (d Decision) harder(than Decision) bool {
	return d == DecisionReject && than != DecisionReject || d == DecisionWait && than == DecisionAllow
}

func (j *evaluation) allow() Outcome {
	name := who(j.r.Requester, j.f.Requester)
	answer := j.p.Allow.include(j.r.Requester, j.f.Requester)
	switch {
	case answer.yes:
		return allow("%s may deploy", name)
	case answer.unsure != "":
		return unknown(name+": "+answer.unsure, "")
	}

	o := j.notAllowed(name, answer.lacks)
	o.Who = j.p.Allow.String()
	return o
}

func (j *evaluation) notAllowed(name string, lacks bool) Outcome {
	to, by := j.r.Environment, j.r.Requester
	switch {
	case lacks:
		have := j.f.Requester.Value.Permission.Value
		return reject(
			CodeNotAllowed,
			"%s needs %s permission to deploy to %s, and has %s",
			name,
			j.p.Allow.Permission,
			to,
			have,
		)
	case tokenOnly(by):
		return reject(CodeNotAllowed, "the API token %s is none of those who may deploy to %s", by.Token, to)
	case by.App == "" && by.ID == 0:
		return reject(CodeNotAllowed, "the deployment names no requester, and not everybody may deploy to %s", to)
	default:
		return reject(CodeNotAllowed, "%s is none of those who may deploy to %s", name, to)
	}
}

// force says whether somebody may pass rules. Who is only an API token was let in at the door, but
// never where the route lets nobody.
func (j *evaluation) force() (Outcome, bool) {
	switch {
	case j.here:
		return Outcome{}, j.r.Force != nil
	case j.r.Force == nil:
		return Outcome{}, false
	case j.p.Force == nil:
		return reject(CodeForceNotAllowed, "the rules of %s let nobody force a deployment", j.r.Environment), false
	}

	by, standing := j.r.Force.By, j.f.Forcer
	if !standing.Known && by.Same(j.r.Requester) {
		standing = j.f.Requester
	}

	answer, name := j.p.Force.include(by, standing), who(by, standing)
	switch {
	case answer.yes || tokenOnly(by):
		return allow("%s may force it: %s", name, j.r.Force.Reason), true
	case answer.unsure != "":
		return unknown(name+", who forces it: "+answer.unsure, ""), false
	}

	o := reject(CodeForceNotAllowed, "%s may not force a deployment to %s", name, j.r.Environment)
	o.Who = j.p.Force.String()
	return o, false
}

func tokenOnly(a deployment.Actor) bool { return a.ID == 0 && a.App == "" && a.Token != "" }

// maxWait ends what waits for rules too long. Waiting in line has no end.
func (j *evaluation) maxWait(all []Outcome) (Outcome, bool) {
	most := j.p.MaxWait
	if most <= 0 {
		most = DefaultMaxWait
	}

	i := slices.IndexFunc(all, func(o Outcome) bool { return o.Decision == DecisionWait && o.Rule != RuleConcurrency })
	over := !j.r.AcceptedAt.IsZero() && j.now.Sub(j.r.AcceptedAt) > most
	if i >= 0 && over {
		return reject(CodeWaitedTooLong, "waited %s for %s", span(most), all[i].Message), true
	}

	return allow("it may wait for %s", span(most)), j.p.MaxWait > 0
}
