package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// newMessage is a card about a row that is due now.
func (b *testDB) newMessage(row int64, channel string) deployment.Message {
	return deployment.Message{
		Topic:       "topic/" + channel,
		Row:         row,
		Face:        "slack",
		Channel:     channel,
		Kind:        deployment.MessageCard,
		Rank:        deployment.RankRunning,
		Due:         b.clock(),
		MessageData: deployment.MessageData{CreatedAt: b.clock(), Secret: "s-" + channel},
	}
}

// mustHold takes the lease under which messages are touched.
func (b *testDB) mustHold() deployment.Lease {
	b.t.Helper()
	lease, mine, err := b.AcquireLease(b.t.Context(), "messages slack", 20*time.Second, b.clock())
	if err != nil || !mine {
		b.t.Fatalf("acquire lease: got %v, %v, want it", mine, err)
	}
	return lease
}

func (b *testDB) mustTouch(lease deployment.Lease, touches ...deployment.MessageTouch) {
	b.t.Helper()
	if err := b.TouchMessages(b.t.Context(), lease, touches); err != nil {
		b.t.Fatal(err)
	}
}

// due are the messages that are due, in their order.
func (b *testDB) due() (list []deployment.Message) {
	b.t.Helper()
	list, err := b.DueMessages(b.t.Context(), "slack", 10)
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

func testMessagesTouched(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "")
	lease := b.mustHold()
	lease.Note = "here"
	touch := deployment.MessageTouch{Row: d.Row, Rank: deployment.RankRunning, Due: b.clock(), New: []deployment.Message{
		b.newMessage(d.Row, "C1"),
		b.newMessage(d.Row, "C2"),
	}}
	b.mustTouch(lease, touch, touch) // a change that is read twice begins no second message

	due := b.due()
	if len(due) != 2 || due[0].Channel != "C1" || due[0].Secret != "s-C1" || due[0].Row != d.Row {
		t.Fatalf("got %+v, want a message to C1 and one to C2", due)
	}

	// The route has named another channel meanwhile: the messages stay where they began.
	touch.New = []deployment.Message{b.newMessage(d.Row, "C3")}
	touch.Rank = deployment.RankEnd
	b.mustTouch(lease, touch)
	if due = b.due(); len(due) != 2 || due[0].Rank != deployment.RankEnd {
		t.Errorf("got %+v, want the same two, of the rank of an end", due)
	}

	// Whoever has the lease next finds the note.
	if err := b.ReleaseLease(t.Context(), lease, time.Time{}); err != nil {
		t.Fatal(err)
	}
	b.later(time.Second)
	if next := b.mustHold(); next.Note != "here" {
		t.Errorf("got note %q, want %q", next.Note, "here")
	}

	if err := b.TouchMessages(t.Context(), lease, nil); !errors.Is(err, errLeaseLost) {
		t.Errorf("touch under a lease that another process has: got %v, want %v", err, errLeaseLost)
	}
}

