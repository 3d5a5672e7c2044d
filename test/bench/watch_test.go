package bench

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// watch stands before the two vendors. It notes when calls arrive, more finely than the vendors'
// own records, and holds some of them up.
type watch struct {
	slow time.Duration // what a trigger takes
	hold bool          // a question for a project gets no answer

	mu        sync.Mutex
	triggered map[int64]time.Time    // by deployment
	pipelines map[string][]time.Time // the looks at each
	anyCall   time.Time              // the first since forget
	ciCall    time.Time              // the first to CircleCI since forget
	rang      chan struct{}          // closed at the next trigger or call
}

func newWatch() *watch {
	return &watch{triggered: map[int64]time.Time{}, pipelines: map[string][]time.Time{}, rang: make(chan struct{})}
}

// Wrap implements circleci.Plan and github.Plan.
func (w *watch) Wrap(op string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		now := time.Now()
		switch {
		case op == circleci.OpTrigger:
			w.noteTrigger(r, now)
			<-time.After(w.slow)
		case op == circleci.OpGetProject && w.hold:
			<-r.Context().Done()
			return
		}

		w.note(op, r, now)
		next.ServeHTTP(out, r)
	})
}

func (w *watch) noteTrigger(r *http.Request, now time.Time) {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var sent struct {
		Parameters struct {
			ID int64 `json:"deployment_id"`
		} `json:"parameters"`
	}

	if err != nil || json.Unmarshal(body, &sent) != nil {
		return // the simulator says what is wrong with it
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	if _, again := w.triggered[sent.Parameters.ID]; !again {
		w.triggered[sent.Parameters.ID] = now
	}
}

func (w *watch) note(op string, r *http.Request, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id := r.PathValue("pipeline"); op == circleci.OpListWorkflows && id != "" {
		w.pipelines[id] = append(w.pipelines[id], now)
	}
	if w.anyCall.IsZero() {
		w.anyCall = now
	}
	if w.ciCall.IsZero() && (op == circleci.OpGetPipeline || op == circleci.OpListWorkflows) {
		w.ciCall = now
	}

	close(w.rang)
	w.rang = make(chan struct{})
}

// forget makes the next call the first again.
func (w *watch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.anyCall, w.ciCall = time.Time{}, time.Time{}
}

// until waits for what is seen to be so, a minute at most.
func (w *watch) until(so func() bool) bool {
	late := time.After(time.Minute)
	for {
		w.mu.Lock()
		done, rang := so(), w.rang
		w.mu.Unlock()
		if done {
			return true
		}

		select {
		case <-rang:
		case <-late:
			return false
		}
	}
}

// triggers waits until so many deployments have been triggered.
func (w *watch) triggers(n int) bool {
	return w.until(func() bool { return len(w.triggered) >= n })
}

// triggeredAt says when the trigger of a deployment arrived.
func (w *watch) triggeredAt(deployment int64) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.triggered[deployment]
}

// count says how many deployments have been triggered.
func (w *watch) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.triggered)
}

// looks counts the looks at pipelines between two times, and the pipelines that had one, and says
// for each pipeline how long it went without one at most since it was made.
func (w *watch) looks(pipelines []circleci.Pipeline, from, to time.Time) (n, seen int, gaps []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range pipelines {
		last, longest, before := p.CreatedAt, time.Duration(0), n
		for _, at := range append(slices.Clone(w.pipelines[p.ID]), to) {
			if at.After(from) && at.Before(to) {
				n++
			}

			longest = max(longest, at.Sub(last))
			last = at
		}

		if n > before {
			seen++
		}

		gaps = append(gaps, longest)
	}

	return n, seen, gaps
}
