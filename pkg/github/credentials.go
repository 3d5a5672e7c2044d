package github

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// credential is what a call is signed with.
type credential interface {
	token(ctx context.Context) (string, error)
	invalidate(token string) // GitHub answered 401 to it
}

// authTransport adds a credential to each call.
type authTransport struct {
	base       http.RoundTripper
	credential credential
}

// RoundTrip implements http.RoundTripper.
func (a authTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := a.credential.token(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}

		return nil, err
	}

	signed := req.Clone(req.Context())
	signed.Header.Set("Authorization", "Bearer "+token)
	resp, err := a.base.RoundTrip(signed)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		a.credential.invalidate(token)
	}

	return resp, err
}

// personalToken is a personal access token.
type personalToken string

func (p personalToken) token(context.Context) (string, error) { return string(p), nil }
func (personalToken) invalidate(string)                       {}

// installationToken keeps one installation's token until a minute before it ends, or until GitHub refuses
// it.
type installationToken struct {
	create     func(context.Context) (*gh.InstallationToken, error)
	now        func() time.Time
	refreshing chan struct{} // has one place: one caller asks, the others wait for what it gets

	mu         sync.Mutex
	cached     string
	validUntil time.Time
}

func (i *installationToken) token(ctx context.Context) (string, error) {
	if value := i.current(); value != "" {
		return value, nil
	}

	select {
	case i.refreshing <- struct{}{}:
		defer func() { <-i.refreshing }()
	case <-ctx.Done():
		return "", &Error{Operation: opToken, Kind: KindNotSent, Err: context.Cause(ctx)}
	}

	if value := i.current(); value != "" {
		return value, nil
	}

	made, err := i.create(ctx)
	if err != nil {
		return "", err
	}

	i.set(made.GetToken(), made.GetExpiresAt().Add(-time.Minute))
	return made.GetToken(), nil
}

func (i *installationToken) current() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.now().Before(i.validUntil) {
		return ""
	}
	return i.cached
}

func (i *installationToken) set(value string, until time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cached, i.validUntil = value, until
}

func (i *installationToken) invalidate(token string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cached == token {
		i.cached = ""
	}
}

// createToken asks for a token of an installation (REST API, "Create an installation access token for
// an app").
func (c *Client) createToken(installation int64) func(context.Context) (*gh.InstallationToken, error) {
	return func(ctx context.Context) (made *gh.InstallationToken, _ error) {
		failed := c.call(ctx, opToken, func(ctx context.Context) (err error) {
			made, _, err = c.app.Apps.CreateInstallationToken(ctx, installation, &gh.InstallationTokenOptions{})
			if err == nil && made.GetToken() == "" {
				err = errors.New("it holds no token")
			}

			return err
		})

		if failed != nil {
			return nil, failed
		}

		return made, nil
	}
}

// accountFor finds the account that may act on a repository: the token's, or that of the
// installation that is given or that sees the repository.
func (c *Client) accountFor(ctx context.Context, r deployment.Repository, installation int64) (*account, error) {
	if err := validateName(r); err != nil {
		return nil, err
	}
	if c.app == nil {
		return c.account(0), nil
	}

	if installation == 0 || c.isGone(installation) {
		var err error
		if installation, err = c.installation(ctx, r); err != nil {
			return nil, err
		}
	}

	return c.account(installation), nil
}

// account is the one client of an installation, or of the token.
func (c *Client) account(installation int64) *account {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, ok := c.accounts[installation]; ok {
		return a
	}

	var by credential = personalToken(c.options.Token)
	if installation != 0 {
		by = &installationToken{create: c.createToken(installation), now: c.options.Now, refreshing: make(chan struct{}, 1)}
	}

	a := &account{
		installation: installation,
		api:          c.newAPI(authTransport{c.transport(), by}),
		pace:         &pace{perMinute: c.options.WritesPerMinute},
	}

	c.accounts[installation] = a
	return a
}

// installation asks which installation sees a repository. The answer is kept until it proves wrong.
func (c *Client) installation(ctx context.Context, r deployment.Repository) (int64, error) {
	key := strings.ToLower(r.FullName())
	c.mu.Lock()
	id, ok := c.installations[key]
	c.mu.Unlock()
	if ok {
		return id, nil
	}

	found, err := c.findInstallation(ctx, r)
	if err != nil {
		return 0, err
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.installations[key] = found.GetID()
	delete(c.goneInstallations, found.GetID())

	return found.GetID(), nil
}

func (c *Client) findInstallation(ctx context.Context, r deployment.Repository) (found *gh.Installation, _ error) {
	failed := c.call(ctx, opInstallation, func(ctx context.Context) (err error) {
		found, _, err = c.app.Apps.FindRepositoryInstallation(ctx, r.Owner, r.Name)
		if err == nil && found.GetID() == 0 {
			err = errors.New("it names no installation")
		}

		return err
	})

	if failed != nil {
		return nil, failed
	}

	return found, nil
}

func (c *Client) isGone(installation int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.goneInstallations[installation]
}

// noteAuthFailure forgets what a failed call proves wrong, and says whether the same call may go
// better now: the token was refused, or its installation is gone (an App that was installed anew
// has another one).
func (c *Client) noteAuthFailure(failed *Error, r deployment.Repository, who *account) (stale bool) {
	gone := failed.Operation == opToken && failed.Status == http.StatusNotFound
	if c.app == nil || !gone && failed.Status != http.StatusUnauthorized {
		return false
	}

	c.forgetInstallation(r)
	if gone {
		c.mu.Lock()
		c.goneInstallations[who.installation] = true
		c.mu.Unlock()
	}

	return gone || failed.Operation != opToken
}

// forgetInstallation drops which installation sees a repository.
func (c *Client) forgetInstallation(r deployment.Repository) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.installations, strings.ToLower(r.FullName()))
}
