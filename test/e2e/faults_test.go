package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
)

// faults breaks the calls of an API one by one: each repository has a plan of its own, and gates
// hold single calls.
type faults struct {
	mu    sync.Mutex
	plans map[string]*sim.Plan
	gates []*gate
}

// of is the plan for the calls about one repository.
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
		if g := f.gate(op, body); g != nil {
			g.hold(w, r, next)
			return
		}

		f.about(r.URL.Path).Wrap(op, next).ServeHTTP(w, r)
	})
}

func (f *faults) about(path string) *sim.Plan {
	f.mu.Lock()
	defer f.mu.Unlock()
	for repository, p := range f.plans {
		if strings.Contains(path+"/", "/"+repository+"/") {
			return p
		}
	}
	return sim.NewPlan(1)
}

// gate holds one call until the test lets it go on, or its caller is gone.
type gate struct {
	op, words string // which call: its operation, and what its body holds
	after     bool   // the call has had its effect, only the answer is held; else it has none unless it is let go on
	reached   chan struct{}
	open      chan struct{}
	used      bool
}

// block plans a gate for the next call of an operation whose body holds these words.
func (f *faults) block(op, words string, after bool) *gate {
	g := &gate{op: op, words: words, after: after, reached: make(chan struct{}), open: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gates = append(f.gates, g)
	return g
}

func (f *faults) gate(op string, body []byte) *gate {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range f.gates {
		if !g.used && g.op == op && bytes.Contains(body, []byte(g.words)) {
			g.used = true
			return g
		}
	}

	return nil
}

func (g *gate) hold(w http.ResponseWriter, r *http.Request, next http.Handler) {
	out := httptest.NewRecorder()
	if g.after {
		next.ServeHTTP(out, r.WithContext(context.WithoutCancel(r.Context())))
	}

	close(g.reached)
	select {
	case <-g.open:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}

	if !g.after {
		next.ServeHTTP(w, r)
		return
	}

	for name, values := range out.Header() {
		w.Header()[name] = values
	}

	w.WriteHeader(out.Code)
	w.Write(out.Body.Bytes()) // the caller may have hung up
}

// wait returns when the call is held.
func (g *gate) wait(t *testing.T) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-g.reached:
	case <-timer.C:
		t.Fatalf("no call %q with %q came within %s", g.op, g.words, patience)
	}
}
