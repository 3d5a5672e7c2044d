package engine

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// saveTimeout bounds the commit of an answer that must not be lost, even while the process is being
// stopped.
const saveTimeout = 5 * time.Second

// advance takes one step with a row that is due.
func (e *Engine) advance(ctx context.Context, row int64) {
	d, ok, err := e.Store.Lease(ctx, row)
	if err != nil {
		e.Log.Error().Err(err).Int64("row", row).Msg("cannot load a deployment that is due; trying again soon")
	}
	if err != nil || !ok {
		return
	}
	if err = e.step(ctx, d); err != nil {
		e.log(d, warn).Err(err).Msg("step not finished; trying again soon")
		_ = e.Store.Unlease(ctx, row)
	}
	if errors.Is(err, deployment.ErrVersionConflict) {
		e.Enqueue(deployment.Task{Kind: deployment.TaskAdvance, Row: row}) // somebody else went first: see what is left
	}
}

// step asks the question that the state poses.
func (e *Engine) step(ctx context.Context, d deployment.Deployment) error {
	switch {
	case d.State == deployment.Triggering:
		return e.applyAndSave(ctx, d, deployment.TriggerInterrupted{})
	case e.duplicateCheckDue(d):
		return e.checkDuplicates(ctx, d)
	case d.State == deployment.Waiting:
		return e.start(ctx, d)
	case d.State == deployment.Unconfirmed:
		return e.lookUp(ctx, d)
	default:
		return e.observe(ctx, d)
	}
}

// duplicateCheckDue says whether the row is due for its twins rather than for its pipeline.
func (e *Engine) duplicateCheckDue(d deployment.Deployment) bool {
	now := e.Now()
	// a look-up sees them anyway
	if d.DuplicateDue.IsZero() || d.DuplicateDue.After(now) || d.State == deployment.Unconfirmed {
		return false
	}
	return d.LookDue.IsZero() || d.LookDue.After(now) || d.DuplicateDue.Before(d.LookDue)
}

// applyAndSave applies events to a leased row and commits the result.
func (e *Engine) applyAndSave(ctx context.Context, d deployment.Deployment, events ...deployment.Event) error {
	_, err := e.commit(ctx, d, false, deployment.Changes{}, events...)
	return err
}

// commit applies events and writes their result and what is to stand beside it, in one commit. keep
// leaves the lease in place for a worker that goes on.
func (e *Engine) commit(
	ctx context.Context,
	d deployment.Deployment,
	keep bool,
	beside deployment.Changes,
	events ...deployment.Event,
) (deployment.Deployment, error) {
	next, changes, err := e.apply(d, events)
	if err != nil {
		return d, errors.Join(err, e.Store.Unlease(ctx, d.Row))
	}

	changes.Audit, changes.PassedLocks = beside.Audit, beside.PassedLocks
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	saved, err := e.Store.Save(ctx, next, changes, keep)
	if err != nil {
		return d, err
	}

	e.logTransition(d, saved)
	return saved, nil
}

// apply takes events in turn.
func (e *Engine) apply(
	d deployment.Deployment,
	events []deployment.Event,
) (deployment.Deployment, deployment.Changes, error) {
	var all deployment.Changes
	now := e.Now()
	for _, ev := range events {
		next, ch, err := e.Machine.Apply(d, ev, now)
		if err != nil {
			return d, all, err
		}

		d = next
		all.Timeline = append(all.Timeline, ch.Timeline...)
		all.Reports = append(all.Reports, ch.Reports...)
		all.Unclaimed = append(all.Unclaimed, ch.Unclaimed...)
	}

	return d, all, nil
}

// logTransition logs and counts what changed.
func (e *Engine) logTransition(before, after deployment.Deployment) {
	if before.State == after.State {
		return
	}

	e.log(after, info).
		Str("from", string(before.State)).
		Str("reason", after.Reason).
		Msg("deployment " + string(after.State))

	if before.State == deployment.Unconfirmed && e.Observe.Unconfirmed != nil {
		e.Observe.Unconfirmed(lookupOutcome(after))
	}
	if before.StartedAt.IsZero() && !after.StartedAt.IsZero() && e.Observe.Triggered != nil {
		e.Observe.Triggered(after.StartedAt.Sub(after.AcceptedAt))
	}
	if !after.State.Open() {
		e.durations.record(after)
	}
	if !after.State.Open() && e.Observe.Ended != nil {
		e.Observe.Ended(after.State)
	}
}

func lookupOutcome(after deployment.Deployment) string {
	switch after.State {
	case deployment.Running:
		return "found"
	case deployment.Waiting:
		return "absent"
	default:
		return "doubt"
	}
}

func (e *Engine) log(d deployment.Deployment, level zerolog.Level) *zerolog.Event {
	return e.Log.WithLevel(level).
		Int64("deployment", d.Request.ID).
		Str("repository", d.Request.Repository.FullName()).
		Str("environment", d.Request.Environment).
		Str("state", string(d.State))
}
