package engine

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Failures reads the failing step of a workflow at CircleCI. Every call has a timeout of its own; none is
// retried.
type Failures interface {
	// FailingStep returns what CircleCI shows of the step; without a job: none failed.
	FailingStep(ctx context.Context, w deployment.Workflow) (deployment.StepOutput, error)
}

const (
	failureTimeout = 30 * time.Second // for all reads of one failing step
	readsOfFailure = 3                // reads of CircleCI that a failing step costs at least
)

// findFailure looks for the failing step of a deployment that has failed, and stores it. It is called after
// the end was stored, so that it delays no report to GitHub. Where CircleCI does not answer, the
// next poll tries again; without an output nothing is missing.
func (e *Engine) findFailure(ctx context.Context, d deployment.Deployment, p deployment.Progress) {
	if !d.WantsFailure(e.Now()) {
		return
	}
	w, ok := deployment.FailedWorkflow(p)
	if !ok {
		return
	}

	ctx, cancel := context.WithTimeout(ctx, failureTimeout)
	defer cancel()

	e.reads.Spend(readsOfFailure)
	output, err := e.Failures.FailingStep(ctx, w)
	if err == nil {
		_, err = e.update(ctx, d.Row, deployment.FailureFound{Output: output}, updateOptions{})
	}
	if err != nil {
		e.log(d, zerolog.InfoLevel).Err(err).Str("workflow", w.ID).Msg("failing step not read")
	}
}
