package engine

import (
	"context"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// stoppingRetention stops the process as soon as a lease is taken.
type stoppingRetention struct {
	Retention
	stop func()
}

func (r stoppingRetention) AcquireLease(
	ctx context.Context,
	name string,
	hold time.Duration,
	due time.Time,
) (lease deployment.Lease, mine bool, err error) {
	defer r.stop()
	return r.Retention.AcquireLease(ctx, name, hold, due)
}

// After a stop in the middle of the work another replica need not wait until the lease ends.
func TestPrune_StopReleasesLease(t *testing.T) {
	e := newTestEngine(t)
	ctx, stop := context.WithCancel(t.Context())
	e.Retain = time.Hour
	e.Retention = stoppingRetention{e.db, stop}

	e.prune(ctx)

	_, mine, err := e.db.AcquireLease(t.Context(), pruneLease, leaseHold, e.now)
	if err != nil {
		t.Fatal(err)
	}
	if !mine {
		t.Error("the lease is still held")
	}
}

// Several replicas prune once an hour, not once an hour each.
func TestPrune_OncePerPeriodByAllReplicas(t *testing.T) {
	e := newTestEngine(t)
	e.Retain = time.Hour
	counted := &countedRetention{Retention: e.db}
	e.Retention = counted
	other := New(e.Options)

	for range int(prunePeriod / pruneEvery) {
		e.prune(t.Context())
		other.prune(t.Context())
		e.pass(pruneEvery)
	}
	if counted.prunes != 1 {
		t.Errorf("within the period: got %d prunes, want 1", counted.prunes)
	}

	e.prune(t.Context())
	other.prune(t.Context())
	if counted.prunes != 2 {
		t.Errorf("after the period: got %d prunes, want 2", counted.prunes)
	}
}

// countedRetention counts how often it is asked to prune.
type countedRetention struct {
	Retention
	prunes int
}

func (r *countedRetention) Prune(ctx context.Context, before time.Time) (more bool, err error) {
	r.prunes++
	return r.Retention.Prune(ctx, before)
}
