package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

func person(id int64) deployment.Actor {
	return deployment.Actor{ID: id, Login: fmt.Sprintf("person-%d", id)}
}

// newLock is a lock on an environment of the test's repository.
func (b *testDB) newLock(environment string, owner int64) policy.Lock {
	return policy.Lock{
		RepositoryID: 7,
		Repository:   "Acme/api",
		Environment:  environment,
		Owner:        person(owner),
		Reason:       "because",
		TakenAt:      b.clock(),
	}
}

// mustTakeLock takes a lock that is free.
func (b *testDB) mustTakeLock(l policy.Lock) policy.Lock {
	b.t.Helper()
	taken, err := b.TakeLock(b.t.Context(), l, "", b.newEvent(deployment.AuditLocked))
	if err != nil || taken.ID == 0 {
		b.t.Fatalf("take lock: got %+v, %v", taken, err)
	}

	return taken
}

func (b *testDB) mustReleaseLock(id int64) {
	b.t.Helper()
	if err := b.ReleaseLock(b.t.Context(), id, b.newEvent(deployment.AuditUnlocked), ""); err != nil {
		b.t.Fatalf("release lock %d: %v", id, err)
	}
}

// wantLocked checks for *policy.LockedError.
func wantLocked(t *testing.T, err error, id int64) {
	t.Helper()
	var locked *policy.LockedError
	if !errors.As(err, &locked) || locked.Lock.ID != id {
		t.Errorf("got %v, want locked by %d", err, id)
	}
}

