package store

import (
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// start is a write that starts a deployment.
func start(d deployment.Deployment, b *testDB) func(*tx) error {
	return func(t *tx) error {
		next := triggering(d, b)
		if err := t.lockEnvironments(next); err != nil {
			return err
		}

		return t.save(next, deployment.Changes{}, deployment.SaveOptions{KeepLease: true})
	}
}

// wantWaiting checks that something waits for an advisory lock in place of being done.
func wantWaiting(t *testing.T, b *testDB, done <-chan error) {
	t.Helper()
	for !isLockWaitedFor(b) {
		select {
		case err := <-done:
			t.Fatalf("got %v, want that it waits for the other replica", err)
		default:
		}
	}
}

// A lock is not taken while a start that saw no lock is under way. Once it is taken nothing starts.
func TestPostgresLocks_LockWaitsForStarts(t *testing.T) {
	replicas := openReplicas(t, 2)
	a, b := replicas[0], replicas[1]
	one, two := a.accept(1, "production", "p"), a.accept(2, "staging", "q")
	release, started := holdTransaction(t, a, start(one, a))

	locked := make(chan error, 1)
	go func() {
		_, err := b.TakeLock(t.Context(), policy.Lock{Owner: person(1)}, "", b.newEvent(deployment.AuditLocked))
		locked <- err
	}()

	wantWaiting(t, b, locked)
	release()
	if err := <-started; err != nil {
		t.Error(err)
	}
	if err := <-locked; err != nil {
		t.Error(err)
	}

	_, err := a.save(triggering(two, a), deployment.Changes{})
	wantBlocked(t, err, deployment.BlockedByLock, 1)
}

// A start waits for a lock that is being taken, and sees it.
func TestPostgresLocks_StartWaitsForLock(t *testing.T) {
	replicas := openReplicas(t, 2)
	a, b := replicas[0], replicas[1]
	d := a.accept(1, "production", "p")
	release, locked := holdTransaction(t, a, func(t *tx) error {
		if err := a.dialect.lockLocks(t); err != nil {
			return err
		}

		_, _, err := t.takeLock(a.newLock("production", 1), "", a.newEvent(deployment.AuditLocked))
		return err
	})

	started := make(chan error, 1)
	go func() {
		_, err := b.save(triggering(d, b), deployment.Changes{})
		started <- err
	}()

	wantWaiting(t, b, started)
	release()
	if err := <-locked; err != nil {
		t.Error(err)
	}

	wantBlocked(t, <-started, deployment.BlockedByLock, 1)
}

// Two starts do not wait for each other because of locks.
func TestPostgresLocks_StartsDoNotWaitForEachOther(t *testing.T) {
	replicas := openReplicas(t, 2)
	a, b := replicas[0], replicas[1]
	one, two := a.accept(1, "production", "p"), a.accept(2, "staging", "q")
	release, started := holdTransaction(t, a, start(one, a))

	b.mustSave(triggering(two, b), deployment.Changes{})
	release()
	if err := <-started; err != nil {
		t.Error(err)
	}
}
