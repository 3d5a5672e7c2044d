package policy

// Refusal says why somebody may not do something. The zero Refusal says that they may.
type Refusal struct {
	Reason string // for people
	// Unknown says that a fact about the person is unknown, so that the same request may be allowed
	// later.
	Unknown bool
}

// Refused says whether they may not.
func (r Refusal) Refused() bool { return r.Reason != "" }

// RefusalOf is the refusal that a verdict about a person amounts to.
func RefusalOf(v Verdict) Refusal {
	o := v.Deciding()
	switch {
	case v.Decision == DecisionAllow:
		return Refusal{}
	case v.Decision == DecisionWait && o.Code == CodeUnknown:
		return Refusal{Reason: "this depends on " + o.Message + ": try again", Unknown: true}
	default:
		return Refusal{Reason: o.Message}
	}
}
