package notify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/test/pgtest"
)

func TestWorker_OneCardTwoCalls(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { testTwoCalls(t, newOffice(t, "C1", "C2")) })
	t.Run("postgres", func(t *testing.T) {
		o := openOfficeAt(t, pgtest.Database(t), "C1", "C2")
		o.start()
		testTwoCalls(t, o)
	})
}

func testTwoCalls(t *testing.T, o *office) {
	t.Helper()
	d := o.accept(1)
	o.run(100 * time.Millisecond)
	d = o.move(d, deployment.Running)
	o.run(time.Minute)
	o.move(d, deployment.Succeeded)
	o.run(time.Minute)

	for _, c := range []string{"C1", "C2"} {
		o.wantCard(c, deployment.Running, deployment.Succeeded)
		if n := o.room.calls[c]; n != 2 {
			t.Errorf("got %d calls to %s, want a post and an edit", n, c)
		}
	}
	if stats, err := o.db.MessageStats(t.Context()); err != nil || len(stats) != 0 {
		t.Errorf("got %v, %v, want nothing unsent", stats, err)
	}
}

func TestWorker_FirstStart(t *testing.T) {
	o := openOffice(t, "C1")
	o.move(o.accept(1), deployment.Canceled)
	o.move(o.accept(2), deployment.Running)
	o.start()
	o.run(time.Minute)
	o.wantCard("C1", deployment.Running)
}

// Interleaving a: the answer to a post is lost.
func TestWorker_PostOfUnknownOutcome(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  fault
		again  bool // the second post is lost, too
		hidden int
		noFind bool
		behind time.Duration // the chat system's clock
		want   int           // messages in the channel
		states []deployment.State
	}{
		{
			name: "it was posted, and is found", fault: fault{err: unknown, effect: true}, want: 1,
			states: []deployment.State{deployment.Running, deployment.Succeeded},
		},
		{
			name: "it is shown late", fault: fault{err: unknown, effect: true}, hidden: 2, want: 1,
			states: []deployment.State{deployment.Running, deployment.Succeeded},
		},
		{
			name: "it is shown with a time before the call", fault: fault{err: unknown, effect: true}, behind: 5 * time.Minute,
			want: 1, states: []deployment.State{deployment.Running, deployment.Succeeded},
		},
		{name: "it was not posted", fault: fault{err: unknown}, want: 1, states: []deployment.State{deployment.Succeeded}},
		{name: "it was not posted twice", fault: fault{err: unknown}, again: true, want: 1},
		{
			name: "nobody may look: posted", fault: fault{err: unknown, effect: true}, noFind: true, want: 2,
			states: []deployment.State{deployment.Running},
		},
		{name: "nobody may look: not posted", fault: fault{err: unknown}, noFind: true, want: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, "C1")
			o.room.fail(DoPost, tt.fault)
			if tt.again {
				o.room.fail(DoPost, tt.fault)
			}
			o.room.hidden, o.room.noFind = tt.hidden, tt.noFind
			o.room.clock = func() time.Time { return o.now.Add(-tt.behind) }

			d := o.move(o.accept(1), deployment.Running)
			o.run(10 * time.Second)
			o.move(d, deployment.Succeeded)
			o.run(10 * time.Minute)

			list := o.room.in("C1")
			if len(list) != tt.want || !slices.Equal(list[0].states, tt.states) {
				t.Fatalf("got %d messages, the first one showed %v (%v), want %d that showed %v",
					len(list), list[0].states, o.room.log, tt.want, tt.states)
			}
			if last := list[len(list)-1]; !strings.Contains(last.text, "succeeded") {
				t.Errorf("got %q at last, want the end", last.text)
			}
		})
	}
}

// Interleaving b: an edit whose answer is lost lands after a later one was due.
func TestWorker_LateEdit(t *testing.T) {
	o := newOffice(t, "C1")
	d := o.move(o.accept(1), deployment.Running)
	o.run(10 * time.Second)
	o.room.fail(DoEdit, fault{err: unknown, late: true})
	d = o.move(d, deployment.Held)
	o.run(4 * time.Second)
	o.move(d, deployment.Succeeded)
	o.run(5 * time.Minute)
	o.wantCard("C1", deployment.Running, deployment.Held, deployment.Succeeded)
}

