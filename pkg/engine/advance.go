package engine

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Rows are the deployments. Save stores the next version of a row and its changes in one
// transaction, and ends the row's lease unless the options keep it. It stores nothing and returns
// deployment.ErrVersionConflict if the row was changed since it was read,
// *deployment.BlockedError if the deployment may not start now, and *deployment.PipelineTakenError
// if the pipeline belongs to another row.
type Rows interface {
	Lease(ctx context.Context, row int64) (deployment.Deployment, bool, error)
	Unlease(ctx context.Context, row int64) error
	Load(ctx context.Context, row int64) (deployment.Deployment, error)
	Save(
		ctx context.Context,
		next deployment.Deployment,
		changes deployment.Changes,
		o deployment.SaveOptions,
	) (deployment.Deployment, error)
	// SavePair is Save of two rows in one transaction, the first one first.
	SavePair(ctx context.Context, first, second deployment.Update) error
}

// saveTimeout limits the commit of a step, which goes on even while the process is being stopped.
const saveTimeout = 5 * time.Second

// advance takes one step with a row that is due.
func (e *Engine) advance(ctx context.Context, row int64) {
	d, leased, err := e.Rows.Lease(ctx, row)
	if err != nil {
		e.databaseFailed(ctx, err)
		e.Log.Error().Err(err).Int64("row", row).Msg("row not leased")
		return
	}
	if !leased {
		return // it is not due, or another worker has it
	}

	if err := e.step(ctx, d); err != nil {
		e.stepFailed(ctx, d, err)
	}
}

// stepFailed ends the lease of a row whose step was not finished. The row is still due, so the
// reconcile loop queues it again; after a version conflict that is done at once.
func (e *Engine) stepFailed(ctx context.Context, d deployment.Deployment, err error) {
	e.databaseFailed(ctx, err)
	e.log(d, zerolog.WarnLevel).Err(err).Msg("step failed")
	_ = e.Rows.Unlease(ctx, d.Row) // otherwise the lease ends by itself

	if errors.Is(err, deployment.ErrVersionConflict) {
		e.Enqueue(deployment.Task{Kind: deployment.TaskAdvance, Row: d.Row})
	}
}

// step does what the state of a leased row calls for.
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
		return e.poll(ctx, d)
	}
}

// duplicateCheckDue reports whether the row is due for a search for duplicates rather than for a
// poll of its pipeline.
func (e *Engine) duplicateCheckDue(d deployment.Deployment) bool {
	now := e.Now()
	wait := d.DuplicateDue.Sub(now)
	switch {
	case d.DuplicateDue.IsZero(), d.State == deployment.Unconfirmed: // the look-up of the latter finds duplicates, too
		return false
	case wait > time.Minute: // no pause is that long: the clock was set back
		return true
	case wait > 0:
		return false
	}

	return d.StepDue.IsZero() || d.StepDue.After(now) || d.DuplicateDue.Before(d.StepDue)
}

// applyAndSave applies events to a leased row and saves the result.
func (e *Engine) applyAndSave(ctx context.Context, d deployment.Deployment, events ...deployment.Event) error {
	_, err := e.commit(ctx, d, commitOptions{}, events...)
	return err
}

// commitOptions are what is saved beside the result of events.
type commitOptions struct {
	audit       []deployment.AuditEvent
	passedLocks []int64       // locks that do not keep the deployment from starting
	keepLease   bool          // the worker goes on with the row
	callTimeout time.Duration // how long the call that follows may take, for the lease
}

// commit applies events to a leased row and saves the result in one transaction. A stop of the
// process does not interrupt it: the events say what GitHub and CircleCI answered.
func (e *Engine) commit(
	ctx context.Context,
	d deployment.Deployment,
	o commitOptions,
	events ...deployment.Event,
) (deployment.Deployment, error) {
	next, changes, err := e.apply(d, events)
	if err != nil {
		return d, err
	}

	if o.onlyPostpones(d, next, changes) {
		return next, e.postpone(ctx, next)
	}

	changes.Audit, changes.PassedLocks = o.audit, o.passedLocks
	saved, err := e.saveAnswer(ctx, next, changes, deployment.SaveOptions{
		KeepLease:   o.keepLease,
		CallTimeout: o.callTimeout,
	})
	if err != nil {
		return d, err
	}

	e.logTransition(d, saved)
	return saved, nil
}

// onlyPostpones says whether the events changed nothing but when a waiting deployment is due, so that the
// row need not be written anew. One that is watched for duplicates has two due times.
func (o commitOptions) onlyPostpones(d, next deployment.Deployment, changes deployment.Changes) bool {
	if next.State != deployment.Waiting || o.audit != nil || o.keepLease || !next.DuplicateDue.IsZero() {
		return false
	}

	next.Due, next.StepDue = d.Due, d.StepDue
	return reflect.DeepEqual(changes, deployment.Changes{}) && reflect.DeepEqual(d, next)
}

func (e *Engine) postpone(ctx context.Context, next deployment.Deployment) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()

	return e.DueRows.Postpone(ctx, next)
}

// saveAnswer is Rows.Save of something that must not be lost while the process is being stopped.
func (e *Engine) saveAnswer(
	ctx context.Context,
	next deployment.Deployment,
	changes deployment.Changes,
	o deployment.SaveOptions,
) (deployment.Deployment, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()

	return e.Rows.Save(ctx, next, changes, o)
}

// apply applies events in turn and collects their changes.
func (e *Engine) apply(
	d deployment.Deployment,
	events []deployment.Event,
) (deployment.Deployment, deployment.Changes, error) {
	var all deployment.Changes
	now := e.Now()

	for _, event := range events {
		next, changes, err := e.Machine.Apply(d, event, now)
		if err != nil {
			return d, all, err
		}

		d = next
		all.Timeline = append(all.Timeline, changes.Timeline...)
		all.Reports = append(all.Reports, changes.Reports...)
		all.Unclaimed = append(all.Unclaimed, changes.Unclaimed...)
		all.Disowned = all.Disowned || changes.Disowned
		if changes.Project != (deployment.Project{}) {
			all.Project = changes.Project
		}
	}

	return d, all, nil
}

// logTransition logs and observes a change of state.
func (e *Engine) logTransition(before, after deployment.Deployment) {
	if before.State == after.State {
		return
	}

	e.log(after, zerolog.InfoLevel).
		Str("from", string(before.State)).
		Str("reason", after.Reason).
		Msg("deployment " + string(after.State))

	if before.State == deployment.Unconfirmed && e.Observe.Unconfirmed != nil {
		e.Observe.Unconfirmed(lookupOutcome(after))
	}
	if before.StartedAt.IsZero() && !after.StartedAt.IsZero() && e.Observe.Triggered != nil {
		e.Observe.Triggered(after.StartedAt.Sub(after.AcceptedAt))
	}

	if after.State.Open() {
		return
	}

	e.trust.forget(after)
	e.durations.record(after)
	if e.Observe.Ended != nil {
		e.Observe.Ended(after.State)
	}
}

// lookupOutcome names what became of an unconfirmed deployment, as the metric has it.
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
	return e.Log.WithLevel(level).Fields(d.LogFields())
}
