package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// triggerRecorder records each trigger as it came over the network, before the plan acts on it, and its
// answer.
type triggerRecorder struct {
	*sim.Plan
	mu    sync.Mutex
	calls []call
}

// call is one attempt to start a pipeline.
type call struct {
	at         time.Time
	deployment string
	status     int // 0: no answer, the connection broke
}

// Wrap applies the plan to next, and records the calls of triggers.
func (r *triggerRecorder) Wrap(op string, next http.Handler) http.Handler {
	planned := r.Plan.Wrap(op, next)
	if op != circleci.OpTrigger {
		return planned
	}

	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the client closed the connection before the request was complete
		}

		req.Body = io.NopCloser(bytes.NewReader(body))
		recorder := &statusRecorder{ResponseWriter: w}
		began := time.Now()
		defer func() { r.record(call{at: began, deployment: deploymentOf(body), status: recorder.status}) }()
		planned.ServeHTTP(recorder, req)
	})
}

func deploymentOf(body []byte) string {
	var trigger struct {
		Parameters map[string]any `json:"parameters"`
	}
	if json.Unmarshal(body, &trigger) != nil {
		return ""
	}
	return fmt.Sprint(trigger.Parameters["deployment_id"])
}

func (r *triggerRecorder) record(c call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
}

func (r *triggerRecorder) all() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// statusRecorder keeps the status of the response.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader keeps the status and passes it on.
func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.ResponseController access to the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
