package github

import (
	"context"
	"net/http"

	gh "github.com/google/go-github/v60/github"
)

// calls are the calls of go-github that this package makes, with one credential.
//
// They stand here one by one, and no type of this package has a *gh.Client: routes run text/template, for which
// the linker keeps all exported methods of each type that a value in an interface may lead to. A client leads to
// all of GitHub's API, which was 1.5 MB of the binary.
type calls struct {
	newRequest func(method, path string, body any, _ ...gh.RequestOption) (*http.Request, error)
	do         func(_ context.Context, _ *http.Request, into any) (*gh.Response, error)

	app          func(_ context.Context, slug string) (*gh.App, *gh.Response, error)
	user         func(_ context.Context, login string) (*gh.User, *gh.Response, error)
	meta         func(context.Context) (*gh.APIMeta, *gh.Response, error)
	installation func(_ context.Context, owner, repo string) (*gh.Installation, *gh.Response, error)
	createToken  func(
		_ context.Context,
		installation int64,
		_ *gh.InstallationTokenOptions,
	) (*gh.InstallationToken, *gh.Response, error)

	statuses func(
		_ context.Context,
		owner, repo string,
		deployment int64,
		_ *gh.ListOptions,
	) ([]*gh.DeploymentStatus, *gh.Response, error)
	createStatus func(
		_ context.Context,
		owner, repo string,
		deployment int64,
		_ *gh.DeploymentStatusRequest,
	) (*gh.DeploymentStatus, *gh.Response, error)
}

// newCalls returns the calls that send with a transport that adds credentials. Each credential gets a go-github
// client of its own, because go-github keeps the state of rate limits per client.
func (c *Client) newCalls(credentials http.RoundTripper) *calls {
	httpClient := *c.options.HTTP
	httpClient.Transport = credentials

	api := gh.NewClient(&httpClient)
	api.BaseURL = c.base
	if c.options.UserAgent != "" {
		api.UserAgent = c.options.UserAgent
	}

	return &calls{
		newRequest:   api.NewRequest,
		do:           api.Do,
		app:          api.Apps.Get,
		user:         api.Users.Get,
		meta:         api.Meta.Get,
		installation: api.Apps.FindRepositoryInstallation,
		createToken:  api.Apps.CreateInstallationToken,
		statuses:     api.Repositories.ListDeploymentStatuses,
		createStatus: api.Repositories.CreateDeploymentStatus,
	}
}

// get reads the JSON of one path, for what go-github v60 has no method for or does not decode in
// full.
func (a *calls) get(ctx context.Context, path string, into any) (*gh.Response, error) {
	req, err := a.newRequest(http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	return a.do(ctx, req, into)
}
