package server

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// Server answers HTTP. It starts no goroutine of its own.
type Server struct {
	o        Options
	memory   *bodyBudget
	draining atomic.Bool
	router   chi.Router
}

// New builds a Server. It does not listen.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{o: o, memory: newMemory(o.MaxInFlight)}
	s.router = s.routes()
	return s
}

// Handler answers everything, /metrics only with ServeMetrics.
func (s *Server) Handler() http.Handler { return s.router }

// MetricsHandler answers /metrics alone, for a listener of its own.
func (s *Server) MetricsHandler() http.Handler {
	r := s.newRouter()
	if s.o.Metrics != nil {
		r.Method(http.MethodGet, "/metrics", s.o.Metrics)
	}
	return r
}

// Drain makes /readyz say 503 from now on; everything else goes on.
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

// HTTPServer listens with bounds on everything: 5 s for the headers and 64 KiB of them, 20 s for
// headers and body together, 60 s for the answer, 60 s of idling.
func HTTPServer(addr string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
	}
}

func (s *Server) routes() chi.Router {
	r := s.newRouter()
	r.Get("/healthz", s.healthz)
	r.Get("/readyz", s.readyz)
	r.Post("/webhooks/github", s.github)
	r.Post("/events", s.github) // the path of Heaven, whose hooks then need no change
	if len(s.o.CircleCISecrets) > 0 {
		r.Post("/webhooks/circleci", s.circleci)
	}
	if s.o.Claims != nil {
		r.With(claimRate()).Post("/webhooks/claim", s.claim)
	}
	if s.o.Metrics != nil && s.o.ServeMetrics {
		r.Method(http.MethodGet, "/metrics", s.o.Metrics)
	}
	if len(s.o.Tokens) > 0 {
		r.Route("/api/v1", s.mountAPI)
	}

	return r
}

func (s *Server) mountAPI(r chi.Router) {
	r.Use(s.authorize(ScopeRead))
	r.Get("/deployments", s.list)
	r.Get("/deployments/{id}", s.get)
	if s.o.Commands != nil {
		s.mountCommands(r)
	}
}

// newRouter is a router with what every answer has in common.
func (s *Server) newRouter() chi.Router {
	r := chi.NewRouter()
	r.Use(s.client, s.logged, middleware.Recoverer, securityHeaders, middleware.GetHead)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		writeError(w, r, newError(http.StatusNotFound, "not_found", "there is nothing at this path"))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		allow(w, r, req.URL.Path)
		writeError(
			w,
			req,
			newError(
				http.StatusMethodNotAllowed,
				"method_not_allowed",
				"this path takes another method, see the Allow header",
			),
		)
	})

	return r
}

// allow names the methods that a path takes.
func allow(w http.ResponseWriter, routes chi.Routes, path string) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		if routes.Match(chi.NewRouteContext(), method, path) {
			w.Header().Add("Allow", method)
		}
	}
}
