package notify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/test/pgtest"
)

func TestPlan_Burst(t *testing.T) {
	loud := deployment.Notify{Broadcast: []deployment.State{deployment.Failed, deployment.Succeeded}}
	inBurst := func(f Facts) Facts { return change(f, func(f *Facts) { f.InBurst = true }) }
	running, succeeded := factsIn(deployment.Running), factsIn(deployment.Succeeded)
	listed := with(newCard(loud), func(m *deployment.Message) { m.List = 3 })
	lost := with(newCard(loud), func(m *deployment.Message) {
		m.Parts = []deployment.MessagePart{{About: aboutCard, Posts: 1, Call: &deployment.MessageCall{Absent: 2}}}
	})

	for _, tt := range []struct {
		name  string
		m     deployment.Message
		f     Facts
		do    Do
		about string
	}{
		{name: "not too many", m: newCard(loud), f: running, do: DoPost, about: aboutCard},
		{name: "too many", m: newCard(loud), f: inBurst(running), do: DoList},
		{name: "too many, ended", m: newCard(loud), f: inBurst(succeeded), do: DoList},
		{name: "needs an approval", m: newCard(loud), f: inBurst(needingApproval()), do: DoPost, about: aboutCard},
		{name: "is held", m: newCard(loud), f: inBurst(factsIn(deployment.Held)), do: DoPost, about: aboutCard},
		{name: "has failed", m: newCard(loud), f: inBurst(factsIn(deployment.Failed)), do: DoPost, about: aboutCard},
		{name: "may have been posted", m: lost, f: inBurst(running), do: DoPost, about: aboutCard},
		{name: "was posted", m: posted(loud, running, noon), f: inBurst(succeeded), do: DoEdit, about: aboutCard},
		{name: "shows its success", m: posted(loud, succeeded, noon), f: inBurst(succeeded), do: DoWait},
		{
			name: "shows its success, which is broadcast", do: DoPost, about: aboutEnded, f: succeeded,
			m: with(posted(loud, succeeded, noon), func(m *deployment.Message) { m.Parts[0].First = deployment.Running }),
		},
		{
			name: "shows its success, which is not broadcast in a burst", do: DoWait, f: inBurst(succeeded),
			m: with(posted(loud, succeeded, noon), func(m *deployment.Message) { m.Parts[0].First = deployment.Running }),
		},
		{name: "listed: goes on", m: listed, f: running, do: DoWait},
		{name: "listed: has ended", m: listed, f: succeeded, do: DoFinish},
		{name: "listed: has failed", m: listed, f: factsIn(deployment.Failed), do: DoPost, about: aboutCard},
		{name: "listed: needs an approval", m: listed, f: needingApproval(), do: DoPost, about: aboutCard},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Plan(tt.m, tt.f, noon.Add(2*time.Minute))
			if got.Do != tt.do || got.About != tt.about {
				t.Errorf("got %s %s (%s), want %s %s", got.Do, got.About, got.Why, tt.do, tt.about)
			}
		})
	}
}

// listOf are the facts of a list that shows a deployment in each of some states.
func listOf(states ...deployment.State) (f Facts) {
	for i, state := range states {
		f.Listed = append(f.Listed, change(factsIn(state), func(f *Facts) { f.Deployment.Request.ID = int64(i + 1) }))
	}
	return f
}

// postedList is a list that shows facts since noon.
func postedList(f Facts) deployment.Message {
	c := NewListCard(f.Listed)
	return deployment.Message{ID: 3, Kind: deployment.MessageList, Channel: "C1", MessageData: deployment.MessageData{
		CreatedAt: noon,
		Secret:    "s",
		Calls:     1,
		CalledAt:  noon,
		Parts:     []deployment.MessagePart{{About: aboutCard, MessageID: "1", Posts: 1, Hash: c.Hash()}},
	}}
}

