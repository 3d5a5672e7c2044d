package server

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// isEvent says whether a header can be the name of an event: small letters, digits and underscores.
func isEvent(s string) bool {
	return len(s) <= 64 && s != "" && isSmall(rune(s[0])) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !isSmall(r) && !isDigit(r) && r != '_' })
}

// isGUID says whether a header can be the id of a delivery: letters, digits, dots, dashes and
// underscores.
func isGUID(s string) bool {
	return len(s) <= 128 && s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !isSmall(r) && !isSmall(r|0x20) && !isDigit(r) && r != '.' && r != '-' && r != '_'
	})
}

func isSmall(r rune) bool { return 'a' <= r && r <= 'z' }

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

// github takes a webhook of GitHub. The checks stand in the order of what they cost: address,
// content type, shape of the signature, size, signature, content, store.
func (s *Server) github(w http.ResponseWriter, r *http.Request) {
	receivedAt := s.o.Now()
	event := r.Header.Get("X-GitHub-Event")
	verifier, p := s.admitGitHub(r)
	if p != nil {
		s.rejectWebhook(w, r, sourceGitHub, event, p)
		return
	}

	b, p := s.readBody(w, r, verifier)
	defer b.free()
	if p != nil {
		s.rejectWebhook(w, r, sourceGitHub, event, p)
		return
	}

	result, p := s.processLimited(r, b, receivedAt)
	if p != nil {
		s.rejectWebhook(w, r, sourceGitHub, event, p)
		return
	}

	s.o.Observe(sourceGitHub, eventLabel(sourceGitHub, event), result.Result)
	writeJSON(w, r, result.status(), result)
}

// admitGitHub is what can be checked before the body is read.
func (s *Server) admitGitHub(r *http.Request) (*webhook.Verifier, *apiError) {
	if p := s.checkSource(r); p != nil {
		return nil, p
	}
	if err := webhook.ContentType(r.Header.Get("Content-Type")); err != nil {
		return nil, closing(newError(http.StatusUnsupportedMediaType, "unsupported_media_type", err.Error()))
	}

	verifier, err := webhook.NewGitHub(s.o.GitHubSecrets, r.Header.Get("X-Hub-Signature-256"))
	if err != nil {
		return nil, closing(signatureError(err))
	}

	return verifier, nil
}

func (s *Server) checkSource(r *http.Request) *apiError {
	if s.o.Sources == nil {
		return nil
	}

	allowed, known := s.o.Sources()
	if !known {
		return closing(unavailable("GitHub's webhook addresses are not known yet; deliver it again later", nil))
	}
	if !allowed(clientOf(r)) {
		return closing(newError(http.StatusForbidden, "forbidden", "webhooks are not taken from this address"))
	}

	return nil
}