// Interleaving c: the deployment ends while its card is being posted.
func TestWorker_EndDuringPost(t *testing.T) {
	o := newOffice(t, "C1")
	d := o.move(o.accept(1), deployment.Running)
	o.room.onPost = func() {
		o.room.onPost = nil
		o.move(d, deployment.Failed)
	}
	o.run(time.Minute)
	o.wantCard("C1", deployment.Running, deployment.Failed)
}

// Interleaving d: somebody deletes the card.
func TestWorker_DeletedCard(t *testing.T) {
	o := newOffice(t, "C1")
	d := o.move(o.accept(1), deployment.Running)
	o.run(10 * time.Second)
	o.room.messages[0].deleted = true
	d = o.move(d, deployment.Held)
	o.run(time.Minute)
	if n := len(o.room.in("C1")); n != 2 {
		t.Fatalf("got %d cards after one was deleted, want it posted again", n)
	}

	o.room.messages[len(o.room.messages)-1].deleted = true
	for _, m := range o.room.in("C1") {
		m.deleted = true
	}
	o.move(d, deployment.Succeeded)
	o.run(time.Hour)
	if n := len(o.room.in("C1")); n != 2 {
		t.Errorf("got %d cards, want it let go after it was deleted twice", n)
	}
}

// Interleaving m: edits are limited; posts and other kinds go on, and ends go before what runs.
func TestWorker_LimitedEdits(t *testing.T) {
	o := newOffice(t, "C1")
	first := o.move(o.accept(1), deployment.Running)
	o.run(10 * time.Second)
	o.room.fail(DoEdit, fault{err: &SendError{Kind: SendLimited, Code: "429", Wait: time.Hour}})
	o.move(first, deployment.Succeeded)
	o.run(10 * time.Second)

	o.move(o.accept(2), deployment.Running)
	o.run(10 * time.Second)
	if list := o.room.in("C1"); len(list) != 2 || len(list[0].states) != 1 {
		t.Fatalf("got %d cards, the first showed %v, want a second one although edits are limited", len(list), list[0].states)
	}
	if n := o.room.calls["C1"]; n != 3 {
		t.Errorf("got %d calls, want two posts and one edit that was refused", n)
	}

	o.run(2 * time.Hour) // interleaving o: Retry-After 3600
	if list := o.room.in("C1"); !slices.Equal(list[0].states, []deployment.State{deployment.Running, deployment.Succeeded}) {
		t.Errorf("got %v, want the end after an hour", list[0].states)
	}
}

func TestWorker_EndsFirst(t *testing.T) {
	o := newOffice(t, "C1")
	o.w.o.Limits = Limits{EditsPerMinute: 8, EditsForEnds: 4, PostEvery: time.Millisecond, CardsPerMinute: 20}
	o.s.pace = newPace(o.w.o.Limits, o.clock())

	var all []deployment.Deployment
	for id := range int64(20) {
		all = append(all, o.move(o.accept(id+1), deployment.Running))
	}
	o.run(30 * time.Second)
	for i, d := range all {
		if i < 10 {
			all[i] = o.move(d, deployment.Held)
		} else {
			all[i] = o.move(d, deployment.Succeeded)
		}
	}
	o.run(time.Minute)

	ended, held := 0, 0
	for _, m := range o.room.in("C1") {
		switch m.states[len(m.states)-1] {
		case deployment.Succeeded:
			ended++
		case deployment.Held:
			held++
		}
	}
	if ended != 10 || held > 6 {
		t.Errorf("got %d ends and %d others shown within a minute, want all 10 ends first", ended, held)
	}
}

