package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/seraph-deploy/seraph/pkg/api"
)

// IdempotencyKey is the header by which the service recognises a request that is sent again.
const IdempotencyKey = "Idempotency-Key"

// Deploy asks for a new deployment. The same key gives the same deployment, however often it is sent.
func (c *Client) Deploy(ctx context.Context, key string, r api.DeployRequest) (api.DeployResponse, error) {
	return c.ask(ctx, "api/v1/deployments", key, r)
}

// Rollback asks to deploy again what ran before. The same key gives the same deployment.
func (c *Client) Rollback(ctx context.Context, key string, r api.RollbackRequest) (api.DeployResponse, error) {
	return c.ask(ctx, "api/v1/rollbacks", key, r)
}

func (c *Client) ask(ctx context.Context, path, key string, body any) (api.DeployResponse, error) {
	req, err := c.request(ctx, http.MethodPost, path, nil, body)
	if err != nil {
		return api.DeployResponse{}, err
	}

	req.Header.Set(IdempotencyKey, key)
	return do(c, req, "deployment", func(r api.DeployResponse) bool { return r.Deployment != nil || r.Request != "" })
}

// Request says what became of a request for a deployment. key is Request of the DeployResponse.
func (c *Client) Request(ctx context.Context, key string) (api.RequestStatus, error) {
	path := "api/v1/requests/" + url.PathEscape(key)
	return get(ctx, c, path, nil, "state", func(status api.RequestStatus) bool { return status.State != "" })
}

// Command sends one line of text, as somebody typed it.
func (c *Client) Command(ctx context.Context, r api.CommandRequest) (api.CommandResponse, error) {
	found := func(answer api.CommandResponse) bool { return answer.Text != "" }
	return post(ctx, c, "api/v1/commands", r, "text", found)
}
