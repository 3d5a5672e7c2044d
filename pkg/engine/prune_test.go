package engine

import (
	"context"
	"testing"
	"time"
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
) (note string, mine bool, err error) {
	defer r.stop()
	return r.Retention.AcquireLease(ctx, name, hold)
}

// After a stop in the middle of the work another replica need not wait until the lease ends.
func TestPrune_StopReleasesLease(t *testing.T) {
	e := newTestEngine(t)
	ctx, stop := context.WithCancel(t.Context())
	e.Retain = time.Hour
	e.Retention = stoppingRetention{e.db, stop}

	e.prune(ctx)

	_, mine, err := e.db.AcquireLease(t.Context(), pruneLease, leaseHold)
	if err != nil {
		t.Fatal(err)
	}
	if !mine {
		t.Error("the lease is still held")
	}
}
