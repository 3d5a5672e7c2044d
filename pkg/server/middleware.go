package server

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/rs/zerolog"
)

// logRequests gives each request an id and a logger that carries it, and writes one debug line when
// the request is answered.
func (s *Server) logRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()
		w.Header().Set("X-Request-Id", id)
		log := s.o.Log.With().Str("request", id).Stringer("client", clientOf(r)).Logger()

		wrapped := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		entry := &logEntry{log: log, w: wrapped}
		ctx := context.WithValue(log.WithContext(r.Context()), middleware.LogEntryCtxKey, middleware.LogEntry(entry))
		entry.r = r.WithContext(ctx)

		began := time.Now()
		next.ServeHTTP(wrapped, entry.r)
		log.Debug().
			Str("method", r.Method).
			Str("path", loggedPath(r.URL.Path)).
			Int("status", wrapped.Status()).
			Dur("took", time.Since(began)).
			Msg("request answered")
	})
}

// loggedPath is a path without what lets its reader go on with a link.
func loggedPath(path string) string {
	if strings.HasPrefix(path, "/link/") {
		return "/link/{code}"
	}
	return path
}

// logEntry receives panics from middleware.Recoverer.
type logEntry struct {
	log zerolog.Logger
	w   middleware.WrapResponseWriter
	r   *http.Request
}

// Write does nothing: logRequests writes the line.
func (e *logEntry) Write(int, int, http.Header, time.Duration, any) {}

// Panic logs a panic and answers 500, unless an answer has begun. Recoverer then sends a 500 of its
// own without a body, which has no effect after this one.
func (e *logEntry) Panic(v any, stack []byte) {
	e.log.Error().Any("panic", v).Bytes("stack", stack).Msg("panic in handler")
	if e.w.Status() == 0 {
		writeError(e.w, e.r, internalError(nil))
	}
}

// securityHeaders keep a browser from running, framing, caching or leaking an answer.
func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
