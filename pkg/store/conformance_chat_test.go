package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// addChat stores a request with a signature and names.
func (b *testDB) addChat(signature string, names ...string) (int64, deployment.ChatResult) {
	b.t.Helper()
	row, result, err := b.AddChatDelivery(
		b.t.Context(),
		deployment.ChatDelivery{
			Face:       "slack",
			Kind:       "click",
			ReceivedAt: b.clock(),
			Data:       []byte(`{"text":"deploy api"}`),
			Secrets:    []byte(`{"trigger":"1.2.3"}`),
		},
		deployment.ChatProof{Face: "slack", Key: signature, Ends: b.clock().Add(10 * time.Minute)},
		names,
	)
	if err != nil {
		b.t.Fatalf("add delivery with signature %s: %v", signature, err)
	}

	return row, result
}

func (b *testDB) mustLeaseChat(row int64) deployment.ChatDelivery {
	b.t.Helper()
	d, ok, err := b.LeaseChatDelivery(b.t.Context(), row)
	if err != nil || !ok {
		b.t.Fatalf("lease delivery %d: got %v, %v, want true", row, ok, err)
	}

	return d
}

func (b *testDB) wantOverdueChats(want ...int64) {
	b.t.Helper()
	got, err := b.OverdueChatDeliveries(b.t.Context(), 10)
	if err != nil || !slices.Equal(got, want) {
		b.t.Errorf("overdue: got %v, %v, want %v", got, err, want)
	}
}

// testChatOnce: a signature counts once, and so does a request by each of its names.
func testChatOnce(t *testing.T, b *testDB) {
	const stored, isCopy, replayed = deployment.ChatStored, deployment.ChatCopy, deployment.ChatReplayed
	for _, c := range []struct { // each row sees what the ones before it have stored
		name      string
		signature string
		names     []string
		want      deployment.ChatResult
	}{
		{name: "first", signature: "s1", names: []string{"message:1", "event:1"}, want: stored},
		{name: "the same again", signature: "s1", names: []string{"message:1", "event:1"}, want: replayed},
		{name: "its signature with another request", signature: "s1", names: []string{"message:2"}, want: replayed},
		{name: "that other request", signature: "s2", names: []string{"message:2"}, want: stored},
		{name: "a known and a new name", signature: "s3", names: []string{"message:1", "event:3"}, want: isCopy},
		{name: "that new name", signature: "s4", names: []string{"event:3"}, want: isCopy},
		{name: "a name that is a signature", signature: "s5", names: []string{"s1"}, want: stored},
		{name: "one name twice", signature: "s6", names: []string{"event:6", "event:6"}, want: stored},
	} {
		t.Run(c.name, func(t *testing.T) {
			row, got := b.addChat(c.signature, c.names...)
			if got != c.want || (row != 0) != (c.want == stored) {
				t.Errorf("got %s, row %d, want %s", got, row, c.want)
			}
		})
	}

	for _, want := range []bool{true, false} {
		proof := deployment.ChatProof{Face: "slack", Key: "alone", Ends: b.clock().Add(time.Minute)}
		if first, err := b.UseChatProof(t.Context(), proof); err != nil || first != want {
			t.Errorf("UseChatProof: got %v, %v, want %v", first, err, want)
		}
	}
	if _, got := b.addChat("alone", "event:7"); got != deployment.ChatReplayed {
		t.Errorf("got %s for a signature that was used alone, want replayed", got)
	}
}

// testChatConcurrently: of many copies at once, with their names in any order, one is stored.
func testChatConcurrently(t *testing.T, b *testDB) {
	results := make([]deployment.ChatResult, 24)
	errs := concurrently(len(results), func(i int) (err error) {
		names := []string{"event:1", "message:1", "client:1"}
		slices.Reverse(names[i%3:])
		_, results[i], err = b.AddChatDelivery(
			t.Context(),
			deployment.ChatDelivery{Face: "slack", Kind: "mention", ReceivedAt: b.clock()},
			deployment.ChatProof{Face: "slack", Key: fmt.Sprint("s", i/2), Ends: b.clock().Add(time.Minute)},
			names,
		)
		return err
	})
	if n := succeeded(t, errs, func(error) bool { return false }); n != len(results) {
		t.Errorf("got %d without an error, want all", n)
	}

	count := map[deployment.ChatResult]int{}
	for _, r := range results {
		count[r]++
	}
	if count[deployment.ChatStored] != 1 || count[deployment.ChatReplayed] != 12 || count[deployment.ChatCopy] != 11 {
		t.Errorf("got %v, want 1 stored, 11 copies, 12 replayed", count)
	}
	if got := b.count(`SELECT count(*) FROM chat_deliveries`); got != 1 {
		t.Errorf("got %d rows, want 1", got)
	}
}

