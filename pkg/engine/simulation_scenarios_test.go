package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// newCalmSimulation is a simulation in which nothing goes wrong, with one environment without rules.
func newCalmSimulation(t *testing.T) *simulation {
	w := newSimulation(t, 1)
	w.calm = true
	clear(w.policies)
	w.policies["production"] = policy.Policy{}
	return w
}

// pass lets time pass and does what becomes due.
func (w *simulation) pass(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(simStep) {
		w.workOff()
	}
}

func (w *simulation) wantState(id int64, want deployment.State) {
	w.t.Helper()
	if d := w.get(id); d.State != want {
		at := w.now.Format(time.TimeOnly)
		w.t.Errorf("%s: deployment %d: got %s, waits for %q, want %s", at, id, d.State, d.BlockedBy, want)
	}
}

func user(id int64) deployment.Creator {
	return deployment.Creator{ID: id, Login: fmt.Sprint("user", id), Type: "User"}
}

// Two deployments of one environment never run at once, however long the first one takes. Another
// tool let the second one start after five minutes.
func TestSimulation_SecondDeploymentWaitsForTheFirst(t *testing.T) {
	w := newCalmSimulation(t)
	w.deploy(1, "production", user(1))
	w.pass(time.Minute)
	w.deploy(2, "production", user(2))
	w.pass(8 * time.Minute)
	w.wantState(1, deployment.Running)
	w.wantState(2, deployment.Waiting)

	w.pass(15 * time.Minute)
	w.wantState(1, deployment.Succeeded)
	w.wantState(2, deployment.Succeeded)

	if len(w.pipelines) != 2 {
		t.Fatalf("pipelines: got %d, want 2", len(w.pipelines))
	}
	if first, second := w.pipelines[0], w.pipelines[1]; second.began.Before(first.ends) {
		t.Errorf("the second pipeline began at %v, want after %v", second.began, first.ends)
	}
}

// Deployments that meet a lock wait for it, also over a restart. Other tools drop them.
func TestSimulation_LockedDeploymentsWait(t *testing.T) {
	w := newCalmSimulation(t)
	owner := command.Caller{Channel: deployment.ChannelAPI, By: deployment.Actor{ID: 9, Login: "user9"}}
	l, err := w.commands.TakeLock(t.Context(), owner, command.LockRequest{
		Repository:  "acme/api",
		Environment: "production",
		Reason:      "moving",
	})
	if err != nil {
		t.Fatal(err)
	}

	w.deploy(1, "production", user(1))
	w.deploy(2, "production", user(2))
	w.pass(2 * time.Hour)
	w.wantState(1, deployment.Waiting)
	w.wantState(2, deployment.Waiting)

	w.crash()
	if err := w.commands.ReleaseLock(t.Context(), owner, l.ID); err != nil {
		t.Fatal(err)
	}

	w.pass(30 * time.Minute)
	w.wantState(1, deployment.Succeeded)
	w.wantState(2, deployment.Succeeded)
}
