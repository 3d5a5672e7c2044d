package deployment

import (
	"strings"
	"testing"
	"time"
)

// TestMachine_EndsNameTheLastCause wants that people read at the end what CircleCI answered, not only
// that nothing came of it.
func TestMachine_EndsNameTheLastCause(t *testing.T) {
	const answer = "CircleCI answered 404 without a message"
	page := TriggerUnknown{Cause: answer, Refused: true}
	reset := TriggerUnknown{Cause: "connection reset"}
	after := func(pause time.Duration) time.Time { return t0.Add(pause) }

	for _, test := range []struct {
		name   string
		at     time.Time // of the last event
		events []Event
		want   string
	}{
		{
			name:   "a page, twice",
			at:     after(5 * time.Minute),
			events: []Event{resolved, start, page, LookupAbsent{}, start, page, LookupAbsent{}},
			want:   "CircleCI started nothing: " + answer,
		},
		{
			name:   "the start timeout",
			at:     after(15 * time.Minute),
			events: []Event{resolved, start, page, LookupAbsent{}},
			want:   "CircleCI did not start it within 15m0s: " + answer,
		},
		{
			name:   "no proof",
			at:     after(5 * time.Minute),
			events: []Event{resolved, start, page, LookupInconclusive{Reason: "2 pipelines may be it"}},
			want:   "(" + answer + ")",
		},
		{
			name:   "skipped without words",
			at:     t0,
			events: []Event{resolved, start, TriggerSkipped{}},
			want:   "CircleCI skipped it",
		},
		{
			name:   "refused without words",
			at:     t0,
			events: []Event{resolved, start, TriggerRefused{Status: 422}},
			want:   "CircleCI refused it (422)",
		},
		{
			name:   "refused pipeline without words",
			at:     t0,
			events: []Event{resolved, start, triggered, Polled{Progress: withErrors("", "\x00")}},
			want:   "CircleCI refused the pipeline: no error was given",
		},
		{
			name:   "the other answer last",
			at:     after(15 * time.Minute),
			events: []Event{resolved, start, page, LookupAbsent{}, start, reset, LookupAbsent{}},
			want:   "CircleCI did not start it within 15m0s: connection reset",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			last := len(test.events) - 1
			d, _ := applyAll(t, newWaiting(), t0, test.events[:last]...)
			d, _ = applyAll(t, d, test.at, test.events[last])
			if d.State != Errored || !strings.Contains(d.Reason, test.want) {
				t.Errorf("got %s %q, want errored %q", d.State, d.Reason, test.want)
			}
		})
	}
}

// A refusal without CircleCI's own message may be that of a proxy for a moment: after one of them, or
// after other failures in between, the deployment tries again.
func TestMachine_OneRefusalWithoutAMessageIsTriedAgain(t *testing.T) {
	page := TriggerUnknown{Cause: "CircleCI answered 403 without a message", Refused: true}
	reset := TriggerUnknown{Cause: "connection reset"}
	for _, test := range []struct {
		name   string
		events []Event
	}{
		{name: "once", events: []Event{page, LookupAbsent{}}},
		{name: "with a reset in between", events: []Event{page, LookupAbsent{}, start, reset, LookupAbsent{}, start, page, LookupAbsent{}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, _ := applyAll(t, newWaiting(), t0, append([]Event{resolved, start}, test.events...)...)
			if d.State != Waiting {
				t.Errorf("got %s %q, want waiting", d.State, d.Reason)
			}
		})
	}
}

func withErrors(errors ...string) Progress {
	p := progress(pipelineErrored)
	p.Pipeline.Errors = errors
	return p
}
