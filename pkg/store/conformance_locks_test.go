package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

func person(id int64) deployment.Actor {
	return deployment.Actor{ID: id, Login: fmt.Sprintf("person-%d", id)}
}

// wanted is a lock on an environment of the benches' repository.
func (b *testDB) wanted(environment string, owner int64) policy.Lock {
	return policy.Lock{
		RepositoryID: 7,
		Repository:   "Acme/api",
		Environment:  environment,
		Owner:        person(owner),
		Reason:       "because",
		TakenAt:      b.clock(),
	}
}

// take takes a lock that must be free.
func (b *testDB) take(l policy.Lock) policy.Lock {
	b.t.Helper()
	taken, err := b.TakeLock(b.t.Context(), l, "", b.act(deployment.AuditLocked))
	if err != nil || taken.ID == 0 {
		b.t.Fatalf("%+v was not taken: %v", l, err)
	}
	return taken
}

func (b *testDB) act(kind deployment.AuditKind) deployment.AuditEvent {
	return deployment.AuditEvent{
		At:           b.clock(),
		Kind:         kind,
		Channel:      deployment.ChannelAPI,
		Actor:        person(1),
		RepositoryID: 7,
		Repository:   "Acme/api",
		Environment:  "production",
		Detail:       []byte(`{"a":1}`),
	}
}

// acts counts what the audit holds, and proves it.
func (b *testDB) acts() int64 {
	b.t.Helper()
	head, err := verified(b.t, b.DB)
	if err != nil {
		b.t.Fatal(err)
	}
	return head.Seq
}

func held(t *testing.T, err error, id int64) {
	t.Helper()
	var h *policy.LockedError
	if !errors.As(err, &h) || h.Lock.ID != id {
		t.Errorf("got %v, want that lock %d is held", err, id)
	}
}

func same(a, b policy.Lock) bool {
	return a.ID == b.ID && a.RepositoryID == b.RepositoryID && a.Repository == b.Repository && a.Environment == b.Environment && a.Owner == b.Owner &&
		a.Reason == b.Reason &&
		a.TakenAt.Equal(b.TakenAt) &&
		a.ExpiresAt.Equal(b.ExpiresAt)
}

func lockTaken(t *testing.T, b *testDB) {
	want := b.wanted("Production", 1)
	first := b.take(want)
	want.ID = first.ID
	if got, open, err := b.Lock(t.Context(), first.ID); err != nil || !open || !same(got, want) || !same(first, want) {
		t.Errorf("%+v, %v, %v", got, open, err)
	}

	_, err := b.TakeLock(t.Context(), b.wanted("production", 2), "", b.act(deployment.AuditLocked))
	held(t, err, first.ID)
	again := b.wanted("PRODUCTION", 1)
	again.Reason, again.ExpiresAt = "another", b.clock().Add(time.Hour+time.Nanosecond)
	kept := b.take(again)
	want = first
	want.Reason, want.ExpiresAt = "another", b.clock().Add(time.Hour)
	if got, _, err := b.Lock(t.Context(), first.ID); err != nil || !same(got, want) || !same(kept, want) {
		t.Errorf("%+v became %+v, %v", kept, got, err)
	}
	if other := b.take(b.wanted("staging", 2)); other.ID == first.ID {
		t.Error("one lock has two scopes")
	}
	if n := b.acts(); n != 3 {
		t.Errorf("%d acts", n)
	}
	if _, _, err := b.Lock(t.Context(), 99); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// race has many do one thing at once, and gives their errors.
func race(n int, do func(i int) error) []error {
	errs, start, all := make([]error, n), make(chan struct{}), sync.WaitGroup{}
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}

	close(start)
	all.Wait()
	return errs
}

// winners counts who had no error; everybody else must have the one that lost says.
func winners(t *testing.T, errs []error, lost func(error) bool) (n int) {
	t.Helper()
	for _, err := range errs {
		switch {
		case err == nil:
			n++
		case !lost(err):
			t.Errorf("got %v", err)
		}
	}

	return n
}

