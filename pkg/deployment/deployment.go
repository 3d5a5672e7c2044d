package deployment

import "time"

// Attempt is one intent to trigger: written before the request leaves, kept for ever.
type Attempt struct {
	Number     int       `json:"number"` // from 1
	Intent     time.Time `json:"intent"`
	SendBefore time.Time `json:"send_before"` // the request may not leave after this moment
	Ref        Ref       `json:"ref"`         // what was asked for: a branch or a tag
	Outcome    string    `json:"outcome,omitempty"`
}

// Deployment is a request on its way. It changes only through Rules.Apply; Version guards every
// write of it.
type Deployment struct {
	Row       int64 `json:"-"` // our own id, given by the store
	Version   int64 `json:"-"` // raised by each write; a write with another version is refused
	WakeCount int64 `json:"-"` // how often a hint came in; lets a write notice one that it would overtake

	Request Request `json:"request"`
	Target  Target  `json:"target"`

	State      State     `json:"state"`
	Reason     string    `json:"reason,omitempty"`
	Problem    string    `json:"problem,omitempty"` // known at acceptance: it ends errored at its first step
	AcceptedAt time.Time `json:"accepted_at"`
	AdmittedAt time.Time `json:"admitted_at,omitzero"` // the rules first found no reason to reject it
	StartedAt  time.Time `json:"started_at,omitzero"`  // the pipeline became ours
	EndedAt    time.Time `json:"ended_at,omitzero"`
	Due        time.Time `json:"due,omitzero"` // when to look again; zero: never

	// Waiting and triggering.
	Project   Project   `json:"project,omitzero"`      // CircleCI's word on the target's project
	FirstAt   time.Time `json:"first_at,omitzero"`     // since when it is first in line
	Blocked   string    `json:"blocked,omitempty"`     // what it waits for
	Attempts  []Attempt `json:"attempts,omitempty"`    //
	RefTries  int       `json:"ref_tries,omitempty"`   // answers "Branch not found" so far
	AuthTries int       `json:"trust_tries,omitempty"` // answers 401, or 404 on a known project, so far
	NotBefore time.Time `json:"not_before,omitzero"`   // while it waits: not before this moment, whoever wakes it
	// triggers that did not leave, or looks that failed, in a row
	Backoffs       int       `json:"backoffs,omitempty"`
	Looks          int       `json:"looks,omitempty"`      // look-ups, or observations since the last change of state
	Retriggers     int       `json:"retriggers,omitempty"` // attempts made after an absence
	DuplicateUntil time.Time `json:"twin_until,omitzero"`  // until when the project is watched for a late twin
	DuplicateDue   time.Time `json:"twin_due,omitzero"`    // when to watch next
	Duplicates     []string  `json:"twins,omitempty"`      // pipelines that were canceled because they came second

	// Running and after.
	Pipeline     *Pipeline     `json:"pipeline,omitempty"`
	RunningSince time.Time     `json:"running_since,omitzero"` // zero while not running
	RanFor       time.Duration `json:"ran_for,omitempty"`      // time spent running before RunningSince
	HeldSince    time.Time     `json:"held_since,omitzero"`
	QuietSince   time.Time     `json:"quiet_since,omitzero"` // since when nothing runs though more is to come
	GoneSince    time.Time     `json:"gone_since,omitzero"`  // since when CircleCI denies the pipeline
	LookDue      time.Time     `json:"look_due,omitzero"`    // when to look at the pipeline next
	// since when its workflows must end; the slot is kept until they did
	Stopping time.Time `json:"stopping,omitzero"`
	// until when a successful rerun turns failed into succeeded
	RerunUntil time.Time `json:"rerun_until,omitzero"`

	Force  *Force  `json:"force,omitempty"`  // somebody wants rules to be passed
	Forced bool    `json:"forced,omitempty"` // a rule was passed by force
	Cancel *Cancel `json:"cancel,omitempty"` // somebody wants it canceled

	LastReport ReportText `json:"told,omitzero"` // the newest report
}

// Cancel is somebody's will to end a deployment.
type Cancel struct {
	At     time.Time `json:"at"`
	By     Actor     `json:"by,omitzero"`
	Reason string    `json:"reason,omitempty"`
}

// ReportText is what the newest report said; it keeps reports from repeating themselves and from
// going back.
type ReportText struct {
	State       GitHubState `json:"state,omitempty"`
	Description string      `json:"description,omitempty"`
	LogURL      string      `json:"log_url,omitempty"`
}

// Project is CircleCI's identity of a project, whatever spelling of the slug was configured.
type Project struct {
	ID   string `json:"id"`
	Slug string `json:"slug"`
}

// HoldsSlot says whether the deployment occupies its environment: from triggering until CircleCI is
// known to be done with it.
func (d Deployment) HoldsSlot() bool {
	return d.State.Open() && d.State != Waiting || !d.Stopping.IsZero()
}

// HoldsProject says whether a trigger of it may be in the air: at most one such row per CircleCI
// project.
func (d Deployment) HoldsProject() bool { return d.State == Triggering || d.State == Unconfirmed }

// LastAttempt is the newest intent to trigger, or the zero Attempt.
func (d Deployment) LastAttempt() Attempt {
	if len(d.Attempts) == 0 {
		return Attempt{}
	}
	return d.Attempts[len(d.Attempts)-1]
}

// Entry is one line of a deployment's timeline. Detail never holds a secret or a parameter value.
type Entry struct {
	At     time.Time
	Event  string
	Detail string
}

// Changes is what one write adds beside the deployment's row.
type Changes struct {
	Timeline  []Entry
	Reports   []Report
	Unclaimed []string // pipelines that a look-up saw and nobody adopted

	Audit       []AuditEvent // for the audit
	PassedLocks []int64      // locks that do not keep the deployment from starting
}