// testChatWork: a row is for one worker, may be postponed, and is erased when it ends.
func testChatWork(t *testing.T, b *testDB) {
	row, _ := b.addChat("s1", "event:1")
	b.wantOverdueChats(row)

	d := b.mustLeaseChat(row)
	want := deployment.ChatDelivery{Row: row, Face: "slack", Kind: "click", ReceivedAt: b.clock()}
	if string(d.Data) != `{"text":"deploy api"}` || string(d.Secrets) != `{"trigger":"1.2.3"}` ||
		d.Row != want.Row || d.Face != want.Face || d.Kind != want.Kind || !d.ReceivedAt.Equal(want.ReceivedAt) {
		t.Errorf("got %+v, want what was stored", d)
	}
	if _, ok, err := b.LeaseChatDelivery(t.Context(), row); ok || err != nil {
		t.Errorf("second lease: got %v, %v, want false", ok, err)
	}
	b.wantOverdueChats()

	if err := b.UnleaseChatDelivery(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	b.wantOverdueChats(row)

	b.mustLeaseChat(row)
	b.later(26 * time.Second)
	b.wantOverdueChats(row) // its worker has crashed

	b.mustLeaseChat(row)
	if err := b.PostponeChatDelivery(canceled(t), row, b.clock().Add(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	b.wantOverdueChats()
	b.later(2 * time.Second)
	b.wantOverdueChats(row)
	if d := b.mustLeaseChat(row); d.Tries != 1 {
		t.Errorf("got %d tries, want 1", d.Tries)
	}

	if err := b.EndChatDelivery(canceled(t), row, "gave up"); err != nil {
		t.Fatal(err)
	}
	if err := b.PostponeChatDelivery(t.Context(), row, b.clock()); err != nil {
		t.Fatal(err) // of a worker whose lease had ended
	}
	b.wantOverdueChats()

	erased := b.count(`
		SELECT count(*) FROM chat_deliveries
		WHERE data = '' AND secrets = '' AND problem = 'gave up' AND done_at IS NOT NULL AND due_at IS NULL`)
	if erased != 1 {
		t.Error("the row that ended was not erased")
	}
}

// testChatPruned: what was carried out, and keys, go after their time, and what is due stays.
func testChatPruned(t *testing.T, b *testDB) {
	done, _ := b.addChat("s1", "event:1")
	b.mustLeaseChat(done)
	if err := b.EndChatDelivery(t.Context(), done, ""); err != nil {
		t.Fatal(err)
	}
	b.addChat("s2", "event:2") // stays due

	prune := func() (rows, keys int64) {
		if _, err := b.Prune(t.Context(), b.clock().Add(-365*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		return b.count(`SELECT count(*) FROM chat_deliveries`), b.count(`SELECT count(*) FROM chat_keys`)
	}

	b.later(9 * time.Minute)
	if rows, keys := prune(); rows != 2 || keys != 4 {
		t.Errorf("got %d rows and %d keys after 9 minutes, want 2 and 4", rows, keys)
	}
	b.later(2 * time.Minute)
	if rows, keys := prune(); rows != 2 || keys != 2 {
		t.Errorf("got %d rows and %d keys after 11 minutes, want 2 and the names", rows, keys)
	}
	b.later(deployment.KeepChatDeliveries)
	if rows, keys := prune(); rows != 1 || keys != 0 {
		t.Errorf("got %d rows and %d keys after a week, want the one that is due", rows, keys)
	}
}

// testChatClockSetBack: a row that a wrong clock has postponed is due again.
func testChatClockSetBack(t *testing.T, b *testDB) {
	row, _ := b.addChat("s1", "event:1")
	if err := b.CheckClock(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.mustLeaseChat(row)
	if err := b.PostponeChatDelivery(t.Context(), row, b.clock().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}

	b.later(-time.Hour)
	if err := b.CheckClock(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantOverdueChats(row)
}
