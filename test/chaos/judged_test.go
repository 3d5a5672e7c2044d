package chaos

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// wronglyRan returns what is wrong with the end of a deployment that must not run.
func (h *harness) wronglyRan(e *evidence) []string {
	refused := h.judged.get(e.ID).refused
	if len(e.pipelines) > 0 {
		return []string{"ran although " + refused}
	}
	if e.last().State != "error" {
		return []string{fmt.Sprintf("got final state %s, want error, because %s", e.last().State, refused)}
	}
	return nil
}

// movedBeforeTrigger reports whether a deployment correctly ended because somebody had pushed to its branch:
// nothing ran, or a push came in the moment before its trigger.
func (e *evidence) movedBeforeTrigger(h *harness) bool {
	d := h.judged.get(e.ID)
	return d != nil && d.repository.kind == requested && d.moved.Load() && e.last().State == "error" &&
		strings.Contains(e.last().Description, d.branch+" moved: wanted ") &&
		!slices.ContainsFunc(e.pipelines, func(p circleci.Pipeline) bool { return p.Config == e.SHA })
}

func (e *evidence) scenario() string {
	var payload struct {
		Scenario string `json:"scenario"`
	}
	if json.Unmarshal(e.Payload, &payload) != nil {
		return ""
	}
	return payload.Scenario
}

// lookWindow is the longest between the last look at a ref and the trigger, with the time that a call to
// GitHub may take.
const lookWindow = 15 * time.Second

// verifyJudged checks that no pipeline of a route with rules read a configuration that was not judged: it
// is that of the deployment's commit, or that of a branch which no requester can choose. A push in the
// moment between the last look at the ref and the trigger cannot be prevented (deploy/docs/security.md). Such
// a deployment must have ended as errored, and the last look must have shown the deployment's commit.
func (h *harness) verifyJudged(t *testing.T, all []*evidence) {
	ran, between, unjudged, refused := 0, 0, 0, 0
	for _, e := range all {
		d := h.judged.get(e.ID)
		if d == nil {
			continue
		}
		if d.refused != "" {
			refused++
		}

		for _, p := range e.pipelines {
			ran++
			problem, inBetween := h.unjudged(e, d, p)
			if inBetween {
				between++
			}
			if problem != "" {
				unjudged++
				t.Errorf("deployment %d ran unjudged: %s\n%s", e.ID, problem, h.describe(e))
			}
		}
	}

	t.Logf("with rules: %d pipelines, %d run unjudged; %d pushes came between the last look and the trigger; "+
		"%d deployments had to be refused", ran, unjudged, between, refused)
}

// unjudged says why a pipeline ran unjudged; empty: it was judged. inBetween says that a push came between
// the last look at the ref and the trigger.
func (h *harness) unjudged(e *evidence, d *ruledDeployment, p circleci.Pipeline) (problem string, inBetween bool) {
	if d.repository.kind != requested {
		if h.judged.wasMain(d.repository.name, p.Config) {
			return "", false
		}
		return fmt.Sprintf("got the configuration of %.7s, want that of main", p.Config), false
	}

	call := e.callOf(p)
	last, ok := h.reads.lastBefore(d.branch, call.at)
	switch {
	case !ok || call.at.Sub(last.at) > lookWindow:
		return "nobody looked at its ref before the trigger", false
	case last.sha != e.SHA:
		return fmt.Sprintf("the last look at its ref showed %.7s, want %.7s", last.sha, e.SHA), false
	case p.Config == e.SHA:
		return "", false
	case h.unchangedSinceRestore(e), h.restored.alreadyHandled(e):
		return "", true // a database that took over does not know the pipeline
	case !d.moved.Load() || e.last().State != "error" || !strings.Contains(e.last().Description, " moved: wanted "):
		return fmt.Sprintf("got the configuration of %.7s and %s, want that of %.7s or an error", p.Config,
			e.last().State, e.SHA), false
	default:
		return "", true
	}
}

// callOf returns the trigger that started a pipeline: the last one before it. A pipeline may start long after
// its trigger got no answer.
func (e *evidence) callOf(p circleci.Pipeline) call {
	var last call
	for _, c := range e.calls {
		if !c.at.After(p.CreatedAt.Add(time.Millisecond)) && c.at.After(last.at) {
			last = c
		}
	}
	return last
}

// refRecorder records each look at a branch as GitHub answered it, before the plan acts on the answer.
type refRecorder struct {
	*sim.Plan
	mu    sync.Mutex
	heads map[string][]read // by branch
}

// read is one look at a branch.
type read struct {
	at  time.Time
	sha string
}

// Wrap applies the plan to next, and records looks at branches.
func (r *refRecorder) Wrap(op string, next http.Handler) http.Handler {
	if op != github.OpGetRef {
		return r.Plan.Wrap(op, next)
	}

	return r.Plan.Wrap(op, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		recorder := &bodyRecorder{ResponseWriter: w}
		next.ServeHTTP(recorder, req)
		var answer struct {
			Ref    string
			Object struct{ SHA string }
		}
		if json.Unmarshal(recorder.body, &answer) == nil && answer.Object.SHA != "" {
			r.record(strings.TrimPrefix(answer.Ref, "refs/heads/"), answer.Object.SHA)
		}
	}))
}

func (r *refRecorder) record(branch, sha string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heads[branch] = append(r.heads[branch], read{at: time.Now(), sha: sha})
}

// lastBefore returns the last look at a branch before a moment.
func (r *refRecorder) lastBefore(branch string, at time.Time) (last read, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, look := range r.heads[branch] {
		if look.at.Before(at) {
			last, ok = look, true
		}
	}
	return last, ok
}

// bodyRecorder keeps the body of the response.
type bodyRecorder struct {
	http.ResponseWriter
	body []byte
}

// Write keeps a part of the body and passes it on.
func (r *bodyRecorder) Write(part []byte) (int, error) {
	r.body = append(r.body, part...)
	return r.ResponseWriter.Write(part)
}

// Unwrap gives http.ResponseController access to the connection.
func (r *bodyRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