func wantLock(t *testing.T, what string, got, want policy.Lock) {
	t.Helper()
	if !sameLock(got, want) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func sameLock(a, b policy.Lock) bool {
	sameTimes := a.TakenAt.Equal(b.TakenAt) && a.ExpiresAt.Equal(b.ExpiresAt)
	a.TakenAt, a.ExpiresAt = b.TakenAt, b.ExpiresAt
	return sameTimes && a == b
}

func testLockOneOwner(t *testing.T, b *testDB) {
	want := b.newLock("Production", 1)
	first := b.mustTakeLock(want)
	want.ID = first.ID
	wantLock(t, "taken", first, want)

	got, open, err := b.Lock(t.Context(), first.ID)
	if err != nil || !open {
		t.Errorf("got open %v, %v, want true", open, err)
	}
	wantLock(t, "read", got, want)

	_, err = b.TakeLock(t.Context(), b.newLock("production", 2), "", b.newEvent(deployment.AuditLocked))
	wantLocked(t, err, first.ID)

	again := b.newLock("PRODUCTION", 1)
	again.Reason, again.ExpiresAt = "another", b.clock().Add(time.Hour+time.Nanosecond)
	kept := b.mustTakeLock(again)
	want = first
	want.Reason, want.ExpiresAt = "another", b.clock().Add(time.Hour)
	wantLock(t, "taken again", kept, want)

	got, _, err = b.Lock(t.Context(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantLock(t, "read again", got, want)

	if other := b.mustTakeLock(b.newLock("staging", 2)); other.ID == first.ID {
		t.Errorf("the lock of another environment: got id %d, want another one", other.ID)
	}
	if got := b.auditCount(); got != 3 {
		t.Errorf("audit: got %d records, want 3", got)
	}

	_, _, err = b.Lock(t.Context(), 99)
	if !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("an unknown lock: got %v, want %v", err, deployment.ErrNotFound)
	}
}

func testLockTakenConcurrently(t *testing.T, b *testDB) {
	errs := concurrently(8, func(i int) error {
		l := b.newLock("production", int64(i+1))
		_, err := b.TakeLock(t.Context(), l, "", b.newEvent(deployment.AuditLocked))
		return err
	})

	isLocked := func(err error) bool {
		var locked *policy.LockedError
		return errors.As(err, &locked)
	}
	if n := succeeded(t, errs, isLocked); n != 1 {
		t.Errorf("took it: got %d, want 1", n)
	}

	list, err := b.Locks(t.Context())
	if err != nil || len(list) != 1 {
		t.Errorf("locks: got %v, %v, want one", list, err)
	}
	if got := b.auditCount(); got != 1 {
		t.Errorf("audit: got %d records, want 1", got)
	}
}

func testLockEndedConcurrently(t *testing.T, b *testDB) {
	l := b.mustTakeLock(b.newLock("production", 1))
	errs := concurrently(9, func(i int) (err error) {
		other := int64(i + 2)
		switch i % 3 {
		case 0:
			stolen := b.newLock("production", other)
			_, err = b.StealLock(t.Context(), l.ID, stolen, b.newEvent(deployment.AuditLocked), "stolen")
		case 1:
			err = b.ReleaseLock(t.Context(), l.ID, b.newEvent(deployment.AuditUnlocked), "released")
		default:
			_, err = b.HandOverLock(t.Context(), l.ID, person(other), b.newEvent(deployment.AuditLocked))
		}

		return err
	})

	isNotFound := func(err error) bool { return errors.Is(err, deployment.ErrNotFound) }
	if n := succeeded(t, errs, isNotFound); n != 1 {
		t.Errorf("ended it: got %d, want 1", n)
	}
	if got := b.auditCount(); got != 2 {
		t.Errorf("audit: got %d records, want 2", got)
	}
}

// testLockRepeated: a source that has its lock already is given that one.
func testLockRepeated(t *testing.T, b *testDB) {
	take := func(reason, source string) policy.Lock {
		t.Helper()
		l := b.newLock("production", 1)
		l.Reason = reason
		taken, err := b.TakeLock(t.Context(), l, source, b.newEvent(deployment.AuditLocked))
		if err != nil {
			t.Fatal(err)
		}

		return taken
	}

	wantAudit := func(want int64) {
		t.Helper()
		if got := b.auditCount(); got != want {
			t.Errorf("audit: got %d records, want %d", got, want)
		}
	}

	first := take("one", "deployment:7:41")
	wantLock(t, "repeated", take("changed", "deployment:7:41"), first)
	wantAudit(1)

	want := first
	want.Reason = "two"
	wantLock(t, "another source of the same owner", take("two", "deployment:7:42"), want)
	wantAudit(2)

	b.mustReleaseLock(first.ID)
	for _, source := range []string{"deployment:7:41", "deployment:7:42"} {
		wantLock(t, "repeated by "+source+" after its end", take("late", source), want)
	}
	wantAudit(3)

	list, err := b.Locks(t.Context())
	if err != nil || len(list) != 0 {
		t.Errorf("locks: got %v, %v, want none", list, err)
	}
}

func testLockExpires(t *testing.T, b *testDB) {
	l := b.newLock("production", 1)
	l.ExpiresAt = b.clock().Add(time.Minute)
	l = b.mustTakeLock(l)
	d := b.accept(1, "production", "p")

	b.later(time.Minute - time.Microsecond)
	_, err := b.save(triggering(d, b), deployment.Changes{})
	wantBlocked(t, err, deployment.BlockedByLock, l.ID)

	b.later(time.Microsecond)
	_, open, err := b.Lock(t.Context(), l.ID)
	if err != nil || open {
		t.Errorf("Lock: got open %v, %v, want false", open, err)
	}

	on, err := b.LocksOn(t.Context(), 7, "production")
	if err != nil || len(on) != 0 {
		t.Errorf("LocksOn: got %v, %v, want none", on, err)
	}

	all, err := b.Locks(t.Context())
	if err != nil || len(all) != 0 {
		t.Errorf("Locks: got %v, %v, want none", all, err)
	}

	_, open, err = b.OpenLock(t.Context(), 7, "production")
	if err != nil || open {
		t.Errorf("OpenLock: got %v, %v, want false", open, err)
	}

	_, err = b.ExtendLock(t.Context(), l.ID, time.Time{}, b.newEvent(deployment.AuditLocked))
	if !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("ExtendLock: got %v, want %v", err, deployment.ErrNotFound)
	}

	err = b.ReleaseLock(t.Context(), l.ID, b.newEvent(deployment.AuditUnlocked), "x")
	if !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("ReleaseLock: got %v, want %v", err, deployment.ErrNotFound)
	}

	b.mustSave(triggering(d, b), deployment.Changes{})

	b.later(time.Hour)
	next := b.mustTakeLock(b.newLock("production", 2))
	if next.ID == l.ID {
		t.Errorf("the next lock: got id %d, want another one", next.ID)
	}

	var how string
	var when int64
	err = b.rdb.QueryRow(`SELECT ended_how, ended_at FROM locks WHERE id = $1`, l.ID).Scan(&how, &when)
	if err != nil || how != lockExpired || !at(when).Equal(l.ExpiresAt) {
		t.Errorf("ended: got %q at %v, %v, want %q at %v", how, at(when), err, lockExpired, l.ExpiresAt)
	}
}

