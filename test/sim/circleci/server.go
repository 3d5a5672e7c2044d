// Package circleci simulates CircleCI for tests: projects, pipelines, workflows, jobs and outbound
// webhooks over real HTTP, kept in memory. It follows the CircleCI API v2 reference and reports of
// users, and knows nothing of its callers.
//
// Each pipeline plays one of Scenarios, one stage per Options.Step, or is controlled by the test.
// Triggers, Pipelines, Calls and Violations show what happened.
package circleci

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/signal"
)

// Options configure a Server. The zero value has one personal token, DefaultToken, no project, and
// pipelines that play scenarios with DefaultStep.
type Options struct {
	Token  string // a personal API token; default DefaultToken
	Login  string // of the token's user; default "seraph-bot"
	UserID string // of the token's user, a UUID; default a random one
	Now    func() time.Time
	Plan   Plan // which calls fail; default none

	WebhookURL    string // where workflow-completed is sent; empty: not sent
	WebhookSecret string // signs webhooks; empty: unsigned

	Step     time.Duration // time between stages; 0 is DefaultStep, ManualDrive plays no scenario
	ListLag  time.Duration // how long a new pipeline is missing in lists
	ClaimURL string        // where each pipeline sends its claim before it deploys; empty: no claim

	NoV3 bool // API v3 answers 404, as on a CircleCI server

	AnyProject bool                             // unknown projects are added when a call names them
	AnyBranch  bool                             // branches that no test has set exist too
	Revision   func(project, ref string) string // of branches that no test has set; default RevisionOf(ref); "": not found
	// TagRevision is the commit of tags that no test has set; default Revision.
	TagRevision func(project, tag string) string
}

// DefaultStep is the time between stages unless Options.Step sets another. ManualDrive as a step
// means that pipelines change only when the test changes them.
const (
	DefaultStep = 50 * time.Millisecond
	ManualDrive = -1 * time.Nanosecond
)

// DefaultToken is the personal API token that works unless Options.Token names another.
const DefaultToken = "CCIPAT_simulated_0000000000000000000000000000"

// Plan makes calls fail. It wraps the handler of each operation.
type Plan interface {
	Wrap(op string, next http.Handler) http.Handler
}

// Server is the simulated CircleCI. It is safe for concurrent use.
type Server struct {
	options Options
	handler http.Handler
	changed signal.Broadcaster
	named   *sim.Plan // the faults of NextNamed
	client  *http.Client
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	server  *http.Server

	mu          sync.Mutex
	base        string // scheme and host of the server
	token       string
	projects    []*project
	pipelines   []*pipeline // oldest first
	byID        map[string]*pipeline
	workflows   map[string]*workflow
	triggers    []Trigger
	rateLimited map[string]bool // triggers that have met the rate limit
	cancels     []string
	hooksOff    bool
	hooks       []Hook
	calls       map[string]int
	violations  []string

	valuesShowParameters  bool // pipeline values include parameters
	configHidesParameters bool // compiled configs do not include parameters
}

// New returns a simulator. Use it as an http.Handler, or call Start. In both cases, call Close at
// the end.
func New(options Options) *Server {
	options = withDefaults(options)
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		options: options,
		token:   options.Token,
		ctx:     ctx,
		stop:    stop,
		named:   sim.NewPlan(1),
		client: &http.Client{
			Transport:     &http.Transport{DisableKeepAlives: true},
			Timeout:       hookTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		byID:        map[string]*pipeline{},
		workflows:   map[string]*workflow{},
		rateLimited: map[string]bool{},
		calls:       map[string]int{},
	}

	s.handler = s.routes()
	return s
}

func withDefaults(o Options) Options {
	if o.Token == "" {
		o.Token = DefaultToken
	}
	if o.Login == "" {
		o.Login = "seraph-bot"
	}
	if o.UserID == "" {
		o.UserID = uuid.NewString()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Step == 0 {
		o.Step = DefaultStep
	}
	if o.Revision == nil {
		o.Revision = func(_, ref string) string { return RevisionOf(ref) }
	}
	if o.TagRevision == nil {
		o.TagRevision = o.Revision
	}

	return o
}

// Start listens on addr ("" for a free port of 127.0.0.1) and serves until Close.
func (s *Server) Start(addr string) error {
	s.mu.Lock() // so that no call is answered before the address is known
	defer s.mu.Unlock()

	server, base, err := sim.Serve(addr, s)
	if err != nil {
		return fmt.Errorf("listen for the simulated CircleCI: %w", err)
	}

	s.server, s.base = server, base
	return nil
}

// Close stops serving, webhooks and all scenarios, and waits for what is in progress.
func (s *Server) Close() {
	s.mu.Lock()
	s.stop()
	for _, p := range s.pipelines {
		p.halt()
	}

	s.mu.Unlock()
	if s.server != nil {
		s.server.Close() // an error changes nothing: the simulator ends
	}

	s.named.Close()
	s.running.Wait()
}

// background runs work that Close waits for. The caller holds the lock. After Close, work is not
// run.
func (s *Server) background(work func()) {
	if s.ctx.Err() == nil {
		s.running.Go(work)
	}
}

// URL returns the API's address, with /api/v2 and without a trailing slash.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.base == "" {
		return "https://circleci.com" + prefix
	}
	return s.base + prefix
}

// ServeHTTP answers one API call. The Date header comes from Options.Now.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	s.handler.ServeHTTP(w, r)
}

// SetToken replaces the personal API token.
func (s *Server) SetToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// Changed returns a channel that is closed at the next change of any pipeline, trigger or webhook.
func (s *Server) Changed() <-chan struct{} { return s.changed.Next() }

// now returns the simulator's time in whole milliseconds, as in CircleCI's responses.
func (s *Server) now() time.Time { return s.options.Now().UTC().Truncate(time.Millisecond) }