func TestPlan_List(t *testing.T) {
	running, succeeded := deployment.Running, deployment.Succeeded
	was, now := listOf(running, running), listOf(running, succeeded)
	begun := with(postedList(was), func(m *deployment.Message) { m.Calls, m.CalledAt, m.Parts = 0, time.Time{}, nil })
	gone := func(why string) deployment.Message {
		return with(postedList(was), func(m *deployment.Message) { m.Parts[0].Gone = why })
	}
	calls := func(n int) deployment.Message {
		return with(postedList(was), func(m *deployment.Message) { m.Calls = n })
	}

	for _, tt := range []struct {
		name  string
		m     deployment.Message
		f     Facts
		after time.Duration
		do    Do
		at    time.Duration
		about string
	}{
		{name: "nobody has joined", m: begun, after: time.Minute, do: DoWait},
		{name: "others may join", m: begun, f: was, after: time.Second, do: DoWait, at: listGather},
		{name: "posted", m: begun, f: was, after: listGather, do: DoPost, about: aboutCard},
		{name: "unchanged", m: postedList(was), f: was, after: time.Hour, do: DoWait},
		{name: "an end, too soon", m: postedList(was), f: now, after: 4 * time.Second, do: DoWait, at: listEvery},
		{name: "an end", m: postedList(was), f: now, after: listEvery, do: DoEdit, about: aboutCard},
		{
			name: "another one has joined", m: postedList(was), f: listOf(running, running, running), after: listEvery,
			do: DoEdit, about: aboutCard,
		},
		{
			name: "another state, too soon", m: postedList(was), f: listOf(running, deployment.Held), after: listEvery,
			do: DoWait, at: detailEvery,
		},
		{
			name: "another state", m: postedList(was), f: listOf(running, deployment.Held), after: detailEvery,
			do: DoEdit, about: aboutCard,
		},
		{name: "another state, many calls", m: calls(4), f: listOf(running, deployment.Held), after: time.Hour, do: DoWait},
		{name: "an end, many calls", m: calls(4), f: now, after: time.Hour, do: DoEdit, about: aboutCard},
		{name: "too many calls", m: calls(16), f: now, after: time.Hour, do: DoGiveUp},
		{name: "deleted for good", m: gone(goneDeleted), f: now, after: time.Hour, do: DoFinish},
		{name: "cannot be edited", m: gone(goneFinal), f: now, after: time.Hour, do: DoWait},
		{
			name: "cannot be edited, all have ended", m: gone(goneFinal), f: listOf(succeeded, succeeded), after: time.Hour,
			do: DoPost, about: aboutClosing,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var at time.Time
			if tt.at > 0 {
				at = noon.Add(tt.at)
			}
			got := Plan(tt.m, tt.f, noon.Add(tt.after))
			if got.Do != tt.do || !got.At.Equal(at) || got.About != tt.about {
				t.Errorf("got %s %s at %v (%s), want %s %s at %v", got.Do, got.About, got.At, got.Why, tt.do, tt.about, at)
			}
		})
	}
}

func TestNewListCard(t *testing.T) {
	f := listOf(deployment.Succeeded, deployment.Running, deployment.Failed, deployment.Succeeded)
	c := NewListCard(f.Listed)
	if want := "4 deployments: 2 succeeded, 1 failed, 1 running"; c.Title != want || c.State != deployment.Running {
		t.Errorf("got %q, %s, want %q and running", c.Title, c.State, want)
	}

	const first = "#1 api → production: succeeded<https://app.circleci.com/pipelines/gh/acme/api/40>, " +
		"abcdef0<https://github.com/acme/api/commit/abcdef0123456789abcdef0123456789abcdef01>, asked for by alice"
	if len(c.Rows) != 4 || plain(c.Rows[0].Text) != first || c.Rows[2].State != deployment.Failed {
		t.Errorf("got %d rows, the first one %q, want 4 and %q", len(c.Rows), plain(c.Rows[0].Text), first)
	}

	for _, tt := range []struct {
		states []deployment.State
		want   deployment.State
	}{
		{states: []deployment.State{deployment.Succeeded, deployment.Succeeded}, want: deployment.Succeeded},
		{states: []deployment.State{deployment.Succeeded, deployment.Errored}, want: deployment.Failed},
	} {
		if got := NewListCard(listOf(tt.states...).Listed).State; got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.states, got, tt.want)
		}
	}
}

func TestWorker_Burst(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { testBurst(t, newOffice(t, "C1")) })
	t.Run("postgres", func(t *testing.T) {
		o := openOfficeAt(t, pgtest.Database(t), "C1")
		o.start()
		testBurst(t, o)
	})
}

