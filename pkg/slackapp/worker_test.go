package slackapp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/slack"
)

// The worker gets all that was received, with its secrets.
func TestWorker_GetsWhatWasReceived(t *testing.T) {
	b := newInbox(t)
	b.post(formMedia, click("T1", "1.1"))
	in := b.wantDone()
	if in.Kind != slack.KindClick || in.User != "U1" || in.ActionValue != "v1 5 abc" || in.MessageTS != "17.1" ||
		in.TriggerID != "1.1" || in.ResponseURL != "https://hooks.slack.com/actions/1.1" ||
		!in.ReceivedAt.Equal(b.clock()) {
		t.Errorf("got %+v", in)
	}
	b.wantNothingDue()
}

func TestWorker_TriesAgain(t *testing.T) {
	b := newInbox(t)
	var tries atomic.Int32
	b.locked(func() {
		b.do = func(context.Context, slack.Incoming) error {
			if tries.Add(1) < 3 {
				return errors.New("GitHub is down")
			}
			return nil
		}
	})

	b.post(formMedia, slash("T1", "api", "1.1"))
	for try, pause := range []time.Duration{time.Second, 2 * time.Second} {
		if in := b.wantDone(); in.TriggerID != "1.1" {
			t.Errorf("got %+v", in)
		}
		b.eventually("it is postponed", func() bool { return strings.Count(b.logs.String(), "postponed") == try+1 })
		b.wantNothingDue()
		b.later(pause)
	}
	b.wantDone()
	b.wantNothingDue()
	if got := tries.Load(); got != 3 {
		t.Errorf("got %d tries, want 3", got)
	}
}

func TestWorker_GivesUp(t *testing.T) {
	b := newInbox(t)
	b.locked(func() {
		b.do = func(context.Context, slack.Incoming) error { panic("odd request") }
	})
	// A panic leaves before the request is handed to the test, so that each try is seen in the log.
	b.post(formMedia, slash("T1", "api", "1.1"))
	for try := 1; try < workTries; try++ {
		b.eventually("it is postponed", func() bool { return strings.Count(b.logs.String(), "postponed") == try })
		b.later(longestPause)
	}
	b.eventually("it is given up", func() bool { return strings.Contains(b.logs.String(), "given up") })
	b.locked(func() {
		if !slices.Equal(b.gaveUp, []string{"command"}) {
			t.Errorf("got %q counted, want command", b.gaveUp)
		}
		b.do = func(context.Context, slack.Incoming) error { return nil }
	})

	b.post(formMedia, slash("T1", "web", "1.2"))
	if in := b.wantDone(); in.Text != "web" {
		t.Errorf("got %+v, want the next request", in)
	}
}

// What somebody asked for long ago is not carried out; what has changed at Slack is.
func TestWorker_OldRequests(t *testing.T) {
	b := newInbox(t)
	b.worker.Stop(t.Context())
	b.post(formMedia, slash("T1", "api", "1.1"))
	b.post(jsonMedia, event("T1", "Ev1", `{"type":"user_change","user":{"id":"U1"}}`))
	b.close(t.Context())

	b.later(askLife + time.Second)
	b.open()
	if in := b.wantDone(); in.Kind != slack.KindEvent {
		t.Errorf("got %+v, want the event only", in)
	}
	b.wantNothingDue()
	b.eventually("the command is counted as given up", func() bool {
		counted := false
		b.locked(func() { counted = slices.Equal(b.gaveUp, []string{"command"}) })
		return counted
	})
}

// Stop waits for what runs, cancels it when the time is over, and leaves it to the next start.
func TestWorker_Stop(t *testing.T) {
	b := newInbox(t)
	began := make(chan struct{})
	b.locked(func() {
		b.do = func(ctx context.Context, _ slack.Incoming) error {
			close(began)
			<-ctx.Done()
			return ctx.Err()
		}
	})
	b.post(formMedia, slash("T1", "api", "1.1"))
	<-began

	over, cancel := context.WithCancel(t.Context())
	cancel()
	b.worker.Stop(over)
	b.wantDone()
	if rows := b.dueRows(); len(rows) != 1 {
		t.Fatalf("got %d rows that are due, want 1", len(rows))
	}

	b.close(t.Context())
	b.locked(func() { b.do = func(context.Context, slack.Incoming) error { return nil } })
	b.open()
	if in := b.wantDone(); in.TriggerID != "1.1" {
		t.Errorf("got %+v, want the request again", in)
	}
	b.wantNothingDue()
}

// Requests do not wait for one that takes long.
func TestWorker_Concurrent(t *testing.T) {
	b := newInbox(t)
	release := make(chan struct{})
	b.locked(func() {
		b.do = func(_ context.Context, in slack.Incoming) error {
			if in.Text == "slow" {
				<-release
			}
			return nil
		}
	})

	b.post(formMedia, slash("T1", "slow", "1.1"))
	b.post(formMedia, slash("T1", "quick", "1.2"))
	if in := b.wantDone(); in.Text != "quick" {
		t.Errorf("got %q, want the quick one first", in.Text)
	}
	close(release)
	b.wantDone()
}
