package notify

import (
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// TestWorker_EndIsShownAfterFailures checks that a card shows the end although edits failed before, as often as they do:
// what was refused because there were too many calls takes none of the calls of the message, and the last one is made
// only once the chat system works again.
func TestWorker_EndIsShownAfterFailures(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    *SendError
		times  int
		down   time.Duration // how long nothing works after that
		counts int           // calls of the message
	}{
		{
			name: "limited", times: 12, counts: 2,
			err: &SendError{Kind: SendLimited, Code: "429", Wait: 30 * time.Second},
		},
		{name: "no answer", times: 3, counts: 5, err: &SendError{Kind: SendUnknown, Code: "503"}},
		{name: "down for hours", down: 3 * time.Hour, err: &SendError{Kind: SendUnknown, Code: "503"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, "C1")
			d := o.move(o.accept(1), deployment.Running)
			o.run(10 * time.Second)
			m := o.message(d)
			if tt.down > 0 {
				m.Calls = maxCalls - 3
				if err := o.s.save(t.Context(), &m); err != nil {
					t.Fatal(err)
				}
			}

			for range tt.times {
				o.room.fail(DoEdit, fault{err: tt.err})
			}
			o.room.down = tt.down > 0
			o.move(d, deployment.Succeeded)
			o.run(tt.down)
			o.room.down = false
			o.run(time.Hour)

			o.wantCard("C1", deployment.Running, deployment.Succeeded)
			m = o.message(d)
			if m.Unsent != "" || m.Calls > maxCalls || tt.counts != 0 && m.Calls != tt.counts {
				t.Errorf("got %d calls, and %q unsent, want %d and nothing", m.Calls, m.Unsent, tt.counts)
			}
		})
	}
}

func TestWorker_ChannelThatCannotBeUsed(t *testing.T) {
	o := newOffice(t, "C1", "C2")
	o.room.fail(DoPost, fault{err: &SendError{Kind: SendChannel, Code: "not_in_channel"}})
	d := o.move(o.accept(1), deployment.Running)
	o.run(time.Minute)
	if one, two := len(o.room.in("C1")), len(o.room.in("C2")); one+two != 1 {
		t.Errorf("got %d cards, want that of the channel that can be used", one+two)
	}

	o.move(d, deployment.Succeeded)
	o.run(20 * time.Minute)
	for _, c := range []string{"C1", "C2"} {
		if list := o.room.in(c); len(list) != 1 || !strings.Contains(list[0].text, "succeeded") {
			t.Errorf("got %d cards in %s, want one at its end", len(list), c)
		}
	}
}

// A channel that cannot be used is used again as soon as it is said that it can be.
func TestWorker_Resume(t *testing.T) {
	o := newOffice(t, "C1")
	refused := fault{err: &SendError{Kind: SendChannel, Code: "not_in_channel"}}
	o.room.fail(DoPost, refused, refused)
	o.move(o.accept(1), deployment.Running)
	o.run(15 * time.Minute) // it is tried twice; then the pause is 20 minutes long
	if list := o.room.in("C1"); len(list) != 0 {
		t.Fatalf("got %d cards in a channel that cannot be used", len(list))
	}

	for range 2 { // the chat system says it twice
		if err := o.w.Resume(t.Context(), "event:Ev1", "C1"); err != nil {
			t.Fatal(err)
		}
	}
	o.run(5 * time.Second)
	o.wantCard("C1", deployment.Running)
	if stats, err := o.db.MessageStats(t.Context()); err != nil || len(stats) != 0 {
		t.Errorf("got %v, %v, want nothing unsent", stats, err)
	}
}

// A refusal does not pause a channel that was resumed after the refused call had begun.
func TestPace_RefusedBeforeResume(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	p := newPace(Limits{}, now)
	when := func() time.Time { return p.when(DoPost, "C1", deployment.RankEnd, now) }

	began := now
	now = now.Add(time.Second)
	p.resume("C1", now)
	now = now.Add(time.Second)
	p.pauseChannel("C1", "not_in_channel", began, now)
	if at := when(); at.After(now) {
		t.Errorf("got a pause until %s after a refusal of a call that began before, want none", at)
	}

	p.pauseChannel("C1", "not_in_channel", now, now)
	if at := when(); !at.After(now) {
		t.Error("got no pause after a refusal of a call that began afterwards")
	}
}

func TestWorker_ContentRefused(t *testing.T) {
	o := newOffice(t, "C1")
	refused := fault{err: &SendError{Kind: SendContent, Code: "invalid_blocks"}}
	o.room.fail(DoPost, refused)
	o.move(o.accept(1), deployment.Running)
	o.run(time.Minute)
	o.wantCard("C1", deployment.Running)

	o.room.fail(DoPost, refused, refused)
	d := o.move(o.accept(2), deployment.Running)
	o.run(time.Hour)
	if n := len(o.room.in("C1")); n != 1 || o.message(d).Parts[0].Gone == "" {
		t.Errorf("got %d cards, want the second one given up after its plain text was refused", n)
	}
}

func TestWorker_RefusesToken(t *testing.T) {
	o := newOffice(t, "C1")
	o.room.fail(DoPost, fault{err: &SendError{Kind: SendFace, Code: "token_revoked"}})
	o.move(o.accept(1), deployment.Running)
	o.run(3 * time.Second)
	if why, _ := o.s.pace.paused(); why == "" {
		t.Error("got no pause after the token was refused")
	}
	o.run(time.Minute)
	o.wantCard("C1", deployment.Running)
	if why, _ := o.s.pace.paused(); why != "" {
		t.Errorf("got %q, want no pause any more", why)
	}
}
