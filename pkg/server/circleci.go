package server

import (
	"context"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// circleci takes a webhook of CircleCI. It is only a hint: nothing in it is believed, and losing
// one costs a few seconds.
func (s *Server) circleci(w http.ResponseWriter, r *http.Request) {
	event := r.Header.Get("circleci-event-type")
	verifier, err := webhook.NewCircleCI(s.o.CircleCISecrets, r.Header.Get("circleci-signature"))
	if err != nil {
		s.rejectWebhook(w, r, sourceCircleCI, event, closing(signatureError(err)))
		return
	}

	b, p := s.readBody(w, r, verifier)
	defer b.free()
	if p != nil {
		s.rejectWebhook(w, r, sourceCircleCI, event, p)
		return
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.o.StoreTimeout)
	defer cancel()
	result := webhookResponse{}
	err = s.memory.inTurn(ctx, b.size, func() { result, p = s.hint(ctx, b) })
	if err != nil {
		p = unavailable("large webhooks are waiting for each other; deliver it again later", err)
	}
	if p != nil {
		s.rejectWebhook(w, r, sourceCircleCI, event, p)
		return
	}

	s.o.Observe(sourceCircleCI, eventLabel(sourceCircleCI, event), result.Result)
	writeJSON(w, r, http.StatusOK, result)
}

// hint brings the next look at the event's pipeline forward. Failing to is no failure of the
// sender's.
func (s *Server) hint(ctx context.Context, b *body) (webhookResponse, *apiError) {
	whole, err := b.join()
	if err != nil {
		return webhookResponse{}, bodyError(err)
	}

	e, err := webhook.ParseCircleCI(whole)
	if err != nil {
		return webhookResponse{}, badRequest(err)
	}
	if e.PipelineID == "" || s.o.Hints == nil {
		return webhookResponse{Result: resultIgnored, Reason: "the event names no pipeline"}, nil
	}

	known, err := s.o.Hints.WakeByPipeline(ctx, e.PipelineID)
	if err != nil {
		zerolog.Ctx(ctx).
			Warn().
			Err(err).
			Str("pipeline", e.PipelineID).
			Msg("hint lost; the pipeline is looked at when it is due")
	}

	if !known {
		return webhookResponse{Result: resultIgnored, Reason: "the pipeline belongs to no deployment"}, nil
	}

	return webhookResponse{Result: resultAccepted}, nil
}
