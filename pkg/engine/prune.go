package engine

import (
	"context"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Retention deletes old rows, under a lease: a named lock in the store that ends by itself, and says
// when its work is due next.
type Retention interface {
	Prune(ctx context.Context, before time.Time) (more bool, err error)
	AcquireLease(
		ctx context.Context,
		name string,
		hold time.Duration,
		due time.Time,
	) (lease deployment.Lease, mine bool, err error)
	RenewLease(ctx context.Context, lease deployment.Lease, hold time.Duration) (deployment.Lease, error)
	ReleaseLease(ctx context.Context, lease deployment.Lease, next time.Time) error
}

const (
	prunePeriod = time.Hour       // rows are pruned at most once in this time, all replicas together
	pruneEvery  = 5 * time.Minute // how often a replica checks whether pruning is due
	pruneLease  = "prune"
	leaseHold   = 45 * time.Second // a crashed holder blocks the others for so long
)

// prune deletes what is older than Retain, a small batch at a time. All replicas together do it once
// an hour.
func (e *Engine) prune(ctx context.Context) {
	e.trust.forgetBefore(e.Now().Add(-githubGivesUp))
	if e.Retain <= 0 {
		return
	}

	// If the process stops while the lease is being taken, nobody would release it.
	whole := context.WithoutCancel(ctx)
	began := e.Now()
	lease, mine, err := e.Retention.AcquireLease(whole, pruneLease, leaseHold, began)
	if err != nil {
		e.logPruneError(ctx, err)
		return
	}
	if !mine {
		return
	}

	for more := true; more && err == nil && ctx.Err() == nil; {
		renewed, lost := e.Retention.RenewLease(ctx, lease, leaseHold)
		if lost != nil {
			e.logPruneError(ctx, lost)
			return // another replica prunes, or it is looked at again in the next period
		}

		lease = renewed

		more, err = e.Retention.Prune(ctx, e.Now().Add(-e.Retain))
	}

	next := began.Add(prunePeriod)
	if err != nil || ctx.Err() != nil {
		next = time.Time{} // it is not done
	}

	_ = e.Retention.ReleaseLease(whole, lease, next) // otherwise it ends by itself
	e.logPruneError(ctx, err)
}

func (e *Engine) logPruneError(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		e.Log.Warn().Err(err).Dur("retry_in", pruneEvery).Msg("prune failed")
	}
}
