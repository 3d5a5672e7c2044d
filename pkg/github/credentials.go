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

// credential supplies the token that a call is authenticated with.
type credential interface {
	token(ctx context.Context) (string, error)
	invalidate(token string) // GitHub answered 401 to this token
}

// authTransport adds the token of a credential to each request.
type authTransport struct {
	base       http.RoundTripper
	credential credential
}

// RoundTrip implements http.RoundTripper.
func (t authTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := t.credential.token(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}

		return nil, err
	}

	authorized := req.Clone(req.Context())
	authorized.Header.Set("Authorization", "Bearer "+token)
	resp, err := t.base.RoundTrip(authorized)
	if err != nil {
		return resp, err
	}
	if resp.StatusCode == http.StatusUnauthorized {
		t.credential.invalidate(token)
	}

	return resp, nil
}

// personalToken is a personal access token. There is no other one to replace it with.
type personalToken string

func (p personalToken) token(context.Context) (string, error) { return string(p), nil }
func (personalToken) invalidate(string)                       {}

// installationToken keeps the token of one installation until a minute before it expires, or until
// GitHub rejects it. GitHub's tokens last an hour.
type installationToken struct {
	create     func(context.Context) (*gh.InstallationToken, error)
	now        func() time.Time
	refreshing chan struct{} // holds one element while a caller creates a token and the others wait

	mu         sync.Mutex
	cached     string
	validUntil time.Time
}

func (i *installationToken) token(ctx context.Context) (string, error) {
	if token := i.current(); token != "" {
		return token, nil
	}

	select {
	case i.refreshing <- struct{}{}:
		defer func() { <-i.refreshing }()
	case <-ctx.Done():
		return "", &Error{Operation: opToken, Kind: KindNotSent, Err: context.Cause(ctx)}
	}

	if token := i.current(); token != "" { // created by another caller in the meantime
		return token, nil
	}

	created, err := i.create(ctx)
	if err != nil {
		return "", err
	}

	i.set(created.GetToken(), created.GetExpiresAt().Add(-time.Minute))
	return created.GetToken(), nil
}

// current returns the cached token, or "" if there is none that is still valid.
func (i *installationToken) current() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.now().Before(i.validUntil) {
		return ""
	}
	return i.cached
}

func (i *installationToken) set(token string, validUntil time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cached, i.validUntil = token, validUntil
}

// invalidate drops the cached token, unless a newer one has replaced the rejected one.
func (i *installationToken) invalidate(token string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cached == token {
		i.cached = ""
	}
}

// accountFor returns the account that may act on a repository: the token's, or that of an
// installation of the App. The installation of src is used unless it is 0, or GitHub has answered that it
// is gone or that another one sees the repository; then GitHub is asked which installation does.
func (c *Client) accountFor(ctx context.Context, src deployment.Source) (*account, error) {
	if err := validateName(src.Repository); err != nil {
		return nil, err
	}
	if c.app == nil {
		return c.account(0), nil
	}

	if src.Installation != 0 && !c.isGone(src.Installation) && !c.isElsewhere(src) {
		return c.account(src.Installation), nil
	}

	installation, err := c.installation(ctx, src.Repository)
	if err != nil {
		return nil, err
	}

	return c.account(installation), nil
}

// account returns the account of an installation, or of the token (0). There is one for each, so
// that all calls with a credential share its token and its pace.
func (c *Client) account(installation int64) *account {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, ok := c.accounts[installation]; ok {
		return a
	}

	var used credential = personalToken(c.options.Token)
	if installation != 0 {
		used = &installationToken{
			create: func(ctx context.Context) (*gh.InstallationToken, error) {
				return c.createToken(ctx, installation)
			},
			now:        c.options.Now,
			refreshing: make(chan struct{}, 1),
		}
	}

	a := c.newAccount(installation, authTransport{base: c.transport(), credential: used})
	c.accounts[installation] = a
	return a
}

// installation returns the id of the installation that sees a repository. The answer is kept until
// noteAuthFailure or resolveRenamed drops it.
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

