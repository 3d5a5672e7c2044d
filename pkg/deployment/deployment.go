package deployment

import (
	"slices"
	"time"
)

// Deployment is a request on its way to CircleCI and back. It changes only through Machine.Apply.
// The store writes it as JSON and guards every write with Version.
//
// The fields are grouped by the states in which they mean something. "Since" fields hold the moment
// at which something began and are zero while it is not so.
type Deployment struct {
	// Storage. The store fills these in; they are columns of the row and not in the JSON.

	Row       int64 `json:"-"` // our own id
	Version   int64 `json:"-"` // raised by each write; a write that was made from another version is refused
	WakeCount int64 `json:"-"` // how many hints have come in; shows a write that a hint came in since the read
	Woken     bool  `json:"-"` // the lease was given before Due, because something woke the row

	// Request. Set when the deployment is accepted and never changed.

	Request    Request   `json:"request"`
	Target     Target    `json:"target"`
	Problem    string    `json:"problem,omitempty"`  // found at acceptance: it ends errored at its first step
	Refused    string    `json:"refused,omitempty"`  // found at acceptance: it ends rejected at its first step
	Delivery   string    `json:"delivery,omitempty"` // GUID of the delivery with which it was accepted
	AcceptedAt time.Time `json:"accepted_at"`

	// Every state.

	State      State      `json:"state"`
	Due        time.Time  `json:"due,omitzero"`       // the earlier of StepDue and DuplicateDue; zero: never
	StepDue    time.Time  `json:"look_due,omitzero"`  // when a worker takes its next step
	Polls      int        `json:"looks,omitempty"`    // look-ups or polls since the state changed
	Failures   int        `json:"backoffs,omitempty"` // triggers that were not sent, or polls that failed, in a row
	Cancel     *Cancel    `json:"cancel,omitempty"`   // somebody asked to cancel it; nil: nobody did
	LastReport ReportText `json:"told,omitzero"`      // the newest report

	// Waiting. BlockedBy and NotBefore count there only. The rest is kept afterwards:
	// an attempt that started nothing brings the deployment back here.

	AdmittedAt time.Time `json:"admitted_at,omitzero"` // when the rules first found no reason to reject it
	BlockedBy  string    `json:"blocked,omitempty"`    // what it waits for, in words that follow "Waiting for"
	NotBefore  time.Time `json:"not_before,omitzero"`  // it does not start before this moment, whatever wakes it
	FirstSince time.Time `json:"first_at,omitzero"`    // since when it is first in line; START_TIMEOUT counts from here
	Force      *Force    `json:"force,omitempty"`      // somebody asked to bypass rules; nil: nobody did
	Forced     bool      `json:"forced,omitempty"`     // Force was needed: a rule was bypassed by it

	// Triggering and Unconfirmed, and kept afterwards. Project is set while it still waits.

	Project    Project   `json:"project,omitzero"`      // CircleCI's identity of Target.Project
	Attempts   []Attempt `json:"attempts,omitempty"`    // oldest first; the last one is the current one
	BuildRef   Ref       `json:"build_ref,omitzero"`    // what Target.Ref is at GitHub; zero: GitHub was not asked
	RefTries   int       `json:"ref_tries,omitempty"`   // answers "Branch not found" so far
	AuthTries  int       `json:"trust_tries,omitempty"` // answers 401, or 404 on a known project, so far
	Refusals   int       `json:"refusals,omitempty"`    // refusals without a message of CircleCI, in a row
	Retriggers int       `json:"retriggers,omitempty"`  // attempts that a look-up found to have started nothing

	LookupFrom time.Time `json:"lookup_from,omitzero"` // see ForLookup; zero: look-ups go back to the first attempt

	LastFailure string `json:"last_failure,omitempty"` // why the newest attempt brought no pipeline; empty: it did

	// Running and Held, and kept afterwards. Pipeline and StartedAt are empty again if the pipeline
	// turns out to be another deployment's.

	Pipeline     *Pipeline     `json:"pipeline,omitempty"`
	StartedAt    time.Time     `json:"started_at,omitzero"`    // when Pipeline became the deployment's own
	RunningSince time.Time     `json:"running_since,omitzero"` // zero unless Running
	RanFor       time.Duration `json:"ran_for,omitempty"`      // time spent in Running before RunningSince
	HeldSince    time.Time     `json:"held_since,omitzero"`    // zero unless Held
	QuietSince   time.Time     `json:"quiet_since,omitzero"`   // since when nothing runs although more may come
	GoneSince    time.Time     `json:"gone_since,omitzero"`    // since when CircleCI answers that there is none

	HoldApprovals []HoldApproval `json:"hold_approvals,omitempty"` // through this service, oldest first
	ApprovedAt    time.Time      `json:"approved_at,omitzero"`     // when CircleCI took that of the last waiting job

	// Ended.

	EndedAt       time.Time `json:"ended_at,omitzero"`
	Reason        string    `json:"reason,omitempty"`     // why it ended, for people; empty before the end
	StoppingSince time.Time `json:"stopping,omitzero"`    // since when its workflows must end; it keeps its slot
	RerunUntil    time.Time `json:"rerun_until,omitzero"` // Failed only: until when a rerun can make it Succeeded
	Failure       *Failure  `json:"failure,omitempty"`    // Failed only: the failing step, where the route shows it
	FailureRead   bool      `json:"failure_read,omitempty"`

	// The watch for duplicates: pipelines with this deployment's key beside its own one, from an
	// attempt that was given up. It is kept through every state and pauses in Triggering and
	// Unconfirmed, because a look-up sees duplicates anyway.

	DuplicateUntil time.Time `json:"twin_until,omitzero"` // when the watch ends; zero: none is kept
	DuplicateDue   time.Time `json:"twin_due,omitzero"`   // when to look for them next
	Duplicates     []string  `json:"twins,omitempty"`     // ids of those that were found; each is canceled
}

