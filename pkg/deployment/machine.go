package deployment

import (
	"cmp"
	"fmt"
	"time"
)

// Machine applies events to deployments. Its fields are the operator's settings; all durations are
// positive.
type Machine struct {
	TriggerTimeout time.Duration // CIRCLECI_TIMEOUT: one call to CircleCI
	LookupGrace    time.Duration // LOOKUP_GRACE: beyond TriggerTimeout, until an attempt may count as absent
	WorkflowGrace  time.Duration // WORKFLOW_GRACE: how long a pipeline in which nothing runs is waited for
	StartTimeout   time.Duration // START_TIMEOUT: how long a deployment that is first in line tries to reach CircleCI
	PollMin        time.Duration // POLL_MIN: the first pause between polls
	PollMax        time.Duration // POLL_MAX: the longest pause between polls
	MaxAge         time.Duration // RECOVER_MAX_AGE: a deployment that is older when it is accepted ends at once
	AppURL         string        // CIRCLECI_APP_URL: CircleCI's web pages, without a trailing slash
}

// Times that operators cannot set.
const (
	// SendWindow is how long after an attempt was committed its request may leave. A look-up counts on
	// it: after the window no request of that attempt can reach CircleCI.
	SendWindow = 5 * time.Second

	stopGrace      = 15 * time.Minute // how long workflows may take to end before their slot is freed anyway
	rerunWindow    = 24 * time.Hour   // how long a failed deployment is watched for a rerun that succeeds
	duplicateWatch = time.Hour        // how long duplicates are looked for
	answerTimeout  = time.Hour        // how long CircleCI may fail to answer before a deployment ends without an answer

	blockedRecheck    = 15 * time.Second // the pause of a waiting deployment that nothing wakes
	authPause         = time.Minute      // the pause before an answer that may be about the token is believed
	duplicateRetry    = 3 * time.Second  // the pause after one was found: its workflows may not have begun
	duplicateInterval = 30 * time.Second // the pause between looks for duplicates
	fastStopPoll      = 30 * time.Second // how long after a cancel CircleCI is polled every second
	goneAfter         = 10 * time.Minute // how long CircleCI must answer 404 before its pipeline counts as gone
	rerunSlack        = 5 * time.Minute  // how long after RerunUntil the poll that is due then still counts

	waitingReportDelay     = 2 * time.Second  // the status of a waiting deployment is written only after this
	unconfirmedReportDelay = 10 * time.Second // the status of an unknown outcome is written only after this
)

// InvalidTransitionError says that an event cannot happen to a deployment in its state. Nothing was
// changed.
type InvalidTransitionError struct {
	State State
	Event string
}

// Error names the event and the state.
func (i *InvalidTransitionError) Error() string {
	return fmt.Sprintf("apply event %q: not possible in state %s", i.Event, i.State)
}

// New makes the waiting deployment of an accepted request, and its first lines of the timeline. A
// request that is older than MaxAge when it is accepted ends errored at its first step.
func (m Machine) New(req Request, a Admission, receivedAt time.Time) (Deployment, []Entry) {
	if a.Target.HasRules {
		req.PayloadDigest = PayloadDigest(req.Payload)
		if req.PayloadTooLarge {
			req.PayloadDigest = largePayload
		}
	}
	req.Payload = nil // it is rendered into the target by now; the delivery keeps the original
	d := Deployment{
		Request:    req,
		Target:     a.Target,
		Problem:    Readable(a.Problem),
		State:      Waiting,
		AcceptedAt: receivedAt,
		StepDue:    receivedAt,
		Due:        receivedAt,
	}

	if a.Target.ForceReason != "" {
		d.Force = &Force{By: req.Requester(), Reason: a.Target.ForceReason}
	}

	if !req.CreatedAt.IsZero() {
		d.Problem = cmp.Or(m.ArrivedTooLate(req.CreatedAt, receivedAt), d.Problem)
	}

	entries := make([]Entry, 0, len(a.Notes))
	for _, note := range a.Notes {
		entries = append(entries, Entry{At: receivedAt, Event: "note", Detail: Readable(note)})
	}

	return d, entries
}

