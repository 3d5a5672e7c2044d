package store

import (
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// testClockSetBack: rows that were saved by a clock which was ahead are due at once when it has been set
// back, also for a process that did not see it.
func testClockSetBack(t *testing.T, b *testDB) {
	check := func() {
		t.Helper()
		if err := b.CheckClock(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	overdue := func(want ...deployment.Task) {
		t.Helper()
		got, err := b.Overdue(t.Context(), 10)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("overdue: got %v, %v, want %v", got, err, want)
		}
	}

	check()
	d := b.accept(1, "production", "p")
	d, ok, err := b.Lease(t.Context(), d.Row)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}

	d.Due = b.clock().Add(time.Minute)
	d = b.mustSave(d, deployment.Changes{})
	message := b.newMessage(d.Row, "C1")
	message.Due = b.clock().Add(time.Minute)
	if added, err := b.AddMessage(t.Context(), message); err != nil || !added {
		t.Fatal(added, err)
	}
	check()
	overdue()

	b.later(-time.Second) // no more than a correction
	check()
	overdue()

	b.later(-24 * time.Hour)
	overdue()
	if due := b.due(); len(due) != 0 {
		t.Errorf("messages before the check: got %v, want none", due)
	}
	check()
	overdue(advanceTask(d.Row))
	if due := b.due(); len(due) != 1 {
		t.Errorf("messages: got %v, want the one", due)
	}
	if _, ok, err := b.Lease(t.Context(), d.Row); !ok || err != nil {
		t.Fatalf("the row cannot be leased: %v, %v", ok, err)
	}

	b.later(-24 * time.Hour) // the lease is of tomorrow, too
	check()
	overdue(advanceTask(d.Row))

	d, _ = b.Load(t.Context(), d.Row)
	d.Due = b.clock().Add(24 * time.Hour)
	b.mustSave(d, deployment.Changes{})
	b.clockWatchForTest()
	check()
	overdue(advanceTask(d.Row))
}

// clockWatchForTest forgets the clock, as a restart does.
func (b *testDB) clockWatchForTest() {
	b.DB.clock.mu.Lock()
	defer b.DB.clock.mu.Unlock()
	b.DB.clock.last = time.Time{}
}
