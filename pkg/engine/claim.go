package engine

import (
	"context"
	"errors"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const (
	info  = zerolog.InfoLevel
	warn  = zerolog.WarnLevel
	fault = zerolog.ErrorLevel
)

// ErrClaimRefused says that the key belongs to another pipeline, or that its deployment is over:
// the job must stop.
var ErrClaimRefused = errors.New("this deployment belongs to another pipeline, or has ended")

// Claim makes a pipeline the deployment's own, because one of its jobs presented the key. The first
// pipeline wins; it may claim again. deployment.ErrNotFound: no deployment has this key.
// ErrClaimRefused: the job must stop.
func (e *Engine) Claim(ctx context.Context, key, pipelineID string) error {
	for try := 0; try < 5; try++ {
		d, err := e.Store.ByKey(ctx, key)
		if err != nil {
			return err
		}

		next, changes, err := e.Machine.Apply(d, deployment.Claimed{PipelineID: pipelineID}, e.Now())
		if err != nil {
			return ErrClaimRefused
		}
		if next.State == d.State {
			return nil
		}

		saved, err := e.Store.Save(ctx, next, changes, false)
		var busy *deployment.BlockedError
		var taken *deployment.PipelineTakenError
		switch {
		case err == nil:
			e.logTransition(d, saved)
			return nil
		case errors.As(err, &busy), errors.As(err, &taken):
			return ErrClaimRefused
		case !errors.Is(err, deployment.ErrVersionConflict):
			return err
		}
	}

	return deployment.ErrVersionConflict
}