// Interleaving n: the chat system is down for two hours.
func TestWorker_DownForTwoHours(t *testing.T) {
	o := newOffice(t, "C1")
	running := o.move(o.accept(1000), deployment.Running)
	o.run(time.Minute)
	o.room.down = true
	o.room.calls = map[string]int{}
	before := len(o.room.in("C1"))

	var late []deployment.Deployment
	for i := range int64(50) {
		d := o.move(o.accept(i+1), deployment.Running)
		o.run(2 * time.Minute)
		if i%2 == 0 {
			o.move(d, deployment.Succeeded)
		} else {
			late = append(late, d)
		}
	}
	o.move(running, deployment.Failed)
	o.run(20 * time.Minute)
	if n := o.room.calls["C1"]; n > 60 {
		t.Errorf("got %d calls while it was down, want it probed by look-ups", n)
	}

	o.room.mu.Lock()
	o.room.down = false
	o.room.log = nil
	o.room.mu.Unlock()
	o.run(30 * time.Minute)

	list := o.room.in("C1")
	if posts := len(list) - before; posts > 50 {
		t.Errorf("got %d posts afterwards, want at most 50", posts)
	}
	for _, m := range list[before:] {
		if len(m.states) > 1 {
			t.Errorf("got a card that showed %v, want no old state", m.states)
		}
	}
	if got := list[0].states; got[len(got)-1] != deployment.Failed {
		t.Errorf("got the first card at %v, want its end", got)
	}
	summed := slices.ContainsFunc(list, func(m *shown) bool { return strings.Contains(m.text, "deployments ended") })
	if !summed {
		t.Error("got no line that sums up what ended long ago")
	}
	shown := 0
	for _, m := range list[before:] {
		if len(m.states) == 1 && m.states[0] == deployment.Running {
			shown++
		}
	}
	if shown != len(late) {
		t.Errorf("got %d running cards, want %d", shown, len(late))
	}
}

// Interleaving o: how long to wait is said as 3600 s, or not at all.
func TestWorker_LimitedPost(t *testing.T) {
	for _, tt := range []struct {
		name string
		wait time.Duration
		want time.Duration
	}{
		{name: "an hour", wait: time.Hour, want: time.Hour},
		{name: "not said", want: defaultWait},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, "C1", "C2")
			o.room.fail(DoPost, fault{err: &SendError{Kind: SendLimited, Code: "429", Wait: tt.wait}})
			o.move(o.accept(1), deployment.Running)
			o.run(tt.want - time.Second)
			if one, two := len(o.room.in("C1")), len(o.room.in("C2")); one+two != 1 {
				t.Errorf("got %d cards before %v are over, want the one of the other channel", one+two, tt.want)
			}
			o.run(time.Minute)
			o.wantCard("C1", deployment.Running)
			o.wantCard("C2", deployment.Running)
		})
	}
}

