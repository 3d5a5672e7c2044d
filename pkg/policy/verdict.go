package policy

import (
	"slices"
	"time"
)

// Decision is what a rule, or all of them, say.
type Decision string

// The decisions, the mildest first.
const (
	DecisionAllow  Decision = "allow"
	DecisionWait   Decision = "wait"
	DecisionReject Decision = "reject"
)

// Outcome is what one rule says. Message is made for a GitHub description: for Wait it names what
// is waited for ("2 approvals by acme/sre"), so that "Waiting for " can stand before it; for Refuse
// it is a sentence.
type Outcome struct {
	Rule     string    `json:"rule"` // as it is called in the routes file
	Decision Decision  `json:"decision"`
	Code     Code      `json:"code"`
	Message  string    `json:"message"`
	Who      string    `json:"who,omitempty"`    // who could change it
	Until    time.Time `json:"until,omitzero"`   // when it opens by itself, if that is known
	Forced   bool      `json:"forced,omitempty"` // it did not hold, and was passed by force
}

// Verdict is what all rules say together: the hardest word counts.
type Verdict struct {
	Decision Decision  `json:"decision"`
	Outcomes []Outcome `json:"rules"`
	Until    time.Time `json:"until,omitzero"`   // when it may open, as far as all that is waited for says when
	Forced   bool      `json:"forced,omitempty"` // a rule was passed by force
	// locks that do not keep it: its requester's own, and those passed by force
	Passed  []int64 `json:"-"`
	Cancels int64   `json:"-"` // GitHub's id of the running deployment that it cancels; 0: none
}

// First is the outcome that decided: the first of the hardest. Where all allow it is the zero
// Outcome.
func (v Verdict) First() Outcome {
	for _, o := range v.Outcomes {
		if o.Decision == v.Decision && o.Decision != DecisionAllow {
			return o
		}
	}
	return Outcome{}
}

// Unsure says whether a rule lacks a fact: what it says may turn into no.
func (v Verdict) Unsure() bool {
	return slices.ContainsFunc(v.Outcomes, func(o Outcome) bool { return o.Code == CodeUnknown })
}
