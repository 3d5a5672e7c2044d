package e2e

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
)

// faults makes single calls of an API fail: each repository has a plan of its own, and single calls can
// be blocked.
type faults struct {
	mu      sync.Mutex
	plans   map[string]*sim.Plan
	blocked []*blockedCall
}

// of returns the plan for the calls about one repository.
func (f *faults) of(repository string) *sim.Plan {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.plans == nil {
		f.plans = map[string]*sim.Plan{}
	}
	if f.plans[repository] == nil {
		f.plans[repository] = sim.NewPlan(1)
	}

	return f.plans[repository]
}

func (f *faults) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.plans {
		p.Close()
	}
}

// Wrap implements the Plan of both simulators.
func (f *faults) Wrap(op string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}

		r.Body = io.NopCloser(bytes.NewReader(body))
		if c := f.takeBlocked(op, body); c != nil {
			c.serve(w, r, next)
			return
		}

		f.planFor(r.URL.Path).Wrap(op, next).ServeHTTP(w, r)
	})
}

// planFor returns the plan for a call by its path.
func (f *faults) planFor(path string) *sim.Plan {
	f.mu.Lock()
	defer f.mu.Unlock()
	for repository, p := range f.plans {
		if strings.Contains(path+"/", "/"+repository+"/") {
			return p
		}
	}
	return sim.NewPlan(1)
}

// blockedCall is a call that waits until the test releases it, or until its client has gone.
type blockedCall struct {
	op          string
	contains    string        // part of the body of the request
	afterEffect bool          // only the answer waits; otherwise the call has no effect before its release
	reached     chan struct{} // closed when the call has come
	release     chan struct{} // closed by the test
	used        bool
}

// block blocks the next call of an operation whose body contains a text.
func (f *faults) block(op, contains string, afterEffect bool) *blockedCall {
	c := &blockedCall{
		op:          op,
		contains:    contains,
		afterEffect: afterEffect,
		reached:     make(chan struct{}),
		release:     make(chan struct{}),
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	f.blocked = append(f.blocked, c)
	return c
}

func (f *faults) takeBlocked(op string, body []byte) *blockedCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.blocked {
		if !c.used && c.op == op && bytes.Contains(body, []byte(c.contains)) {
			c.used = true
			return c
		}
	}

	return nil
}

func (c *blockedCall) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	answer := httptest.NewRecorder()
	if c.afterEffect {
		next.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
	}

	close(c.reached)
	select {
	case <-c.release:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}

	if !c.afterEffect {
		next.ServeHTTP(w, r)
		return
	}

	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes()) // the client may have gone
}

// wait waits until the call has come.
func (c *blockedCall) wait(t *testing.T) {
	t.Helper()
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case <-c.reached:
	case <-timer.C:
		t.Fatalf("got no call %q with %q in %s", c.op, c.contains, maxWait)
	}
}
