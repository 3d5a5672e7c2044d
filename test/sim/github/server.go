// Package github is a GitHub that fits into a test: repositories, deployments and their statuses,
// apps and tokens, rate limits and webhooks, spoken over real HTTP and kept in memory. It follows
// GitHub's REST reference (API version 2022-11-28), its OpenAPI description and its official
// webhook samples, and knows nothing of who calls it.
//
// Ask for trouble in three ways: Next makes single calls go wrong (see Faults), Hooks makes
// webhooks go astray, and Play tells a whole story from Scenarios. Afterwards Statuses, Writes,
// Deliveries and Violations tell what happened.
package github

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
	"github.com/seraph-deploy/seraph/test/sim/github/wire"
	"github.com/seraph-deploy/seraph/test/sim/signal"
)

// Options describe the GitHub to simulate. The zero value is github.com with one personal access
// token, DefaultToken.
type Options struct {
	Token         string // of User, may do everything; default DefaultToken
	User          string // a machine user's login; default "seraph-bot"
	App           *App   // an installed GitHub App; with one, the webhook is the app's
	WebhookURL    string // where events go; empty: nowhere
	WebhookSecret string // signs them; empty: unsigned
	Now           func() time.Time
	Plan          Plan   // which calls fail; default none
	BasePath      string // "" for github.com, "/api/v3" for GitHub Enterprise Server, which has no rate limits
	StatusLimit   int    // statuses a deployment may have; 0 is no limit (GitHub's number is not documented)
	WriteLimit    int    // writes a minute before the secondary limit answers; 0 is no limit (GitHub: about 80)
	// Wrap, when set, stands between the faults and the simulator, for instance to check shapes.
	Wrap func(http.Handler) http.Handler
}

// Plan makes calls fail: it stands before the handler of each operation.
type Plan interface {
	Wrap(op string, next http.Handler) http.Handler
}

// DefaultToken is the personal access token that works unless Options.Token names another.
const DefaultToken = "ghp_simulated0000000000000000000000000000"

// Server is the simulated GitHub. Everything in it is safe for concurrent use.
type Server struct {
	options Options
	handler http.Handler
	hooks   *hookshot.Sender
	changed signal.Broadcaster
	server  *http.Server

	mu            sync.Mutex
	base          string // scheme and host that callers reach it under
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
	comparisons   map[comparisonKey]comparison
	roles         map[roleKey]role
	teams         map[string]*team
	protections   map[branchKey]*protection
	meta          []string
	calls         map[string]int
	writes        int
	tokensIssued  int
	violations    []string
}

// New makes a simulator. Use it as an http.Handler, or Start it; Close it either way.
func New(options Options) *Server {
	s := &Server{
		options:       withDefaults(options),
		ids:           map[string]int64{},
		accounts:      map[string]wire.Account{},
		credentials:   map[string]*credential{},
		usage:         map[string]*rateUsage{},
		installations: map[int64]*installation{},
		commits:       map[string]*commitFacts{},
		comparisons:   map[comparisonKey]comparison{},
		roles:         map[roleKey]role{},
		teams:         map[string]*team{},
		protections:   map[branchKey]*protection{},
		limit:         hourlyLimit,
		faults:        map[string][]Fault{},
		calls:         map[string]int{},
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
	if addr == "" {
		addr = "127.0.0.1:0"
	}

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for the simulated GitHub: %w", err)
	}

	s.mu.Lock()
	s.base = "http://" + listener.Addr().String()
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	s.mu.Unlock()
	go s.server.Serve(listener) // always http.ErrServerClosed

	return nil
}

// Close stops serving and sending.
func (s *Server) Close() {
	if s.server != nil {
		s.server.Close() // nothing to be done about it
	}
	s.hooks.Close()
}

// URL is the API's address, with base path and without a trailing slash.
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

// Hooks is the sender of webhooks, for planning lost, failed, delayed, doubled and reordered
// deliveries.
func (s *Server) Hooks() *hookshot.Sender { return s.hooks }

// Changed returns a channel that is closed when the next deployment or status is made.
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

// firstIDs lie above 2^31 where GitHub's do, so that a 32-bit id shows.
var firstIDs = map[string]int64{
	"account":    583_231,
	"repository": 2_700_500_100,
	"deployment": 3_145_728_000,
	"status":     7_516_192_768,
	"hook":       460_800_000,
}

// nextID hands out ids of a kind, rising but not dense.
func (s *Server) nextID(kind string) int64 {
	if s.ids[kind] == 0 {
		s.ids[kind] = firstIDs[kind]
	}
	s.ids[kind] += 7
	return s.ids[kind]
}