// ArrivedTooLate says why a deployment that was created at one time and received at another does not run;
// empty: it was not older than MaxAge.
func (m Machine) ArrivedTooLate(createdAt, receivedAt time.Time) string {
	age := receivedAt.Sub(createdAt)
	if age <= m.MaxAge {
		return ""
	}

	return fmt.Sprintf("arrived too late, deploy again (created %s before it arrived, the limit is %s)",
		age.Round(time.Second), m.MaxAge)
}

// Apply applies one event to a deployment. It returns the deployment after the event and what is to
// be written beside it. The deployment that was passed in stays as it is. An event that cannot
// happen in its state gives an *InvalidTransitionError and changes nothing.
func (m Machine) Apply(d Deployment, e Event, now time.Time) (Deployment, Changes, error) {
	row, ok := table[d.State][e.event()]
	if !ok {
		return d, Changes{}, &InvalidTransitionError{State: d.State, Event: e.event()}
	}

	t := &transition{Machine: m, Deployment: d.clone(), now: now}
	if !row.do(t, e) {
		return d, Changes{}, &InvalidTransitionError{State: d.State, Event: e.event()}
	}

	t.setDue()
	return t.Deployment, t.changes, nil
}

// transition is a deployment while an event is being applied to it. The functions of the table
// change it in place.
type transition struct {
	Machine
	Deployment
	changes Changes
	now     time.Time
}

// setDue sets when a worker takes the deployment up next: for its own next step, or to look for
// duplicates, whichever comes first.
func (t *transition) setDue() {
	t.Due = t.StepDue
	if t.DuplicateDue.IsZero() {
		return
	}
	if t.Due.IsZero() || t.DuplicateDue.Before(t.Due) {
		t.Due = t.DuplicateDue
	}
}

// dueIn sets when the deployment's own next step is due.
func (t *transition) dueIn(after time.Duration) { t.StepDue = t.now.Add(after) }

// note adds a line to the timeline. What others wrote may be part of it.
func (t *transition) note(event, format string, args ...any) {
	t.changes.Timeline = append(t.changes.Timeline, Entry{
		At:     t.now,
		Event:  event,
		Detail: Readable(fmt.Sprintf(format, args...)),
	})
}

// moveTo changes the state, notes it on the timeline, and keeps count of the time spent running and
// held.
func (t *transition) moveTo(s State) {
	if t.State == s {
		return
	}
	if t.State == Running && !t.RunningSince.IsZero() {
		t.RanFor += t.now.Sub(t.RunningSince)
	}

	t.RunningSince, t.HeldSince = time.Time{}, time.Time{}
	switch s {
	case Running:
		t.RunningSince = t.now
	case Held:
		t.HeldSince = t.now
	}

	t.State, t.Polls = s, 0
	t.note(string(s), "%s", t.Reason)
}

// end moves to a final state and adds the final report. What others wrote may be part of the reason,
// which is never empty. A failed deployment with a pipeline is
// polled on for a rerun; any other is due again only while its workflows have to end.
func (t *transition) end(s State, reason, logURL string) {
	t.Reason, t.BlockedBy = cmp.Or(Readable(reason), "no reason was given"), ""
	t.moveTo(s)
	t.EndedAt, t.QuietSince = t.now, time.Time{}
	if t.StoppingSince.IsZero() {
		t.StepDue = time.Time{}
	}

	t.reportFinal(logURL)
	if s == Failed && t.Pipeline != nil {
		t.RerunUntil = t.now.Add(rerunWindow)
		t.dueIn(time.Minute)
	}
}

// beginStop says that every workflow must end. The deployment keeps its slot until CircleCI shows
// that they have; the engine cancels what still runs at each poll.
func (t *transition) beginStop() {
	t.StoppingSince = t.now
	t.StepDue = t.now
}

// Backoff returns the pause after the nth failure in a row: 1 s, 2 s, 4 s … up to most.
func Backoff(n int, most time.Duration) time.Duration {
	if n > 20 {
		return most
	}
	return min(time.Second<<max(n-1, 0), most)
}
