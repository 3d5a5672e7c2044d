package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

func testLease(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "")
	b.mustLease(d.Row)
	b.wantNoLease(d.Row, "while another worker has it")

	b.later(leaseFor + time.Second)
	b.mustLease(d.Row)

	d.Due = b.clock().Add(time.Minute)
	b.mustSave(d, deployment.Changes{})
	b.wantNoLease(d.Row, "before it is due")
}

// testLeaseWoken: Woken tells a row that is due by its own time from one that was woken before.
func testLeaseWoken(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "p")
	if leased := b.mustLease(d.Row); leased.Woken {
		t.Error("a new row: got woken")
	}

	d = b.mustSave(running(d, "x", b.clock().Add(time.Minute)), deployment.Changes{})
	if _, err := b.WakeByPipeline(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}

	woken := b.mustLease(d.Row)
	if !woken.Woken {
		t.Error("after a hint: got not woken")
	}

	woken.Due = b.clock().Add(time.Minute)
	saved := b.mustSave(woken, deployment.Changes{})
	if saved.Woken {
		t.Error("after its save: got woken")
	}

	b.later(time.Minute)
	if leased := b.mustLease(d.Row); leased.Woken {
		t.Error("at its own time: got woken")
	}
}

// testWakeByPipeline: a hint that comes in during a step is not lost by the save of the step.
func testWakeByPipeline(t *testing.T, b *testDB) {
	d := b.mustSave(running(b.accept(1, "production", "p"), "x", b.clock().Add(time.Minute)), deployment.Changes{})
	b.announced()

	known, err := b.WakeByPipeline(t.Context(), "x")
	if err != nil || !known {
		t.Fatalf("got %v, %v, want true", known, err)
	}
	b.wantAnnounced(advanceTask(d.Row))

	leased := b.mustLease(d.Row)
	if _, err := b.WakeByPipeline(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}

	leased.Due = b.clock().Add(time.Minute)
	b.mustSave(leased, deployment.Changes{})
	b.mustLease(d.Row)

	known, err = b.WakeByPipeline(t.Context(), "of nobody")
	if err != nil || known {
		t.Errorf("an unknown pipeline: got %v, %v, want false", known, err)
	}
}

func testOverdue(t *testing.T, b *testDB) {
	one, two := b.accept(1, "production", "p"), b.accept(2, "staging", "q")
	two.Due = b.clock().Add(time.Minute)
	b.mustSave(two, deployment.Changes{})
	b.wantOverdue(advanceTask(one.Row))

	b.mustLease(one.Row)
	b.wantOverdue()

	b.later(2 * time.Minute)
	b.wantOverdue(advanceTask(one.Row), advanceTask(two.Row))

	stats, err := b.Stats(t.Context())
	if want := 2 * time.Minute; err != nil || stats.OldestDue != want {
		t.Errorf("oldest due: got %v, %v, want %v", stats.OldestDue, err, want)
	}
}

func (b *testDB) wantOverdue(want ...deployment.Task) {
	b.t.Helper()
	got, err := b.Overdue(b.t.Context(), 10)
	if err != nil || !slices.Equal(got, want) {
		b.t.Errorf("overdue: got %v, %v, want %v", got, err, want)
	}
}

// testTimer uses the real clock.
func testTimer(t *testing.T, b *testDB) {
	b.now = time.Now()
	announced := make(chan deployment.Task, 10)
	d := b.accept(1, "production", "p")
	b.OnDue(func(tasks ...deployment.Task) { announced <- tasks[0] })

	d.Due = time.Now().Add(50 * time.Millisecond)
	b.mustSave(d, deployment.Changes{})
	if got, want := <-announced, advanceTask(d.Row); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func testOverdueWithoutTimer(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "p")
	b.announced()

	d.Due = b.clock().Add(timerReach + time.Second)
	b.mustSave(d, deployment.Changes{})
	b.wantAnnounced()

	b.later(timerReach)
	b.wantOverdue()

	b.later(time.Second)
	b.wantOverdue(advanceTask(d.Row))
}

// wantWoken checks which rows were announced and are due, and makes them idle again.
func (b *testDB) wantWoken(by string, want ...int64) {
	b.t.Helper()
	rows := rowsOf(b.announced())
	slices.Sort(rows)
	if !slices.Equal(rows, want) {
		b.t.Errorf("woken by %s: got rows %v, want %v", by, rows, want)
	}

	for _, row := range rows {
		d := b.mustLease(row)
		d.Due = b.clock().Add(time.Hour)
		b.mustSave(d, deployment.Changes{})
	}
}

