package engine

import (
	"context"
	"errors"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Claim makes a pipeline the deployment's own, because one of its jobs presented the deployment's
// key. The first pipeline to claim gets it and may claim again, after the deployment's end only while a
// rerun counts. deployment.ErrNotFound: no deployment has this key. The job must stop after
// deployment.ErrClaimRefused, and after deployment.ErrClaimCanceled, which says that the deployment is being canceled.
func (e *Engine) Claim(ctx context.Context, key, pipelineID string) error {
	d, err := e.Deployments.ByKey(ctx, key)
	if err != nil {
		return err
	}

	started, holds, err := e.newerStarted(ctx, d)
	if err != nil {
		return err
	}

	claimed := deployment.Claimed{PipelineID: pipelineID, NewerStarted: started || holds}
	current, err := e.update(ctx, d.Row, claimed, updateOptions{
		known:     &d,
		notedOnly: true,
	})

	var invalid *deployment.InvalidTransitionError
	var blocked *deployment.BlockedError
	var taken *deployment.PipelineTakenError
	if errors.As(err, &invalid) || errors.As(err, &blocked) || errors.As(err, &taken) {
		return deployment.ErrClaimRefused
	}
	if err == nil && current.State.Open() && current.Cancel != nil {
		return deployment.ErrClaimCanceled
	}

	return err
}
