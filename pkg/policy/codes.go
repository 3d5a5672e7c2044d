package policy

// Code says in one stable word why a rule says what it says. Programs may rely on it; messages are
// for people.
type Code string

// The codes. Each belongs to one rule, but for the first four.
const (
	CodeOK Code = "ok"
	// wait: a fact that the rule needs could not be had; it is asked for again
	CodeUnknown       Code = "unknown"
	CodeWaitedTooLong Code = "waited_too_long" // reject: max_wait is over

	CodeRouteGone Code = "route_gone" // reject: its route, which had rules, is no longer configured

	CodeNotAllowed       Code = "not_allowed"       // allow: the requester is none of those who may
	CodeRefNotAllowed    Code = "ref_not_allowed"   // refs: no glob matches
	CodeNotAhead         Code = "not_ahead"         // require_ahead: the commit lacks some of what is deployed
	CodeChecksPending    Code = "checks_pending"    // checks: wait
	CodeChecksFailed     Code = "checks_failed"     // checks: one is red
	CodeChecksTimeout    Code = "checks_timeout"    // checks: still pending when their wait is over
	CodeAfterPending     Code = "after_pending"     // after: the commit is on its way there: wait
	CodeAfterMissing     Code = "after_missing"     // after: it has not succeeded there
	CodeInLine           Code = "in_line"           // concurrency: others come first: wait
	CodeCanceling        Code = "canceling"         // concurrency: cancel: the running one is being canceled: wait
	CodeSuperseded       Code = "superseded"        // concurrency: a newer one takes its place, or has started
	CodeBusy             Code = "busy"              // concurrency: reject: others come first
	CodeFrozen           Code = "frozen"            // freeze
	CodeLocked           Code = "locked"            // locks
	CodeApprovalsMissing Code = "approvals_missing" // approvals: wait
	CodeForceNotAllowed  Code = "force_not_allowed" // force: whoever asked for it may not
)

// The names of the rules, as the routes file has them. Locks are taken by people and stand in no
// file.
const (
	RuleAllow        = "allow"
	RuleRefs         = "refs"
	RuleRequireAhead = "require_ahead"
	RuleChecks       = "checks"
	RuleAfter        = "after"
	RuleConcurrency  = "concurrency"
	RuleFreeze       = "freeze"
	RuleLocks        = "locks"
	RuleApprovals    = "approvals"
	RuleForce        = "force"
	RuleMaxWait      = "max_wait"
)

// Needs are the facts that a policy needs for a request. Locks and Line are always needed: they
// cost nothing but a look into our own rows.
type Needs struct {
	Requester *PersonNeeds // nil: nothing is asked about the requester
	Forcer    *PersonNeeds // nil: nobody forces it, or the answer is the requester's
	Deployed  bool
	Compared  bool // with Deployed; only where something is deployed
	Checks    bool
	Required  bool
	After     []string // in lower case
	Approvals bool
}

// PersonNeeds is what is asked about a person.
type PersonNeeds struct {
	Permission bool
	Teams      []string // org/team, in lower case
}
