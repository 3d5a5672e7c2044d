// Package github speaks to one GitHub: it writes deployment statuses, reads them back, and lists deployments. It knows what GitHub's refusals
// mean and what go-github v60 makes of them; it decides nothing and repeats nothing but a read after a fresh token.
package github

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"
	"golang.org/x/time/rate"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// Options describe one GitHub and who we are there: a token, or an App.
type Options struct {
	BaseURL         *url.URL // https://api.github.com/, https://HOST/api/v3, https://api.TENANT.ghe.com
	Token           string
	AppID           int64
	PrivateKey      *rsa.PrivateKey
	HTTP            *http.Client // outbound's
	UserAgent       string
	WritesPerMinute int // pace of status writes per token or installation; 0: none
	Now             func() time.Time
}

// Client speaks to one GitHub. It is safe for concurrent use.
type Client struct {
	o             Options
	base          *url.URL
	mu            sync.Mutex
	accounts      map[int64]*account // by installation; 0 is the token's
	installations map[string]int64   // owner/name -> installation
	names         map[int64]deployment.Repository
}

// account is one credential with its client and its pace. go-github blocks a whole client after a rate limit, so none is shared.
type account struct {
	api  *gh.Client
	pace *rate.Limiter
}

// New makes a client; it calls nobody.
func New(o Options) (*Client, error) {
	if (o.Token == "") == (o.AppID == 0) {
		return nil, errors.New("exactly one of a token and a GitHub App is needed")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	base := *o.BaseURL
	base.Path = strings.TrimRight(base.Path, "/") + "/"
	return &Client{
		o: o, base: &base, accounts: map[int64]*account{}, installations: map[string]int64{}, names: map[int64]deployment.Repository{},
	}, nil
}

// newAPI makes a go-github client over a transport that adds credentials.
func (c *Client) newAPI(credentials http.RoundTripper) *gh.Client {
	hc := *c.o.HTTP
	hc.Transport = credentials
	api := gh.NewClient(&hc)
	api.BaseURL = c.base
	api.UserAgent = c.o.UserAgent
	return api
}

func (c *Client) account(installation int64, make func() http.RoundTripper) *account {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, ok := c.accounts[installation]; ok {
		return a
	}
	a := &account{api: c.newAPI(make()), pace: rate.NewLimiter(rate.Inf, 1)}
	if n := c.o.WritesPerMinute; n > 0 {
		a.pace = rate.NewLimiter(rate.Limit(float64(n)/60), n)
	}
	c.accounts[installation] = a
	return a
}

// forget drops what is kept of an installation, so that the next call starts from a fresh token.
func (c *Client) forget(installation int64, repository string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.installations, repository)
	if installation != 0 {
		delete(c.accounts, installation)
	}
}

// authorized adds a personal token.
type authorized struct {
	base  http.RoundTripper
	token string
}

// RoundTrip implements http.RoundTripper.
func (a authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+a.token)
	return a.base.RoundTrip(req)
}

// transport is the way out below all credentials.
func (c *Client) transport() http.RoundTripper { return normal{c.o.HTTP.Transport} }

// appAPI is the App itself, for looking up installations.
func (c *Client) appAPI() *gh.Client {
	return c.newAPI(c.appTransport())
}

// appTransport is made anew for each installation: ghinstallation v2.10 writes to a shared one without a lock.
func (c *Client) appTransport() *ghinstallation.AppsTransport {
	t := ghinstallation.NewAppsTransportFromPrivateKey(c.transport(), c.o.AppID, c.o.PrivateKey)
	t.BaseURL = strings.TrimRight(c.base.String(), "/")
	return t
}

// who finds the account that may act on a repository, and the installation it acts through.
func (c *Client) who(ctx context.Context, r deployment.Repository, installation int64) (*account, int64, error) {
	if c.o.AppID == 0 {
		return c.account(0, func() http.RoundTripper { return authorized{c.transport(), c.o.Token} }), 0, nil
	}
	if installation == 0 {
		var err error
		if installation, err = c.installation(ctx, r); err != nil {
			return nil, 0, err
		}
	}
	return c.account(installation, func() http.RoundTripper {
		t := ghinstallation.NewFromAppsTransport(c.appTransport(), installation)
		t.BaseURL = strings.TrimRight(c.base.String(), "/")
		return t
	}), installation, nil
}

// installation asks which installation sees a repository; the answer is kept.
func (c *Client) installation(ctx context.Context, r deployment.Repository) (int64, error) {
	c.mu.Lock()
	id, ok := c.installations[r.FullName()]
	c.mu.Unlock()
	if ok {
		return id, nil
	}
	if err := validName(r); err != nil {
		return 0, err
	}
	found, resp, err := c.appAPI().Apps.FindRepositoryInstallation(outbound.WithOperation(ctx, "installation"), r.Owner, r.Name)
	if err != nil {
		return 0, c.failure("installation", resp, err)
	}
	c.mu.Lock()
	c.installations[r.FullName()] = found.GetID()
	c.mu.Unlock()
	return found.GetID(), nil
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// validName keeps a name from bending a path: go-github does not escape owner and name.
func validName(r deployment.Repository) error {
	for _, s := range []string{r.Owner, r.Name} {
		if !namePattern.MatchString(s) || s == "." || s == ".." {
			return fmt.Errorf("%q is no repository name", r.FullName())
		}
	}
	return nil
}

// current is the name that a repository goes by now, as far as is known.
func (c *Client) current(r deployment.Repository) deployment.Repository {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, ok := c.names[r.ID]; ok {
		return now
	}
	return r
}