// testBurst releases 40 services within eight seconds: one of them waits for an approval, and one fails.
func testBurst(t *testing.T, o *office) {
	t.Helper()
	o.channels[0].Lists, o.channels[0].Broadcast = true, ends
	var all []deployment.Deployment
	for id := range int64(40) {
		d := o.accept(id + 1)
		if id == 7 {
			o.verdicts[d.Row] = needingApproval().Verdict
		} else {
			d = o.move(d, deployment.Running)
		}
		all = append(all, d)
		o.run(200 * time.Millisecond)
	}
	o.run(20 * time.Second)

	list := o.room.in("C1")
	var cards []string
	for _, m := range list {
		if len(m.rows) == 0 {
			cards = append(cards, m.text)
		}
	}
	if len(list)-len(cards) != 1 || len(cards) > 6 {
		t.Fatalf("got %d messages, of which these are no list: %q; want one list and few cards", len(list), cards)
	}
	if !slices.ContainsFunc(cards, func(text string) bool { return strings.Contains(text, "waits for approval") }) {
		t.Errorf("got the cards %q, want one that waits for approval", cards)
	}

	delete(o.verdicts, all[7].Row)
	for i, d := range all {
		state := deployment.Succeeded
		if i == 11 {
			state = deployment.Failed
		}
		if d.State == deployment.Waiting {
			d = o.move(d, deployment.Running)
		}
		o.run(3 * time.Second)
		o.move(d, state)
	}
	o.run(3 * time.Minute)
	checkBurst(t, o, len(cards))
}

// checkBurst checks that the end of each of 40 deployments is shown, in the list or by one of so many cards.
func checkBurst(t *testing.T, o *office, cards int) {
	t.Helper()
	list := o.room.in("C1")
	ended := map[string]bool{}
	failed := 0
	for _, m := range list {
		if len(m.rows) == 0 && strings.Contains(m.text, "failed") {
			failed++
		}
		for _, row := range append(m.rows, m.text) {
			if strings.Contains(row, "succeeded") || strings.Contains(row, "failed") {
				_, name, _ := strings.Cut(row, "env-")
				name, _, _ = strings.Cut(name, ":")
				ended[name] = true
			}
		}
	}
	delete(ended, "") // the title of the list
	if len(ended) != 40 {
		t.Errorf("got the ends of %d deployments shown, want all 40", len(ended))
	}
	if failed != 1 || len(list) != cards+2 {
		t.Errorf("got %d messages, %d of them about a failure, want one more than %d, for the failed one", len(list), failed, cards+1)
	}

	o.room.mu.Lock()
	defer o.room.mu.Unlock()
	broadcast := 0
	for _, m := range o.room.messages {
		if m.broadcast {
			broadcast++
		}
	}
	calls := o.room.calls["C1"]
	t.Logf("%d calls for 40 deployments, %d messages, %d replies shown in the channel", calls, len(o.room.messages), broadcast)
	if calls > 80 || broadcast > cards {
		t.Errorf("got %d calls and %d replies in the channel, want at most 80, and no reply of the burst", calls, broadcast)
	}
}

// What a burst does not hold is shown by cards, and a list takes in 40 deployments at most.
func TestWorker_ListsAreBounded(t *testing.T) {
	o := newOffice(t, "C1")
	o.channels[0].Lists = true
	for id := range int64(5) {
		o.move(o.accept(id+1), deployment.Running)
	}
	o.run(2 * time.Minute)
	if list := o.room.in("C1"); len(list) != 5 {
		t.Fatalf("got %d messages about five deployments, want five cards", len(list))
	}

	for id := range int64(90) {
		o.move(o.accept(id+10), deployment.Running)
	}
	o.run(2 * time.Minute)
	var sizes []int
	for _, m := range o.room.in("C1")[5:] {
		sizes = append(sizes, len(m.rows))
	}
	slices.Sort(sizes) // they are posted in any order
	if want := []int{10, 40, 40}; !slices.Equal(sizes, want) {
		t.Errorf("got lists of %v, want %v", sizes, want)
	}
}