func testLocksBlock(t *testing.T, b *testDB) {
	d := b.accept(1, "Production", "p")
	for _, c := range []struct {
		name   string
		scope  policy.Lock
		covers bool
	}{
		{name: "its own", scope: policy.Lock{RepositoryID: 7, Environment: "PRODUCTION"}, covers: true},
		{name: "every environment of its repository", scope: policy.Lock{RepositoryID: 7}, covers: true},
		{name: "its environment in every repository", scope: policy.Lock{Environment: "production"}, covers: true},
		{name: "everything", covers: true},
		{name: "another environment", scope: policy.Lock{RepositoryID: 7, Environment: "staging"}},
		{name: "another repository", scope: policy.Lock{RepositoryID: 8, Environment: "production"}},
		{name: "every environment of another repository", scope: policy.Lock{RepositoryID: 8}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.scope.Owner = person(1)
			l := b.mustTakeLock(c.scope)
			defer b.mustReleaseLock(l.ID)

			on, err := b.LocksOn(t.Context(), 7, "production")
			if got := len(on) == 1; err != nil || got != c.covers {
				t.Errorf("locks on the environment: got %v, %v, want covered %v", on, err, c.covers)
			}

			if c.covers {
				_, err := b.save(triggering(b.mustLoad(d.Row), b), deployment.Changes{
					PassedLocks: []int64{l.ID + 1},
					Audit:       []deployment.AuditEvent{b.newEvent(deployment.AuditDecided)},
				})
				wantBlocked(t, err, deployment.BlockedByLock, l.ID)
			}
		})
	}

	d = b.mustLoad(d.Row)
	one, two := b.mustTakeLock(policy.Lock{Owner: person(1)}), b.mustTakeLock(b.newLock("production", 2))
	events := b.auditCount()
	_, err := b.save(triggering(d, b), deployment.Changes{PassedLocks: []int64{one.ID}})
	wantBlocked(t, err, deployment.BlockedByLock, two.ID)

	d = b.mustSave(triggering(d, b), deployment.Changes{
		PassedLocks: []int64{two.ID, one.ID},
		Audit:       []deployment.AuditEvent{b.newEvent(deployment.AuditDecided)},
	})

	d.State = deployment.Running
	b.mustSave(d, deployment.Changes{}) // what has started goes on
	if got, want := b.auditCount(), events+1; got != want {
		t.Errorf("audit: got %d records, want %d", got, want)
	}
}

