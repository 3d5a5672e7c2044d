// Package github speaks to one GitHub: it writes deployment statuses, reads them back, lists
// deployments, and answers what the rules ask of people, commits and branches. It knows what
// GitHub's refusals mean and what go-github v60 makes of them. It decides nothing, never sleeps,
// and repeats nothing but a read after a fresh token and a call to a repository that goes by
// another name now.
package github

import (
	"context"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"
	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// Options describe one GitHub and who we are there: a token, or an App.
type Options struct {
	// https://api.github.com/, https://HOST/api/v3, https://api.TENANT.ghe.com; a trailing slash is
	// optional
	BaseURL         *url.URL
	Token           string
	AppID           int64
	PrivateKey      *rsa.PrivateKey // the App's
	HTTP            *http.Client    // outbound's: bounded in time and size, and without redirects that change a call
	UserAgent       string
	WritesPerMinute int // most status writes a minute per token or installation; 0: no bound
	Now             func() time.Time
	Log             zerolog.Logger // hears of repositories that move
}

// Client speaks to one GitHub. It is safe for concurrent use.
type Client struct {
	options   Options
	base      *url.URL
	anonymous *gh.Client
	app       *gh.Client // the App itself; nil with a token
	cache     *cache

	mu                sync.Mutex
	accounts          map[int64]*account              // by installation; 0 is the token's
	installations     map[string]int64                // lower-cased owner/name -> installation
	goneInstallations map[int64]bool                  // installations that GitHub denies
	login             string                          // ours, once asked
	currentNames      map[int64]deployment.Repository // what moved repositories go by now
}

// account is one credential with its client and its pace.
type account struct {
	installation int64 // 0: the token's
	api          *gh.Client
	pace         *pace
}

// New makes a client; it calls nobody.
func New(o Options) (*Client, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}

	base := *o.BaseURL
	base.Path = strings.TrimRight(base.Path, "/") + "/"
	c := &Client{
		options:           o,
		base:              &base,
		accounts:          map[int64]*account{},
		installations:     map[string]int64{},
		goneInstallations: map[int64]bool{},
		currentNames:      map[int64]deployment.Repository{},
	}

	c.cache = &cache{now: func() time.Time { return c.options.Now() }, entries: map[string]*entry{}}
	c.anonymous = c.newAPI(c.transport())
	if o.AppID != 0 {
		c.app = c.newAPI(ghinstallation.NewAppsTransportFromPrivateKey(c.transport(), o.AppID, o.PrivateKey))
	}

	return c, nil
}

func (o Options) validate() error {
	switch {
	case o.BaseURL == nil || o.BaseURL.Host == "":
		return errors.New("GitHub's API URL is missing")
	case (o.Token == "") == (o.AppID == 0):
		return errors.New("exactly one of a token and a GitHub App is needed")
	case o.AppID != 0 && o.PrivateKey == nil:
		return errors.New("the GitHub App needs its private key")
	case o.HTTP == nil || o.HTTP.Transport == nil || o.HTTP.CheckRedirect == nil:
		return errors.New(
			"an HTTP client that refuses redirects is needed: a POST that is redirected would be sent again as a GET",
		)
	default:
		return nil
	}
}

// transport is the way out below all credentials.
func (c *Client) transport() http.RoundTripper { return recorder{c.options.HTTP.Transport} }

// newAPI makes a go-github client over a transport that adds credentials. go-github keeps limits
// per client, so none is shared.
func (c *Client) newAPI(credentials http.RoundTripper) *gh.Client {
	hc := *c.options.HTTP
	hc.Transport = credentials
	api := gh.NewClient(&hc)
	api.BaseURL = c.base
	if c.options.UserAgent != "" {
		api.UserAgent = c.options.UserAgent
	}
	return api
}

// call makes one call and says what became of it.
func (c *Client) call(ctx context.Context, operation string, do func(context.Context) error) *Error {
	ctx, heard := recordResponse(outbound.WithOperation(ctx, operation))
	err := do(ctx)
	if err == nil {
		return nil
	}
	return classify(operation, *heard, err, c.options.Now())
}

// read makes a read as the account that may; once more when the credentials turn out stale.
func (c *Client) read(
	ctx context.Context,
	operation string,
	r deployment.Repository,
	installation int64,
	do func(context.Context, *gh.Client) error,
) error {
	for first := true; ; first = false {
		who, err := c.accountFor(ctx, r, installation)
		if err != nil {
			return err
		}

		failed := c.call(ctx, operation, func(ctx context.Context) error { return do(ctx, who.api) })
		if failed == nil {
			return nil
		}
		if stale := c.noteAuthFailure(failed, r, who); !stale || !first {
			return failed
		}
	}
}

// get reads one path into a value, for what go-github v60 does not decode in full.
func get(ctx context.Context, api *gh.Client, path string, into any) (*gh.Response, error) {
	req, err := api.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	return api.Do(ctx, req, into)
}
