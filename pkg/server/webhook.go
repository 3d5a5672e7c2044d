package server

import (
	"errors"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// The sources of webhooks, as metrics name them.
const (
	sourceGitHub   = deployment.SourceWebhook
	sourceCircleCI = "circleci"
)

// The results of webhooks, as answers and metrics name them.
const (
	resultAccepted  = "accepted"
	resultDuplicate = "duplicate"
	resultIgnored   = "ignored"
	resultPong      = "pong"
)

// readBody takes in a whole body and verifies it while it comes. The caller frees it, also after a
// problem.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, verifier *webhook.Verifier) (*body, *apiError) {
	b := &body{memory: s.memory}
	if r.ContentLength > s.o.MaxBody {
		return b, tooLarge()
	}
	if err := b.fill(http.MaxBytesReader(w, r.Body, s.o.MaxBody), verifier); err != nil {
		return b, bodyError(err)
	}
	if err := verifier.Check(); err != nil {
		return b, signatureError(err)
	}

	return b, nil
}

func tooLarge() *apiError {
	return closing(newError(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than a webhook can be"))
}

// bodyError says why a body could not be read to its end.
func bodyError(err error) *apiError {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge()
	case errors.Is(err, errBudget):
		return closing(unavailable("too many webhooks are coming in at once; deliver it again later", err))
	default:
		p := closing(newError(http.StatusBadRequest, "bad_request", "the body ended early or came too slowly"))
		p.cause = err
		return p
	}
}

// signatureError is the answer to a signature that is absent, malformed or wrong.
func signatureError(err error) *apiError {
	return newError(http.StatusUnauthorized, "unauthorized", err.Error())
}

// rejectWebhook answers a webhook with a problem, counts it and writes one line.
func (s *Server) rejectWebhook(w http.ResponseWriter, r *http.Request, source, event string, p *apiError) {
	s.o.Observe(source, eventLabel(source, event), p.code)
	zerolog.Ctx(r.Context()).Warn().Err(p.cause).Str("source", source).Str("event", eventLabel(source, event)).
		Int("status", p.status).Str("reason", p.message).Msg("webhook refused")
	writeError(w, r, p)
}

// eventLabel keeps the label a closed set: the event's name is the sender's to choose.
func eventLabel(source, event string) string {
	switch source + " " + event {
	case "github deployment",
		"github deployment_status",
		"github ping",
		"circleci workflow-completed",
		"circleci job-completed":
		return event
	default:
		return "other"
	}
}
