package store

import (
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// pause holds one of a replica's transactions between its last statement and its commit.
func pause(t *testing.T, b *testDB, do func(*tx) error) (let chan<- struct{}, done <-chan error) {
	held, free, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		result <- b.write(t.Context(), func(tx *tx) error {
			if err := do(tx); err != nil {
				close(held)
				return err
			}

			close(held)
			<-free
			return nil
		})
	}()

	<-held
	return free, result
}

// waits says that done has not come while some connection waits for a lock of ours.
func waits(t *testing.T, b *testDB, done <-chan error) {
	t.Helper()
	for {
		select {
		case err := <-done:
			t.Fatalf("it did not wait for the other replica: %v", err)
		default:
		}

		if lockIsWaitedFor(t, b) {
			return
		}
	}
}

// A lock is not taken while a start that saw none is under way: once somebody has it, nothing
// starts any more.
func TestLockWaitsForStarts(t *testing.T) {
	both := replicas(t, 2)
	a, b := both[0], both[1]
	one, two := a.accept(1, "production", "p"), a.accept(2, "staging", "q")
	let, started := pause(t, a, func(tx *tx) error {
		next := triggering(one, a)
		if err := tx.lockEnvironments(next); err != nil {
			return err
		}

		return tx.save(next, deployment.Changes{}, deployment.SaveOptions{KeepLease: true})
	})

	taken := make(chan error, 1)
	go func() {
		_, err := b.TakeLock(t.Context(), policy.Lock{Owner: person(1)}, "", b.act(deployment.AuditLocked))
		taken <- err
	}()

	waits(t, b, taken)
	close(let)
	if err := <-started; err != nil {
		t.Error(err)
	}
	if err := <-taken; err != nil {
		t.Error(err)
	}

	_, err := a.save(triggering(two, a), deployment.Changes{})
	busy(t, err, deployment.BlockedByLock, 1)
}

// A start waits for a lock that is being taken, and sees it.
func TestStartWaitsForLocks(t *testing.T) {
	both := replicas(t, 2)
	a, b := both[0], both[1]
	d := a.accept(1, "production", "p")
	let, taken := pause(t, a, func(tx *tx) error {
		if err := a.dialect.lockLocks(tx); err != nil {
			return err
		}

		_, _, err := tx.takeLock(a.wanted("production", 1), "", a.act(deployment.AuditLocked))
		return err
	})

	started := make(chan error, 1)
	go func() {
		_, err := b.save(triggering(d, b), deployment.Changes{})
		started <- err
	}()

	waits(t, b, started)
	close(let)
	if err := <-taken; err != nil {
		t.Error(err)
	}

	busy(t, <-started, deployment.BlockedByLock, 1)
}

// Two starts do not wait for each other on account of locks.
func TestStartsShareLocks(t *testing.T) {
	both := replicas(t, 2)
	a, b := both[0], both[1]
	one, two := a.accept(1, "production", "p"), a.accept(2, "staging", "q")
	let, started := pause(t, a, func(tx *tx) error {
		next := triggering(one, a)
		if err := tx.lockEnvironments(next); err != nil {
			return err
		}

		return tx.save(next, deployment.Changes{}, deployment.SaveOptions{KeepLease: true})
	})

	b.must(triggering(two, b), deployment.Changes{})
	close(let)
	if err := <-started; err != nil {
		t.Error(err)
	}
}

// Two replicas add to one chain.
func TestReplicasShareTheAudit(t *testing.T) { writeAudit(t, replicas(t, 2)...) }