// webhookResponse is the answer to a webhook that was taken.
type webhookResponse struct {
	Result   string `json:"result"`
	Delivery string `json:"delivery,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

func (t webhookResponse) status() int {
	if t.Result == resultAccepted {
		return http.StatusAccepted
	}
	return http.StatusOK
}

// processLimited judges and stores a verified body within StoreTimeout, whether or not the sender
// still listens: a deployment that came in whole is worth keeping, and delivered again it is a
// duplicate.
func (s *Server) processLimited(r *http.Request, b *body, receivedAt time.Time) (result webhookResponse, p *apiError) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.o.StoreTimeout)
	defer cancel()
	err := s.memory.inTurn(ctx, b.size, func() { result, p = s.process(ctx, r.Header, b, receivedAt) })
	if err != nil {
		return webhookResponse{}, unavailable("large webhooks are waiting for each other; deliver it again later", err)
	}
	return result, p
}

func (s *Server) process(
	ctx context.Context,
	header http.Header,
	b *body,
	receivedAt time.Time,
) (webhookResponse, *apiError) {
	whole, err := b.join()
	if err != nil {
		return webhookResponse{}, bodyError(err)
	}

	del := deployment.Delivery{
		GUID:       header.Get("X-GitHub-Delivery"),
		Event:      header.Get("X-GitHub-Event"),
		Source:     deployment.SourceWebhook,
		ReceivedAt: receivedAt,
	}

	if !isEvent(del.Event) || !isGUID(del.GUID) {
		return webhookResponse{}, badRequest(
			errors.New("the header X-GitHub-Event or X-GitHub-Delivery is missing or malformed"),
		)
	}

	if del.Body, err = webhook.Payload(header.Get("Content-Type"), whole); err != nil {
		return webhookResponse{}, badRequest(err)
	}

	switch del.Event {
	case "deployment":
		return s.deployment(ctx, del)
	case "ping":
		return s.ping(ctx, del)
	default:
		return s.handleOther(ctx, del)
	}
}

// ping answers GitHub's first word. Only the body is signed, so what the name claims is held
// against what the body shows.
func (s *Server) ping(ctx context.Context, del deployment.Delivery) (webhookResponse, *apiError) {
	summary, err := webhook.Summarize(del.Body)
	switch {
	case err != nil:
		return webhookResponse{}, badRequest(err)
	case summary.Deployment:
		return webhookResponse{}, badRequest(errors.New("the body carries a deployment: it is not that of a ping"))
	}

	zerolog.Ctx(ctx).Info().Str("delivery", del.GUID).Int64("hook", summary.HookID).Msg("GitHub says hello")
	return webhookResponse{Result: resultPong}, nil
}

// handleOther answers events of which nothing is read.
func (s *Server) handleOther(ctx context.Context, del deployment.Delivery) (webhookResponse, *apiError) {
	if !webhook.IsObject(del.Body) {
		_, err := webhook.Summarize(del.Body)
		return webhookResponse{}, badRequest(cmp.Or(err, errors.New("the body is not a JSON object")))
	}
	zerolog.Ctx(ctx).Debug().Str("delivery", del.GUID).Str("event", del.Event).Msg("event ignored")
	return webhookResponse{Result: resultIgnored, Reason: "event " + del.Event + " is not used"}, nil
}

// deployment hands a deployment event to the intake.
func (s *Server) deployment(ctx context.Context, del deployment.Delivery) (webhookResponse, *apiError) {
	req, action, err := webhook.ParseDeployment(del.Body)
	del.RepositoryID, del.DeploymentID = req.Repository.ID, req.ID

	var result intake.Result
	switch {
	case action != "" && action != "created": // old GitHub Enterprise Servers send no action
		const reason = "a deployment is taken when it is created, not for another action"
		result, err = s.o.Intake.Ignore(ctx, del, reason)
	case err != nil:
		return webhookResponse{}, badRequest(err)
	default:
		result, err = s.o.Intake.Accept(ctx, intake.Delivery{Delivery: del}, req)
	}

	if err != nil {
		return webhookResponse{}, notStored(err)
	}

	logDelivery(ctx, del, req, result)
	response := webhookResponse{Result: string(result.Outcome), Reason: result.Reason}
	if result.Outcome == intake.Accepted {
		response.Delivery = del.GUID
	}

	return response, nil
}

func logDelivery(ctx context.Context, del deployment.Delivery, req deployment.Request, result intake.Result) {
	log := zerolog.Ctx(ctx).Info().
		Str("delivery", del.GUID).
		Int64("deployment", del.DeploymentID)
	if result.Outcome == intake.Ignored {
		log.Str("reason", result.Reason).Msg("deployment ignored")
		return
	}

	log = log.Str("repository", req.Repository.FullName()).Str("environment", req.Environment)
	if result.Outcome == intake.Duplicate {
		log.Msg("deployment delivered again")
		return
	}

	log.Str("sha", req.SHA).Msg("deployment accepted")
}

func notStored(err error) *apiError {
	return unavailable("the delivery could not be stored in time and is not remembered; deliver it again", err)
}