func testLockWakes(t *testing.T, b *testDB) {
	two, one, three := b.acceptIdle(2, "production"), b.acceptIdle(1, "production"), b.acceptIdle(3, "production")
	other := b.acceptIdle(4, "staging")
	l := b.mustTakeLock(b.newLock("production", 1))
	b.announced()

	b.mustTakeLock(b.newLock("production", 1))
	b.wantWoken("taking it again", one.Row)

	_, err := b.TakeLock(t.Context(), b.newLock("production", 2), "", b.newEvent(deployment.AuditLocked))
	wantLocked(t, err, l.ID)
	b.wantWoken("asking in vain")

	l, err = b.ExtendLock(t.Context(), l.ID, b.clock().Add(time.Hour), b.newEvent(deployment.AuditLocked))
	if err != nil {
		t.Fatal(err)
	}
	b.wantWoken("extending it", one.Row)

	l, err = b.HandOverLock(t.Context(), l.ID, person(2), b.newEvent(deployment.AuditLocked))
	if err != nil {
		t.Fatal(err)
	}
	b.wantWoken("handing it over", one.Row)

	l, err = b.StealLock(t.Context(), l.ID, l, b.newEvent(deployment.AuditLocked), "")
	if err != nil {
		t.Fatal(err)
	}
	b.wantWoken("stealing it", one.Row)

	b.mustSave(ended(b.mustLoad(one.Row), deployment.Canceled), deployment.Changes{})
	b.wantWoken("the end of the first", two.Row)

	b.mustReleaseLock(l.ID)
	b.wantWoken("releasing it", two.Row)

	all := b.mustTakeLock(policy.Lock{Owner: person(1)})
	b.wantWoken("locking everything", two.Row, other.Row)
	b.wantNoLease(three.Row, "when it is not first in the queue")

	b.mustReleaseLock(all.ID)
	b.wantWoken("releasing everything", two.Row, other.Row)
}

// testLockWakesBatches needs more than one batch.
func testLockWakesBatches(t *testing.T, b *testDB) {
	const n = wakeBatch + 3
	for id := range int64(n) {
		b.acceptIdle(id+1, fmt.Sprint(id))
	}

	l := b.mustTakeLock(policy.Lock{Owner: person(1)})
	b.announced()
	b.mustReleaseLock(l.ID)
	if got := len(b.announced()); got != n {
		t.Errorf("announced: got %d, want %d", got, n)
	}

	due, err := b.Overdue(t.Context(), 2*n)
	if err != nil || len(due) != n {
		t.Errorf("overdue: got %d, %v, want %d", len(due), err, n)
	}

	waiting, err := b.WaitingFor(t.Context(), l)
	if err != nil || len(waiting) != maxWaitingFor || waiting[0].Request.ID != 1 {
		t.Errorf("waiting for the lock: got %d, %v, want %d", len(waiting), err, maxWaitingFor)
	}
}

func testWakeQueue(t *testing.T, b *testDB) {
	one, two, three := b.acceptIdle(1, "production"), b.acceptIdle(2, "production"), b.acceptIdle(3, "production")
	b.announced()

	wantWoken := func(want ...int64) {
		t.Helper()
		if err := b.WakeQueue(t.Context(), 7, "production"); err != nil {
			t.Fatal(err)
		}

		got := rowsOf(b.announced())
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("got rows %v, want %v", got, want)
		}
	}

	wantWoken()

	two = b.mustLoad(two.Row)
	two.AdmittedAt = b.clock()
	b.mustSave(two, deployment.Changes{})
	wantWoken(one.Row)

	three.AdmittedAt = b.clock()
	b.mustSave(three, deployment.Changes{})
	wantWoken(one.Row, two.Row)
}

// testNamedLeases: a named lease has one holder at a time, ends by itself, and says when its work is due
// next.
func testNamedLeases(t *testing.T, b *testDB) {
	due := b.clock()
	want := func(why, wantNote string, wantAcquired bool) (lease deployment.Lease) {
		t.Helper()
		lease, acquired, err := b.AcquireLease(t.Context(), "sweep", time.Minute, due)
		if err != nil || acquired != wantAcquired || lease.Note != wantNote {
			t.Errorf("%s: got %q, %v, %v, want %q, %v", why, lease.Note, acquired, err, wantNote, wantAcquired)
		}

		return lease
	}

	first := want("the first", "", true)
	want("while it is held", "", false)

	first.Note = "as far as this"
	next := b.clock().Add(10 * time.Minute)
	if err := b.ReleaseLease(t.Context(), first, next); err != nil {
		t.Fatal(err)
	}

	due = next.Add(-time.Microsecond)
	want("before its work is due", "", false)

	due = next
	second := want("after it was released", "as far as this", true)

	b.later(50 * time.Second)
	renewed, err := b.RenewLease(t.Context(), second, time.Minute)
	if err != nil {
		t.Fatal(err)
	}

	b.later(50 * time.Second)
	want("while it is renewed", "", false)

	b.later(time.Minute)
	third := want("after it ran out", "as far as this", true)

	_, err = b.RenewLease(t.Context(), renewed, time.Minute)
	if err == nil {
		t.Error("renewed by who lost it: got no error")
	}
	if err := b.ReleaseLease(t.Context(), renewed, time.Time{}); err != nil {
		t.Fatal(err)
	}
	want("after its release by who lost it", "", false)

	if _, err := b.RenewLease(t.Context(), third, time.Minute); err != nil {
		t.Fatal(err)
	}

	b.later(-24 * time.Hour)
	due = b.clock()
	want("after the clock was set back", "as far as this", true)
}
