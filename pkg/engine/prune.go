package engine

import "context"

const pruneLease = "prune"

// prune deletes what is older than Retention, a small batch at a time, by one replica.
func (e *Engine) prune(ctx context.Context) {
	if e.Retention <= 0 {
		return
	}

	_, mine, err := e.acquireLease(ctx, pruneLease)
	for more := err == nil && mine; more && ctx.Err() == nil; {
		e.renewLease(ctx, pruneLease)
		more, err = e.Store.Prune(ctx, e.Now().Add(-e.Retention))
	}

	if mine {
		_ = e.Store.ReleaseLease(context.WithoutCancel(ctx), pruneLease, "") // or it runs out by itself
	}
	if err != nil && ctx.Err() == nil {
		e.Log.Warn().Err(err).Msg("old deployments cannot be deleted; trying again later")
	}
}
