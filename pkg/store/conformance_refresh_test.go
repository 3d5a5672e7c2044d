package store

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// testMessagesRefreshed checks that the messages about a deployment become due without a change of it, also for a worker
// that has read them before.
func testMessagesRefreshed(t *testing.T, b *testDB) {
	d, other := b.accept(1, "production", ""), b.accept(2, "staging", "")
	lease := b.mustHold()
	for _, row := range []int64{d.Row, other.Row} {
		channel := map[int64]string{d.Row: "C1", other.Row: "C2"}[row]
		b.mustTouch(lease, deployment.MessageTouch{
			Row:  row,
			Rank: deployment.RankRunning,
			Due:  b.clock(),
			New:  []deployment.Message{b.newMessage(row, channel)},
		})
	}

	var idle deployment.Message
	for _, m := range b.due() {
		m.Due = time.Time{}
		saved, err := b.SaveMessage(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		if m.Row == d.Row {
			idle = saved
		}
	}

	if err := b.RefreshMessages(t.Context(), d.Row); err != nil {
		t.Fatal(err)
	}
	if due := b.due(); len(due) != 1 || due[0].Channel != "C1" || due[0].Rank != deployment.RankRunning {
		t.Fatalf("got %+v due, want the message to C1, of its rank", due)
	}

	idle.Due = time.Time{}
	if _, err := b.SaveMessage(t.Context(), idle); err != nil {
		t.Fatal(err)
	}
	if due := b.due(); len(due) != 1 {
		t.Errorf("got %+v due after a save of what was read before, want the message still", due)
	}
}
