package server

import (
	"context"
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

// Results of webhooks, as answers and metrics name them, beside those of package intake.
const (
	resultAccepted = "accepted"
	resultIgnored  = "ignored"
	resultPong     = "pong"
)

// webhookResponse is the answer to a webhook.
type webhookResponse struct {
	status   int
	Result   string `json:"result"`
	Delivery string `json:"delivery,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

func ignored(reason string) webhookResponse {
	return webhookResponse{status: http.StatusOK, Result: resultIgnored, Reason: reason}
}

// webhookHandler answers webhooks of one source and counts each once.
func (s *Server) webhookHandler(
	source string,
	eventHeader string,
	process func(http.ResponseWriter, *http.Request) (webhookResponse, error),
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		event := eventLabel(source, r.Header.Get(eventHeader))

		response, err := process(w, r)
		if err != nil {
			s.rejectWebhook(w, r, source, event, err)
			return
		}

		s.o.Observe(source, event, response.Result)
		writeJSON(w, r, response.status, response)
	}
}

// rejectWebhook answers a webhook with an error, counts it and writes one log line.
func (s *Server) rejectWebhook(w http.ResponseWriter, r *http.Request, source, event string, err error) {
	e := asAPIError(err)
	s.o.Observe(source, event, e.code)
	zerolog.Ctx(r.Context()).Warn().Err(e.cause).
		Str("source", source).
		Str("event", event).
		Int("status", e.status).
		Str("reason", e.message).
		Msg("webhook rejected")
	writeError(w, r, e)
}

// readBody reads a whole body and verifies its signature on the way. The caller releases the body,
// also after an error.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, verifier *webhook.Verifier) (*body, error) {
	b := &body{budget: s.bodies}
	if r.ContentLength > s.o.MaxBody {
		return b, tooLarge()
	}
	if err := b.readFrom(http.MaxBytesReader(w, r.Body, s.o.MaxBody), verifier); err != nil {
		return b, bodyError(err)
	}
	if err := verifier.Check(); err != nil {
		return b, signatureError(err)
	}
	return b, nil
}

// storeContext bounds the time from the end of a body until it is stored. It outlives the request: a
// deployment that arrived whole is worth keeping when the sender hangs up, and a second delivery of
// it is a duplicate.
func (s *Server) storeContext(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), s.o.StoreTimeout)
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
	case errors.Is(err, errSlot):
		return unavailable("too many large webhooks are coming in at once; deliver it again later", err)
	default:
		e := closing(badRequest("the body ended early or came too slowly"))
		e.cause = err
		return e
	}
}

// signatureError refuses a signature that is missing, malformed or wrong.
func signatureError(err error) *apiError {
	return newError(http.StatusUnauthorized, "unauthorized", err.Error())
}

// eventLabel keeps the metric's label a closed set, because the sender chooses the event's name.
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
