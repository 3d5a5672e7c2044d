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

// tally stands before a plan and notes each call for a new pipeline as the wire saw it, and how it
// was answered.
type tally struct {
	*sim.Plan
	mu    sync.Mutex
	calls []call
}

// call is one try to start a pipeline.
type call struct {
	at         time.Time
	deployment string
	answer     int // 0: none, the connection broke
}

// Wrap puts the plan, and before it the tally of an operation, before next.
func (y *tally) Wrap(op string, next http.Handler) http.Handler {
	planned := y.Plan.Wrap(op, next)
	if op != circleci.OpTrigger {
		return planned
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the caller hung up before the call was complete
		}

		r.Body = io.NopCloser(bytes.NewReader(body))
		seen := &witness{ResponseWriter: w}
		began := time.Now()
		defer func() { y.note(call{began, deploymentOf(body), seen.status}) }()
		planned.ServeHTTP(seen, r)
	})
}

func deploymentOf(body []byte) string {
	var in struct {
		Parameters map[string]any `json:"parameters"`
	}
	if json.Unmarshal(body, &in) != nil {
		return ""
	}
	return fmt.Sprint(in.Parameters["deployment_id"])
}

func (y *tally) note(c call) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.calls = append(y.calls, c)
}

func (y *tally) all() []call {
	y.mu.Lock()
	defer y.mu.Unlock()
	return slices.Clone(y.calls)
}

// witness remembers the status that was answered.
type witness struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status and passes it on.
func (w *witness) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }
