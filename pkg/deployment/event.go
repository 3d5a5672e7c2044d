package deployment

import "time"

// Event is something that happened to a deployment. The set is closed: only this package can add to
// it, and the variable table says what each event does in each state.
type Event interface{ event() string }

// Events before the trigger. The engine applies them to a waiting deployment.
type (
	// Admitted says that the rules found no reason to reject the deployment. The first one sets
	// AdmittedAt.
	Admitted struct{}

	// Blocked says that the deployment cannot start yet, and sets when it is tried again.
	Blocked struct {
		By    string        // words that follow "Waiting for", such as "1 of 2 approvals"
		First bool          // nothing of its own environment is before it
		After time.Duration // try again after this long; 0: when woken, and after 15 s at the latest
	}

	// Resolved carries CircleCI's identity of the target's project. Learned says that it was not on
	// record: CircleCI has just been asked.
	Resolved struct {
		Project Project
		Learned bool
	}

	// RefResolved carries what GitHub shows of the target's ref right before the trigger. The zero Ref
	// says that GitHub was not asked, or may not be.
	RefResolved struct{ Ref Ref }

	// Start records an attempt and moves the deployment to Triggering. Only the worker whose own
	// write of it succeeded may send, once.
	Start struct {
		SendBefore time.Time
		Forced     bool // a rule was bypassed by force
	}

	// Fail ends the deployment as errored because it cannot run.
	Fail struct{ Reason string }

	// Reject ends it as rejected because a rule said no.
	Reject struct{ Reason string }

	// Disown ends it as rejected because GitHub does not show what its event said: the event was forged. Nothing
	// is said at GitHub, where the id may belong to another deployment, and the row gives the id up for that one.
	Disown struct{ Reason string }

	// Superseded ends it as rejected because a newer deployment of its environment has started
	// before it.
	Superseded struct{ By int64 } // GitHub's id of the newer one

	// Done ends a deployment that only locks or unlocks its environment as succeeded.
	Done struct{ Reason string }
)

// Requests to force or cancel a deployment.
type (
	// ForceRequested says that somebody asked to bypass rules. Only a waiting deployment takes it.
	ForceRequested struct{ Force Force }

	// CancelRequested says that somebody, or a rule, asked to cancel the deployment. A waiting one
	// ends at once; a later one ends when CircleCI shows that its workflows have ended.
	CancelRequested struct {
		By     Actor  // zero: a rule
		Reason string // may be empty
	}
)

// Approvals of jobs that CircleCI holds.
type (
	// HoldAsked says that somebody is about to approve a job through this service.
	HoldAsked struct {
		By            Actor
		Workflow, Job string
	}

	// HoldApproved says that CircleCI took the approval.
	HoldApproved struct {
		By            Actor
		Workflow, Job string
		MoreWait      bool // other jobs of the pipeline wait for an approval
	}
)

// Events that carry CircleCI's answer to a trigger. The sender applies one of them.
type (
	// Triggered is CircleCI's 201 with an id. It proves that the pipeline is this deployment's, so it
	// counts even if it is written late.
	Triggered struct{ Pipeline PipelineFacts }

	// TriggerSkipped is a 2xx other than 201 with CircleCI's own message: it took the request and started
	// nothing.
	TriggerSkipped struct{ Message string }

	// TriggerRefused is a 4xx with CircleCI's own message: nothing was started.
	TriggerRefused struct {
		Status      int
		Message     string
		RefNotFound bool // CircleCI does not know the branch or tag, perhaps only not yet
		AuthDoubt   bool // 401 or 404, which CircleCI also answers to a bad token and to lost access
	}

	// TriggerNotSent says that the request did not reach CircleCI (the connection or TLS handshake
	// failed), or was turned away unread (429): nothing was started.
	TriggerNotSent struct {
		Cause  string
		Detail string        // for the timeline only
		After  time.Duration // Retry-After; 0: none was given
	}

	// TriggerUnknown says that the request left and no usable answer came: it may have started a
	// pipeline.
	TriggerUnknown struct {
		Cause   string
		Detail  string // for the timeline only
		Refused bool   // a refusing 4xx, or a 2xx other than 201, without CircleCI's own message
	}

	// TriggerInterrupted says that a worker which is not the sender found the deployment in
	// Triggering: the sender has died, before or after it sent.
	TriggerInterrupted struct{}
)

// Events that say how a look-up of an unconfirmed trigger went. EvaluateLookup returns one of the first
// four; PipelineReassigned can undo LookupFound.
type (
	// LookupFound carries the pipeline to adopt.
	LookupFound struct {
		Pipeline   PipelineFacts
		By         string   // ByKey or ByWindow
		Duplicates []string // ids of younger pipelines with the same key, which are canceled
	}

	// LookupAbsent says that the attempt is proven to have started nothing.
	LookupAbsent struct{ Unclaimed []string }

	// LookupPending says that this look-up proved neither, and that a later one may.
	LookupPending struct {
		Cause     string
		Unclaimed []string
	}

	// LookupInconclusive says that no later look-up will prove anything: the deployment ends as
	// errored.
	LookupInconclusive struct {
		Reason    string
		Unclaimed []string
	}

	// PipelineReassigned says that the pipeline, which was adopted without proof, is another
	// deployment's. The deployment is unconfirmed again.
	PipelineReassigned struct{}
)

// Events about pipelines.
type (
	// Claimed says that a job of the pipeline presented the deployment's key. It proves that the
	// pipeline is this deployment's.
	Claimed struct {
		PipelineID   string
		NewerStarted bool // as in Polled; also if the trigger of a newer one may be under way
	}

	// Polled carries what a poll of the deployment's pipeline showed, perhaps only the workflows.
	Polled struct {
		Progress     Progress
		NewerStarted bool // a newer deployment of the environment has started; read for Failed only
	}

	// PollFailed says that the pipeline could not be read.
	PollFailed struct {
		Cause  string
		Detail string        // for the timeline only
		Gone   bool          // CircleCI answered 404: it does not exist, or is hidden from us
		After  time.Duration // Retry-After; 0: none was given
	}

	// FailureFound carries the step at which a deployment failed; without a job: none is known.
	FailureFound struct{ Output StepOutput }

	// PipelineOrphaned says that CircleCI started a pipeline for this deployment too late for it to
	// be used. It is being canceled.
	PipelineOrphaned struct{ PipelineID string }

	// DuplicatesChecked is one look for duplicates, and says which were found and canceled.
	DuplicatesChecked struct{ Duplicates []string }
)

func (Admitted) event() string    { return "admitted" }
func (Blocked) event() string     { return "blocked" }
func (Resolved) event() string    { return "resolved" }
func (RefResolved) event() string { return "ref_resolved" }
func (Start) event() string       { return "start" }
func (Fail) event() string        { return "fail" }
func (Reject) event() string      { return "reject" }
func (Disown) event() string      { return "disown" }
func (Superseded) event() string  { return "superseded" }
func (Done) event() string        { return "done" }

func (ForceRequested) event() string  { return "force_requested" }
func (CancelRequested) event() string { return "cancel_requested" }

func (HoldAsked) event() string    { return "hold_asked" }
func (HoldApproved) event() string { return "hold_approved" }

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
func (PipelineReassigned) event() string { return "pipeline_reassigned" }

func (Claimed) event() string           { return "claimed" }
func (Polled) event() string            { return "polled" }
func (PollFailed) event() string        { return "poll_failed" }
func (FailureFound) event() string      { return "failure_found" }
func (PipelineOrphaned) event() string  { return "pipeline_orphaned" }
func (DuplicatesChecked) event() string { return "duplicates_checked" }
