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
	case v.Decision == DecisionWait && o.NoAccount:
		return o.refuseNoAccount()
	case v.Decision == DecisionWait && o.Code == CodeUnknown:
		return Refusal{Reason: "this depends on " + o.Message + ": try again", Unknown: true}
	default:
		return Refusal{Reason: o.Message}
	}
}

// checkAccount is the remedy where GitHub shows no account of a person.
const checkAccount = ": check by which login and id the person is named; " +
	"https://api.github.com/users/LOGIN shows the id of an account"

// refuseNoAccount says what to check, because to try again would not help.
func (o Outcome) refuseNoAccount() Refusal {
	return Refusal{Reason: "this depends on " + o.Message + checkAccount}
}

// NoAccount refuses a request that would wait in vain, because a rule waits for the account of a person whom GitHub
// does not show. The zero Refusal: no rule waits for that.
func NoAccount(v Verdict) Refusal {
	for _, o := range v.Outcomes {
		if o.NoAccount {
			return o.refuseNoAccount()
		}
	}
	return Refusal{}
}
