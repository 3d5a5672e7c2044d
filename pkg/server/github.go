package server

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// Intake stores verified deliveries. It returns without error only after a delivery is durable, or
// is known to need nothing; after an error the delivery is not remembered.
type Intake interface {
	Accept(ctx context.Context, del intake.Delivery, req deployment.Request) (intake.Result, error)
	Ignore(ctx context.Context, del deployment.Delivery, reason string) (intake.Result, error)
}

var (
	eventPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	guidPattern  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
)

// processGitHub checks, reads and stores a webhook of GitHub.
func (s *Server) processGitHub(w http.ResponseWriter, r *http.Request) (webhookResponse, error) {
	receivedAt := s.o.Now()

	verifier, err := s.checkGitHub(r)
	if err != nil {
		return webhookResponse{}, err
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
	del, err := parseDelivery(r.Header, raw, receivedAt)
	if err != nil {
		return webhookResponse{}, err
	}

	switch del.Event {
	case "deployment":
		return s.acceptDeployment(ctx, del)
	case "ping":
		return answerPing(ctx, del)
	default:
		return ignoreEvent(ctx, del)
	}
}

// checkGitHub refuses what can be refused before the body is read, the cheapest check first.
func (s *Server) checkGitHub(r *http.Request) (*webhook.Verifier, error) {
	if s.o.Sources != nil {
		allowed, known := s.o.Sources()
		if !known {
			const message = "GitHub's webhook addresses are not known yet; deliver it again later"
			return nil, closing(unavailable(message, nil))
		}
		if !allowed(clientOf(r)) {
			const message = "webhooks are not accepted from this address"
			return nil, closing(newError(http.StatusForbidden, "forbidden", message))
		}
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

// parseDelivery reads the headers of a delivery and takes the event out of its body.
func parseDelivery(header http.Header, raw []byte, receivedAt time.Time) (deployment.Delivery, error) {
	del := deployment.Delivery{
		GUID:       header.Get("X-GitHub-Delivery"),
		Event:      header.Get("X-GitHub-Event"),
		Source:     deployment.SourceWebhook,
		ReceivedAt: receivedAt,
	}
	if !eventPattern.MatchString(del.Event) || !guidPattern.MatchString(del.GUID) {
		return del, badRequest("the header X-GitHub-Event or X-GitHub-Delivery is missing or malformed")
	}

	var err error
	del.Body, err = webhook.Payload(header.Get("Content-Type"), raw)
	if err != nil {
		return del, badRequest(err.Error())
	}

	return del, nil
}

// acceptDeployment hands a deployment event to the intake. Only the creation of a deployment counts.
func (s *Server) acceptDeployment(ctx context.Context, del deployment.Delivery) (webhookResponse, error) {
	req, action, err := webhook.ParseDeployment(del.Body)
	del.RepositoryID, del.DeploymentID = req.Repository.ID, req.ID
	del.Repository, del.Environment = req.Repository.FullName(), req.Environment

	var result intake.Result
	switch {
	case action != "" && action != "created": // old GitHub Enterprise Servers send no action
		result, err = s.o.Intake.Ignore(ctx, del, `the event's action is not "created"`)
	case err != nil:
		return webhookResponse{}, badRequest(err.Error())
	default:
		result, err = s.o.Intake.Accept(ctx, intake.Delivery{Delivery: del}, req)
	}
	if err != nil {
		return webhookResponse{}, unavailable("the delivery was not stored in time; deliver it again", err)
	}

	logDelivery(ctx, del, req, result)
	response := webhookResponse{
		status: http.StatusOK,
		Result: string(result.Outcome),
		Reason: result.Reason,
	}
	if result.Outcome == intake.Accepted {
		response.status, response.Delivery = http.StatusAccepted, del.GUID
	}

	return response, nil
}

func logDelivery(ctx context.Context, del deployment.Delivery, req deployment.Request, result intake.Result) {
	line := zerolog.Ctx(ctx).Info().
		Str("delivery", del.GUID).
		Int64("deployment", del.DeploymentID)
	if result.Outcome == intake.Ignored {
		line.Str("reason", result.Reason).Msg("deployment ignored")
		return
	}

	line = line.Str("repository", req.Repository.FullName()).Str("environment", req.Environment)
	if result.Outcome == intake.Duplicate {
		line.Msg("duplicate delivery")
		return
	}

	line.Str("sha", req.SHA).Msg("deployment accepted")
}

// answerPing answers the ping that GitHub sends when a hook is made. Only the body is signed, so the
// event's name is compared with what the body holds.
func answerPing(ctx context.Context, del deployment.Delivery) (webhookResponse, error) {
	summary, err := webhook.Summarize(del.Body)
	if err != nil {
		return webhookResponse{}, badRequest(err.Error())
	}
	if summary.Deployment {
		return webhookResponse{}, badRequest("the event is a ping, but its body holds a deployment")
	}

	zerolog.Ctx(ctx).Info().Str("delivery", del.GUID).Int64("hook", summary.HookID).Msg("ping received")
	return webhookResponse{status: http.StatusOK, Result: resultPong}, nil
}

// ignoreEvent answers an event that Seraph does not use. It checks no more than that the body is a
// JSON object.
func ignoreEvent(ctx context.Context, del deployment.Delivery) (webhookResponse, error) {
	if !webhook.IsObject(del.Body) {
		message := "the body is not a JSON object"
		if _, err := webhook.Summarize(del.Body); err != nil {
			message = err.Error()
		}
		return webhookResponse{}, badRequest(message)
	}

	zerolog.Ctx(ctx).Debug().Str("delivery", del.GUID).Str("event", del.Event).Msg("event ignored")
	return ignored("event " + del.Event + " is not used"), nil
}
