package deployment

import "time"

// Event is something that happened to a deployment. The set is closed.
type Event interface{ event() string }

// Start moves a waiting deployment to triggering. Only the worker whose own write of it succeeded
// may send, once.
type Start struct {
	SendBefore time.Time
	Forced     bool // a rule was passed by force
}

// Blocked says that a waiting deployment cannot start yet. First tells that it is first in line of
// its environment.
type Blocked struct {
	By    string        // for people, such as "#42 (running)"
	First bool          // nothing of its own environment is before it
	After time.Duration // look again after this long; 0: when woken, at the latest after 15 s
}

// Resolved carries CircleCI's identity of the target's project.
type Resolved struct{ Project Project }

// Fail ends a deployment that has not started.
type Fail struct{ Reason string }

// Admitted says that the rules find no reason to reject a waiting deployment.
type Admitted struct{}

// Reject ends a waiting deployment: a rule said no.
type Reject struct{ Reason string }

// ForceRequested gives a waiting deployment somebody's will to pass rules.
type ForceRequested struct{ Force Force }

// CancelRequested says that somebody wants it canceled. A waiting one ends at once; a running one
// when CircleCI shows that its workflows have ended.
type CancelRequested struct {
	By     Actor
	Reason string // may be empty
}

// Done ends a waiting deployment that only locks or unlocks.
type Done struct{ Reason string }

// Superseded ends a deployment that came to light after a newer one of its environment had started.
type Superseded struct{ By int64 } // GitHub's id of the newer one

// Triggered is CircleCI's 201 with an id: proof.
type Triggered struct{ Pipeline PipelineFacts }

// TriggerSkipped is a 2xx other than 201: nothing started.
type TriggerSkipped struct{ Message string }

// TriggerRefused is a clear no with CircleCI's own message: nothing started.
type TriggerRefused struct {
	Status         int
	Message        string
	BranchNotFound bool
	AuthDoubt      bool // 401, or 404: CircleCI hides bad tokens and lost access behind them
}

// TriggerNotSent says that the request did not reach CircleCI or was turned away unread (dial or
// TLS failure, 429).
type TriggerNotSent struct {
	Cause string
	After time.Duration // Retry-After; 0 when none was given
}

// TriggerUnknown says that the request may have had its effect.
type TriggerUnknown struct{ Cause string }

// TriggerInterrupted says that a row was found in triggering by somebody who is not its sender.
type TriggerInterrupted struct{}

// LookupFound is the pipeline that a look-up adopts. Twins are younger pipelines with the same key;
// they are to be canceled.
type LookupFound struct {
	Pipeline   PipelineFacts
	By         string
	Duplicates []string
}

// LookupAbsent says that a look-up proved that nothing was started.
type LookupAbsent struct{ Unclaimed []string }

// LookupPending says that a look-up could not tell yet.
type LookupPending struct {
	Cause     string
	Unclaimed []string
}

// LookupInconclusive says that nobody will ever be able to tell.
type LookupInconclusive struct{ Reason string }

// Claimed says that a job of this pipeline presented the deployment's key.
type Claimed struct{ PipelineID string }

// PipelineReassigned says that the pipeline adopted without proof was proven to be another
// deployment's.
type PipelineReassigned struct{}

// PipelineOrphaned says that a pipeline that CircleCI started for this deployment came too late to
// be followed; it is being canceled.
type PipelineOrphaned struct{ PipelineID string }

// Polled is one complete look at the deployment's pipeline. NewerStarted tells that a newer
// deployment of the environment has started.
type Polled struct {
	Progress     Progress
	NewerStarted bool
}

// PollFailed says that the pipeline could not be looked at. Gone: CircleCI says that it does not
// exist.
type PollFailed struct {
	Cause string
	Gone  bool
	After time.Duration
}

// DuplicatesChecked is one look for late twins of the key.
type DuplicatesChecked struct{ Duplicates []string }

func (Start) event() string              { return "start" }
func (Blocked) event() string            { return "blocked" }
func (Resolved) event() string           { return "resolved" }
func (Fail) event() string               { return "fail" }
func (Admitted) event() string           { return "admitted" }
func (Reject) event() string             { return "reject" }
func (ForceRequested) event() string     { return "force_requested" }
func (CancelRequested) event() string    { return "cancel_requested" }
func (Done) event() string               { return "done" }
func (Superseded) event() string         { return "superseded" }
func (Triggered) event() string          { return "triggered" }
func (TriggerSkipped) event() string     { return "trigger_skipped" }
func (TriggerRefused) event() string     { return "trigger_refused" }
func (TriggerNotSent) event() string     { return "trigger_not_sent" }
func (TriggerUnknown) event() string     { return "trigger_unknown" }
func (TriggerInterrupted) event() string { return "trigger_interrupted" }
func (LookupFound) event() string        { return "lookup_found" }
func (LookupAbsent) event() string       { return "lookup_absent" }
func (LookupPending) event() string      { return "lookup_pending" }
func (LookupInconclusive) event() string { return "lookup_inconclusive" }
func (Claimed) event() string            { return "claimed" }
func (PipelineReassigned) event() string { return "pipeline_reassigned" }
func (Polled) event() string             { return "polled" }
func (PollFailed) event() string         { return "poll_failed" }
func (PipelineOrphaned) event() string   { return "pipeline_orphaned" }
func (DuplicatesChecked) event() string  { return "duplicates_checked" }