// Attempt is one try to start a pipeline. It is committed before the request leaves and never
// deleted, so that no pipeline of ours can be started without a record of it.
type Attempt struct {
	Number     int       `json:"number"`            // from 1
	IntendedAt time.Time `json:"intent"`            // when it was decided, by our clock
	SendBefore time.Time `json:"send_before"`       // the request must not leave after this moment
	Ref        Ref       `json:"ref"`               // the branch or tag to ask for
	Outcome    string    `json:"outcome,omitempty"` // what came of it, such as "201" or "refused 404"; empty: not known
}

// OutcomeInterrupted is the outcome of an attempt whose sender was not heard of: its answer may still come.
const OutcomeInterrupted = "interrupted"

// Cancel is a person's or a rule's request to cancel a deployment. The first one counts.
type Cancel struct {
	At     time.Time `json:"at"`
	By     Actor     `json:"by,omitzero"` // zero: a rule
	Reason string    `json:"reason,omitempty"`

	// StoppedJob says that a job which claimed the deployment afterwards was refused, so that a failure is an
	// effect of the cancel.
	StoppedJob bool `json:"stopped_job,omitempty"`
}

// ReportText is what the newest report says. It keeps a report from being repeated and from going
// back to an earlier GitHub state.
type ReportText struct {
	State       GitHubState `json:"state,omitempty"`
	Description string      `json:"description,omitempty"`
	LogURL      string      `json:"log_url,omitempty"`
}

// Project is CircleCI's identity of a project. The id is the same for every spelling of the slug.
type Project struct {
	ID   string `json:"id"`
	Slug string `json:"slug"`
}

// HoldsSlot says whether the deployment occupies its environment: from Triggering until its end,
// and after it until CircleCI shows that its workflows have ended.
func (d Deployment) HoldsSlot() bool {
	return d.State.Open() && d.State != Waiting || !d.StoppingSince.IsZero()
}

// HoldsProject says whether a trigger of the deployment may be in flight. The store allows one such
// deployment per CircleCI project, so that a look-up has at most one trigger to account for.
func (d Deployment) HoldsProject() bool { return d.State == Triggering || d.State == Unconfirmed }

