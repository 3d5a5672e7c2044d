package engine

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// quietSimulation is one in which nothing goes wrong, with one environment without rules.
func quietSimulation(t *testing.T) *simulation {
	w := newSimulation(t, 1)
	w.lucky = true
	clear(w.policies)
	w.policies["production"] = policy.Policy{}
	return w
}

// passes lets so much time pass.
func (w *simulation) passes(long time.Duration) {
	for end := w.now.Add(long); w.now.Before(end); w.now = w.now.Add(simStep) {
		w.step()
	}
}

func (w *simulation) is(id int64, want deployment.State) {
	w.t.Helper()
	if d := w.row(id); d.State != want {
		w.t.Errorf(
			"%s: deployment %d is %s, waits for %q; want %s",
			w.now.Format(time.TimeOnly),
			id,
			d.State,
			d.BlockedBy,
			want,
		)
	}
}

// Heaven kept two deployments apart only where the payload had a name, and for five minutes.
func TestPeerBug3TwoRunAfterFiveMinutes(t *testing.T) {
	w := quietSimulation(t)
	w.deploy(1, "production", deployment.Creator{ID: 1, Login: "user1"})
	w.passes(time.Minute)
	w.deploy(2, "production", deployment.Creator{ID: 2, Login: "user2"})
	w.passes(8 * time.Minute)
	w.is(1, deployment.Running)
	w.is(2, deployment.Waiting)
	w.passes(15 * time.Minute)
	w.is(1, deployment.Succeeded)
	w.is(2, deployment.Succeeded)
	if first, second := w.pipelines[0], w.pipelines[1]; len(w.pipelines) != 2 || second.began.Before(first.ends) {
		t.Errorf("%+v and %+v", first, second)
	}
}

// SlashDeploy and Deliverybot drop a deployment that meets a lock, and Gitploy one that meets red
// checks.
func TestPeerBug5LockedOutIsDropped(t *testing.T) {
	w := quietSimulation(t)
	owner := command.Caller{Channel: deployment.ChannelAPI, By: deployment.Actor{ID: 9, Login: "user9"}}
	l, err := w.desk.TakeLock(t.Context(), owner, command.LockRequest{
		Repository:  "acme/api",
		Environment: "production",
		Reason:      "moving",
	})

	if err != nil {
		t.Fatal(err)
	}

	w.deploy(1, "production", deployment.Creator{ID: 1, Login: "user1"})
	w.deploy(2, "production", deployment.Creator{ID: 2, Login: "user2"})
	w.passes(2 * time.Hour)
	w.is(1, deployment.Waiting)
	w.is(2, deployment.Waiting)
	w.crash()
	if err := w.desk.ReleaseLock(t.Context(), owner, l.ID); err != nil {
		t.Fatal(err)
	}

	w.passes(30 * time.Minute)
	w.is(1, deployment.Succeeded)
	w.is(2, deployment.Succeeded)
}
