package client

import (
	"context"
	"net/url"

	"github.com/seraph-deploy/seraph/pkg/api"
)

// Verdict is what the rules say of a deployment.
type Verdict = api.Verdict

// ListQuery says which deployments to list. Empty fields match all.
type ListQuery struct {
	Repository  string // owner/name
	Environment string
	State       string
	Limit       int    // 1 to 200; 0: the service's default, 50
	Cursor      string // NextCursor of the page before
}

// Gate asks whether a deployment may go now. query holds repository, environment and sha, and may
// hold ref, actor and task.
func (c *Client) Gate(ctx context.Context, query url.Values) (Verdict, error) {
	return get(ctx, c, "api/v1/gate", query, "decision", func(v Verdict) bool { return v.Decision != "" })
}

// Deployments lists deployments, newest first.
func (c *Client) Deployments(ctx context.Context, q ListQuery) (api.DeploymentList, error) {
	query := values(
		"repository", q.Repository,
		"environment", q.Environment,
		"state", q.State,
		"limit", number(q.Limit),
		"cursor", q.Cursor,
	)
	found := func(list api.DeploymentList) bool { return list.Deployments != nil }
	return get(ctx, c, "api/v1/deployments", query, "deployments", found)
}

// Deployment returns a deployment with its history. id is GitHub's deployment id.
func (c *Client) Deployment(ctx context.Context, id int64) (api.DeploymentDetail, error) {
	found := func(d api.DeploymentDetail) bool { return d.State != "" }
	return get(ctx, c, of("deployments", id, ""), nil, "state", found)
}

// Explain returns what every rule says of a deployment now or, of one that has ended, said.
func (c *Client) Explain(ctx context.Context, id int64) (api.DeploymentVerdict, error) {
	found := func(d api.DeploymentVerdict) bool { return d.Verdict.Decision != "" }
	return get(ctx, c, of("deployments", id, "explain"), nil, "verdict", found)
}

// Approve approves a waiting deployment.
func (c *Client) Approve(
	ctx context.Context, id int64, r api.ApproveRequest,
) (api.DeploymentVerdict, error) {
	found := func(d api.DeploymentVerdict) bool { return d.Deployment.State != "" }
	return post(ctx, c, of("deployments", id, "approve"), r, "deployment", found)
}

// ApproveHold approves a job that CircleCI holds.
func (c *Client) ApproveHold(
	ctx context.Context, id int64, r api.ApproveHoldRequest,
) (api.Deployment, error) {
	found := func(d api.Deployment) bool { return d.State != "" }
	return post(ctx, c, of("deployments", id, "approve-hold"), r, "state", found)
}

// Cancel cancels a deployment. A running one ends when CircleCI shows that its workflows have ended.
func (c *Client) Cancel(ctx context.Context, id int64, r api.CancelRequest) (api.Deployment, error) {
	found := func(d api.Deployment) bool { return d.State != "" }
	return post(ctx, c, of("deployments", id, "cancel"), r, "state", found)
}

// Force makes a waiting deployment pass rules.
func (c *Client) Force(ctx context.Context, id int64, r api.ForceRequest) (api.Deployment, error) {
	found := func(d api.Deployment) bool { return d.State != "" }
	return post(ctx, c, of("deployments", id, "force"), r, "state", found)
}

// Deliveries lists the newest deployments of the last days that the service ignored, and why. limit is
// 1 to 200; 0: the service's default, 50.
func (c *Client) Deliveries(
	ctx context.Context, repository, environment string, limit int,
) (api.DeliveryList, error) {
	query := values("repository", repository, "environment", environment, "limit", number(limit))
	found := func(list api.DeliveryList) bool { return list.Deliveries != nil }
	return get(ctx, c, "api/v1/deliveries", query, "deliveries", found)
}

// EnvironmentQuery says which environments to list. Empty fields match all.
type EnvironmentQuery struct {
	Repository  string // owner/name
	Environment string
	Limit       int    // 1 to 200; 0: the service's default, 200
	Cursor      string // NextCursor of the page before
}

// Environments says what runs where.
func (c *Client) Environments(ctx context.Context, q EnvironmentQuery) (api.EnvironmentList, error) {
	query := values(
		"repository", q.Repository,
		"environment", q.Environment,
		"limit", number(q.Limit),
		"cursor", q.Cursor,
	)
	found := func(list api.EnvironmentList) bool { return list.Environments != nil }
	return get(ctx, c, "api/v1/environments", query, "environments", found)
}

// WhoAmI says who the token is.
func (c *Client) WhoAmI(ctx context.Context) (api.WhoAmI, error) {
	return get(ctx, c, "api/v1/whoami", nil, "scope", func(who api.WhoAmI) bool { return who.Scope != "" })
}
