package policy

import (
	"slices"
	"time"
)

// Decision is what one rule, or all rules together, say about a deployment.
type Decision string

// The decisions, the mildest first.
const (
	DecisionAllow  Decision = "allow"
	DecisionWait   Decision = "wait"
	DecisionReject Decision = "reject"
)

// stricterThan says whether a decision is stricter than another one.
func (d Decision) stricterThan(other Decision) bool { return strictness(d) > strictness(other) }

func strictness(d Decision) int {
	return slices.Index([]Decision{DecisionAllow, DecisionWait, DecisionReject}, d)
}

// Outcome is what one rule says.
type Outcome struct {
	Rule     string   `json:"rule"` // its key in the routes file; RuleLocks, RuleRoutes, RuleEvent and RuleState have none
	Decision Decision `json:"decision"`
	Code     Code     `json:"code"`

	// Message is for people and fits into the description of a GitHub status. Where the decision is
	// DecisionWait it names what is waited for, so that it can follow "Waiting for " ("2 approvals
	// from acme/sre"). Otherwise it is a statement ("check build failed").
	Message string `json:"message"`

	Who    string    `json:"who,omitempty"`    // who or what could help
	Until  time.Time `json:"until,omitzero"`   // when the rule will be met without anybody's help, if known
	Forced bool      `json:"forced,omitempty"` // the rule is not met, and was overridden by force

	// NoAccount says that the rule waits because GitHub shows no account with the person's id.
	NoAccount bool `json:"-"`
}

// Verdict is what all rules say together. The strictest outcome decides.
type Verdict struct {
	Decision Decision  `json:"decision"`
	Outcomes []Outcome `json:"rules"`
	Until    time.Time `json:"until,omitzero"`   // the latest Until of what is waited for; zero if one of them has none
	Forced   bool      `json:"forced,omitempty"` // a rule was overridden by force

	// PassedLocks holds the ids of the locks that do not stop the deployment: the requester's own, and
	// those that were overridden by force.
	PassedLocks []int64 `json:"-"`

	// OnlyQueued says that the deployment waits, and for nothing but the other deployments of its environment.
	OnlyQueued bool `json:"-"`

	// Cancels is GitHub's id of the running deployment that must be canceled for this one; 0: none.
	Cancels int64 `json:"-"`
}

// Deciding returns the outcome that decided: the first of the strictest ones. It is the zero Outcome if
// the verdict is to allow the deployment.
func (v Verdict) Deciding() Outcome {
	for _, o := range v.Outcomes {
		if o.Decision == v.Decision && o.Decision != DecisionAllow {
			return o
		}
	}
	return Outcome{}
}

// LacksFacts says whether a rule lacks a fact, so that its outcome may still become stricter.
func (v Verdict) LacksFacts() bool {
	return slices.ContainsFunc(v.Outcomes, func(o Outcome) bool { return o.Code == CodeUnknown })
}

// newVerdict sums up the outcomes of all rules.
func newVerdict(outcomes []Outcome) Verdict {
	v := Verdict{Decision: DecisionAllow, Outcomes: outcomes}
	allTimed := true
	var latest time.Time

	for _, o := range outcomes {
		v.Forced = v.Forced || o.Forced
		if o.Decision.stricterThan(v.Decision) {
			v.Decision = o.Decision
		}
		if o.Decision != DecisionWait {
			continue
		}

		allTimed = allTimed && !o.Until.IsZero()
		if o.Until.After(latest) {
			latest = o.Until
		}
	}

	if v.Decision == DecisionWait && allTimed {
		v.Until = latest
	}

	return v
}
