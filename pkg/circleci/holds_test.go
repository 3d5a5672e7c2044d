package circleci

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	sim "github.com/seraph-deploy/seraph/test/sim/circleci"
)

// newSimulation starts a simulated CircleCI with one pipeline, which does nothing by itself. A call that
// CircleCI does not document fails the test.
func newSimulation(t *testing.T) (s *sim.Server, c *Client, pipelineID string) {
	t.Helper()
	return newSimulationWith(t, sim.Options{})
}

// names returns the jobs as workflow/job:status.
func names(holds []deployment.HoldJob) []string {
	var all []string
	for _, h := range holds {
		all = append(all, h.Workflow+"/"+h.Name+":"+h.Status)
	}
	return all
}

func TestHolds_ApproveOneByOne(t *testing.T) {
	s, c, pipelineID := newSimulation(t)
	if _, err := s.SetWorkflow(pipelineID, "lint", "success", sim.WorkflowOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Hold(pipelineID, "deploy", "check-plan", "go-live"); err != nil {
		t.Fatal(err)
	}

	list := func(want ...string) []deployment.HoldJob {
		t.Helper()
		holds, err := c.HoldJobs(t.Context(), pipelineID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, names(holds)); diff != "" {
			t.Error(diff)
		}
		return holds
	}

	holds := list("deploy/check-plan:on_hold", "deploy/go-live:on_hold")
	if got := c.ApproveHold(t.Context(), holds[1]); got.Kind != deployment.HoldDone {
		t.Errorf("got %+v, want done", got)
	}

	list("deploy/check-plan:on_hold", "deploy/go-live:success")
	if got := c.ApproveHold(t.Context(), holds[1]); got.Kind != deployment.HoldRefused {
		t.Errorf("again: got %+v, want refused", got)
	}
	if got := c.ApproveHold(t.Context(), holds[0]); got.Kind != deployment.HoldDone {
		t.Errorf("got %+v, want done", got)
	}

	p, _ := s.Pipeline(pipelineID)
	if got := p.Workflows[1].Status; got != "running" {
		t.Errorf("got workflow %s, want running", got)
	}
}

func TestHolds_SimulatedFaults(t *testing.T) {
	for _, tt := range []struct {
		fault    string
		want     deployment.HoldKind
		approved bool // the approval had its effect
	}{
		{fault: "rate-limited", want: deployment.HoldNotSent},
		{fault: "rate-limited-bare", want: deployment.HoldNotSent},
		{fault: "bad-token", want: deployment.HoldDenied},
		{fault: "not-found", want: deployment.HoldRefused},
		{fault: "server-error", want: deployment.HoldUnknown},
		{fault: "unavailable", want: deployment.HoldUnknown},
		{fault: "no-answer", want: deployment.HoldUnknown},
		{fault: "error-after", want: deployment.HoldUnknown, approved: true},
		{fault: "lost-answer", want: deployment.HoldUnknown, approved: true},
		{fault: "half-answer", want: deployment.HoldUnknown, approved: true},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			s, c, pipelineID := newSimulation(t)
			if _, err := s.Hold(pipelineID, "deploy", "go-live"); err != nil {
				t.Fatal(err)
			}

			holds, err := c.HoldJobs(t.Context(), pipelineID)
			if err != nil || len(holds) != 1 || !holds[0].Waits() {
				t.Fatalf("got %+v (%v), want one job that waits", holds, err)
			}
			if err := s.NextNamed(sim.OpApprove, tt.fault, 1); err != nil {
				t.Fatal(err)
			}

			if got := c.ApproveHold(t.Context(), holds[0]); got.Kind != tt.want || got.Cause == "" {
				t.Errorf("got %+v, want %s with a cause", got, tt.want)
			}

			holds, err = c.HoldJobs(t.Context(), pipelineID)
			if err != nil || len(holds) != 1 || holds[0].Approved() != tt.approved {
				t.Errorf("got %+v (%v), want it approved: %t", holds, err, tt.approved)
			}
		})
	}
}

// What CircleCI, or a proxy in between, may answer to an approval.
func TestApproveHold_OutcomeByAnswer(t *testing.T) {
	const words = `{"message":"no"}`
	for _, tt := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		want   deployment.HoldKind
		after  time.Duration
	}{
		{name: "accepted", status: 202, body: `{"message":"Accepted."}`, want: deployment.HoldDone},
		{name: "accepted without a body", status: 202, want: deployment.HoldDone},
		{name: "done", status: 200, body: `{"message":"Accepted."}`, want: deployment.HoldDone},
		{name: "page of a proxy", status: 200, body: "<html>", want: deployment.HoldUnknown},
		{name: "nothing", status: 204, want: deployment.HoldUnknown},
		{name: "bad request", status: 400, body: words, want: deployment.HoldRefused},
		{name: "bad request of a proxy", status: 400, body: "<html>", want: deployment.HoldUnknown},
		{name: "unauthorized", status: 401, body: words, want: deployment.HoldDenied},
		{name: "forbidden", status: 403, body: words, want: deployment.HoldDenied},
		{name: "forbidden by a proxy", status: 403, want: deployment.HoldUnknown},
		{name: "not found", status: 404, body: words, want: deployment.HoldRefused},
		{name: "conflict", status: 409, body: words, want: deployment.HoldRefused},
		{
			name:   "limit",
			status: 429,
			header: map[string]string{"Retry-After": "7"},
			body:   "Rate limited.",
			want:   deployment.HoldNotSent,
			after:  7 * time.Second,
		},
		{name: "redirect", status: 302, want: deployment.HoldUnknown},
		{name: "server error", status: 500, body: words, want: deployment.HoldUnknown},
		{name: "gateway timeout", status: 504, want: deployment.HoldUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				got = append(got, r.Method+" "+r.URL.EscapedPath())
				for name, value := range tt.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})

			outcome := c.ApproveHold(t.Context(), deployment.HoldJob{WorkflowID: "w 1", Request: "../r"})
			if outcome.Kind != tt.want || outcome.After != tt.after {
				t.Errorf("got %+v, want %s after %v", outcome, tt.want, tt.after)
			}
			if strings.Contains(outcome.Cause, token) || (outcome.Cause == "") != (tt.want == deployment.HoldDone) {
				t.Errorf("got cause %q", outcome.Cause)
			}
			if diff := cmp.Diff([]string{"POST /api/v2/workflow/w%201/approve/..%2Fr"}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The jobs of workflows that have ended are not read, and a job without a request is approved by its id.
func TestHoldJobs_Literal(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, ok := map[string]string{
			"/api/v2/pipeline/p1/workflow": `{"items":[{"id":"w1","name":"build","status":"success"},
				{"id":"w2","name":"deploy","status":"running"}],"next_page_token":null}`,
			"/api/v2/workflow/w2/job": `{"items":[
				{"id":"j1","name":"a","type":"build","status":"running","job_number":7,"stopped_at":null},
				{"id":"j2","name":"b\u202e","type":"approval","status":"on_hold","approval_request_id":"r2"},
				{"id":"j3","name":"c","type":"approval","status":"blocked"}],"next_page_token":null}`,
		}[r.URL.Path]
		if !ok {
			t.Errorf("got a call of %s", r.URL.Path)
		}
		_, _ = io.WriteString(w, body)
	})

	got, err := c.HoldJobs(t.Context(), "p1")
	want := []deployment.HoldJob{
		{WorkflowID: "w2", Workflow: "deploy", Name: "b", Request: "r2", Status: "on_hold"},
		{WorkflowID: "w2", Workflow: "deploy", Name: "c", Request: "j3", Status: "blocked"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%s (%v)", diff, err)
	}
}
