package e2e

import (
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// crashPoints are the points of a deployment's life at which the program is killed. reach brings a
// deployment there. It returns the deployment and what must happen after the restart, if anything.
var crashPoints = map[string]struct {
	reach func(h *harness) (d github.Deployment, afterRestart func())
	state string
}{
	"waiting": {
		state: "success",
		reach: func(h *harness) (github.Deployment, func()) {
			first := h.deploy("acme/api", "production", "forever")
			p := h.waitPipeline(first)
			second := h.deploy("acme/api", "production", "success")
			h.waitLog("deployment accepted", logID(second))
			return second, func() {
				h.finish(p, "success")
				h.expectEnd(first, "success", "")
			}
		},
	},
	"triggering before the effect": {
		state: "success",
		reach: func(h *harness) (github.Deployment, func()) {
			trigger := h.ciFaults.block(circleci.OpTrigger, "", false)
			d := h.deploy("acme/api", "production", "success")
			trigger.wait(h.t)
			return d, nil
		},
	},
	"triggering after the effect": {
		state: "success",
		reach: func(h *harness) (github.Deployment, func()) {
			trigger := h.ciFaults.block(circleci.OpTrigger, "", true)
			d := h.deploy("acme/api", "production", "slow-success")
			trigger.wait(h.t)
			return d, nil
		},
	},
	"unconfirmed": {
		state: "success",
		reach: func(h *harness) (github.Deployment, func()) {
			trigger := h.ciFaults.block(circleci.OpTrigger, "", true)
			lookup := h.ciFaults.block(circleci.OpListPipelines, "", false)
			d := h.deploy("acme/api", "production", "success")
			trigger.wait(h.t)
			lookup.wait(h.t) // the trigger has timed out, and the lookup has begun
			return d, nil
		},
	},
	"running": {
		state: "failure",
		reach: func(h *harness) (github.Deployment, func()) {
			d := h.deploy("acme/api", "production", "forever")
			h.waitStatus(d, "in_progress")
			return d, func() { h.finish(h.waitPipeline(d), "failed") }
		},
	},
	"pipeline ends during the restart": {
		state: "success",
		reach: func(h *harness) (github.Deployment, func()) {
			d := h.deploy("acme/api", "production", "forever")
			h.waitStatus(d, "in_progress")
			h.kill()
			h.finish(h.waitPipeline(d), "success")
			return d, nil
		},
	},
	"on hold": {
		state: "success",
		reach: func(h *harness) (github.Deployment, func()) {
			d := h.deploy("acme/api", "production", "hold-forever")
			h.waitStatus(d, "pending")
			return d, func() {
				if err := h.ci.Approve(h.waitPipeline(d).ID); err != nil {
					h.t.Fatal(err)
				}
			}
		},
	},
	"before the final status is written": {
		state: "success",
		reach: func(h *harness) (github.Deployment, func()) {
			write := h.ghFaults.block(github.OpCreateStatus, `"success"`, false)
			d := h.deploy("acme/api", "production", "success")
			write.wait(h.t)
			return d, nil
		},
	},
	"before the answer to the final status": {
		state: "success",
		reach: func(h *harness) (github.Deployment, func()) {
			write := h.ghFaults.block(github.OpCreateStatus, `"success"`, true)
			d := h.deploy("acme/api", "production", "success")
			write.wait(h.t)
			return d, nil
		},
	},
	"after the final status": {
		state: "success",
		reach: func(h *harness) (github.Deployment, func()) {
			d := h.deploy("acme/api", "production", "success")
			h.expectEnd(d, "success", "")
			h.waitLog("status written", `"status":"success"`)
			return d, nil
		},
	},
}

// TestCrash_AtEachPoint checks that whenever the program is killed, the deployment runs once and GitHub
// gets its correct final status once.
func TestCrash_AtEachPoint(t *testing.T) {
	for name, point := range crashPoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, setup{}).start()
			d, afterRestart := point.reach(h)
			h.killAndRestart()
			if afterRestart != nil {
				afterRestart()
			}

			h.expectEnd(d, point.state, "")
			h.deployOneMore()
			if got := len(h.pipelines(d)); got != 1 {
				t.Errorf("pipelines: got %d, want 1", got)
			}
		})
	}
}

// killAndRestart kills the program and starts it again.
func (h *harness) killAndRestart() {
	h.t.Helper()
	h.kill()
	h.start()
}

// deployOneMore runs another deployment from its webhook to its end, so that work which was due before
// it has been done.
func (h *harness) deployOneMore() {
	h.t.Helper()
	h.expectEnd(h.deploy("acme/api", "another", "success"), "success", "")
}

// TestCrash_QueueIsLost checks that the reconcile loop finds the work in the database each time the queue
// and its timers, which are in memory only, are lost.
func TestCrash_QueueIsLost(t *testing.T) {
	t.Parallel()
	// polls that are not yet due when the program is up again
	h := newHarness(t, setup{env: map[string]string{"POLL_MIN": "3s", "POLL_MAX": "4s"}}).start()
	h.ci.Webhooks(false) // they would wake the deployments

	running := h.deploy("acme/api", "production", "forever")
	p := h.waitPipeline(running)
	waiting := h.deploy("acme/api", "production", "success")
	h.waitStatus(waiting, "queued")

	h.killAndRestart()
	h.finish(p, "success")
	h.expectEnd(running, "success", "")
	h.killAndRestart()
	h.waitPipeline(waiting)
	h.killAndRestart()
	h.expectEnd(waiting, "success", "")
	h.deployOneMore()

	if got := len(h.pipelines(running)); got != 1 {
		t.Errorf("pipelines of the running deployment: got %d, want 1", got)
	}
	if got := len(h.pipelines(waiting)); got != 1 {
		t.Errorf("pipelines of the waiting deployment: got %d, want 1", got)
	}
}