// A channel whose notify does not ask for lists gets a card of each deployment, however many begin together.
func TestWorker_NoListsByDefault(t *testing.T) {
	o := newOffice(t, "C1")
	for id := range int64(20) {
		o.move(o.accept(id+1), deployment.Running)
	}
	o.run(2 * time.Minute)

	list := o.room.in("C1")
	withRows := slices.ContainsFunc(list, func(m *shown) bool { return len(m.rows) > 0 })
	if len(list) != 20 || withRows {
		t.Errorf("got %d messages, a list among them: %t; want 20 cards", len(list), withRows)
	}
}

// A list survives what a card survives: a lost answer, a crash, and that somebody deletes it.
func TestWorker_ListIsPostedOnce(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fault   fault
		noFind  bool
		deleted bool
		want    int // messages
	}{
		{name: "posted, and the answer is lost", fault: fault{err: unknown, effect: true}, want: 1},
		{name: "not posted, and the answer is lost", fault: fault{err: unknown}, want: 1},
		{name: "posted, the answer is lost, and nobody may look", fault: fault{err: unknown, effect: true}, noFind: true, want: 2},
		{name: "deleted", fault: fault{effect: true}, deleted: true, want: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, "C1")
			o.channels[0].Lists = true
			o.room.fail(DoPost, tt.fault)
			o.room.noFind = tt.noFind
			var all []deployment.Deployment
			for id := range int64(10) {
				all = append(all, o.move(o.accept(id+1), deployment.Running))
			}
			o.run(10 * time.Second)
			if tt.deleted {
				o.room.messages[0].deleted = true
			}
			o.crash(0)
			for _, d := range all {
				o.move(d, deployment.Succeeded)
			}
			o.run(10 * time.Minute)

			list := o.room.in("C1")
			if len(list) != tt.want {
				t.Fatalf("got %d messages (calls %v), want %d", len(list), o.room.log, tt.want)
			}
			last := list[len(list)-1]
			if want := "10 deployments: 10 succeeded"; last.text != want || len(last.rows) != 10 {
				t.Errorf("got %q with %d rows at last, want %q", last.text, len(last.rows), want)
			}
			if stats, err := o.db.MessageStats(t.Context()); err != nil || len(stats) != 0 {
				t.Errorf("got %v, %v, want nothing unsent", stats, err)
			}
		})
	}
}

// Two processes that take themselves for the holder have one deployment join one list.
func TestWorker_JoinedOnce(t *testing.T) {
	o := newOffice(t, "C1")
	o.channels[0].Lists = true
	var all []deployment.Deployment
	for id := range int64(6) {
		all = append(all, o.move(o.accept(id+1), deployment.Running))
	}
	o.pass()
	first := o.s
	o.later(leaseHold + time.Second)
	second := o.session()
	m := o.message(all[0])
	_, step, err := first.plan(t.Context(), &m)
	if err != nil || step.Do != DoList {
		t.Fatalf("got %s, %v, want it to join a list", step.Do, err)
	}

	if err := first.join(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := second.join(t.Context(), m); !isStale(err) {
		t.Errorf("the same card by another process: got %v, want %v", err, deployment.ErrVersionConflict)
	}
	o.s = second
	o.run(time.Minute)
	if list := o.room.in("C1"); len(list) != 1 || len(list[0].rows) != 6 {
		t.Errorf("got %d messages (%v), want one list of six", len(list), fmt.Sprint(list))
	}
}

// A card that was posted is found again, and does not join a list, after a backup from before its post was restored.
func TestWorker_RestoredAmongMany(t *testing.T) {
	o := newOffice(t, "C1")
	o.channels[0].Lists = true
	d := o.move(o.accept(1), deployment.Running)
	o.run(time.Second)
	old := o.message(d) // as in the backup
	o.run(3 * time.Second)
	o.wantCard("C1", deployment.Running)
	for id := range int64(6) {
		o.move(o.accept(id+2), deployment.Running)
	}
	o.run(6 * time.Second)

	restored := o.message(d)
	old.Version, old.Touched, old.Due = restored.Version, restored.Touched, o.clock()
	if _, err := o.db.SaveMessage(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	o.crash(time.Hour)
	o.run(time.Minute)
	o.move(d, deployment.Succeeded)
	o.run(time.Minute)

	m := o.message(d)
	if m.List != 0 || len(m.Parts) == 0 || m.Parts[0].MessageID != "1" {
		t.Errorf("got list %d and parts %+v, want the card that was posted before", m.List, m.Parts)
	}
}