func oneTaker(t *testing.T, b *testDB) {
	errs := race(8, func(i int) error {
		_, err := b.TakeLock(t.Context(), b.wanted("production", int64(i+1)), "", b.act(deployment.AuditLocked))
		return err
	})

	if n := winners(t, errs, func(err error) bool { var h *policy.LockedError; return errors.As(err, &h) }); n != 1 {
		t.Errorf("%d took it", n)
	}
	if list, err := b.Locks(t.Context()); err != nil || len(list) != 1 || b.acts() != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

func oneEnder(t *testing.T, b *testDB) {
	l := b.take(b.wanted("production", 1))
	errs := race(9, func(i int) error {
		var err error
		switch i % 3 {
		case 0:
			_, err = b.StealLock(
				t.Context(),
				l.ID,
				b.wanted("production", int64(i+2)),
				b.act(deployment.AuditLocked),
				"stolen",
			)
		case 1:
			err = b.ReleaseLock(t.Context(), l.ID, b.act(deployment.AuditUnlocked), "released")
		default:
			_, err = b.HandOverLock(t.Context(), l.ID, person(int64(i+2)), b.act(deployment.AuditLocked))
		}

		return err
	})

	if n := winners(t, errs, func(err error) bool { return errors.Is(err, deployment.ErrNotFound) }); n != 1 ||
		b.acts() != 2 {
		t.Errorf("%d ended it", n)
	}
}

func lockRetried(t *testing.T, b *testDB) {
	ask := func(owner int64, reason, source string) policy.Lock {
		t.Helper()
		l := b.wanted("production", owner)
		l.Reason = reason
		got, err := b.TakeLock(t.Context(), l, source, b.act(deployment.AuditLocked))
		if err != nil {
			t.Fatal(err)
		}

		return got
	}

	first := ask(1, "one", "deployment:7:41")
	if again := ask(1, "changed", "deployment:7:41"); !same(again, first) || b.acts() != 1 {
		t.Errorf("%+v became %+v", first, again)
	}
	if second := ask(1, "two", "deployment:7:42"); second.ID != first.ID || second.Reason != "two" || b.acts() != 2 {
		t.Errorf("%+v", second)
	}
	if err := b.ReleaseLock(t.Context(), first.ID, b.act(deployment.AuditUnlocked), ""); err != nil {
		t.Fatal(err)
	}

	for _, source := range []string{"deployment:7:41", "deployment:7:42"} {
		if again := ask(1, "late", source); again.ID != first.ID || again.Reason != "two" {
			t.Errorf("%s locked twice: %+v", source, again)
		}
	}

	if list, err := b.Locks(t.Context()); err != nil || len(list) != 0 || b.acts() != 3 {
		t.Errorf("%v, %v", list, err)
	}
}

func lockExpires(t *testing.T, b *testDB) {
	l := b.wanted("production", 1)
	l.ExpiresAt = b.clock().Add(time.Minute)
	l = b.take(l)
	d := b.accept(1, "production", "p")
	b.later(time.Minute - time.Microsecond)
	_, err := b.save(triggering(d, b), deployment.Changes{})
	busy(t, err, deployment.BlockedByLock, l.ID)
	b.later(time.Microsecond)
	if _, open, err := b.Lock(t.Context(), l.ID); open || err != nil {
		t.Errorf("open %v, %v", open, err)
	}

	on, err := b.LocksOn(t.Context(), 7, "production")
	all, err2 := b.Locks(t.Context())
	_, open, err3 := b.OpenLock(t.Context(), 7, "production")
	if len(on)+len(all) != 0 || open || errors.Join(err, err2, err3) != nil {
		t.Errorf("%v %v %v, %v %v %v", on, all, open, err, err2, err3)
	}

	_, extend := b.ExtendLock(t.Context(), l.ID, time.Time{}, b.act(deployment.AuditLocked))
	if err := b.ReleaseLock(t.Context(), l.ID, b.act(deployment.AuditUnlocked), "x"); !errors.Is(
		err,
		deployment.ErrNotFound,
	) ||
		!errors.Is(extend, deployment.ErrNotFound) {
		t.Errorf("got %v, %v", err, extend)
	}

	b.must(triggering(d, b), deployment.Changes{})
	b.later(time.Hour)
	next := b.take(b.wanted("production", 2))
	var how string
	var when int64
	err = b.rdb.QueryRow(`SELECT ended_how, ended_at FROM locks WHERE id = $1`, l.ID).Scan(&how, &when)
	if err != nil || how != lockExpired || !at(when).Equal(l.ExpiresAt) || next.ID == l.ID {
		t.Errorf("ended %q at %v, %v", how, at(when), err)
	}
}

func locksKeepStarts(t *testing.T, b *testDB) {
	d := b.accept(1, "Production", "p")
	for name, c := range map[string]struct {
		scope  policy.Lock
		covers bool
	}{
		"its own":                {policy.Lock{RepositoryID: 7, Environment: "PRODUCTION"}, true},
		"of every environment":   {policy.Lock{RepositoryID: 7}, true},
		"of every repository":    {policy.Lock{Environment: "production"}, true},
		"everything":             {policy.Lock{}, true},
		"another environment":    {policy.Lock{RepositoryID: 7, Environment: "staging"}, false},
		"another repository":     {policy.Lock{RepositoryID: 8, Environment: "production"}, false},
		"another's environments": {policy.Lock{RepositoryID: 8}, false},
	} {
		c.scope.Owner = person(1)
		l := b.take(c.scope)
		on, err := b.LocksOn(t.Context(), 7, "production")
		if err != nil || (len(on) == 1) != c.covers {
			t.Errorf("%s: covered by %v, %v", name, on, err)
		}

		if c.covers {
			_, err := b.save(triggering(d, b), deployment.Changes{
				PassedLocks: []int64{l.ID + 1},
				Audit:       []deployment.AuditEvent{b.act(deployment.AuditDecided)},
			})

			busy(t, err, deployment.BlockedByLock, l.ID)
		}

		if err := b.ReleaseLock(t.Context(), l.ID, b.act(deployment.AuditUnlocked), ""); err != nil {
			t.Fatal(err)
		}

		d, _ = b.Load(t.Context(), d.Row)
	}

	one, two := b.take(policy.Lock{Owner: person(1)}), b.take(b.wanted("production", 2))
	acts := b.acts()
	_, err := b.save(triggering(d, b), deployment.Changes{PassedLocks: []int64{one.ID}})
	busy(t, err, deployment.BlockedByLock, two.ID)
	d = b.must(triggering(d, b), deployment.Changes{
		PassedLocks: []int64{two.ID, one.ID},
		Audit:       []deployment.AuditEvent{b.act(deployment.AuditDecided)},
	})

	d.State = deployment.Running
	b.must(d, deployment.Changes{}) // what has started goes on
	if n := b.acts(); n != acts+1 {
		t.Errorf("%d acts after %d", n, acts)
	}
}

func lockChangesHands(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "p")
	first := b.take(b.wanted("production", 1))
	until := b.clock().Add(time.Hour)
	if l, err := b.ExtendLock(t.Context(), first.ID, until, b.act(deployment.AuditLocked)); err != nil ||
		l.ID != first.ID ||
		!l.ExpiresAt.Equal(until) {
		t.Errorf("%+v, %v", l, err)
	}

	given, err := b.HandOverLock(t.Context(), first.ID, person(2), b.act(deployment.AuditLocked))
	want := first
	want.ID, want.Owner, want.ExpiresAt = given.ID, person(2), until
	if err != nil || given.ID == first.ID || !same(given, want) {
		t.Fatalf("%+v, %v", given, err)
	}

	_, err = b.save(triggering(d, b), deployment.Changes{
		PassedLocks: []int64{first.ID},
	}) // decided while it was still the first owner's
	busy(t, err, deployment.BlockedByLock, given.ID)
	thief := b.wanted("elsewhere", 3)
	thief.Reason, thief.Admin = "mine now", true
	stolen, err := b.StealLock(t.Context(), given.ID, thief, b.act(deployment.AuditLocked), "person-3 took it")
	if err != nil || stolen.Owner != person(3) || !stolen.Admin || stolen.Environment != "production" || stolen.Reason != "mine now" ||
		!stolen.ExpiresAt.IsZero() {
		t.Errorf("%+v, %v", stolen, err)
	}
	if read, _, err := b.Lock(t.Context(), stolen.ID); err != nil || !read.Admin {
		t.Errorf("got %+v, %v, want the lock of an admin", read, err)
	}

	// somebody else's lock is not the admin's any more
	stolen, err = b.HandOverLock(t.Context(), stolen.ID, person(3), b.act(deployment.AuditLocked))
	if err != nil || stolen.Admin {
		t.Errorf("got %+v, %v, want no lock of an admin", stolen, err)
	}

	if err := b.ReleaseLock(t.Context(), stolen.ID, b.act(deployment.AuditUnlocked), "an admin released it"); err != nil {
		t.Fatal(err)
	}
	if _, open, err := b.Lock(t.Context(), stolen.ID); open || err != nil {
		t.Errorf("what was released is open: %v, %v", open, err)
	}
	if n := b.acts(); n != 6 {
		t.Errorf("%d acts", n)
	}

	all, err := b.Notices(t.Context(), 0, 10)
	notices := []policy.Notice{
		{ID: 1, At: b.clock(), To: person(2), Text: "person-3 took it", Lock: given.ID},
		{ID: 2, At: b.clock(), To: person(3), Text: "an admin released it", Lock: stolen.ID},
	}

	if err != nil || !slices.Equal(all, notices) {
		t.Errorf("%+v, %v", all, err)
	}
	if rest, err := b.Notices(t.Context(), 1, 1); err != nil || len(rest) != 1 || rest[0].ID != 2 {
		t.Errorf("%+v, %v", rest, err)
	}
	if _, open, err := b.OpenLock(t.Context(), 7, "production"); open || err != nil {
		t.Errorf("open %v, %v", open, err)
	}
}

