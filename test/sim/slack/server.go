// Package slack simulates Slack for tests: its Web API, signed deliveries over HTTP, messages, threads, modals, home
// tabs and response URLs, kept in memory. It follows Slack's reference and knows nothing of its callers.
//
// People are played by the test: Say, Slash, Click, Submit and HomeOpened send what Slack would send to
// Options.RequestURL. Messages, Ephemerals, Views, Home, Calls and Deliveries show what happened, and the methods
// whose names begin with Wait block until something has happened.
package slack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/signal"
)

// Options configure a Server. The zero value is one workspace, DefaultTeam, in which the app is installed with
// DefaultToken and DefaultScopes, and from which nothing is sent.
type Options struct {
	Token         string   // the bot's token; default DefaultToken
	SigningSecret string   // signs deliveries; default DefaultSigningSecret
	Team          string   // workspace in which the app is installed; default DefaultTeam
	AppID         string   // default "A0SERAPH01"
	BotUser       string   // default "U0SERAPHBOT"
	BotID         string   // default "B0SERAPH01"
	Scopes        []string // granted to the token; default DefaultScopes
	Events        []string // that the app subscribes to; default DefaultEvents
	Commands      []string // slash commands of the app, with the slash; default "/deploy"
	RequestURL    string   // where commands, interactions and events are sent; empty: not sent
	Now           func() time.Time
	Plan          Plan // which calls fail; default none

	// HeaderOnly refuses a token in the body of a call. Slack accepts it there; Call.Token says where it was.
	HeaderOnly bool
	// Limits are the rate limits; nil: none. SlackLimits are those of Slack.
	Limits *Limits
	// RetryAfter is when an event that was not accepted is sent again; default: at once, after 1 minute and after
	// 5 minutes. Not nil and empty: never.
	RetryAfter []time.Duration
	// AckTimeout is how long the receiver of a delivery may take; default 3 s.
	AckTimeout time.Duration
	// TriggerLife is how long a trigger_id can be used; default 3 s.
	TriggerLife time.Duration
	// RedirectTo is where the redirects among Faults lead; default a closed port of this machine.
	RedirectTo string
}

// The defaults of Options.
const (
	DefaultToken         = "xoxb-simulated-0000000000-slack"
	DefaultSigningSecret = "simulated-slack-signing-secret-32"
	DefaultTeam          = "T0ACME001"
)

// DefaultScopes returns the scopes of a token unless Options.Scopes sets others.
func DefaultScopes() []string {
	return []string{
		"chat:write", "commands", "app_mentions:read", "im:history", "im:write", "im:read", "users:read",
		"channels:read", "groups:read", "channels:history", "groups:history",
	}
}

// DefaultEvents returns the events that the app subscribes to unless Options.Events sets others.
func DefaultEvents() []string {
	return []string{
		"app_mention", "message.im", "app_home_opened", "app_uninstalled", "tokens_revoked", "channel_archive",
		"group_archive", "channel_shared", "user_change", "member_joined_channel",
	}
}

// Plan makes calls fail. It wraps the handler of each method.
type Plan interface {
	Wrap(method string, next http.Handler) http.Handler
}

// Server is the simulated Slack. It is safe for concurrent use.
type Server struct {
	options Options
	handler http.Handler
	changed signal.Broadcaster
	named   *sim.Plan // the faults of Next and NextNamed
	client  *http.Client
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	server  *http.Server

	mu            sync.Mutex
	base          string // scheme and host of the server
	requestURL    string
	lastID        int64
	lastTS        int64 // microseconds
	installations []*installation
	teams         map[string]*Team
	users         map[string]*User
	channels      map[string]*Channel
	messages      []*message // oldest first; ephemeral ones too
	views         []*view
	triggers      map[string]*trigger
	responses     map[string]*responseURL // by path
	historyLag    time.Duration
	buckets       map[bucketKey]*bucket
	calls         []*Call
	deliveries    []Delivery
}

