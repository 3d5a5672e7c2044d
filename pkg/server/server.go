package server

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/httprate"
)

// Server answers HTTP. It starts no goroutines of its own but those of streams of events.
type Server struct {
	o        Options
	bodies   *bodyBudget
	draining atomic.Bool
	router   chi.Router

	unknownClaims *httprate.RateLimiter
	limits        *callLimits
	streams       *streamShares
	streaming     sync.WaitGroup
}

// New builds a Server. It does not listen.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{
		o:             o,
		bodies:        newBodyBudget(o.MaxInFlight),
		unknownClaims: newClaimLimiter(),
		limits:        newCallLimits(o.Tokens),
		streams:       &streamShares{most: o.StreamShare, open: map[string]int{}},
	}
	s.router = s.routes()
	return s
}

// Handler serves everything; /metrics only where ServeMetrics is set.
func (s *Server) Handler() http.Handler { return s.router }

// MetricsHandler serves /metrics alone, for a listener of its own.
func (s *Server) MetricsHandler() http.Handler {
	r := s.newRouter()
	if s.o.Metrics != nil {
		r.Method(http.MethodGet, "/metrics", s.o.Metrics)
	}
	return r
}

// Drain makes /readyz answer 503 from now on. Everything else is served as before.
func (s *Server) Drain() { s.draining.Store(true) }

// Routes lists what Handler serves as "METHOD /path".
func (s *Server) Routes() []string {
	var all []string
	_ = chi.Walk(s.router, func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		all = append(all, method+" "+path)
		return nil
	})
	return all
}

// HTTPServer makes an HTTP server with a limit on everything a client can hold on to.
func HTTPServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       20 * time.Second, // headers and body together
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
	}
}

func (s *Server) routes() chi.Router {
	r := s.newRouter()
	r.Get("/healthz", s.healthz)
	r.Get("/readyz", s.readyz)

	github := s.webhookHandler(sourceGitHub, "X-GitHub-Event", s.processGitHub)
	r.Post("/webhooks/github", github)
	r.Post("/events", github) // the path of Heaven, so that its hooks need no change
	if len(s.o.CircleCISecrets) > 0 {
		r.Post("/webhooks/circleci", s.webhookHandler(sourceCircleCI, "circleci-event-type", s.processCircleCI))
	}
	if s.o.Slack != nil {
		r.Post("/webhooks/slack", s.slack)
	}
	if s.o.Claims != nil {
		r.Post("/webhooks/claim", s.claim)
	}

	if s.o.Link != nil {
		r.Method(http.MethodGet, "/link/{code}", s.o.Link)
		r.Method(http.MethodGet, "/login/callback", s.o.Link)
	}

	if s.o.Metrics != nil && s.o.ServeMetrics {
		r.Method(http.MethodGet, "/metrics", s.o.Metrics)
	}
	if len(s.o.Tokens) > 0 {
		r.Route("/api/v1", s.mountAPI)
	} else {
		r.HandleFunc("/api/v1", apiOff)
		r.HandleFunc("/api/v1/*", apiOff)
	}

	return r
}

// apiOff answers every call of the API where no token opens it.
func apiOff(w http.ResponseWriter, r *http.Request) {
	const message = "the API is off: set SERAPH_API_TOKENS to turn it on"
	writeError(w, r, newError(http.StatusNotFound, "not_found", message))
}

// mountAPI serves /api/v1. The scope read may ask everything; changing something needs more.
func (s *Server) mountAPI(r chi.Router) {
	r.Use(s.authenticate, s.requireScope(ScopeRead))
	r.Get("/deployments", s.listDeployments)
	r.Get("/deployments/{id}", s.getDeployment)
	r.With(s.limitGitHub).Get("/deployments/{id}/explain", query(s.explain))
	r.Get("/deliveries", query(s.listDeliveries))
	r.Get("/environments", query(s.listEnvironments))
	r.Get("/events", s.streamEvents)
	r.With(s.limitGitHub).Get("/gate", query(s.gate))
	r.Get("/locks", query(s.listLocks))
	r.Get("/locks/{id}", query(s.getLock))
	r.Get("/notices", query(s.listNotices))
	r.Get("/requests/{key}", query(s.getRequest))
	r.Get("/whoami", query(s.whoAmI))

	r.Group(func(r chi.Router) {
		r.Use(s.requireScope(ScopeDeploy)) // each handler counts what asks GitHub
		r.Post("/commands", perform(s, http.StatusOK, s.runLine))
		r.Post("/deployments", s.deploy)
		r.Post("/rollbacks", s.rollback)
		r.Post("/deployments/{id}/approve", mutate(s, http.StatusOK, s.approve))
		r.Post("/deployments/{id}/approve-hold", mutate(s, http.StatusOK, s.approveHold))
		r.Post("/deployments/{id}/cancel", mutate(s, http.StatusAccepted, s.cancel))
		r.Post("/deployments/{id}/force", mutate(s, http.StatusAccepted, s.force))
		r.Post("/locks", mutate(s, http.StatusCreated, s.takeLock))
		r.Post("/locks/{id}/extend", mutate(s, http.StatusOK, s.extendLock))
		r.Post("/locks/{id}/hand-over", mutate(s, http.StatusOK, s.handOverLock))
		r.Post("/locks/{id}/release", mutate(s, http.StatusNoContent, s.releaseLock)) // DELETE may lose its body
		r.Delete("/locks/{id}", mutate(s, http.StatusNoContent, s.releaseLock))
	})
}

// newRouter makes a router with what all answers have in common.
func (s *Server) newRouter() chi.Router {
	r := chi.NewRouter()
	r.Use(s.rememberClient, s.logRequests, securityHeaders, routeHeadAsGet)

	r.NotFound(func(w http.ResponseWriter, req *http.Request) {
		writeError(w, req, newError(http.StatusNotFound, "not_found", "there is nothing at this path"))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		const message = "this path does not allow the method, see the Allow header"
		addAllowed(w, r, req.URL.Path)
		writeError(w, req, newError(http.StatusMethodNotAllowed, "method_not_allowed", message))
	})

	return r
}

// addAllowed lists the methods of a path in the Allow header.
func addAllowed(w http.ResponseWriter, routes chi.Routes, path string) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		if routes.Match(chi.NewRouteContext(), method, path) {
			w.Header().Add("Allow", method)
		}
	}
}
