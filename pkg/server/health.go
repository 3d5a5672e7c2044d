package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/api"
)

// readyTimeout bounds the checks behind /readyz.
const readyTimeout = 2 * time.Second

func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

// readiness is the answer of /readyz. It has an error only with status 503.
type readiness struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks"`
	Error  *api.Error        `json:"error,omitempty"`
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()

	ready := readiness{Status: "ready", Checks: map[string]string{}}
	for name, err := range s.o.Ready(ctx) {
		ready.Checks[name] = "ok"
		if err != nil {
			ready.Checks[name] = "unavailable" // the cause may name hosts, so only the log shows it
			ready.Status = "unavailable"
			zerolog.Ctx(r.Context()).Warn().Err(err).Str("check", name).Msg("not ready")
		}
	}
	if s.draining.Load() {
		ready.Status = "draining"
	}

	if ready.Status == "ready" {
		writeJSON(w, r, http.StatusOK, ready)
		return
	}

	ready.Error = &api.Error{Code: "not_ready", Message: "the service is " + ready.Status}
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	writeJSON(w, r, http.StatusServiceUnavailable, ready)
}
