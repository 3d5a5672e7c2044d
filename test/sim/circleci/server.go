// Package circleci is a CircleCI that fits into a test: projects, pipelines, workflows, jobs and
// outbound webhooks, spoken over real HTTP and kept in memory. It follows the CircleCI API v2
// reference and what its users report, and knows nothing of who calls it.
//
// Each pipeline plays a story from Scenarios, one stage each Options.Step, or is driven by hand.
// Afterwards Triggers, Pipelines, Calls and Violations tell what happened.
package circleci

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/signal"
)

// Options describe the CircleCI to simulate. The zero value has one personal token, DefaultToken,
// and no project, and its pipelines are driven by hand; DefaultStep is a good Step.
type Options struct {
	Token  string // a personal API token; default DefaultToken
	Login  string // of the token's user; default "seraph-bot"
	UserID string // of the token's user, a UUID; default a random one
	Now    func() time.Time
	Plan   Plan // which calls fail; default none

	WebhookURL    string // where workflow-completed goes; empty: nowhere
	WebhookSecret string // signs it; empty: unsigned

	Step     time.Duration // length of a story's stage; 0 is DefaultStep, ManualDrive (or less) plays no story
	ListLag  time.Duration // how long after the trigger a pipeline shows up in lists
	ClaimURL string        // asked by each pipeline before it deploys; empty: nobody

	AnyProject bool                             // projects come into being when they are first named
	AnyBranch  bool                             // a branch nobody set exists, even beside branches that were set
	Revision   func(project, ref string) string // of branches nobody set; default RevisionOf(ref); "": not found
	// TagRevision is the commit of tags that nobody set; default Revision.
	TagRevision func(project, tag string) string
}

// DefaultStep is the length of a story's stage unless Options.Step names another; ManualDrive as a
// step means that no pipeline moves unless the test moves it.
const (
	DefaultStep = 50 * time.Millisecond
	ManualDrive = -1 * time.Nanosecond
)

// DefaultToken is the personal API token that works unless Options.Token names another.
const DefaultToken = "CCIPAT_simulated_0000000000000000000000000000"

// Plan makes calls fail: it stands before the handler of each operation.
type Plan interface {
	Wrap(op string, next http.Handler) http.Handler
}

// Server is the simulated CircleCI. Everything in it is safe for concurrent use.
type Server struct {
	options Options
	handler http.Handler
	changed signal.Broadcaster
	named   *sim.Plan // of NextNamed
	client  *http.Client
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	server  *http.Server

	mu          sync.Mutex
	base        string // scheme and host that callers reach it under
	token       string
	projects    []*project
	pipelines   []*pipeline // oldest first
	byID        map[string]*pipeline
	workflows   map[string]*workflow
	triggers    []Trigger
	rateLimited map[string]bool // triggers that met the rate limit already
	cancels     []string
	hooksOff    bool
	hooks       []Hook
	calls       map[string]int
	violations  []string

	valuesShowParameters  bool // pipeline values include parameters
	configHidesParameters bool // compiled configs do not include parameters
}

// New makes a simulator. Use it as an http.Handler, or Start it; Close it either way.
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
	if addr == "" {
		addr = "127.0.0.1:0"
	}

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for the simulated CircleCI: %w", err)
	}

	s.mu.Lock()
	s.base = "http://" + listener.Addr().String()
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	s.mu.Unlock()
	go s.server.Serve(listener) // always http.ErrServerClosed

	return nil
}

// Close stops serving, sending and all stories, and waits for what is under way.
func (s *Server) Close() {
	s.mu.Lock()
	s.stop()
	for _, p := range s.pipelines {
		p.halt()
	}

	s.mu.Unlock()
	if s.server != nil {
		s.server.Close() // nothing to be done about it
	}

	s.named.Close()
	s.running.Wait()
}

// background runs work that Close waits for. The caller holds the lock, and after Close nothing is
// run.
func (s *Server) background(work func()) {
	if s.ctx.Err() == nil {
		s.running.Go(work)
	}
}

// URL is the API's address, with /api/v2 and without a trailing slash.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.base == "" {
		return "https://circleci.com" + prefix
	}
	return s.base + prefix
}

// ServeHTTP answers one API call. Its date is that of CircleCI's own clock.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	s.handler.ServeHTTP(w, r)
}

// SetToken replaces the personal API token that works.
func (s *Server) SetToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// Changed returns a channel that is closed at the next change of any pipeline, trigger or webhook.
func (s *Server) Changed() <-chan struct{} { return s.changed.Next() }

// now is the simulator's clock in whole milliseconds, as CircleCI's times are.
func (s *Server) now() time.Time { return s.options.Now().UTC().Truncate(time.Millisecond) }
