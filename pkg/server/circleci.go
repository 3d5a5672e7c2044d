package server

import (
	"context"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// Waker makes the deployment of a pipeline due now. known says whether a deployment has the
// pipeline.
type Waker interface {
	WakeByPipeline(ctx context.Context, pipelineID string) (known bool, err error)
}

// processCircleCI checks and reads a webhook of CircleCI, and makes the deployment of its pipeline due
// now. The webhook is only a hint: nothing else in it is believed, and losing one delays a deployment
// until its next poll. So a failure to wake the deployment is no error for the sender.
func (s *Server) processCircleCI(w http.ResponseWriter, r *http.Request) (webhookResponse, error) {
	verifier, err := webhook.NewCircleCI(s.o.CircleCISecrets, r.Header.Get("circleci-signature"))
	if err != nil {
		return webhookResponse{}, closing(signatureError(err))
	}

	b, err := s.readBody(w, r, verifier)
	defer b.release()
	if err != nil {
		return webhookResponse{}, err
	}

	ctx, cancel := s.storeContext(r)
	defer cancel()
	raw, err := b.join(ctx)
	if err != nil {
		return webhookResponse{}, bodyError(err)
	}
	event, err := webhook.ParseCircleCI(raw)
	if err != nil {
		return webhookResponse{}, badRequest(err.Error())
	}
	if event.PipelineID == "" || s.o.Waker == nil {
		return ignored("the event names no pipeline"), nil
	}

	known, err := s.o.Waker.WakeByPipeline(ctx, event.PipelineID)
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Str("pipeline", event.PipelineID).Msg("wake deployment failed")
	}
	if !known {
		return ignored("the pipeline belongs to no deployment"), nil
	}

	return webhookResponse{status: http.StatusOK, Result: resultAccepted}, nil
}
