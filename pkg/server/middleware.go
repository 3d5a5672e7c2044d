package server

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/rs/zerolog"
)

// logged gives each request an id and a logger that carries it, and writes one line when it is
// answered.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()
		w.Header().Set("X-Request-Id", id)
		log := s.o.Log.With().Str("request", id).Stringer("client", clientOf(r)).Logger()
		wrapped := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		e := &entry{log: log, w: wrapped}
		e.r = r.WithContext(
			context.WithValue(log.WithContext(r.Context()), middleware.LogEntryCtxKey, middleware.LogEntry(e)),
		)
		began := time.Now()
		next.ServeHTTP(wrapped, e.r)
		log.Debug().Str("method", r.Method).Str("path", r.URL.Path).Int("status", wrapped.Status()).
			Dur("took", time.Since(began)).Msg("answered")
	})
}

// entry is told by middleware.Recoverer of a panic. It answers in the shape of every error; the 500
// without a body that follows comes too late to count.
type entry struct {
	log zerolog.Logger
	w   middleware.WrapResponseWriter
	r   *http.Request
}

// Write does nothing: logged writes the line.
func (e *entry) Write(int, int, http.Header, time.Duration, any) {}

// Panic logs the panic and answers 500 unless an answer is under way.
func (e *entry) Panic(v any, stack []byte) {
	e.log.Error().Any("panic", v).Bytes("stack", stack).Msg("a request made us panic")
	if e.w.Status() == 0 {
		writeError(e.w, e.r, newError(http.StatusInternalServerError, "internal", "internal error, see the log"))
	}
}

// securityHeaders keep a browser from making anything else of an answer.
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
