// Package github is a client of the REST API of one GitHub. It creates deployments, writes their statuses
// and reads them back, lists deployments and webhook deliveries, resolves refs, and reads the facts that policies are
// evaluated on: people, teams, permissions, commits, checks and branches.
//
// It classifies failed calls by what they mean for the next attempt (Kind). It never sleeps, and
// leaves retries to its callers, with two exceptions: a read is made once more with new credentials
// after GitHub has rejected the old ones, and reading statuses or writing one is tried once more
// under the new name of a repository that turns out to be renamed.
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
	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// Options describe one GitHub and the credentials for it: either a token or a GitHub App.
type Options struct {
	// BaseURL is the root of the REST API, with or without a trailing slash:
	// https://api.github.com/, https://HOST/api/v3 for GitHub Enterprise Server, or
	// https://api.TENANT.ghe.com.
	BaseURL *url.URL

	Token      string          // personal access token; empty with an App
	AppID      int64           // id of the GitHub App; 0 with a token
	PrivateKey *rsa.PrivateKey // of the App; nil with a token

	// Permissions are those that tokens of the App's installations are created with, by GitHub's names: what a
	// token is not needed for it should not be good for. nil: all that an installation has.
	Permissions map[string]string

	// HTTP makes the calls. It must bound their time and size, and must not follow a redirect that
	// would change the call. Clients of package outbound do so.
	HTTP *http.Client

	UserAgent string // empty: go-github's own

	// WritesPerMinute is how many statuses one token or installation may write in any minute; 25/4
	// times as many may be written in any hour. 0 means no bound.
	WritesPerMinute int

	Now func() time.Time // nil: time.Now
	Log zerolog.Logger   // receives renamed repositories, skipped deployments and missing permissions
}

// Client calls the REST API of one GitHub. It is safe for concurrent use.
type Client struct {
	options   Options
	base      *url.URL
	anonymous *account
	app       *account // authenticates as the App itself; nil with a token
	cache     *cache

	mu                 sync.Mutex
	accounts           map[int64]*account                     // by installation id; 0 is the token's
	installations      map[string]int64                       // lower-cased owner/name → installation id
	goneInstallations  map[int64]bool                         // installation ids for which GitHub answered 404
	installationChecks map[usedInstallation]installationCheck // see findElsewhere
	lackingReported    map[int64]bool                         // installation ids whose missing permissions were logged
	maker              deployment.Maker                       // see Maker; no login until GitHub was asked
	currentNames       map[int64]deployment.Repository        // renamed repositories, by id
}

// account is one credential with the calls that use it, the pace of its writes and the rate limit
// of all its calls.
type account struct {
	installation int64 // 0: the token's
	api          *calls
	pace         *pace
	limit        *limit
}

// New returns a client. It makes no call, so wrong credentials are not noticed here.
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
		options:            o,
		base:               &base,
		accounts:           map[int64]*account{},
		installations:      map[string]int64{},
		goneInstallations:  map[int64]bool{},
		installationChecks: map[usedInstallation]installationCheck{},
		lackingReported:    map[int64]bool{},
		currentNames:       map[int64]deployment.Repository{},
	}

	c.cache = &cache{now: func() time.Time { return c.options.Now() }, entries: map[string]*entry{}}
	c.anonymous = c.newAccount(0, c.transport())
	if o.AppID != 0 {
		asApp := ghinstallation.NewAppsTransportFromPrivateKey(c.transport(), o.AppID, o.PrivateKey)
		c.app = c.newAccount(0, asApp)
	}

	return c, nil
}

func (o Options) validate() error {
	switch {
	case o.BaseURL == nil || o.BaseURL.Host == "":
		return errors.New("no URL of GitHub's API: set BaseURL")
	case (o.Token == "") == (o.AppID == 0):
		return errors.New("no or two GitHub credentials: set exactly one of Token and AppID")
	case o.AppID != 0 && o.PrivateKey == nil:
		return errors.New("no private key of the GitHub App: set PrivateKey")
	case o.HTTP == nil || o.HTTP.Transport == nil || o.HTTP.CheckRedirect == nil:
		return errors.New("no HTTP client with CheckRedirect: a redirected POST would be sent again as a GET")
	default:
		return nil
	}
}

// transport returns what all API clients send with, below their credentials.
func (c *Client) transport() http.RoundTripper { return recorder{c.options.HTTP.Transport, c.now} }

func (c *Client) now() time.Time { return c.options.Now() }

// newAccount returns the account of a credential, which a transport adds to each request.
func (c *Client) newAccount(installation int64, credentials http.RoundTripper) *account {
	return &account{
		installation: installation,
		api:          c.newCalls(credentials),
		pace:         &pace{perMinute: c.options.WritesPerMinute},
		limit:        &limit{},
	}
}

// call runs do, which makes one call of an account with the context it is given, unless a rate limit of
// the account forbids that now. The error is an *Error that says what a failure means. It is returned as
// error so that nil stays nil.
func (c *Client) call(ctx context.Context, operation string, acct *account, do func(context.Context) error) error {
	if err := acct.limit.check(operation, c.options.Now()); err != nil {
		return err
	}

	err := c.send(ctx, operation, do)
	acct.limit.note(err, c.options.Now(), maxLimitWait)
	acct.pace.pauseAfter(err, c.options.Now())
	return err
}

// send is call without regard to rate limits.
func (c *Client) send(ctx context.Context, operation string, do func(context.Context) error) error {
	ctx, recorded := recordResponse(outbound.WithOperation(ctx, operation))
	if err := do(ctx); err != nil {
		return classify(operation, *recorded, err, c.options.Now())
	}
	return nil
}

// read makes a read with the account that may see a repository. It makes the read a second time if
// the first one shows that the token or the installation was out of date.
func (c *Client) read(
	ctx context.Context,
	operation string,
	src deployment.Source,
	do func(context.Context, *calls) error,
) error {
	outdated, err := c.readOnce(ctx, operation, src, do)
	if outdated {
		_, err = c.readOnce(ctx, operation, src, do)
	}
	return err
}

func (c *Client) readOnce(
	ctx context.Context,
	operation string,
	src deployment.Source,
	do func(context.Context, *calls) error,
) (outdated bool, err error) {
	acct, err := c.accountFor(ctx, src)
	if err != nil {
		return false, err
	}

	err = c.call(ctx, operation, acct, func(ctx context.Context) error { return do(ctx, acct.api) })
	return c.noteAuthFailure(err, src.Repository, acct) || c.findElsewhere(ctx, err, src.Repository, acct), err
}

// fetch reads the JSON of one path into a T. nextPage is the number of the following page, 0 on the
// last one. check returns an error if the response lacks what it must hold: go-github decodes an
// empty body without an error, and a proxy may answer 200 with JSON of its own.
func fetch[T any](
	ctx context.Context,
	c *Client,
	operation string,
	src deployment.Source,
	path string,
	check func(T) error,
) (found T, nextPage int, err error) {
	err = c.read(ctx, operation, src, func(ctx context.Context, api *calls) error {
		var decoded T
		resp, err := api.get(ctx, path, &decoded)
		if err != nil {
			return err
		}
		if err := check(decoded); err != nil {
			return err
		}

		found, nextPage = decoded, resp.NextPage
		return nil
	})

	return found, nextPage, err
}
