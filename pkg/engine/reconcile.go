package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// DueRows finds rows that are due and sets when rows are due.
type DueRows interface {
	Overdue(ctx context.Context, limit int) ([]deployment.Task, error)
	// WakeQueue makes the waiting deployments of an environment due at once.
	WakeQueue(ctx context.Context, repositoryID int64, environmentKey string) error
	// Postpone saves only when a row is due, and ends its lease. Its errors are those of Rows.Save.
	Postpone(ctx context.Context, next deployment.Deployment) error
	// CheckClock warns of a clock that is wrong, and makes rows due that a clock which was set back since
	// has put off.
	CheckClock(ctx context.Context) error
}

const (
	reconcileEvery = 5 * time.Second
	reconcileStale = 30 * time.Second // without a completed round for so long, the queue is not ready
	overdueMost    = 20_000           // rows that one round queues
)

// round is the outcome of one pass of the reconcile loop.
type round struct {
	ended time.Time
	err   error // the overdue rows could not be read; nil: all of them were queued
}

// reconcile queues all rows that are overdue. It finds what the queue does not hold after a start
// or a crash, and rows whose due time was too far away for a timer.
func (e *Engine) reconcile(ctx context.Context) {
	e.checkDatabase(ctx)
	if err := e.DueRows.CheckClock(ctx); err != nil && ctx.Err() == nil {
		e.Log.Warn().Err(err).Dur("retry_in", reconcileEvery).Msg("clock not checked")
	}

	overdue, err := e.DueRows.Overdue(ctx, overdueMost)
	if ctx.Err() != nil {
		return
	}

	e.round.Store(&round{ended: e.Now(), err: err})
	if err != nil {
		e.distrustDatabase(err.Error())
		e.Log.Error().Err(err).Dur("retry_in", reconcileEvery).Msg("overdue rows not read")
		return
	}

	e.Enqueue(slices.DeleteFunc(overdue, func(t deployment.Task) bool {
		return t.Kind == deployment.TaskAdvance && e.reads.Waits(t.Row) // is queued when its turn comes
	})...)
}

// QueueOK reports whether the reconcile loop works, on which the queue relies for all work that is
// not in memory. It returns an error before Start, when the newest round could not read the overdue
// rows, and when no round was completed for 30 s.
func (e *Engine) QueueOK() error {
	last := e.round.Load()
	if last == nil {
		return errors.New("reconcile loop not started")
	}
	if last.err != nil {
		return fmt.Errorf("read overdue rows: %w", last.err)
	}
	if age := e.Now().Sub(last.ended); age > reconcileStale {
		return fmt.Errorf("reconcile loop stalled: no round completed for %s", age.Round(time.Second))
	}

	return nil
}
