package engine

import (
	"context"
	"time"
)

// Retention deletes old rows, under a lease: a named lock in the store that ends by itself.
type Retention interface {
	Prune(ctx context.Context, before time.Time) (more bool, err error)
	AcquireLease(ctx context.Context, name string, hold time.Duration) (note string, mine bool, err error)
	RenewLease(ctx context.Context, name string, hold time.Duration) error
	ReleaseLease(ctx context.Context, name, note string) error
}

const (
	pruneEvery = time.Hour
	pruneLease = "prune"
	leaseHold  = 45 * time.Second // after a crash another replica can go on
)

// prune deletes what is older than Retain, a small batch at a time. The lease keeps two replicas from
// doing it at the same moment; each replica does it once an hour.
func (e *Engine) prune(ctx context.Context) {
	e.trust.forgetBefore(e.Now().Add(-githubGivesUp))
	if e.Retain <= 0 {
		return
	}

	// A lease that was taken without our learning of it would keep all replicas from pruning.
	whole := context.WithoutCancel(ctx)
	_, mine, err := e.Retention.AcquireLease(whole, pruneLease, leaseHold)
	if err != nil {
		e.logPruneError(ctx, err)
		return
	}
	if !mine {
		return
	}

	for more := true; more && err == nil && ctx.Err() == nil; {
		if renewed := e.Retention.RenewLease(ctx, pruneLease, leaseHold); renewed != nil && ctx.Err() == nil {
			e.Log.Warn().Err(renewed).Str("lease", pruneLease).Msg("lease not renewed")
		}

		more, err = e.Retention.Prune(ctx, e.Now().Add(-e.Retain))
	}

	_ = e.Retention.ReleaseLease(whole, pruneLease, "") // otherwise it ends by itself
	e.logPruneError(ctx, err)
}

func (e *Engine) logPruneError(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		e.Log.Warn().Err(err).Dur("retry_in", pruneEvery).Msg("prune failed")
	}
}
