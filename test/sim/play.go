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

// play lets one call go wrong.
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

// spoil answers a call that had its effect.
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

// playLate answers now and lets the call have its effect later.
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

// wait sleeps for d and says whether neither the call nor the plan ended meanwhile.
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
	io.WriteString(w, f.Body) // the caller hung up
}

// effect runs a call whose caller will not see the true answer.
func serve(next http.Handler, r *http.Request) *httptest.ResponseRecorder {
	full := httptest.NewRecorder()
	next.ServeHTTP(full, r)
	return full
}

// detached is a copy of r that outlives its connection, its body and its router.
func detach(r *http.Request) *http.Request {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the caller hung up before the call was complete
	}

	ctx := context.WithoutCancel(r.Context())
	if route := chi.RouteContext(ctx); route != nil { // chi reuses it after the call
		kept := *route
		kept.URLParams.Keys = slices.Clone(route.URLParams.Keys)
		kept.URLParams.Values = slices.Clone(route.URLParams.Values)
		ctx = context.WithValue(ctx, chi.RouteCtxKey, &kept)
	}

	out := r.Clone(ctx)
	out.Body = io.NopCloser(bytes.NewReader(body))
	return out
}

// truncate announces the whole answer and sends half of it.
func truncate(w http.ResponseWriter, full *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), full.Header())
	w.Header().Set("Content-Length", strconv.Itoa(full.Body.Len()))
	w.WriteHeader(full.Code)
	w.Write(full.Body.Bytes()[:full.Body.Len()/2]) // the caller hung up
	http.NewResponseController(w).Flush()          // as above
	panic(http.ErrAbortHandler)
}

// reset breaks the connection with a TCP reset rather than a clean end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2, or a recorder: the next best
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) // without it, the close is a clean one
	}
	conn.Close() // it is meant to break
}
