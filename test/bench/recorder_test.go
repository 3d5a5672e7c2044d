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

// recorder sits in front of both simulators. It notes when calls arrive, with a finer clock than the
// simulators' own records, and delays some of them.
type recorder struct {
	triggerDelay  time.Duration // added to each trigger
	blockProjects bool          // requests for a project get no answer

	mu        sync.Mutex
	triggered map[int64]time.Time    // by deployment
	polledAt  map[string][]time.Time // by pipeline
	firstCall time.Time              // since reset
	firstRead time.Time              // of a pipeline, since reset
	changed   chan struct{}          // closed at the next call
}

func newRecorder() *recorder {
	return &recorder{
		triggered: map[int64]time.Time{},
		polledAt:  map[string][]time.Time{},
		changed:   make(chan struct{}),
	}
}

// Wrap implements circleci.Plan and github.Plan.
func (rec *recorder) Wrap(op string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		switch {
		case op == circleci.OpTrigger:
			rec.recordTrigger(r, now)
			<-time.After(rec.triggerDelay)
		case op == circleci.OpGetProject && rec.blockProjects:
			<-r.Context().Done()
			return
		}

		rec.record(op, r, now)
		next.ServeHTTP(w, r)
	})
}

func (rec *recorder) recordTrigger(r *http.Request, now time.Time) {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))

	var trigger struct {
		Parameters struct {
			ID int64 `json:"deployment_id"`
		} `json:"parameters"`
	}
	if err != nil || json.Unmarshal(body, &trigger) != nil {
		return // the simulator reports what is wrong with it
	}

	rec.mu.Lock()
	defer rec.mu.Unlock()
	if _, again := rec.triggered[trigger.Parameters.ID]; !again {
		rec.triggered[trigger.Parameters.ID] = now
	}
}

func (rec *recorder) record(op string, r *http.Request, now time.Time) {
	rec.mu.Lock()
	defer rec.mu.Unlock()

	if id := r.PathValue("pipeline"); op == circleci.OpListWorkflows && id != "" {
		rec.polledAt[id] = append(rec.polledAt[id], now)
	}
	if rec.firstCall.IsZero() {
		rec.firstCall = now
	}
	if rec.firstRead.IsZero() && (op == circleci.OpGetPipeline || op == circleci.OpListWorkflows) {
		rec.firstRead = now
	}

	close(rec.changed)
	rec.changed = make(chan struct{})
}

// reset makes the next call the first one again.
func (rec *recorder) reset() {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.firstCall, rec.firstRead = time.Time{}, time.Time{}
}

// wait waits until a condition on the records holds, for at most a minute.
func (rec *recorder) wait(condition func() bool) bool {
	timeout := time.After(time.Minute)
	for {
		rec.mu.Lock()
		done, changed := condition(), rec.changed
		rec.mu.Unlock()
		if done {
			return true
		}

		select {
		case <-changed:
		case <-timeout:
			return false
		}
	}
}

// waitTriggers waits until n deployments have been triggered.
func (rec *recorder) waitTriggers(n int) bool {
	return rec.wait(func() bool { return len(rec.triggered) >= n })
}

// triggeredAt returns when the trigger of a deployment arrived.
func (rec *recorder) triggeredAt(deployment int64) time.Time {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.triggered[deployment]
}

// triggerCount returns how many deployments have been triggered.
func (rec *recorder) triggerCount() int {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return len(rec.triggered)
}

// polls returns the number of polls between two times, the number of pipelines that were polled, and for
// each pipeline the longest time without a poll since its creation.
func (rec *recorder) polls(pipelines []circleci.Pipeline, from, to time.Time) (n, polled int, gaps []time.Duration) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for _, p := range pipelines {
		last, longest, before := p.CreatedAt, time.Duration(0), n
		for _, at := range append(slices.Clone(rec.polledAt[p.ID]), to) {
			if at.After(from) && at.Before(to) {
				n++
			}

			longest = max(longest, at.Sub(last))
			last = at
		}

		if n > before {
			polled++
		}
		gaps = append(gaps, longest)
	}

	return n, polled, gaps
}