// Interleaving p: two processes take themselves for the holder.
func TestWorker_TwoHolders(t *testing.T) {
	o := newOffice(t, "C1")
	d := o.move(o.accept(1), deployment.Running)
	if _, err := o.s.pass(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	o.s.workers.Wait()

	first := o.s
	o.later(leaseHold + time.Second)
	second := o.session()
	m := o.message(d)
	f, step, err := first.plan(t.Context(), &m)
	if err != nil || step.Do != DoPost {
		t.Fatalf("got %s, %v, want a post", step.Do, err)
	}

	if err := first.call(t.Context(), m, f, step); err != nil {
		t.Fatal(err)
	}
	if err := second.call(t.Context(), m, f, step); !errors.Is(err, deployment.ErrVersionConflict) {
		t.Errorf("the same card by another process: got %v, want %v", err, deployment.ErrVersionConflict)
	}
	o.wantCard("C1", deployment.Running)
	if _, err := first.pass(t.Context(), t.Context()); err == nil {
		o.later(leaseRenew)
		if _, err = first.pass(t.Context(), t.Context()); err == nil {
			t.Error("the first holder goes on, want it to notice that its lease is gone")
		}
	}
	first.workers.Wait()
}

// Interleaving s: the route names another channel while a deployment runs.
func TestWorker_ChannelOfRouteChanges(t *testing.T) {
	o := newOffice(t, "C1")
	d := o.move(o.accept(1), deployment.Running)
	o.run(10 * time.Second)
	o.channels = []deployment.Notify{{Face: "chat", Channel: "C2"}}
	o.move(d, deployment.Succeeded)
	o.run(time.Minute)

	o.wantCard("C1", deployment.Running, deployment.Succeeded)
	if n := len(o.room.in("C2")); n != 0 {
		t.Errorf("got %d messages in the other channel, want none about this deployment", n)
	}
}

// Interleaving v: the database is restored from before the card was posted.
func TestWorker_RestoredBackup(t *testing.T) {
	t.Run("looked for", func(t *testing.T) { checkRestoredBackup(t, false) })
	t.Run("may not be looked for", func(t *testing.T) { checkRestoredBackup(t, true) })
}

// checkRestoredBackup checks that a card is not posted twice although the database has forgotten it. noFind: the scopes
// allow no look-up.
func checkRestoredBackup(t *testing.T, noFind bool) {
	t.Helper()
	o := newOffice(t, "C1")
	d := o.move(o.accept(1), deployment.Running)
	o.run(time.Second)
	old := o.message(d) // as in the backup
	o.run(10 * time.Second)
	o.wantCard("C1", deployment.Running)

	restored := o.message(d)
	old.Version, old.Touched, old.Due = restored.Version, restored.Touched, o.clock()
	if _, err := o.db.SaveMessage(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	o.room.noFind = noFind
	o.crash(time.Hour)
	o.run(time.Minute)
	o.wantCard("C1", deployment.Running)
	if m := o.message(d); !noFind && m.Parts[0].MessageID != "1" {
		t.Errorf("got message %q, want the one that was posted before", m.Parts[0].MessageID)
	}
}

func TestWorker_Crash(t *testing.T) {
	for _, effect := range []bool{true, false} {
		t.Run(fmt.Sprintf("effect %v", effect), func(t *testing.T) {
			o := newOffice(t, "C1")
			d := o.move(o.accept(1), deployment.Running)
			o.run(time.Second)
			o.later(time.Second)
			m := o.message(d)
			f, step, err := o.s.plan(t.Context(), &m)
			if err != nil || step.Do != DoPost {
				t.Fatalf("got %s, %v, want a post", step.Do, err)
			}

			m = begin(m, step, f.Deployment.State, o.clock())
			if _, err := o.db.SaveMessage(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if effect {
				if _, err := o.room.Post(t.Context(), Post{Channel: "C1", Key: m.Parts[0].Key, Card: step.Card}); err != nil {
					t.Fatal(err)
				}
			}

			o.crash(0)
			o.run(10 * time.Minute)
			o.wantCard("C1", deployment.Running)
		})
	}
}

func TestWorker_Enqueue(t *testing.T) {
	o := newOffice(t, "C1")
	note := Note{Summary: "bob took your lock", Lines: []Text{Plain("bob took your lock")}}
	for _, want := range []bool{true, false} {
		if added, err := o.w.Enqueue(t.Context(), "lock/1", "U1", note); err != nil || added != want {
			t.Errorf("enqueue: got %v, %v, want %v", added, err, want)
		}
	}
	o.run(time.Minute)
	if list := o.room.in("U1"); len(list) != 1 || list[0].text != note.Summary {
		t.Errorf("got %d messages, want one", len(list))
	}
}

func TestWorker_PlaceInLine(t *testing.T) {
	o := newOffice(t, "C1")
	first := o.move(o.acceptIn(1, "production"), deployment.Running)
	second := o.acceptIn(2, "production")
	second.BlockedBy = "deployment 1 of the same environment"
	second = o.move(second, deployment.Waiting)
	o.run(time.Minute)

	before := o.message(second)
	o.move(first, deployment.Succeeded)
	o.run(15 * time.Second)
	if after := o.message(second); after.Touched <= before.Touched {
		t.Errorf("got %d changes of a card that waits behind one that ended, want more than %d", after.Touched, before.Touched)
	}
}

func TestWorker_TidiesUp(t *testing.T) {
	o := newOffice(t, "C1")
	d := o.move(o.accept(1), deployment.Running)
	o.run(10 * time.Second)
	o.move(d, deployment.Errored)
	o.run(time.Minute)
	if n := o.room.in("C1")[0].buttons; n == 0 {
		t.Fatal("got no buttons at the end, want some")
	}
	o.run(25 * time.Hour)
	if n := o.room.in("C1")[0].buttons; n != 0 {
		t.Errorf("got %d buttons a day after the end, want none", n)
	}
	if m := o.message(d); !m.Done {
		t.Error("got a message that is not done")
	}
}
