package engine

import (
	"context"
	"errors"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// What a glance at a pipeline, a whole look, and a look-up of a lost one cost at least, in reads.
const (
	readsOfGlance = 1
	readsOfLook   = 2
	readsOfSearch = 4
)

// observe looks at the deployment's pipeline. While it is being stopped or canceled, what still
// runs is canceled, again at every look.
func (e *Engine) observe(ctx context.Context, d deployment.Deployment) error {
	if d.Pipeline == nil {
		return e.Store.Unlease(ctx, d.Row)
	}

	reads := readsOfLook
	glances := d.MayGlance() && !e.hinted(d) // a hint mostly tells of an end, which a glance does not see
	if glances {
		reads = readsOfGlance
	}
	if !e.mayRead(d, reads) {
		return e.Store.Unlease(ctx, d.Row)
	}

	progress, unseen := e.poll(ctx, d, glances)
	if unseen != nil {
		if ctx.Err() != nil {
			return e.Store.Unlease(context.WithoutCancel(ctx), d.Row)
		}

		e.reads.Hold(unseen.After)
		return e.applyAndSave(ctx, d, *unseen)
	}

	if !d.Stopping.IsZero() || d.Cancel != nil && d.State.Open() {
		e.cancelWorkflows(ctx, d, progress)
	}

	newer := false
	if d.State == deployment.Failed {
		var err error
		if newer, err = e.newerStarted(ctx, d); err != nil {
			return err
		}
	}

	return e.applyAndSave(ctx, d, deployment.Polled{Progress: progress, NewerStarted: newer})
}

// poll begins with a glance, which is enough while a workflow is busy. If none is, the pipeline is
// read before its workflows are read again: they may have gone on between the two.
func (e *Engine) poll(
	ctx context.Context,
	d deployment.Deployment,
	glances bool,
) (deployment.Progress, *deployment.PollFailed) {
	if glances {
		if progress, unseen := e.CircleCI.PollWorkflows(ctx, d.Pipeline.ID); unseen != nil || progress.Busy() {
			return progress, unseen
		}
		e.reads.Spend(readsOfLook)
	}
	return e.CircleCI.Poll(ctx, d.Pipeline.ID)
}

func (e *Engine) newerStarted(ctx context.Context, d deployment.Deployment) (bool, error) {
	r := d.Request
	return e.Store.NewerStarted(ctx, r.Repository.ID, r.EnvironmentKey(), r.ID)
}

func (e *Engine) cancelWorkflows(ctx context.Context, d deployment.Deployment, p deployment.Progress) {
	for _, w := range deployment.Active(p) {
		if err := e.CircleCI.CancelWorkflow(ctx, w.ID); err != nil {
			e.log(d, warn).Err(err).Str("workflow", w.ID).Msg("cannot cancel a workflow yet; trying again")
		}
	}
}

// cancelPipeline cancels what runs of a pipeline that is nobody's; CircleCI has no call for the
// whole.
func (e *Engine) cancelPipeline(ctx context.Context, id string) error {
	progress, unseen := e.CircleCI.Poll(ctx, id)
	if unseen != nil {
		return errors.New(unseen.Cause)
	}

	var errs []error
	for _, w := range deployment.Active(progress) {
		errs = append(errs, e.CircleCI.CancelWorkflow(ctx, w.ID))
	}

	return errors.Join(errs...)
}