// LastAttempt returns the newest attempt, or the zero Attempt where there is none.
func (d Deployment) LastAttempt() Attempt {
	if len(d.Attempts) == 0 {
		return Attempt{}
	}
	return d.Attempts[len(d.Attempts)-1]
}

const (
	windowLead      = 10 * time.Minute // a look-up reads lists back to this long before the first attempt
	lookupClockStep = time.Minute      // an attempt further in the future was recorded by a clock that was ahead
	lookupUnknown   = 24 * time.Hour   // how far back a look-up reads if neither the attempt nor GitHub tells
)

// MaySend says whether the request of an attempt may leave at a moment of our clock: not after sendBefore, and not if
// sendBefore is further ahead than SendWindow can be. A clock that has been set back since has written it then, and a
// look-up does not wait for it: see ForLookup.
func MaySend(sendBefore, now time.Time) bool {
	return !now.After(sendBefore) && !isFarAhead(sendBefore, now)
}

// isFarAhead says whether a clock that has been set back since has written the moment before which a request may leave.
func isFarAhead(sendBefore, now time.Time) bool {
	return sendBefore.Sub(now) > SendWindow+lookupClockStep
}

// ForLookup returns the deployment as a look-up at a moment of our clock takes it. If our clock was ahead when it wrote
// the attempts, and has been set back since, two of their times are wrong:
//
//   - CircleCI gives the first attempt's pipeline an earlier time, and a look-up that goes back to the attempt would
//     overlook it: the trigger would be repeated. LookupFrom is then the deployment's creation at GitHub, or a day before
//     now if that is not known.
//   - The request of the newest attempt leaves by SendWindow after now or, by MaySend, not at all, whatever its SendBefore
//     says: the environment and the project do not wait until our clock is where it was.
//
// The caller saves the result, because later the attempts lie in the past.
func (d Deployment) ForLookup(now time.Time) Deployment {
	if d.LookupFrom.IsZero() && d.earliestStart().After(now.Add(lookupClockStep)) {
		d.LookupFrom = now.Add(-lookupUnknown)
		if created := d.Request.CreatedAt; !created.IsZero() && created.Before(now) {
			d.LookupFrom = created
		}
	}

	if isFarAhead(d.LastAttempt().SendBefore, now) {
		d.Attempts = slices.Clone(d.Attempts)
		d.Attempts[len(d.Attempts)-1].SendBefore = now.Add(SendWindow)
	}

	return d
}

// LookupSince returns how far back a look-up reads CircleCI's lists. The result is in CircleCI's
// time; offset is CircleCI's clock minus ours.
func (d Deployment) LookupSince(offset time.Duration) time.Time {
	from := d.LookupFrom
	if from.IsZero() {
		from = d.earliestStart()
	}
	return from.Add(offset - windowLead)
}

// earliestStart is the earliest time, by our clock, at which a pipeline may have been started.
func (d Deployment) earliestStart() time.Time {
	if len(d.Attempts) == 0 {
		return d.AcceptedAt
	}
	return d.Attempts[0].IntendedAt
}

// clone returns a copy that shares no field that Apply changes in place. Force and Cancel are
// replaced, never changed.
func (d Deployment) clone() Deployment {
	d.Attempts = append([]Attempt(nil), d.Attempts...)
	d.HoldApprovals = append([]HoldApproval(nil), d.HoldApprovals...)
	if d.Pipeline != nil {
		p := *d.Pipeline
		d.Pipeline = &p
	}
	return d
}

// Entry is one line of a deployment's timeline. Event is a fixed word; Detail is for people and
// never holds a secret or a parameter value.
type Entry struct {
	At     time.Time
	Event  string
	Detail string
}

// Changes is what one write adds beside the deployment's row, in the same commit.
type Changes struct {
	Timeline    []Entry
	Reports     []Report
	Unclaimed   []string     // ids of pipelines that a look-up saw and no deployment adopted
	Audit       []AuditEvent // records for the audit chain
	PassedLocks []int64      // ids of locks that do not keep this deployment from starting
	Disowned    bool         // the row gives up its GitHub id, and reports that were not sent
	Project     Project      // identity of Target.Project that CircleCI gave, to be kept; zero: nothing new
}
