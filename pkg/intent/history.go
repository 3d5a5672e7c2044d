package intent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// SuccessStore keeps what has been deployed.
type SuccessStore interface {
	// Successes lists the commits that have succeeded in an environment, the newest deployment first.
	Successes(ctx context.Context, repositoryID int64, environmentKey string) ([]deployment.Success, error)
	// DeliveryBody returns deployment.ErrNotFound if the body is not there.
	DeliveryBody(ctx context.Context, guid string) ([]byte, error)
}

// DeploymentReader reads a deployment at GitHub.
type DeploymentReader interface {
	Deployment(ctx context.Context, of deployment.Request) (deployment.Request, error)
}

// History reads what has been deployed, with the payloads.
type History struct {
	SuccessStore
	GitHub DeploymentReader
}

// Payload reads the payload of a success from the stored delivery, or, where its body is not there, from
// GitHub.
func (h History) Payload(
	ctx context.Context,
	in deployment.Source,
	s deployment.Success,
) (json.RawMessage, error) {
	body, err := h.DeliveryBody(ctx, s.Delivery)
	if err != nil && !errors.Is(err, deployment.ErrNotFound) {
		return nil, fmt.Errorf("read delivery %s: %w", s.Delivery, err)
	}

	request, _, err := webhook.ParseDeployment(body) // an error where there is no body
	if err == nil && request.ID == s.DeploymentID {
		return request.Payload, nil
	}

	shown, err := h.GitHub.Deployment(ctx, deployment.Request{
		ID:           s.DeploymentID,
		Repository:   in.Repository,
		Installation: in.Installation,
	})
	return shown.Payload, err
}
