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

// takeCircleCI takes a webhook of CircleCI. It is only a hint: nothing in it is believed, and losing
// one delays a deployment until its next poll.
func (s *Server) takeCircleCI(w http.ResponseWriter, r *http.Request) (webhookResponse, error) {
	verifier, err := webhook.NewCircleCI(s.o.CircleCISecrets, r.Header.Get("circleci-signature"))
	if err != nil {
		return webhookResponse{}, closing(signatureError(err))
	}

	b, err := s.readBody(w, r, verifier)
	defer b.release()
	if err != nil {
		return webhookResponse{}, err
	}

	return s.withBody(r, b, s.wake)
}

// wake makes the deployment of the event's pipeline due now. When that fails the sender is not told,
// because the deployment is polled anyway.
func (s *Server) wake(ctx context.Context, raw []byte) (webhookResponse, error) {
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