// findInstallation asks which installation sees a repository (REST API, "Get a repository
// installation for the authenticated app").
func (c *Client) findInstallation(ctx context.Context, r deployment.Repository) (found *gh.Installation, _ error) {
	err := c.call(ctx, opInstallation, c.app, func(ctx context.Context) (err error) {
		found, _, err = c.app.api.installation(ctx, r.Owner, r.Name)
		if err != nil {
			return err
		}
		if found.GetID() == 0 {
			return errors.New("no installation id")
		}

		return nil
	})
	if err != nil {
		return nil, err
	}

	return found, nil
}

func (c *Client) isGone(installation int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.goneInstallations[installation]
}

// installationCheck is what GitHub has answered about which installation sees a repository that another one could not see.
type installationCheck struct {
	at        time.Time
	elsewhere bool // another one sees it
}

const (
	// recheckAfter is how long such an answer holds: a repository may be moved, and the App installed again.
	recheckAfter = 10 * time.Minute
	// maxInstallationChecks is how many of them are kept. Events, which may be forged, name the installations.
	maxInstallationChecks = 10_000
)

// usedInstallation is an installation that was used for a repository, the key of such an answer.
type usedInstallation struct {
	installation int64
	repository   string // lower-cased owner/name
}

func fromInstallation(installation int64, r deployment.Repository) usedInstallation {
	return usedInstallation{installation: installation, repository: strings.ToLower(r.FullName())}
}

// isElsewhere says whether GitHub has answered that another installation than that of src sees the repository.
func (c *Client) isElsewhere(src deployment.Source) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.installationChecks[fromInstallation(src.Installation, src.Repository)].elsewhere
}

// findElsewhere asks, after a call that was answered 403 or 404, which installation sees the repository, and reports
// whether it is another one than that of the call: the same call may succeed with that. The id of the one that was used
// comes from an event, which may be forged, or was learnt before the repository moved, and GitHub answers 404 to an
// installation that does not see the repository, and 403 to one that would write to a public one. It asks once in
// recheckAfter for each installation and repository.
func (c *Client) findElsewhere(ctx context.Context, err error, r deployment.Repository, acct *account) bool {
	var failed *Error
	if c.app == nil || !errors.As(err, &failed) ||
		failed.Kind != KindDenied || failed.Status == http.StatusUnauthorized {
		return false
	}

	key, now := fromInstallation(acct.installation, r), c.options.Now()
	c.mu.Lock()
	known, ok := c.installationChecks[key]
	c.mu.Unlock()
	if ok && now.Sub(known.at).Abs() < recheckAfter {
		return known.elsewhere // as another call has learnt meanwhile
	}

	found, err := c.findInstallation(ctx, r)
	if err != nil && !hasStatus(err, opInstallation, http.StatusNotFound) {
		return false
	}

	elsewhere := err == nil && found.GetID() != acct.installation
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.installationChecks) >= maxInstallationChecks {
		clear(c.installationChecks) // what still matters is asked again
	}
	c.installationChecks[key] = installationCheck{at: now, elsewhere: elsewhere}
	if elsewhere {
		c.installations[key.repository] = found.GetID()
	}

	return elsewhere
}

// noteAuthFailure drops which installation sees a repository if GitHub has answered 401, or 404 to
// the creation of a token. After a 404 the installation counts as gone: an App that was uninstalled
// and installed again has another installation id. It reports whether the same call may succeed
// now, with a new token or another installation. With a personal token, or a nil error, it does
// nothing.
func (c *Client) noteAuthFailure(err error, r deployment.Repository, acct *account) (outdated bool) {
	var failed *Error
	if c.app == nil || !errors.As(err, &failed) {
		return false
	}

	gone := failed.Operation == opToken && failed.Status == http.StatusNotFound
	if !gone && failed.Status != http.StatusUnauthorized {
		return false
	}

	c.forgetInstallation(r)
	if gone {
		c.mu.Lock()
		c.goneInstallations[acct.installation] = true
		c.mu.Unlock()
	}

	return gone || failed.Operation != opToken
}

// forgetInstallation drops the id of the installation that sees a repository.
func (c *Client) forgetInstallation(r deployment.Repository) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.installations, strings.ToLower(r.FullName()))
}