func testMessagesSaved(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "")
	lease := b.mustHold()
	touch := deployment.MessageTouch{
		Row: d.Row, Rank: deployment.RankRunning, Due: b.clock(), New: []deployment.Message{b.newMessage(d.Row, "C1")},
	}
	b.mustTouch(lease, touch)

	read := b.due()[0]
	next := read
	next.Calls, next.Due, next.Rank = 1, b.clock().Add(time.Minute), deployment.RankPeople
	next.Parts = []deployment.MessagePart{{
		About: "card", Key: "k", Call: &deployment.MessageCall{At: b.clock(), SendBefore: b.clock()},
	}}
	saved, err := b.SaveMessage(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	if due := b.due(); len(due) != 0 {
		t.Errorf("got %+v due, want nothing for a minute", due)
	}
	if at, err := b.NextMessage(t.Context(), "slack", b.clock()); err != nil || !at.Equal(b.clock().Add(time.Minute)) {
		t.Errorf("got the next one due at %v, %v, want in a minute", at, err)
	}

	// Of two who have read the same version one saves.
	if _, err := b.SaveMessage(t.Context(), read); !errors.Is(err, deployment.ErrVersionConflict) {
		t.Errorf("save of a stale version: got %v, want %v", err, deployment.ErrVersionConflict)
	}

	// What has changed since the message was read leaves it due.
	touch.Rank = deployment.RankEnd
	b.mustTouch(lease, touch)
	saved.Due = time.Time{}
	if _, err := b.SaveMessage(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	due := b.due()
	if len(due) != 1 || due[0].Rank != deployment.RankEnd || due[0].Calls != 1 || due[0].Parts[0].Call == nil {
		t.Fatalf("got %+v, want the message due, of the rank of an end, with its call", due)
	}

	last := due[0]
	last.Due = time.Time{}
	if _, err := b.SaveMessage(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	if at, err := b.NextMessage(t.Context(), "slack", b.clock()); err != nil || !at.IsZero() || len(b.due()) != 0 {
		t.Errorf("got the next one due at %v, %v, want none", at, err)
	}
}

func testMessagesOrdered(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "")
	for _, m := range []struct {
		channel string
		rank    deployment.MessageRank
		after   time.Duration
	}{
		{channel: "running", rank: deployment.RankRunning, after: -time.Hour},
		{channel: "people", rank: deployment.RankPeople},
		{channel: "end", rank: deployment.RankEnd},
		{channel: "older end", rank: deployment.RankEnd, after: -time.Minute},
		{channel: "later", rank: deployment.RankEnd, after: time.Minute},
	} {
		next := b.newMessage(d.Row, m.channel)
		next.Rank, next.Due = m.rank, b.clock().Add(m.after)
		if added, err := b.AddMessage(t.Context(), next); err != nil || !added {
			t.Fatalf("add: got %v, %v, want true", added, err)
		}
	}

	other := b.newMessage(0, "elsewhere")
	other.Face, other.Kind = "hubot", deployment.MessageNote
	if added, err := b.AddMessage(t.Context(), other); err != nil || !added {
		t.Fatalf("add: got %v, %v, want true", added, err)
	}
	if added, err := b.AddMessage(t.Context(), other); err != nil || added {
		t.Errorf("add a topic twice: got %v, %v, want false", added, err)
	}

	var got []string
	for _, m := range b.due() {
		got = append(got, m.Channel)
	}
	want := []string{"older end", "end", "people", "running"}
	if !slices.Equal(got, want) {
		t.Errorf("got due %v, want %v", got, want)
	}

	stats, err := b.MessageStats(t.Context())
	wantStats := deployment.MessageStats{Face: "slack", Unsent: 4, OldestDue: time.Hour}
	if err != nil || len(stats) != 2 || stats[1] != wantStats {
		t.Errorf("got %+v, %v, want 4 unsent to slack, the oldest due for an hour", stats, err)
	}
}

func testMessagesReplaced(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "")
	for _, channel := range []string{"C1", "C2"} {
		if _, err := b.AddMessage(t.Context(), b.newMessage(d.Row, channel)); err != nil {
			t.Fatal(err)
		}
	}

	old := b.due()
	for i := range old {
		old[i].Done, old[i].Due = true, time.Time{}
	}
	stale := old[1]
	stale.Version--
	by := b.newMessage(0, "summary")
	err := b.ReplaceMessages(t.Context(), []deployment.Message{old[0], stale}, by)
	if !errors.Is(err, deployment.ErrVersionConflict) || len(b.due()) != 2 {
		t.Errorf("replace a stale version: got %v, want %v and nothing changed", err, deployment.ErrVersionConflict)
	}

	if err := b.ReplaceMessages(t.Context(), old, by); err != nil {
		t.Fatal(err)
	}
	if due := b.due(); len(due) != 1 || due[0].Topic != by.Topic {
		t.Errorf("got %+v due, want the one that takes their place", due)
	}
}

func testMessagesPruned(t *testing.T, b *testDB) {
	d := b.acceptIdle(1, "production")
	note := b.newMessage(0, "sent")
	note.Due = time.Time{}
	for _, m := range []deployment.Message{b.newMessage(d.Row, "C1"), note, b.newMessage(0, "unsent")} {
		if _, err := b.AddMessage(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}

	d = ended(d, deployment.Canceled)
	d.EndedAt = b.clock()
	b.mustSave(d, deployment.Changes{})
	b.later(48 * time.Hour)
	if _, err := b.Prune(t.Context(), b.clock().Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}

	list := b.due()
	if len(list) != 1 || list[0].Channel != "unsent" || b.count(`SELECT count(*) FROM cards`) != 1 {
		t.Errorf("got %+v after the retention, want only what is not sent and is about no deployment", list)
	}

	// A deployment that was pruned meanwhile begins no messages.
	b.mustTouch(b.mustHold(), deployment.MessageTouch{
		Row: d.Row, Due: b.clock(), New: []deployment.Message{b.newMessage(d.Row, "C9")},
	})
	if n := b.count(`SELECT count(*) FROM cards`); n != 1 {
		t.Errorf("got %d messages, want none about a deployment that is gone", n-1)
	}
}
