package server

import (
	"errors"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/hook"
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

// read takes in a whole body and verifies it while it comes. The caller frees it, also after a problem.
func (s *Server) read(w http.ResponseWriter, r *http.Request, verifier *hook.Verifier) (*body, *problem) {
	b := &body{memory: s.memory}
	if r.ContentLength > s.o.MaxBody {
		return b, tooLarge()
	}
	if err := b.fill(http.MaxBytesReader(w, r.Body, s.o.MaxBody), verifier); err != nil {
		return b, unread(err)
	}
	if err := verifier.Check(); err != nil {
		return b, unsigned(err)
	}
	return b, nil
}

func tooLarge() *problem {
	return early(refusal(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than a webhook can be"))
}

// unread says why a body could not be read to its end.
func unread(err error) *problem {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge()
	case errors.Is(err, errBudget):
		return early(unavailable("too many webhooks are coming in at once; deliver it again later", err))
	default:
		p := early(refusal(http.StatusBadRequest, "bad_request", "the body ended early or came too slowly"))
		p.cause = err
		return p
	}
}

// unsigned is the answer to a signature that is absent, malformed or wrong.
func unsigned(err error) *problem {
	return refusal(http.StatusUnauthorized, "unauthorized", err.Error())
}

// refuse answers a webhook with a problem, counts it and writes one line.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, source, event string, p *problem) {
	s.o.Observe(source, eventLabel(source, event), p.code)
	zerolog.Ctx(r.Context()).Warn().Err(p.cause).Str("source", source).Str("event", eventLabel(source, event)).
		Int("status", p.status).Str("reason", p.message).Msg("webhook refused")
	fail(w, r, p)
}

// eventLabel keeps the label a closed set: the event's name is the sender's to choose.
func eventLabel(source, event string) string {
	switch source + " " + event {
	case "github deployment", "github deployment_status", "github ping", "circleci workflow-completed", "circleci job-completed":
		return event
	default:
		return "other"
	}
}
