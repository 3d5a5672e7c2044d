package store

import (
	"errors"
	"fmt"
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

// listedMessages are a list and two cards of a channel that it shows.
func (b *testDB) listedMessages() (list deployment.Message, cards []deployment.Message) {
	b.t.Helper()
	begin := b.newMessage(0, "C1")
	begin.Topic, begin.Kind, begin.Due = "list/C1", deployment.MessageList, time.Time{}
	for i, environment := range []string{"one", "two"} {
		d := b.accept(int64(i+1), environment, "")
		card := b.newMessage(d.Row, "C1")
		card.Topic = environment
		if _, err := b.AddMessage(b.t.Context(), card); err != nil {
			b.t.Fatal(err)
		}
	}

	for _, m := range b.due() {
		m.Due = time.Time{}
		if err := b.JoinList(b.t.Context(), m, begin); err != nil {
			b.t.Fatal(err)
		}
	}
	due := b.due()
	if len(due) != 1 || due[0].Kind != deployment.MessageList {
		b.t.Fatalf("got %+v due, want the list that two deployments have joined", due)
	}

	var err error
	for _, row := range []int64{1, 2} {
		of, readErr := b.MessagesOf(b.t.Context(), row)
		cards, err = append(cards, of...), errors.Join(err, readErr)
	}
	if err != nil || len(cards) != 2 || cards[0].List != due[0].ID || cards[1].List != due[0].ID {
		b.t.Fatalf("got %+v, %v, want two cards of the list %d", cards, err, due[0].ID)
	}
	return due[0], cards
}

func testMessagesListed(t *testing.T, b *testDB) {
	began := b.clock()
	list, cards := b.listedMessages()
	rows, err := b.ListedRows(t.Context(), list.ID)
	if want := []int64{cards[0].Row, cards[1].Row}; err != nil || !slices.Equal(rows, want) {
		t.Errorf("got rows %v, %v, want %v", rows, err, want)
	}

	found, size, ok, err := b.NewestList(t.Context(), "slack", "C1", began.Add(-time.Second))
	if err != nil || !ok || found.ID != list.ID || size != 2 {
		t.Errorf("got list %+v of %d, %v, %v, want %d of 2", found, size, ok, err, list.ID)
	}
	for name, look := range map[string]struct {
		face, channel string
		after         time.Time
	}{
		"another chat system": {face: "hubot", channel: "C1", after: began.Add(-time.Second)},
		"another channel":     {face: "slack", channel: "C2", after: began.Add(-time.Second)},
		"newer":               {face: "slack", channel: "C1", after: began},
	} {
		if _, _, ok, err := b.NewestList(t.Context(), look.face, look.channel, look.after); err != nil || ok {
			t.Errorf("%s: got %v, %v, want no list", name, ok, err)
		}
	}

	for _, tt := range []struct {
		channel  string
		from, to time.Time
		want     int
	}{
		{channel: "C1", from: began, to: began, want: 2},
		{channel: "C1", from: began.Add(time.Second), to: began.Add(time.Minute)},
		{channel: "C2", from: began, to: began},
	} {
		if n, err := b.CountCards(t.Context(), "slack", tt.channel, tt.from, tt.to); err != nil || n != tt.want {
			t.Errorf("got %d cards in %s from %v to %v, %v, want %d", n, tt.channel, tt.from, tt.to, err, tt.want)
		}
	}
}

func testMessagesOfListTouched(t *testing.T, b *testDB) {
	list, cards := b.listedMessages()
	stale := list
	list.Due = time.Time{}
	if _, err := b.SaveMessage(t.Context(), list); err != nil {
		t.Fatal(err)
	}

	// A change of a deployment makes its list due, in the same commit.
	later := b.clock().Add(time.Hour)
	b.mustTouch(b.mustHold(), deployment.MessageTouch{Row: cards[0].Row, Rank: deployment.RankEnd, Due: later})
	if due, err := b.NextMessage(t.Context(), "slack", later.Add(-time.Second)); err != nil || !due.Equal(later) {
		t.Errorf("got the list due at %v, %v, want %v", due, err, later)
	}
	if list, _, _, err := b.NewestList(t.Context(), "slack", "C1", time.Time{}); err != nil || list.Touched <= stale.Touched {
		t.Errorf("got a list touched %d times, %v, want more than %d", list.Touched, err, stale.Touched)
	}

	// A card that somebody else has written does not join, and a list with the same topic is not begun twice.
	card := cards[1]
	card.Version--
	other := list
	other.ID, other.Topic = 0, "list/other"
	if err := b.JoinList(t.Context(), card, other); !errors.Is(err, deployment.ErrVersionConflict) {
		t.Errorf("join a list: got %v, want %v", err, deployment.ErrVersionConflict)
	}
	other.Topic = list.Topic
	if err := b.JoinList(t.Context(), cards[1], other); err != nil {
		t.Fatal(err)
	}
	if n := b.count(`SELECT count(*) FROM cards WHERE kind = 'list'`); n != 1 {
		t.Errorf("got %d lists, want one", n)
	}

	if n := b.count(`SELECT count(*) FROM cards WHERE list_id = ` + fmt.Sprint(list.ID)); n != 2 {
		t.Errorf("got %d cards in the list, want 2", n)
	}

	// A list that somebody else has written since it was read may have ended: nothing joins it.
	joined, err := b.MessagesOf(t.Context(), cards[1].Row)
	if err != nil {
		t.Fatal(err)
	}
	joined[0].Unsent = "it joined"
	if err := b.JoinList(t.Context(), joined[0], stale); !errors.Is(err, deployment.ErrVersionConflict) {
		t.Errorf("join a list that was written meanwhile: got %v, want %v", err, deployment.ErrVersionConflict)
	}
	if again, err := b.MessagesOf(t.Context(), cards[1].Row); err != nil || again[0].Unsent != "" {
		t.Errorf("got %+v, %v, want nothing written", again, err)
	}

	// A list that is pruned leaves the cards of its deployments.
	list, _, _, err = b.NewestList(t.Context(), "slack", "C1", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	list.Due = time.Time{}
	if _, err := b.SaveMessage(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	b.later(48 * time.Hour)
	if _, err := b.Prune(t.Context(), b.clock().Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := b.count(`SELECT count(*) FROM cards WHERE list_id IS NULL`); n != 2 {
		t.Errorf("got %d cards without a list, want 2 and no list", n)
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
