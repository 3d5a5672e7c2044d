package engine

import (
	"context"
	"errors"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Poller reads pipelines at CircleCI and cancels their workflows. Every call has a timeout of its
// own; none is retried.
type Poller interface {
	Poll(ctx context.Context, pipelineID string) (deployment.Progress, *deployment.PollFailed)
	// PollWorkflows reads only the workflows, which is one call less.
	PollWorkflows(ctx context.Context, pipelineID string) (deployment.Progress, *deployment.PollFailed)
	CancelWorkflow(ctx context.Context, id string) error
}

// How many reads of CircleCI a question costs at least.
const (
	readsOfWorkflows = 1
	readsOfPipeline  = 2
	readsOfSearch    = 4
)

// poll reads the deployment's pipeline. While it is being stopped or canceled, workflows that still
// run are canceled at every poll.
func (e *Engine) poll(ctx context.Context, d deployment.Deployment) error {
	if d.Pipeline == nil {
		return e.Rows.Unlease(ctx, d.Row)
	}

	// Most hints say that a workflow has ended, and then the pipeline has to be read as well.
	reads := readsOfPipeline
	workflowsOnly := d.MayPollWorkflows() && !d.Woken
	if workflowsOnly {
		reads = readsOfWorkflows
	}
	if !e.mayRead(d, reads) {
		return e.Rows.Unlease(ctx, d.Row)
	}

	progress, failed := e.readProgress(ctx, d.Pipeline.ID, workflowsOnly)
	if failed != nil {
		if ctx.Err() != nil {
			// The process is being stopped, which says nothing about CircleCI.
			return e.Rows.Unlease(context.WithoutCancel(ctx), d.Row)
		}

		e.reads.Hold(failed.After)
		return e.applyAndSave(ctx, d, *failed)
	}

	if !d.StoppingSince.IsZero() || d.Cancel != nil && d.State.Open() {
		e.cancelWorkflows(ctx, d, progress)
	}

	newer, _, err := e.newerStarted(ctx, d)
	if err != nil {
		return err
	}

	saved, err := e.commit(ctx, d, commitOptions{}, deployment.Polled{Progress: progress, NewerStarted: newer})
	if err != nil {
		return err
	}

	e.findFailure(ctx, saved, progress)
	return nil
}

// newerStarted says whether a newer deployment of the environment has started since one failed, so that a rerun
// no longer counts, and whether one holds the environment, because its trigger may be under way. Both are false
// for any other deployment.
func (e *Engine) newerStarted(ctx context.Context, d deployment.Deployment) (started, holds bool, err error) {
	if d.State != deployment.Failed {
		return false, false, nil
	}

	r := d.Request
	return e.Pipelines.NewerStarted(ctx, r.Repository.ID, r.EnvironmentKey(), r.ID)
}

// readProgress reads a pipeline. With workflowsOnly it reads the workflows first, which is enough
// while one of them is busy. If none is, it reads the pipeline and then the workflows once more,
// because they may have gone on in between.
func (e *Engine) readProgress(
	ctx context.Context,
	pipelineID string,
	workflowsOnly bool,
) (deployment.Progress, *deployment.PollFailed) {
	if workflowsOnly {
		progress, failed := e.Poller.PollWorkflows(ctx, pipelineID)
		if failed != nil || progress.Busy() {
			return progress, failed
		}

		e.reads.Spend(readsOfPipeline)
	}

	return e.Poller.Poll(ctx, pipelineID)
}

// cancelWorkflows cancels the workflows of a pipeline that still run.
func (e *Engine) cancelWorkflows(ctx context.Context, d deployment.Deployment, p deployment.Progress) {
	for _, w := range deployment.ActiveWorkflows(p) {
		if err := e.Poller.CancelWorkflow(ctx, w.ID); err != nil {
			e.log(d, zerolog.WarnLevel).Err(err).Str("workflow", w.ID).Msg("cancel of workflow failed")
		}
	}
}

// cancelPipeline cancels the running workflows of a pipeline that no deployment follows; CircleCI has
// no call for the whole pipeline. It returns the pipeline as it was before.
func (e *Engine) cancelPipeline(ctx context.Context, id string) (deployment.Progress, error) {
	progress, failed := e.Poller.Poll(ctx, id)
	if failed != nil {
		return progress, errors.New(failed.Cause)
	}

	var errs []error
	for _, w := range deployment.ActiveWorkflows(progress) {
		errs = append(errs, e.Poller.CancelWorkflow(ctx, w.ID))
	}

	return progress, errors.Join(errs...)
}
