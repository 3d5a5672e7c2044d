package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// actGate lets every act pass, and keeps how long it was given.
type actGate struct {
	Gate
	given *time.Duration
}

func (g actGate) DecideLockTask(ctx context.Context, _ deployment.Deployment) (policy.Verdict, error) {
	*g.given = left(ctx)
	return policy.Verdict{Decision: policy.DecisionAllow}, nil
}

// actLocks keeps what was done, in its order, and how long it was given.
type actLocks struct {
	did   *[]int64
	given *time.Duration
}

func (l actLocks) Task(ctx context.Context, d deployment.Deployment) (done, refused string, err error) {
	*l.did, *l.given = append(*l.did, d.Request.ID), left(ctx)
	return "Done", "", nil
}

// left is how long a context still has; an hour where it has no end.
func left(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return time.Until(end)
	}
	return time.Hour
}

// acts is a stage on which nobody objects to an act.
func acts(t *testing.T) (s *stage, did *[]int64, given [2]*time.Duration) {
	s = newStage(t)
	did, given = new([]int64), [2]*time.Duration{new(time.Duration), new(time.Duration)}
	s.Gate, s.LockTasks = actGate{given: given[0]}, actLocks{did, given[1]}
	return s, did, given
}

// act takes in a deployment with a reserved task; without one it only deploys.
func (s *stage) act(t *testing.T, id int64, environment, act string) {
	t.Helper()
	key := fmt.Sprint("act-", id)
	d, _ := s.Machine.New(deployment.Request{
		ID:          id,
		Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
		Environment: environment,
		Ref:         "main",
		SHA:         "abc",
		CreatedAt:   s.clock(),
	}, deployment.Admission{Target: deployment.Target{Key: key, LockTask: act}}, s.clock())

	if _, err := s.db.Accept(t.Context(), deployment.Delivery{
		GUID:         key,
		RepositoryID: 7,
		DeploymentID: id,
		ReceivedAt:   s.clock(),
	}, d); err != nil {
		t.Fatal(err)
	}
}

// steps takes a step with the row of a deployment.
func (s *stage) steps(t *testing.T, id int64) deployment.Deployment {
	t.Helper()
	d, err := s.db.ByKey(t.Context(), fmt.Sprint("act-", id))
	if err != nil {
		t.Fatal(err)
	}

	s.advance(t.Context(), d.Row)
	if d, err = s.db.Load(t.Context(), d.Row); err != nil {
		t.Fatal(err)
	}

	return d
}

// A step with an act ends before its lease does, whatever GitHub does not answer.
func TestActsAreBounded(t *testing.T) {
	s, _, given := acts(t)
	s.act(t, 1, "production", deployment.TaskLock)
	if d := s.steps(t, 1); d.State != deployment.Succeeded {
		t.Fatalf("%s %q", d.State, d.Reason)
	}

	for i, what := range []string{"the gate", "the locks"} {
		if *given[i] > decideTimeout {
			t.Errorf("%s may take %v", what, *given[i])
		}
	}
}

// An unlock that is worked before the lock that came first would leave the environment locked.
func TestActsKeepTheirOrder(t *testing.T) {
	for name, c := range map[string]struct {
		environment, act string // of the one before
		waits            bool
	}{
		"a lock":              {"production", deployment.TaskLock, true},
		"in another spelling": {"Production", deployment.TaskLock, true},
		"elsewhere":           {"staging", deployment.TaskLock, false},
		"a mere deployment":   {"production", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, did, _ := acts(t)
			s.act(t, 2, "production", deployment.TaskUnlock)
			s.act(t, 1, c.environment, c.act)
			d := s.steps(t, 2)
			if waits := d.State == deployment.Waiting; waits != c.waits {
				t.Fatalf("%s, waits for %q", d.State, d.BlockedBy)
			}
			if !c.waits {
				return
			}

			s.steps(t, 1)
			if d = s.steps(t, 2); d.State != deployment.Succeeded || fmt.Sprint(*did) != "[1 2]" {
				t.Errorf("%s, waits for %q; done: %v", d.State, d.BlockedBy, *did)
			}
		})
	}
}