func locksListed(t *testing.T, b *testDB) {
	act := b.make(5, "production", "")
	act.Target.LockTask = deployment.TaskUnlock
	if _, err := b.Accept(t.Context(), deployment.Delivery{GUID: "act", ReceivedAt: b.clock()}, act); err != nil {
		t.Fatal(err)
	}

	b.accept(3, "production", "")
	b.accept(2, "staging", "")
	b.accept(1, "production", "")
	own, wide := b.take(b.wanted("production", 1)), b.take(policy.Lock{Owner: person(2)})
	for name, c := range map[string]struct {
		lock policy.Lock
		want []int64
	}{"its own": {own, []int64{1, 3}}, "everything": {wide, []int64{1, 2, 3}}} {
		list, err := b.WaitingFor(t.Context(), c.lock)
		var ids []int64
		for _, d := range list {
			ids = append(ids, d.Request.ID)
		}

		if err != nil || !slices.Equal(ids, c.want) {
			t.Errorf("%s: %v wait, %v", name, ids, err)
		}
	}

	if all, err := b.Locks(t.Context()); err != nil || len(all) != 2 || !same(all[0], own) || !same(all[1], wide) {
		t.Errorf("%+v, %v", all, err)
	}
	if got, open, err := b.OpenLock(t.Context(), 0, ""); err != nil || !open || !same(got, wide) {
		t.Errorf("%+v %v, %v", got, open, err)
	}
	if _, open, err := b.OpenLock(t.Context(), 7, "staging"); open || err != nil {
		t.Errorf("a lock on all is taken for one on staging, %v", err)
	}
}
