package deployment

import (
	"fmt"
	"time"
)

// Machine are the operator's choices that the state machine needs. All durations are positive.
type Machine struct {
	TriggerTimeout time.Duration // one call to CircleCI
	LookupGrace    time.Duration // beyond TriggerTimeout, until an unknown trigger may count as never started
	WorkflowGrace  time.Duration // how long nothing to read is waited for
	StartTimeout   time.Duration // how long a deployment first in line tries to reach CircleCI
	PollMin        time.Duration
	PollMax        time.Duration
	MaxAge         time.Duration // a deployment older than this on arrival ends at once
	AppURL         string        // CircleCI's web pages, without trailing slash
}

// Times that are not the operator's to choose.
const (
	SendWindow     = 5 * time.Second  // a trigger leaves within this of its intent, or not at all
	WindowLead     = 10 * time.Minute // a look-up reads back to this before the first intent, in CircleCI's time
	StopGrace      = 15 * time.Minute // a slot is given up this long after a cancel that CircleCI does not confirm
	fastStopPoll   = 30 * time.Second // how long after a cancel CircleCI is asked every second
	RerunWindow    = 24 * time.Hour   // a successful rerun in this time turns failed into succeeded
	DuplicateWatch = time.Hour        // how long a project is watched for a late twin
	AnswerTimeout  = time.Hour        // how long CircleCI's silence is borne where an answer is owed

	blockedRecheck    = 15 * time.Second
	authPause         = time.Minute
	quietReport       = 2 * time.Second
	unconfirmedReport = 10 * time.Second
	goneAfter         = 10 * time.Minute
	lastLook          = 5 * time.Minute // after a rerun's day, for the look that is due at its end
	duplicateRetry    = 3 * time.Second
	duplicateInterval = 30 * time.Second
)

// InvalidTransitionError says that an event cannot happen to a deployment in this state: nothing
// was changed.
type InvalidTransitionError struct {
	State State
	Event string
}

// Error names the state and the event.
func (i *InvalidTransitionError) Error() string {
	return fmt.Sprintf("a deployment that is %s cannot take the event %q", i.State, i.Event)
}

// New makes the waiting deployment of an admitted request. A request older than Rules.MaxAge on
// arrival will end errored at its first step.
func (r Machine) New(req Request, a Admission, receivedAt time.Time) (Deployment, []Entry) {
	req.Payload = nil // it was rendered; the delivery keeps the original
	d := Deployment{
		Request:    req,
		Target:     a.Target,
		Problem:    a.Problem,
		State:      Waiting,
		AcceptedAt: receivedAt,
		LookDue:    receivedAt,
		Due:        receivedAt,
	}

	if a.Target.ForceReason != "" {
		d.Force = &Force{By: req.Requester(), Reason: a.Target.ForceReason}
	}

	if age := receivedAt.Sub(req.CreatedAt); !req.CreatedAt.IsZero() && age > r.MaxAge {
		d.Problem = fmt.Sprintf(
			"arrived too late, deploy again (created %s before it arrived, the limit is %s)",
			age.Round(time.Second),
			r.MaxAge,
		)
	}

	entries := make([]Entry, 0, len(a.Notes))
	for _, note := range a.Notes {
		entries = append(entries, Entry{At: receivedAt, Event: "note", Detail: note})
	}

	return d, entries
}

// Apply is the only way a deployment changes. It returns the deployment as it is after the event
// and what is to be written beside it. It is total: an event that cannot happen in this state gives
// *Impossible and changes nothing.
func (r Machine) Apply(d Deployment, e Event, now time.Time) (Deployment, Changes, error) {
	t, ok := table[d.State][e.event()]
	if !ok {
		return d, Changes{}, &InvalidTransitionError{State: d.State, Event: e.event()}
	}

	f := &transition{Machine: r, now: now, Deployment: d.clone()}
	if !t.do(f, e) {
		return d, Changes{}, &InvalidTransitionError{State: d.State, Event: e.event()}
	}

	f.schedule()
	return f.Deployment, f.changes, nil
}

func (d Deployment) clone() Deployment {
	d.Attempts = append([]Attempt(nil), d.Attempts...)
	if d.Pipeline != nil {
		p := *d.Pipeline
		d.Pipeline = &p
	}
	return d // Force and Cancel are never changed in place
}

// transition is a deployment while an event is being applied to it.
type transition struct {
	Machine
	Deployment
	changes Changes
	now     time.Time
}

// schedule sets when the row is looked at next: the earlier of its own look and the watch for
// twins.
func (f *transition) schedule() {
	f.Due = f.LookDue
	if f.DuplicateDue.IsZero() {
		return
	}
	if f.Due.IsZero() || f.DuplicateDue.Before(f.Due) {
		f.Due = f.DuplicateDue
	}
}

func (f *transition) note(event, format string, args ...any) {
	f.changes.Timeline = append(f.changes.Timeline, Entry{
		At:     f.now,
		Event:  event,
		Detail: fmt.Sprintf(format, args...),
	})
}

func (f *transition) lookIn(after time.Duration) { f.LookDue = f.now.Add(after) }

// to moves to another open state and keeps the clocks of running and held time.
func (f *transition) to(s State) {
	if f.State == s {
		return
	}
	if f.State == Running && !f.RunningSince.IsZero() {
		f.RanFor += f.now.Sub(f.RunningSince)
	}

	f.RunningSince, f.HeldSince = time.Time{}, time.Time{}
	switch s {
	case Running:
		f.RunningSince = f.now
	case Held:
		f.HeldSince = f.now
	}

	f.State, f.Looks = s, 0
	f.note(string(s), "%s", f.Reason)
}

// end moves to a terminal state, once, with its one final report.
func (f *transition) end(s State, reason, logURL string) {
	f.Reason, f.Blocked = reason, ""
	f.to(s)
	f.EndedAt, f.QuietSince = f.now, time.Time{}
	if f.Stopping.IsZero() {
		f.LookDue = time.Time{}
	}

	f.reportFinal(logURL)
	if s == Failed && f.Pipeline != nil {
		f.RerunUntil = f.now.Add(RerunWindow)
		f.lookIn(time.Minute)
	}
}

// stop asks that every workflow end, and keeps the slot until CircleCI shows it.
func (f *transition) stop() {
	f.Stopping = f.now
	f.LookDue = f.now
}

// Backoff is 1 s, 2 s, 4 s … up to most.
func Backoff(n int, most time.Duration) time.Duration {
	if n > 20 {
		return most
	}
	return min(time.Second<<max(n-1, 0), most)
}
