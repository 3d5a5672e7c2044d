// Package github simulates GitHub for tests: repositories, deployments and their statuses, apps and
// tokens, rate limits and webhooks over real HTTP, kept in memory. It follows GitHub's REST
// reference (API version 2022-11-28), its OpenAPI description and its official webhook samples, and
// knows nothing of its callers.
//
// Next makes single calls fail (see Faults), Hooks changes how webhooks are delivered, and Play
// runs one of Scenarios. Statuses, Writes, Deliveries and Violations show what happened.
package github

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
	"github.com/seraph-deploy/seraph/test/sim/github/wire"
	"github.com/seraph-deploy/seraph/test/sim/signal"
)

// Options configure a Server. The zero value is github.com with one personal access token,
// DefaultToken.
type Options struct {
	Token         string // of User, with all permissions; default DefaultToken
	User          string // login of a machine user; default "seraph-bot"
	App           *App   // an installed GitHub App; when set, the webhook is the app's
	WebhookURL    string // where events are sent; empty: not sent
	WebhookSecret string // signs events; empty: unsigned
	Now           func() time.Time
	Plan          Plan   // which calls fail; default none
	BasePath      string // "" for github.com, "/api/v3" for GitHub Enterprise Server, which has no rate limits
	StatusLimit   int    // statuses a deployment may have; 0 is no limit (GitHub's number is not documented)
	WriteLimit    int    // writes a minute that the secondary rate limit allows; 0 is no limit (GitHub: about 80)
	// Wrap, when set, wraps the handler of each call inside the faults, for instance to check shapes.
	Wrap func(http.Handler) http.Handler
}

// Plan makes calls fail. It wraps the handler of each operation.
type Plan interface {
	Wrap(op string, next http.Handler) http.Handler
}

// DefaultToken is the valid personal access token unless Options.Token sets another.
const DefaultToken = "ghp_simulated0000000000000000000000000000"

// Server is the simulated GitHub. It is safe for concurrent use.
type Server struct {
	options Options
	handler http.Handler
	hooks   *hookshot.Sender
	changed signal.Broadcaster
	server  *http.Server

	mu            sync.Mutex
	base          string // scheme and host of the server
	ids           map[string]int64
	accounts      map[string]wire.Account
	repositories  []*repository
	deployments   []*deployment
	credentials   map[string]*credential
	limit         int // calls an hour
	usage         map[string]*rateUsage
	faults        map[string][]Fault
	installations map[int64]*installation
	commits       map[string]*commitFacts
	apps          map[string]int64 // by slug: the ids of other apps
	comparisons   map[comparisonKey]comparison
	roles         map[roleKey]role
	teams         map[string]*team
	protections   map[branchKey]*protection
	meta          []string
	oauthApps     map[string]*OAuthApp
	grants        map[string]*grant
	userTokens    map[string]*userToken
	codesIssued   []string

	userTokensIssued int
	calls            map[string]int
	writes           int
	tokensIssued     int
	violations       []string
}

// New returns a simulator. Use it as an http.Handler, or call Start. In both cases, call Close at
// the end.
func New(options Options) *Server {
	s := &Server{
		options:       withDefaults(options),
		ids:           map[string]int64{},
		accounts:      map[string]wire.Account{},
		credentials:   map[string]*credential{},
		usage:         map[string]*rateUsage{},
		installations: map[int64]*installation{},
		commits:       map[string]*commitFacts{},
		apps:          map[string]int64{githubActions: 15368},
		comparisons:   map[comparisonKey]comparison{},
		roles:         map[roleKey]role{},
		teams:         map[string]*team{},
		protections:   map[branchKey]*protection{},
		limit:         hourlyLimit,
		faults:        map[string][]Fault{},
		calls:         map[string]int{},
		oauthApps:     map[string]*OAuthApp{},
		grants:        map[string]*grant{},
		userTokens:    map[string]*userToken{},
		meta:          []string{"127.0.0.0/8", "::1/128"},
	}

	s.hooks = hookshot.New(hookshot.Options{Now: s.options.Now, Timeout: s.hookTimeout()})
	s.credentials[s.options.Token] = &credential{account: s.account(s.options.User)}
	if app := s.options.App; app != nil {
		s.installations[app.InstallationID] = &installation{id: app.InstallationID, permissions: defaultPermissions()}
	}

	s.handler = s.routes()
	return s
}

func withDefaults(o Options) Options {
	if o.Token == "" {
		o.Token = DefaultToken
	}
	if o.User == "" {
		o.User = "seraph-bot"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wrap == nil {
		o.Wrap = func(next http.Handler) http.Handler { return next }
	}

	return o
}

// Start listens on addr ("" for a free port of 127.0.0.1) and serves until Close.
func (s *Server) Start(addr string) error {
	s.mu.Lock() // so that no call is answered before the address is known
	defer s.mu.Unlock()

	server, base, err := sim.Serve(addr, s)
	if err != nil {
		return fmt.Errorf("listen for the simulated GitHub: %w", err)
	}

	s.server, s.base = server, base
	return nil
}

// Close stops serving and sending.
func (s *Server) Close() {
	if s.server != nil {
		s.server.Close() // an error changes nothing: the simulator ends
	}
	s.hooks.Close()
}

// WebURL returns the address of the pages at which people sign in, without a trailing slash.
func (s *Server) WebURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base
}

// URL returns the API's address, with the base path and without a trailing slash.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.api()
}

// ServeHTTP answers one API call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.base == "" {
		s.base = "http://" + r.Host
	}
	s.mu.Unlock()
	s.handler.ServeHTTP(w, r)
}

// Hooks returns the sender of webhooks, which can lose, fail, delay, duplicate and reorder
// deliveries.
func (s *Server) Hooks() *hookshot.Sender { return s.hooks }

// Changed returns a channel that is closed when the next deployment or status is created.
func (s *Server) Changed() <-chan struct{} { return s.changed.Next() }

func (s *Server) enterprise() bool { return s.options.BasePath != "" }

func (s *Server) hookTimeout() time.Duration {
	if s.enterprise() {
		return 30 * time.Second
	}
	return hookshot.DefaultTimeout
}

func (s *Server) api() string {
	if s.base == "" {
		return "https://api.github.com" + s.options.BasePath
	}
	return s.base + s.options.BasePath
}

func (s *Server) web() string { return "https://github.com" }

// firstIDs are above 2^31 where GitHub's ids are, so that callers with 32-bit ids fail.
var firstIDs = map[string]int64{
	"account":    583_231,
	"repository": 2_700_500_100,
	"deployment": 3_145_728_000,
	"status":     7_516_192_768,
	"hook":       460_800_000,
}

// nextID returns the next id of a kind. Ids increase but have gaps.
func (s *Server) nextID(kind string) int64 {
	if s.ids[kind] == 0 {
		s.ids[kind] = firstIDs[kind]
	}
	s.ids[kind] += 7
	return s.ids[kind]
}
