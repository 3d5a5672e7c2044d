package policy

// Code is the reason for an outcome in one stable word. Programs may rely on codes; messages are for
// people and may change.
type Code string

// Codes that any rule may give, or that belong to no rule of the routes file.
const (
	CodeOK         Code = "ok"          // the rule is met
	CodeUnknown    Code = "unknown"     // wait: a fact that the rule needs could not be read
	CodeWrongRoute Code = "wrong_route" // reject: the deployment avoids the rules of another route
	CodeRouteGone  Code = "route_gone"  // reject: the deployment's route had rules, and is no longer configured

	CodeOtherDeployment Code = "other_deployment" // reject: GitHub shows another deployment than the event did
	CodeEnded           Code = "ended"            // reject: the deployment ended before its rules decided
)

// Codes of single rules.
const (
	CodeNotAllowed       Code = "not_allowed"       // allow: the requester is not among those who may deploy
	CodeRefNotAllowed    Code = "ref_not_allowed"   // refs: no glob matches the ref
	CodeNotAhead         Code = "not_ahead"         // require_ahead: the commit lacks commits that are deployed
	CodeChecksPending    Code = "checks_pending"    // checks, wait: they have not all finished
	CodeChecksFailed     Code = "checks_failed"     // checks: at least one failed
	CodeChecksTimeout    Code = "checks_timeout"    // checks: they did not finish in time
	CodeAfterPending     Code = "after_pending"     // after, wait: the commit is being deployed there
	CodeAfterMissing     Code = "after_missing"     // after: the commit has not succeeded there
	CodeInLine           Code = "in_line"           // concurrency, wait: other deployments come first
	CodeCanceling        Code = "canceling"         // concurrency, wait: the running one is being canceled
	CodeSuperseded       Code = "superseded"        // concurrency: a newer one takes its place, or has started
	CodeBusy             Code = "busy"              // concurrency, reject: other deployments come first
	CodeFrozen           Code = "frozen"            // freeze, wait or reject
	CodeLocked           Code = "locked"            // locks, wait or reject
	CodeApprovalsMissing Code = "approvals_missing" // approvals, wait
	CodeForceNotAllowed  Code = "force_not_allowed" // force: whoever forces the deployment may not
	CodeWaitedTooLong    Code = "waited_too_long"   // max_wait: another rule was waited for too long
)

// The names of the rules. They are the keys of the routes file, but for RuleRoutes, which is about the
// routes themselves, for RuleLocks, because locks are taken by people, for RuleEvent, which holds for
// every route with rules, and for RuleState, which stands for a deployment that ended undecided.
const (
	RuleRoutes       = "routes"
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
	RuleEvent        = "event"
	RuleState        = "state"
)
