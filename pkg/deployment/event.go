package deployment

import "time"

// Event is something that happened to a deployment. The set is closed.
type Event interface{ event() string }

// Start moves a waiting deployment to triggering. Only the worker whose own write of it succeeded may send, once.
type Start struct {
	SendBefore time.Time
	Forced     bool // a rule was passed by force
}

// Blocked says that a waiting deployment cannot start yet. First tells that it is first in line of its environment.
type Blocked struct {
	By    string        // for people, such as "#42 (running)"
	First bool          // nothing of its own environment is before it
	After time.Duration // look again after this long; 0: when woken, at the latest after 15 s
}

// Resolved carries CircleCI's identity of the target's project.
type Resolved struct{ Project Project }

// Refuse ends a deployment that has not started.
type Refuse struct{ Reason string }

// Admitted says that the rules find no reason to reject a waiting deployment.
type Admitted struct{}

// TurnedAway ends a waiting deployment: a rule said no.
type TurnedAway struct{ Reason string }

// Forced gives a waiting deployment somebody's will to pass rules.
type Forced struct{ Force Force }

// CancelAsked says that somebody wants it canceled. A waiting one ends at once; a running one when CircleCI shows that its workflows have ended.
type CancelAsked struct {
	By     Actor
	Reason string // may be empty
}

// Done ends a waiting deployment that only locks or unlocks.
type Done struct{ Reason string }

// Superseded ends a deployment that came to light after a newer one of its environment had started.
type Superseded struct{ By int64 } // GitHub's id of the newer one

// Triggered is CircleCI's 201 with an id: proof.
type Triggered struct{ Pipeline PipelineFacts }

// Skipped is a 2xx other than 201: nothing started.
type Skipped struct{ Message string }

// Refused is a clear no with CircleCI's own message: nothing started.
type Refused struct {
	Status         int
	Message        string
	BranchNotFound bool
	Mistrust       bool // 401, or 404: CircleCI hides bad tokens and lost access behind them
}

// NotSent says that the request did not reach CircleCI or was turned away unread (dial or TLS failure, 429).
type NotSent struct {
	Cause string
	After time.Duration // Retry-After; 0 when none was given
}

// Unknown says that the request may have had its effect.
type Unknown struct{ Cause string }

// Interrupted says that a row was found in triggering by somebody who is not its sender.
type Interrupted struct{}

// Found is the pipeline that a look-up adopts. Twins are younger pipelines with the same key; they are to be canceled.
type Found struct {
	Pipeline PipelineFacts
	By       string
	Twins    []string
}

// Absent says that a look-up proved that nothing was started.
type Absent struct{ Foreign []string }

// Unclear says that a look-up could not tell yet.
type Unclear struct {
	Cause   string
	Foreign []string
}

// Doubt says that nobody will ever be able to tell.
type Doubt struct{ Reason string }

// Claimed says that a job of this pipeline presented the deployment's key.
type Claimed struct{ PipelineID string }

// Displaced says that the pipeline adopted without proof was proven to be another deployment's.
type Displaced struct{}

// Stray says that a pipeline that CircleCI started for this deployment came too late to be followed; it is being canceled.
type Stray struct{ PipelineID string }

// Observed is one complete look at the deployment's pipeline. NewerStarted tells that a newer deployment of the environment has started.
type Observed struct {
	Progress     Progress
	NewerStarted bool
}

// Unseen says that the pipeline could not be looked at. Gone: CircleCI says that it does not exist.
type Unseen struct {
	Cause string
	Gone  bool
	After time.Duration
}

// Watched is one look for late twins of the key.
type Watched struct{ Twins []string }

func (Start) event() string       { return "start" }
func (Blocked) event() string     { return "blocked" }
func (Resolved) event() string    { return "resolved" }
func (Refuse) event() string      { return "refuse" }
func (Admitted) event() string    { return "admitted" }
func (TurnedAway) event() string  { return "turned_away" }
func (Forced) event() string      { return "forced" }
func (CancelAsked) event() string { return "cancel_asked" }
func (Done) event() string        { return "done" }
func (Superseded) event() string  { return "superseded" }
func (Triggered) event() string   { return "triggered" }
func (Skipped) event() string     { return "skipped" }
func (Refused) event() string     { return "refused" }
func (NotSent) event() string     { return "not_sent" }
func (Unknown) event() string     { return "unknown" }
func (Interrupted) event() string { return "interrupted" }
func (Found) event() string       { return "found" }
func (Absent) event() string      { return "absent" }
func (Unclear) event() string     { return "unclear" }
func (Doubt) event() string       { return "doubt" }
func (Claimed) event() string     { return "claimed" }
func (Displaced) event() string   { return "displaced" }
func (Observed) event() string    { return "observed" }
func (Unseen) event() string      { return "unseen" }
func (Stray) event() string       { return "stray" }
func (Watched) event() string     { return "watched" }
