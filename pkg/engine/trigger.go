package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Starter starts pipelines at CircleCI. Every call has a timeout of its own; none is retried. Project
// returns an event in place of an error.
type Starter interface {
	Project(ctx context.Context, slug string) (deployment.Project, deployment.Event)
	Trigger(ctx context.Context, t deployment.Target, ref deployment.Ref, sendBefore time.Time) deployment.Event
}

// How often saving the answer to a trigger is tried. Each pause is twice as long as the last.
const (
	recordTries = 5
	recordPause = 50 * time.Millisecond
)

// How often a pipeline that nobody follows is looked at to cancel it, and the pause in between.
const (
	lostTries = 20
	lostPause = 3 * time.Second
)

// trigger sends one request to CircleCI, if this worker's own write moved the row to triggering.
func (e *Engine) trigger(
	ctx context.Context,
	d deployment.Deployment,
	resolved deployment.Resolved,
	ref deployment.RefResolved,
	verdict policy.Verdict,
) error {
	started, err := e.commit(
		ctx,
		d,
		commitOptions{
			audit:       []deployment.AuditEvent{e.decided(d, verdict)},
			passedLocks: verdict.PassedLocks,
			keepLease:   true,
			callTimeout: deployment.SendWindow + e.Machine.TriggerTimeout,
		},
		deployment.Admitted{},
		resolved,
		ref,
		deployment.Start{SendBefore: e.wallClock().Add(deployment.SendWindow), Forced: verdict.Forced},
	)

	// The store decides who may start, because only a transaction can. The verdict's view of the
	// queue serves to explain, and may be out of date.
	var blocked *deployment.BlockedError
	if errors.As(err, &blocked) {
		return e.applyAndSave(ctx, d, deployment.Admitted{}, resolved, blockedBy(blocked))
	}
	if err != nil {
		return err
	}

	attempt := started.LastAttempt()
	answer := e.Starter.Trigger(ctx, started.Target, attempt.Ref, attempt.SendBefore)
	e.pauseAfterAuthError(started.Project.ID, answer)
	if limited, ok := answer.(deployment.TriggerNotSent); ok && limited.After > 0 {
		// the rate limit is the token's, not this deployment's
		e.pauses.pause("", e.Now().Add(min(limited.After, time.Minute)))
	}

	e.trust.forget(started)
	return e.recordTriggerResult(ctx, started, answer)
}

// wallClock returns the time without Go's monotonic reading, which stands still while the machine is
// suspended: a request must not leave after its window by the clock that other replicas see.
func (e *Engine) wallClock() time.Time { return e.Now().Round(0) }

// blockedBy is the event of a deployment that the store did not let start.
func blockedBy(b *deployment.BlockedError) deployment.Event {
	switch b.On {
	case deployment.BlockedByNewer:
		return deployment.Superseded{By: b.ID}
	case deployment.BlockedByLock:
		// the lock was taken after the rules were evaluated: evaluate them again at once
		return deployment.Blocked{By: "a lock", After: time.Millisecond}
	case deployment.BlockedByProject:
		return deployment.Blocked{By: deployment.WaitsForProject, First: true}
	case deployment.BlockedByOrder:
		return deployment.Blocked{By: fmt.Sprintf("deployment %d of the same environment, which came first", b.ID)}
	default:
		return deployment.Blocked{By: fmt.Sprintf("deployment %d of the same environment", b.ID)}
	}
}

// recordTriggerResult saves the answer to a trigger, whatever became of the row meanwhile: a 201
// must not be lost, because a pipeline runs.
func (e *Engine) recordTriggerResult(ctx context.Context, d deployment.Deployment, answer deployment.Event) error {
	o := updateOptions{known: &d, key: d.Target.Key, attempt: d.LastAttempt().Number}

	var last error
	for try := range recordTries {
		if try > 0 && !errors.Is(last, deployment.ErrVersionConflict) {
			<-time.After(recordPause << (try - 1)) // the database may be busy
		}

		current, err := e.update(context.WithoutCancel(ctx), d.Row, answer, o)

		var taken *deployment.PipelineTakenError
		var invalid *deployment.InvalidTransitionError
		var blocked *deployment.BlockedError
		switch {
		case errors.As(err, &taken):
			err = e.reassignPipeline(ctx, current, answer, taken.Row)
		case errors.As(err, &invalid), errors.As(err, &blocked):
			return e.orphan(ctx, current, answer)
		case errors.Is(err, deployment.ErrNotFound):
			return errors.Join(err, e.cancelLost(ctx, d, answer))
		}
		if err == nil {
			return nil
		}

		last = err
		o.known = nil
	}

	return fmt.Errorf("save the answer to the trigger, gave up after %d tries: %w", recordTries, last)
}

// reassignPipeline gives a pipeline to the deployment whose trigger it answers. The one that had
// adopted it becomes unconfirmed again.
func (e *Engine) reassignPipeline(
	ctx context.Context,
	d deployment.Deployment,
	answer deployment.Event,
	ownerRow int64,
) error {
	owner, err := e.Rows.Load(ctx, ownerRow)
	if err != nil {
		return err
	}

	ownerNext, ownerChanges, err := e.apply(owner, []deployment.Event{deployment.PipelineReassigned{}})
	if err != nil {
		return err
	}

	next, changes, err := e.apply(d, []deployment.Event{answer})
	if err != nil {
		return err
	}

	return e.Rows.SavePair(ctx,
		deployment.Update{Next: ownerNext, Changes: ownerChanges},
		deployment.Update{Next: next, Changes: changes},
	)
}

// cancelLost cancels the pipeline of a deployment that is not in the database any more, because a standby without the
// newest commits took over. Nobody would follow the pipeline, and recovery accepts the deployment again, which runs
// then. A new pipeline has no workflow yet that could be canceled, and may get several one after the other, so it is
// looked at until it has ended, or was looked at lostTries times, or ctx ends.
func (e *Engine) cancelLost(ctx context.Context, d deployment.Deployment, answer deployment.Event) error {
	triggered, ok := answer.(deployment.Triggered)
	if !ok {
		return nil
	}

	id := triggered.Pipeline.ID
	log := func(level zerolog.Level) *zerolog.Event { return e.log(d, level).Str("pipeline", id) }
	log(zerolog.WarnLevel).Msg("deployment not in the database, canceling its pipeline")

	for try := 1; ; try++ {
		progress, err := e.cancelPipeline(ctx, id)
		switch {
		case err == nil && deployment.FoldPipeline(progress).Kind == deployment.FoldEnded:
			return nil
		case try == lostTries, !sleep(ctx, e.lostPause):
			log(zerolog.ErrorLevel).Err(err).Msg("lost deployment's pipeline may still run, cancel it in CircleCI")
			return err
		}
	}
}

// sleep waits for a time. It returns false when ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// orphan cancels a pipeline whose deployment can no longer follow it, and notes it in the timeline.
func (e *Engine) orphan(ctx context.Context, d deployment.Deployment, answer deployment.Event) error {
	triggered, ok := answer.(deployment.Triggered)
	if !ok {
		return e.Rows.Unlease(ctx, d.Row) // there is no pipeline
	}

	id := triggered.Pipeline.ID
	e.log(d, zerolog.WarnLevel).Str("pipeline", id).Msg("late pipeline canceled")
	_, canceled := e.cancelPipeline(ctx, id)

	fresh, err := e.Rows.Load(ctx, d.Row)
	if err != nil {
		return errors.Join(canceled, err)
	}

	return errors.Join(canceled, e.applyAndSave(ctx, fresh, deployment.PipelineOrphaned{PipelineID: id}))
}