func testLockChangesHands(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "p")
	first := b.mustTakeLock(b.newLock("production", 1))
	until := b.clock().Add(time.Hour)

	extended, err := b.ExtendLock(t.Context(), first.ID, until, b.newEvent(deployment.AuditLocked))
	if err != nil {
		t.Fatal(err)
	}
	want := first
	want.ExpiresAt = until
	wantLock(t, "extended", extended, want)

	given, err := b.HandOverLock(t.Context(), first.ID, person(2), b.newEvent(deployment.AuditLocked))
	if err != nil || given.ID == first.ID {
		t.Fatalf("handed over: got id %d, %v, want another than %d", given.ID, err, first.ID)
	}
	want.ID, want.Owner = given.ID, person(2)
	wantLock(t, "handed over", given, want)

	// It was let past the lock while that was still the first owner's.
	_, err = b.save(triggering(d, b), deployment.Changes{PassedLocks: []int64{first.ID}})
	wantBlocked(t, err, deployment.BlockedByLock, given.ID)

	taking := b.newLock("elsewhere", 3)
	taking.Reason, taking.Admin = "mine now", true
	stolen, err := b.StealLock(t.Context(), given.ID, taking, b.newEvent(deployment.AuditLocked), "person-3 took it")
	if err != nil {
		t.Fatal(err)
	}
	want = taking
	want.ID, want.Environment = stolen.ID, "production"
	wantLock(t, "stolen", stolen, want)

	read, _, err := b.Lock(t.Context(), stolen.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantLock(t, "stolen, read", read, want)

	again, err := b.HandOverLock(t.Context(), stolen.ID, person(3), b.newEvent(deployment.AuditLocked))
	if err != nil {
		t.Fatal(err)
	}
	want.ID, want.Admin = again.ID, false
	wantLock(t, "handed over by an admin", again, want)

	err = b.ReleaseLock(t.Context(), again.ID, b.newEvent(deployment.AuditUnlocked), "an admin released it")
	if err != nil {
		t.Fatal(err)
	}

	_, open, err := b.Lock(t.Context(), again.ID)
	if err != nil || open {
		t.Errorf("released: got open %v, %v, want false", open, err)
	}

	_, open, err = b.OpenLock(t.Context(), 7, "production")
	if err != nil || open {
		t.Errorf("OpenLock: got %v, %v, want false", open, err)
	}

	if got := b.auditCount(); got != 6 {
		t.Errorf("audit: got %d records, want 6", got)
	}

	notices, err := b.Notices(t.Context(), 0, 10)
	wantNotices := []policy.Notice{
		{ID: 1, At: b.clock(), To: person(2), Text: "person-3 took it", Lock: given.ID},
		{ID: 2, At: b.clock(), To: person(3), Text: "an admin released it", Lock: again.ID},
	}
	if err != nil || !slices.Equal(notices, wantNotices) {
		t.Errorf("notices: got %+v, %v, want %+v", notices, err, wantNotices)
	}

	rest, err := b.Notices(t.Context(), 1, 1)
	if err != nil || !slices.Equal(rest, wantNotices[1:]) {
		t.Errorf("notices after the first: got %+v, %v, want %+v", rest, err, wantNotices[1:])
	}
}

func testLocksListed(t *testing.T, b *testDB) {
	unlock := b.newDeployment(5, "production", "")
	unlock.Target.LockTask = deployment.TaskUnlock
	b.acceptDeployment(unlock)
	b.accept(3, "production", "")
	b.accept(2, "staging", "")
	b.accept(1, "production", "")
	own, wide := b.mustTakeLock(b.newLock("production", 1)), b.mustTakeLock(policy.Lock{Owner: person(2)})

	for _, c := range []struct {
		name string
		lock policy.Lock
		want []int64
	}{
		{name: "one environment", lock: own, want: []int64{1, 3}},
		{name: "everything", lock: wide, want: []int64{1, 2, 3}},
	} {
		t.Run("waiting for "+c.name, func(t *testing.T) {
			list, err := b.WaitingFor(t.Context(), c.lock)
			if got := deploymentIDs(list); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}

	all, err := b.Locks(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("got %+v, %v, want two locks", all, err)
	}
	wantLock(t, "the older one", all[0], own)
	wantLock(t, "the newer one", all[1], wide)

	got, open, err := b.OpenLock(t.Context(), 0, "")
	if err != nil || !open {
		t.Errorf("OpenLock of everything: got %v, %v, want true", open, err)
	}
	wantLock(t, "everything", got, wide)

	_, open, err = b.OpenLock(t.Context(), 7, "staging")
	if err != nil || open {
		t.Errorf("OpenLock of staging: got %v, %v, want false", open, err)
	}
}
