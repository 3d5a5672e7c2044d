package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// openGate allows every lock task and records how long it was given to decide.
type openGate struct {
	Gate
	given time.Duration
}

func (*openGate) HasRules(deployment.Deployment) bool { return false }

func (g *openGate) DecideLockTask(ctx context.Context, _ deployment.Deployment) (policy.Verdict, error) {
	g.given = timeLeft(ctx)
	return policy.Verdict{Decision: policy.DecisionAllow}, nil
}

// fakeLockTasks records which tasks were done, in order, and how long the last one was given.
type fakeLockTasks struct {
	done  []int64
	given time.Duration
}

func (f *fakeLockTasks) Task(ctx context.Context, d deployment.Deployment) (done, refused string, err error) {
	f.done = append(f.done, d.Request.ID)
	f.given = timeLeft(ctx)
	return "Done", "", nil
}

// timeLeft is how long a context lasts; an hour if it has no deadline.
func timeLeft(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return time.Hour
}

// acceptTask stores a deployment with a reserved task, or an ordinary one if task is empty.
func (e *testEngine) acceptTask(t *testing.T, id int64, environment, task string) deployment.Deployment {
	t.Helper()
	return e.accept(t, id, func(d *deployment.Deployment) {
		d.Request.Environment = environment
		d.Target.LockTask = task
	})
}

// advanceOnce takes one step with a row and returns it.
func (e *testEngine) advanceOnce(t *testing.T, row int64) deployment.Deployment {
	t.Helper()
	e.advance(t.Context(), row)
	return e.load(t, row)
}

// A step with a lock task ends before its lease does, even if GitHub does not answer.
func TestLockTask_IsBounded(t *testing.T) {
	e, rules, tasks := newTestEngine(t), &openGate{}, &fakeLockTasks{}
	e.Gate, e.LockTasks = rules, tasks

	d := e.advanceOnce(t, e.acceptTask(t, 1, "production", deployment.TaskLock).Row)
	if d.State != deployment.Succeeded {
		t.Fatalf("got %s %q, want succeeded", d.State, d.Reason)
	}
	if rules.given > decideTimeout {
		t.Errorf("the decision was given %v, want at most %v", rules.given, decideTimeout)
	}
	if tasks.given > decideTimeout {
		t.Errorf("the task was given %v, want at most %v", tasks.given, decideTimeout)
	}
}

// If an unlock were done before the lock that was requested first, the environment would stay locked.
func TestLockTask_KeepsTheOrderOfAnEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		environment string // of the older deployment
		task        string
		waits       bool
	}{
		"older lock":                      {environment: "production", task: deployment.TaskLock, waits: true},
		"older lock, in another spelling": {environment: "Production", task: deployment.TaskLock, waits: true},
		"older lock elsewhere":            {environment: "staging", task: deployment.TaskLock},
		"older deployment":                {environment: "production"},
	} {
		t.Run(name, func(t *testing.T) {
			e, tasks := newTestEngine(t), &fakeLockTasks{}
			e.Gate, e.LockTasks = &openGate{}, tasks
			unlock := e.acceptTask(t, 2, "production", deployment.TaskUnlock)
			older := e.acceptTask(t, 1, c.environment, c.task)

			d := e.advanceOnce(t, unlock.Row)
			if waits := d.State == deployment.Waiting; waits != c.waits {
				t.Fatalf("got %s, waits for %q, want waiting: %v", d.State, d.BlockedBy, c.waits)
			}
			if !c.waits {
				return
			}

			e.advanceOnce(t, older.Row)
			d = e.advanceOnce(t, unlock.Row)
			if d.State != deployment.Succeeded {
				t.Errorf("afterwards: got %s, waits for %q, want succeeded", d.State, d.BlockedBy)
			}
			if want := []int64{1, 2}; !slices.Equal(tasks.done, want) {
				t.Errorf("done: got %v, want %v", tasks.done, want)
			}
		})
	}
}

// Who asks for a lock task decides on it, so GitHub must show the same requester. Without rules nothing is
// asked.
func TestLockTask_ComparesWithGitHub(t *testing.T) {
	hubot := policy.Policy{Allow: &policy.Subjects{Apps: []string{"hubot"}}}
	another := func(r *deployment.Request) { r.Creator.ID = 666 }

	for _, c := range []struct {
		name   string
		task   string
		rules  policy.Policy
		github fakeGitHub
		want   deployment.State
		reads  int
	}{
		{name: "lock, the same", task: deployment.TaskLock, rules: hubot, want: deployment.Succeeded, reads: 1},
		{name: "unlock, the same", task: deployment.TaskUnlock, rules: hubot, want: deployment.Succeeded, reads: 1},
		{
			name:   "lock, another requester",
			task:   deployment.TaskLock,
			rules:  hubot,
			github: fakeGitHub{change: another},
			want:   deployment.Rejected,
			reads:  1,
		},
		{
			name:   "unlock, another requester",
			task:   deployment.TaskUnlock,
			rules:  hubot,
			github: fakeGitHub{change: another},
			want:   deployment.Rejected,
			reads:  1,
		},
		{
			name:   "unlock, GitHub is down",
			task:   deployment.TaskUnlock,
			rules:  hubot,
			github: fakeGitHub{failure: errors.New("503")},
			want:   deployment.Waiting,
			reads:  1,
		},
		{name: "no rules", task: deployment.TaskUnlock, github: fakeGitHub{change: another}, want: deployment.Succeeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, tasks, github := newTestEngine(t), &fakeLockTasks{}, c.github
			e.between(&github, &fakeCircleCI{}, c.rules)
			e.LockTasks = tasks

			d := e.accept(t, 1, func(d *deployment.Deployment) {
				d.Target.LockTask = c.task
				d.Request.Creator = deployment.Creator{ID: 5, Login: "hubot[bot]", Type: "Bot"}
			})
			d = e.advanceOnce(t, d.Row)
			if d.State != c.want || len(tasks.done) > 0 != (c.want == deployment.Succeeded) {
				t.Errorf("got %s %q, done %v, want %s", d.State, d.Reason+d.BlockedBy, tasks.done, c.want)
			}
			if github.deploymentReads != c.reads {
				t.Errorf("got %d reads of the deployment, want %d", github.deploymentReads, c.reads)
			}
		})
	}
}

// What was accepted after a lock task waits for it, so it does not wait for GitHub as long as others.
func TestLockTask_DoesNotWaitLongForGitHub(t *testing.T) {
	e := newTestEngine(t)
	e.between(&fakeGitHub{failure: errors.New("503")}, &fakeCircleCI{}, mainOnly)
	d := e.acceptTask(t, 1, "production", deployment.TaskUnlock)

	e.pass(16 * time.Minute)
	if d = e.advanceOnce(t, d.Row); d.State != deployment.Errored {
		t.Errorf("got %s, waiting for %q, want errored", d.State, d.BlockedBy)
	}
}