// New returns a simulator. Use it as an http.Handler, or call Start. In both cases, call Close at the end.
func New(options Options) *Server {
	options = withDefaults(options)
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		options:    options,
		requestURL: options.RequestURL,
		named:      sim.NewPlan(1),
		ctx:        ctx,
		stop:       stop,
		client: &http.Client{
			Transport:     &http.Transport{DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		teams:     map[string]*Team{},
		users:     map[string]*User{},
		channels:  map[string]*Channel{},
		triggers:  map[string]*trigger{},
		responses: map[string]*responseURL{},
		buckets:   map[bucketKey]*bucket{},
	}

	s.handler = s.routes()
	s.AddTeam(Team{ID: options.Team, Domain: "acme", Name: "Acme"})
	s.install(options.Team, options.Token, options.BotUser, options.BotID)

	return s
}

func withDefaults(o Options) Options {
	for _, field := range []struct {
		target   *string
		standard string
	}{
		{target: &o.Token, standard: DefaultToken},
		{target: &o.SigningSecret, standard: DefaultSigningSecret},
		{target: &o.Team, standard: DefaultTeam},
		{target: &o.AppID, standard: "A0SERAPH01"},
		{target: &o.BotUser, standard: "U0SERAPHBOT"},
		{target: &o.BotID, standard: "B0SERAPH01"},
		{target: &o.RedirectTo, standard: "http://127.0.0.1:1"},
	} {
		if *field.target == "" {
			*field.target = field.standard
		}
	}

	if o.Scopes == nil {
		o.Scopes = DefaultScopes()
	}
	if o.Events == nil {
		o.Events = DefaultEvents()
	}
	if o.Commands == nil {
		o.Commands = []string{"/deploy"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RetryAfter == nil {
		o.RetryAfter = []time.Duration{0, time.Minute, 5 * time.Minute}
	}
	if o.AckTimeout == 0 {
		o.AckTimeout = 3 * time.Second
	}
	if o.TriggerLife == 0 {
		o.TriggerLife = 3 * time.Second
	}

	return o
}

// Start listens on addr ("" for a free port of 127.0.0.1) and serves until Close.
func (s *Server) Start(addr string) error {
	s.mu.Lock() // so that no call is answered before the address is known
	defer s.mu.Unlock()

	server, base, err := sim.Serve(addr, s)
	if err != nil {
		return fmt.Errorf("listen for the simulated Slack: %w", err)
	}

	s.server, s.base = server, base
	return nil
}

// Close stops serving, and the deliveries and their retries, for whose end it waits.
func (s *Server) Close() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	if s.server != nil {
		s.server.Close() // an error changes nothing: the simulator ends
	}

	s.named.Close()
	s.running.Wait()
}

// URL returns the address of the Web API, with /api/ at its end, as slack-go and Slack's own libraries expect it.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.host() + apiPrefix
}

// host returns scheme and host. The caller holds the lock.
func (s *Server) host() string {
	if s.base == "" {
		return "https://slack.com"
	}
	return s.base
}

// ServeHTTP answers one call of the Web API or one use of a response URL.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.base == "" {
		s.base = "http://" + r.Host
	}
	s.mu.Unlock()
	w.Header().Set("Date", s.options.Now().UTC().Format(http.TimeFormat))
	s.handler.ServeHTTP(w, r)
}

// SetRequestURL changes where commands, interactions and events are sent. Empty: nowhere.
func (s *Server) SetRequestURL(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requestURL = url
}

// Changed returns a channel that is closed at the next call, message, view or delivery.
func (s *Server) Changed() <-chan struct{} { return s.changed.Next() }

// idDigits are the digits of ids.
const idDigits = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"

// newID returns an id that was not used before, such as C0000000A7. The caller holds the lock.
func (s *Server) newID(prefix string) string {
	s.lastID += 37
	var digits strings.Builder
	digits.WriteString(prefix + "0")
	for place := int64(1_544_804_416); place > 0; place /= 34 { // 34^6
		digits.WriteByte(idDigits[s.lastID/place%34])
	}

	return digits.String()
}

// newTS returns the ts of a new message: seconds and six digits, unique and increasing. The caller holds the lock.
func (s *Server) newTS() string {
	s.lastTS = max(s.lastTS+1, s.options.Now().UnixMicro())
	return fmt.Sprintf("%d.%06d", s.lastTS/1e6, s.lastTS%1e6)
}
