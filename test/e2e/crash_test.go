package e2e

import (
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// moments are the points of a deployment's way at which the power may fail. reach takes a
// deployment there and returns it with what is to happen after the restart, if anything.
var moments = map[string]struct {
	reach func(w *world) (github.Deployment, func())
	state string
}{
	"waiting": {
		state: "success",
		reach: func(w *world) (github.Deployment, func()) {
			first := w.deploy("acme/api", "production", "forever")
			p := w.pipeline(first)
			second := w.deploy("acme/api", "production", "success")
			w.waitLog("deployment accepted", number(second))
			return second, func() { w.finish(p, "success"); w.ends(first, "success", "") }
		},
	},
	"triggering before the effect": {
		state: "success",
		reach: func(w *world) (github.Deployment, func()) {
			g := w.ciFaults.block(circleci.OpTrigger, "", false)
			d := w.deploy("acme/api", "production", "success")
			g.wait(w.t)
			return d, nil
		},
	},
	"triggering after the effect": {
		state: "success",
		reach: func(w *world) (github.Deployment, func()) {
			g := w.ciFaults.block(circleci.OpTrigger, "", true)
			d := w.deploy("acme/api", "production", "slow-success")
			g.wait(w.t)
			return d, nil
		},
	},
	"unconfirmed": {
		state: "success",
		reach: func(w *world) (github.Deployment, func()) {
			g := w.ciFaults.block(circleci.OpTrigger, "", true)
			d := w.deploy("acme/api", "production", "success")
			g.wait(w.t)
			look := w.ciFaults.block(circleci.OpListPipelines, "", false)
			look.wait(w.t) // the trigger has timed out, and the look-up is under way
			return d, nil
		},
	},
	"running": {
		state: "failure",
		reach: func(w *world) (github.Deployment, func()) {
			d := w.deploy("acme/api", "production", "forever")
			w.waitStatus(d, "in_progress")
			return d, func() { w.finish(w.pipeline(d), "failed") }
		},
	},
	"ended while nobody watched": {
		state: "success",
		reach: func(w *world) (github.Deployment, func()) {
			d := w.deploy("acme/api", "production", "slow-success")
			w.waitStatus(d, "in_progress")
			return d, nil
		},
	},
	"held": {
		state: "success",
		reach: func(w *world) (github.Deployment, func()) {
			d := w.deploy("acme/api", "production", "hold-forever")
			w.waitStatus(d, "pending")
			return d, func() {
				if err := w.ci.Approve(w.pipeline(d).ID); err != nil {
					w.t.Fatal(err)
				}
			}
		},
	},
	"ended before GitHub is told": {
		state: "success",
		reach: func(w *world) (github.Deployment, func()) {
			g := w.ghFaults.block(github.OpCreateStatus, `"success"`, false)
			d := w.deploy("acme/api", "production", "success")
			g.wait(w.t)
			return d, nil
		},
	},
	"ended after GitHub was told, before its answer": {
		state: "success",
		reach: func(w *world) (github.Deployment, func()) {
			g := w.ghFaults.block(github.OpCreateStatus, `"success"`, true)
			d := w.deploy("acme/api", "production", "success")
			g.wait(w.t)
			return d, nil
		},
	},
	"ended and told": {
		state: "success",
		reach: func(w *world) (github.Deployment, func()) {
			d := w.deploy("acme/api", "production", "success")
			w.ends(d, "success", "")
			w.waitLog("status written", `"status":"success"`)
			return d, nil
		},
	},
}

// Whenever the power fails, the deployment runs once and GitHub hears its true end, once.
func TestPowerFailure(t *testing.T) {
	for name, moment := range moments {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{}).start()
			d, then := moment.reach(w)
			w.kill()
			w.start()
			if then != nil {
				then()
			}

			w.ends(d, moment.state, "")
			w.quiet()
			if n := len(w.pipelines(d)); n != 1 {
				t.Errorf("%d pipelines", n)
			}
		})
	}
}

// quiet runs one more deployment from its webhook to its end, so that what was owed before it had
// its turn.
func (w *world) quiet() {
	w.t.Helper()
	w.ends(w.deploy("acme/api", "another", "success"), "success", "")
}

// The queue and its timers are in memory only. Each time they are lost, the reconcile loop finds
// the work in the rows.
func TestQueue_LostWithItsProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{
		env: map[string]string{"POLL_MIN": "3s", "POLL_MAX": "4s"},
	}).start() // not yet due when the program is up again
	w.ci.Webhooks(false) // or its hints would wake the rows
	running := w.deploy("acme/api", "production", "forever")
	p := w.pipeline(running)
	waiting := w.deploy("acme/api", "production", "success")
	w.waitStatus(waiting, "queued")
	w.loseQueue()
	w.finish(p, "success")
	w.ends(running, "success", "")
	w.loseQueue()
	w.pipeline(waiting)
	w.loseQueue()
	w.ends(waiting, "success", "")
	w.quiet()
	for name, d := range map[string]github.Deployment{"running": running, "waiting": waiting} {
		if n := len(w.pipelines(d)); n != 1 {
			t.Errorf("%s: got %d pipelines, want 1", name, n)
		}
	}
}

// loseQueue ends the program without letting it do anything, and starts it again.
func (w *world) loseQueue() {
	w.t.Helper()
	w.kill()
	w.start()
}
