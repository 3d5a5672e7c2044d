package sim

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
)

// apply answers one call with a fault.
func (p *Plan) apply(f Fault, next http.Handler, w http.ResponseWriter, r *http.Request) {
	if !p.sleep(r.Context(), f.Delay) {
		panic(http.ErrAbortHandler)
	}
	if f.LateEffect > 0 {
		p.applyLate(f, next, w, r)
		return
	}
	if f.ResetBefore {
		reset(w)
		return
	}
	if f.Status != 0 && !f.AfterEffect {
		f.respond(w, f.Status)
		return
	}
	if f.Status == 0 && !f.ResetAfter && !f.Truncate {
		next.ServeHTTP(w, r)
		return
	}

	f.respondAfterEffect(w, serve(next, detach(r)))
}

// respondAfterEffect answers a call that has had its effect.
func (f Fault) respondAfterEffect(w http.ResponseWriter, full *httptest.ResponseRecorder) {
	switch {
	case f.ResetAfter:
		reset(w)
	case f.Truncate:
		truncate(w, full)
	default:
		f.respond(w, f.Status)
	}
}

// applyLate answers the call now and lets it have its effect later.
func (p *Plan) applyLate(f Fault, next http.Handler, w http.ResponseWriter, r *http.Request) {
	kept := detach(r)
	p.mu.Lock()
	if p.ctx.Err() == nil {
		p.late.Go(func() {
			if p.sleep(context.Background(), f.LateEffect) {
				serve(next, kept)
			}
		})
	}

	p.mu.Unlock()
	switch {
	case f.ResetBefore || f.ResetAfter:
		reset(w)
	case f.Status == 0:
		f.respond(w, http.StatusGatewayTimeout)
	default:
		f.respond(w, f.Status)
	}
}

// sleep waits for d and reports whether neither the call nor the plan ended meanwhile.
func (p *Plan) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}

	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-p.ctx.Done():
	}

	return false
}

func (f Fault) respond(w http.ResponseWriter, status int) {
	for name, values := range f.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	w.WriteHeader(status)
	io.WriteString(w, f.Body) // an error means that the caller closed the connection
}

// serve runs the call and records the response, which the caller does not see.
func serve(next http.Handler, r *http.Request) *httptest.ResponseRecorder {
	full := httptest.NewRecorder()
	next.ServeHTTP(full, r)
	return full
}

// detach copies r so that the copy stays usable after the connection, the body and the router
// context of r are gone.
func detach(r *http.Request) *http.Request {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the caller closed the connection before the request was complete
	}

	ctx := context.WithoutCancel(r.Context())
	if route := chi.RouteContext(ctx); route != nil { // chi reuses it after the call, so it is copied
		kept := *route
		kept.URLParams.Keys = slices.Clone(route.URLParams.Keys)
		kept.URLParams.Values = slices.Clone(route.URLParams.Values)
		ctx = context.WithValue(ctx, chi.RouteCtxKey, &kept)
	}

	out := r.Clone(ctx)
	out.Body = io.NopCloser(bytes.NewReader(body))
	return out
}

// truncate announces the whole response and sends half of it.
func truncate(w http.ResponseWriter, full *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), full.Header())
	w.Header().Set("Content-Length", strconv.Itoa(full.Body.Len()))
	w.WriteHeader(full.Code)
	w.Write(full.Body.Bytes()[:full.Body.Len()/2]) // an error means that the caller closed the connection
	http.NewResponseController(w).Flush()          // as above
	panic(http.ErrAbortHandler)
}

// reset ends the connection with a TCP reset, not with an orderly close.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 and recorders have no connection to reset
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) // makes Close send a reset; on failure it is an orderly close
	}
	conn.Close() // breaking the connection is the purpose
}
