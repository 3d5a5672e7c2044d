package circleci_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// TestTrigger_Faults makes the trigger fail in every way and counts the pipelines.
func TestTrigger_Faults(t *testing.T) {
	for name, test := range map[string]struct {
		fault   sim.Fault
		status  int // 0: no response
		created int // pipelines
	}{
		"before":             {fault: sim.Fault{ResetBefore: true}},
		"after":              {fault: sim.Fault{ResetAfter: true}, created: 1},
		"half":               {fault: sim.Fault{Truncate: true}, created: 1},
		"refused":            {fault: sim.Fault{Status: 503}, status: 503},
		"error after effect": {fault: sim.Fault{Status: 502, AfterEffect: true}, status: 502, created: 1},
		"late":               {fault: sim.Fault{LateEffect: time.Millisecond}, status: 504, created: 1},
		"slow":               {fault: sim.Fault{Delay: time.Millisecond}, status: 201, created: 1},
	} {
		t.Run(name, func(t *testing.T) {
			plan := sim.NewPlan(1)
			defer plan.Close()
			plan.Next(circleci.OpTrigger, test.fault, 1)
			c := start(t, circleci.Options{AnyProject: true, Plan: plan})
			r, err := c.try(
				http.MethodPost,
				"/project/gh/acme/api/pipeline",
				map[string]any{"parameters": map[string]any{"k": "v"}},
			)

			if (err != nil) != (test.status == 0) || err == nil && r.status != test.status {
				t.Errorf("got %d, %v, want %d", r.status, err, test.status)
			}
			if err := c.WaitTriggers(t.Context(), test.created); err != nil {
				t.Fatal(err)
			}
			if got := c.ByParameter("k")["v"]; len(got) != test.created {
				t.Errorf("got %d pipelines, want %d", len(got), test.created)
			}
		})
	}
}

func TestServer_NextNamed(t *testing.T) {
	c := start(t, circleci.Options{AnyProject: true})
	if c.NextNamed("no such", "slow", 1) == nil || c.NextNamed(circleci.OpMe, "no such", 1) == nil {
		t.Error("want an error for an unknown operation and an unknown fault")
	}
	if err := c.NextNamed(circleci.OpMe, "rate-limited", 1); err != nil {
		t.Fatal(err)
	}
	if r := c.do(http.StatusTooManyRequests, http.MethodGet, "/me", nil); r.header.Get("Retry-After") != "1" {
		t.Errorf("got %v", r.header)
	}

	c.get("/me")
}

// receiver records what is posted to it and answers with the next of its statuses.
type receiver struct {
	mu       sync.Mutex
	statuses []int
	bodies   []string
	headers  []http.Header
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies, r.headers = append(r.bodies, string(body)), append(r.headers, request.Header)
	if err == nil && len(r.statuses) > 0 {
		w.WriteHeader(r.statuses[0])
		r.statuses = r.statuses[1:]
	}
}

// TestWebhook_SignedAndRetried checks the documented signature, the retry after an error, and that the
// event contains no parameters.
func TestWebhook_SignedAndRetried(t *testing.T) {
	const signature = "v1=734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a"
	if got := circleci.Sign("secret", []byte("hello world")); got != signature {
		t.Errorf("got %s, want %s", got, signature)
	}

	r := &receiver{statuses: []int{500}}
	server := httptest.NewServer(r)
	defer server.Close()
	c := start(t, circleci.Options{AnyProject: true, WebhookURL: server.URL, WebhookSecret: "s"})
	id := c.run(map[string]any{"seraph_key": "hidden"})
	if err := c.Wait(t.Context(), func() bool { return len(c.Sent()) == 1 }); err != nil {
		t.Fatal(err)
	}

	sent := c.Sent()[0]
	if sent.Tries != 2 || sent.StatusCode != 200 || sent.Status != "success" || sent.PipelineID != id {
		t.Errorf("got %+v", sent)
	}
	if got := r.headers[1].Get("circleci-signature"); got != circleci.Sign("s", []byte(r.bodies[1])) ||
		r.bodies[0] != r.bodies[1] {
		t.Errorf("got signature %s, bodies %q", got, r.bodies)
	}

	if strings.Contains(r.bodies[1], "hidden") {
		t.Errorf("got %s, want no parameters", r.bodies[1])
	}

	var event struct {
		Type     string
		Project  struct{ Slug string }
		Pipeline struct{ ID string }
		Workflow struct{ ID, Status string }
	}

	if err := json.Unmarshal([]byte(r.bodies[1]), &event); err != nil {
		t.Fatal(err)
	}
	if event.Type != "workflow-completed" || event.Project.Slug != "github/acme/api" || event.Pipeline.ID != id ||
		event.Workflow.ID != sent.WorkflowID {
		t.Errorf("got %+v", event)
	}
}

func TestClaim_LetsOnePipelineDeploy(t *testing.T) {
	r := &receiver{statuses: []int{200, 409}}
	server := httptest.NewServer(r)
	defer server.Close()
	c := start(t, circleci.Options{AnyProject: true, ClaimURL: server.URL})
	waitFor := func(id, status string) {
		c.await(id, func(p circleci.Pipeline) bool { return slices.Equal(statuses(p), []string{"deploy " + status}) })
	}
	first := c.run(map[string]any{"seraph_key": "k"})
	waitFor(first, "success")
	second := c.run(map[string]any{"seraph_key": "k"})
	waitFor(second, "canceled")
	if got := c.Deployed(); !slices.Equal(got, []string{first}) {
		t.Errorf("got deployed %q, want only %s", got, first)
	}
	if want := `{"key":"k","pipeline":"` + second + `"}`; r.bodies[1] != want {
		t.Errorf("got %s, want %s", r.bodies[1], want)
	}
}

func TestServer_ControlledByTest(t *testing.T) {
	c := start(t, circleci.Options{AnyProject: true, Step: circleci.ManualDrive})
	id := c.run(nil)
	mustSucceed := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	if c.Approve(id) == nil || c.Cancel(id) == nil || c.Rerun(id) == nil || c.Finish("no such", "success") == nil {
		t.Error("want errors for actions on a pipeline without workflows and on an unknown one")
	}

	_, err := c.SetWorkflow(id, "build", "on_hold", circleci.WorkflowOptions{})
	mustSucceed(err)
	mustSucceed(c.Approve(id))
	mustSucceed(c.Finish(id, "failed"))
	mustSucceed(c.Rerun(id))
	mustSucceed(c.Cancel(id))
	mustSucceed(c.Rerun(id))
	mustSucceed(c.Finish(id, "success"))
	p, _ := c.Pipeline(id)
	if got := statuses(p); !slices.Equal(got, []string{"build failed", "build canceled", "build success"}) {
		t.Errorf("got %q", got)
	}
}
