package server

import (
	"crypto/rand"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"
)

// logRequests gives each request an id and a logger that carries it, and writes one debug line when
// the request is answered.
func (s *Server) logRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()
		w.Header().Set("X-Request-Id", id)
		log := s.o.Log.With().Str("request", id).Stringer("client", clientOf(r)).Logger()

		answer := &statusWriter{ResponseWriter: w}
		began := time.Now()
		serveRecovered(next, answer, r.WithContext(log.WithContext(r.Context())))
		log.Debug().
			Str("method", r.Method).
			Str("path", loggedPath(r.URL.Path)).
			Int("status", answer.status).
			Dur("took", time.Since(began)).
			Msg("request answered")
	})
}

// loggedPath is a path as it may be logged: without the secret in the address of a link.
func loggedPath(path string) string {
	if strings.HasPrefix(path, "/link/") {
		return "/link/{code}"
	}
	return path
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int // 0 until the answer begins
}

// WriteHeader begins the answer.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write begins the answer with 200 where it has not begun.
func (w *statusWriter) Write(body []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(body)
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// serveRecovered has next answer. It logs a panic and answers 500, unless an answer has begun.
func serveRecovered(next http.Handler, w *statusWriter, r *http.Request) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler {
			panic(v) // net/http closes the connection, and logs nothing
		}

		zerolog.Ctx(r.Context()).Error().Any("panic", v).Bytes("stack", debug.Stack()).Msg("panic in handler")
		if w.status == 0 {
			writeError(w, r, internalError(nil))
		}
	}()

	next.ServeHTTP(w, r)
}

// routeHeadAsGet routes HEAD as GET. net/http leaves out the body.
func routeHeadAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			chi.RouteContext(r.Context()).RouteMethod = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
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
