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

// keyless are routes that send no key in the repositories whose names begin with bare.
const keyless = `
routes:
  - repository: acme/bare-*
    circleci: {revision: note}
    parameters:
      deployment_id: {value: "{{ .ID }}", type: integer}
      sim_scenario: "{{ .Payload.story }}"
  - repository: acme/*
    circleci: {revision: note}` + parameters

var internal = sim.Fault{Status: http.StatusInternalServerError, Body: `{"message":"Internal server error."}`}

// after is the same fault with the call's effect.
func after(f sim.Fault) sim.Fault {
	f.AfterEffect = true
	return f
}

// triggerFaults are the ways for the one call to go wrong that must not be made twice, by
// repository.
var triggerFaults = []struct {
	repository   string
	fault        sim.Fault
	state, about string
	pipelines    int
}{
	{"acme/error-before", internal, "success", "", 1},
	{"acme/error-after", after(internal), "success", "", 1},
	{"acme/reset-before", sim.Fault{ResetBefore: true}, "success", "", 1},
	{"acme/reset-after", sim.Fault{ResetAfter: true}, "success", "", 1},
	{"acme/half-answer", sim.Fault{Truncate: true}, "success", "", 1},
	{"acme/late-effect", sim.Fault{ResetBefore: true, LateEffect: 3 * time.Second}, "success", "", 1},
	{"acme/gateway-late", sim.Fault{LateEffect: 2 * time.Second}, "success", "", 1},
	{"acme/timeout", sim.Fault{Delay: 3 * time.Second}, "success", "", 1},
	{
		"acme/limited",
		sim.Fault{Status: 429, Body: "Rate limited.", Header: http.Header{"Retry-After": {"1"}}},
		"success",
		"",
		1,
	},
	{
		"acme/page",
		sim.Fault{Status: 403, Body: "<html>Forbidden</html>"},
		"success",
		"",
		1,
	}, // a proxy's word, not CircleCI's
	{"acme/no-id", sim.Fault{Status: 201, Body: `{}`}, "success", "", 1},
	{"acme/empty-ok", sim.Fault{Status: 200, Body: `{"message":"No."}`}, "error", "CircleCI skipped it: No.", 0},
	{"acme/refused", sim.Fault{Status: 422, Body: `{"message":"Not like this."}`}, "error", "Not like this.", 0},
	{"acme/bare-before", internal, "error", "CircleCI may have started it", 0},
	{"acme/bare-after", after(internal), "success", "", 1},
	{"acme/bare-reset", sim.Fault{ResetAfter: true}, "success", "", 1},
}

// Whatever becomes of a trigger's call, there is one pipeline; or none, and GitHub hears that it
// cannot be told.
func TestTriggerFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{routes: keyless}).start()
	for _, f := range triggerFaults {
		w.ciFaults.of(f.repository).Next(circleci.OpTrigger, f.fault, 1)
		d := w.deploy(f.repository, "production", "success")
		t.Run(strings.TrimPrefix(f.repository, "acme/"), func(t *testing.T) {
			t.Parallel()
			in := w.in(t)
			in.ends(d, f.state, f.about)
			if n := len(w.pipelines(d)); n != f.pipelines {
				t.Errorf("%d pipelines, want %d", n, f.pipelines)
			}
		})
	}
}

// Calls that read fail at random; the deployments get through all the same.
func TestFlakyReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	for _, op := range []string{circleci.OpGetProject, circleci.OpGetPipeline, circleci.OpListWorkflows, circleci.OpCancel} {
		w.ciFaults.of("acme/flaky").Random(op, 0.3, internal, sim.Fault{
			ResetBefore: true,
		}, sim.Fault{
			Truncate: true,
		}, sim.Fault{
			Status: 429,
			Body:   "{}",
		})
	}

	var all []github.Deployment
	for i := range 5 {
		all = append(all, w.deploy("acme/flaky", fmt.Sprint("env-", i), "slow-success"))
	}

	for _, d := range all {
		w.ends(d, "success", "")
	}
}

// CircleCI cannot be reached for a while, between two deployments: the second one starts when it is
// back.
func TestCircleCIIsDown(t *testing.T) {
	t.Parallel()
	front := freeAddr(t)
	w := newWorld(t, setup{env: map[string]string{"CIRCLECI_API_URL": "http://" + front + "/api/v2"}})
	down := w.listen(front)
	w.start()
	w.ends(w.deploy("acme/api", "production", "success"), "success", "")
	down()
	d := w.deploy("acme/api", "production", "success")
	queued := w.waitStatus(d, "queued")
	if queued.Description != "Waiting for CircleCI to answer" {
		t.Errorf("description %q", queued.Description)
	}

	t.Cleanup(w.listen(front))
	w.ends(d, "success", "")
	if n := w.triggers(d.ID); n != 1 {
		t.Errorf("%d triggers", n)
	}
}

// listen answers for CircleCI at one more address until down is called.
func (w *world) listen(addr string) (down func()) {
	w.t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		w.t.Fatal(err)
	}
	s := &http.Server{Handler: w.ci, ReadHeaderTimeout: 10 * time.Second}
	go s.Serve(listener) // always http.ErrServerClosed
	return func() { s.Close() }
}
