package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// keylessRoutes are routes that send no key for repositories whose names begin with bare.
const keylessRoutes = `
routes:
  - repository: acme/bare-*
    circleci: {revision: note}
    parameters:
      deployment_id: {value: "{{ .ID }}", type: integer}
      sim_scenario: "{{ .Payload.scenario }}"
  - repository: acme/*
    circleci: {revision: note}` + parameters

var (
	serverError       = sim.Fault{Status: 500, Body: `{"message":"Internal server error."}`}
	serverErrorEffect = sim.Fault{Status: 500, Body: `{"message":"Internal server error."}`, AfterEffect: true}
)

// triggerFaults are the ways in which a trigger can fail, by repository, with the end of the deployment.
var triggerFaults = map[string]struct {
	fault     sim.Fault
	state     string
	about     string // part of the description
	pipelines int
}{
	"acme/error-before": {
		fault:     serverError,
		state:     "success",
		pipelines: 1,
	},
	"acme/error-after": {
		fault:     serverErrorEffect,
		state:     "success",
		pipelines: 1,
	},
	"acme/reset-before": {
		fault:     sim.Fault{ResetBefore: true},
		state:     "success",
		pipelines: 1,
	},
	"acme/reset-after": {
		fault:     sim.Fault{ResetAfter: true},
		state:     "success",
		pipelines: 1,
	},
	"acme/half-answer": {
		fault:     sim.Fault{Truncate: true},
		state:     "success",
		pipelines: 1,
	},
	"acme/late-effect": {
		fault:     sim.Fault{ResetBefore: true, LateEffect: 3 * time.Second},
		state:     "success",
		pipelines: 1,
	},
	"acme/gateway-late": {
		fault:     sim.Fault{LateEffect: 2 * time.Second},
		state:     "success",
		pipelines: 1,
	},
	"acme/timeout": {
		fault:     sim.Fault{Delay: maxWait},
		state:     "success",
		pipelines: 1,
	},
	"acme/limited": {
		fault:     sim.Fault{Status: 429, Body: "Rate limited.", Header: http.Header{"Retry-After": {"1"}}},
		state:     "success",
		pipelines: 1,
	},
	"acme/page": { // the answer of a proxy, not of CircleCI
		fault:     sim.Fault{Status: 403, Body: "<html>Forbidden</html>"},
		state:     "success",
		pipelines: 1,
	},
	"acme/no-id": {
		fault:     sim.Fault{Status: 201, Body: `{}`},
		state:     "success",
		pipelines: 1,
	},
	"acme/foreign": { // a proxy's answer, which CircleCI's call never reached
		fault:     sim.Fault{Status: 200, Body: `{}`},
		state:     "success",
		pipelines: 1,
	},
	"acme/foreign-after": {
		fault:     sim.Fault{Status: 200, Body: `{"status":"ok"}`, AfterEffect: true},
		state:     "success",
		pipelines: 1,
	},
	"acme/empty-ok": {
		fault: sim.Fault{Status: 200, Body: `{"message":"No."}`},
		state: "error",
		about: "CircleCI skipped it: No.",
	},
	"acme/refused": {
		fault: sim.Fault{Status: 422, Body: `{"message":"Not like this."}`},
		state: "error",
		about: "Not like this.",
	},
	"acme/bare-before": {
		fault: serverError,
		state: "error",
		about: "CircleCI may have started it",
	},
	"acme/bare-after": {
		fault:     serverErrorEffect,
		state:     "success",
		pipelines: 1,
	},
	"acme/bare-reset": {
		fault:     sim.Fault{ResetAfter: true},
		state:     "success",
		pipelines: 1,
	},
}

// TestTrigger_CallFaults checks that however a trigger fails, there is one pipeline; or there is none,
// and the final status says that Seraph cannot know.
func TestTrigger_CallFaults(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{routes: keylessRoutes}).start()
	for repository, f := range triggerFaults {
		h.ciFaults.of(repository).Next(circleci.OpTrigger, f.fault, 1)
		d := h.deploy(repository, "production", "success")
		t.Run(strings.TrimPrefix(repository, "acme/"), func(t *testing.T) {
			t.Parallel()
			h := h.withT(t)
			h.expectEnd(d, f.state, f.about)
			if got := len(h.pipelines(d)); got != f.pipelines {
				t.Errorf("pipelines: got %d, want %d", got, f.pipelines)
			}
		})
	}
}

// TestCircleCI_FlakyReads checks that deployments succeed though reads of CircleCI fail at random.
func TestCircleCI_FlakyReads(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	faults := []sim.Fault{
		serverError,
		{ResetBefore: true},
		{Truncate: true},
		{Status: 429, Body: "{}"},
		{Status: 200, Body: "{}"}, // of a proxy
	}
	plan := h.ciFaults.of("acme/flaky")
	plan.Random(circleci.OpGetProject, 0.3, faults...)
	plan.Random(circleci.OpGetPipeline, 0.3, faults...)
	plan.Random(circleci.OpListWorkflows, 0.3, faults...)
	plan.Random(circleci.OpCancel, 0.3, faults...)

	var all []github.Deployment
	for i := range 5 {
		all = append(all, h.deploy("acme/flaky", fmt.Sprint("env-", i), "slow-success"))
	}

	for _, d := range all {
		h.expectEnd(d, "success", "")
	}
}

// TestCircleCI_Down checks that a deployment that comes while CircleCI cannot be reached starts when it is
// back.
func TestCircleCI_Down(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	h := newHarness(t, setup{env: map[string]string{"CIRCLECI_API_URL": "http://" + addr + "/api/v2"}})
	stop := h.serveCircleCI(addr)
	h.start()
	h.expectEnd(h.deploy("acme/api", "production", "success"), "success", "")

	stop()
	d := h.deploy("acme/api", "production", "success")
	if got, want := h.waitStatus(d, "queued").Description, "Waiting for CircleCI to answer"; got != want {
		t.Errorf("description: got %q, want %q", got, want)
	}

	t.Cleanup(h.serveCircleCI(addr))
	h.expectEnd(d, "success", "")
	if got := h.triggerCount(d.ID); got != 1 {
		t.Errorf("triggers: got %d, want 1", got)
	}
}

// serveCircleCI serves CircleCI at another address until stop is called.
func (h *harness) serveCircleCI(addr string) (stop func()) {
	h.t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		h.t.Fatal(err)
	}

	s := &http.Server{Handler: h.ci, ReadHeaderTimeout: 10 * time.Second}
	go s.Serve(listener) // always returns http.ErrServerClosed
	return func() { s.Close() }
}
