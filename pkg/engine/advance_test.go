package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/gate"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/store"
)

// downGitHub does not answer.
type downGitHub struct{ GitHub }

func (downGitHub) Statuses(context.Context, deployment.Request) ([]deployment.Status, error) {
	return nil, errors.New("503")
}

// emptyCircleCI shows no pipeline and starts none.
type emptyCircleCI struct{ Starter }

func (emptyCircleCI) List(context.Context, string, time.Time, string) (deployment.Listing, error) {
	return deployment.Listing{MineComplete: true, ProjectComplete: true}, nil
}

func (emptyCircleCI) Evidence(context.Context, string, string, []string) (deployment.KeyEvidence, error) {
	return deployment.KeyAbsent, nil
}

func (emptyCircleCI) Trigger(context.Context, deployment.Target, deployment.Ref, time.Time) deployment.Event {
	return deployment.TriggerRefused{Status: 400, Message: "not today"}
}

// noRules are the rules of routes without any.
type noRules struct{}

func (noRules) Policy(deployment.Request) (policy.Policy, bool) { return policy.Policy{}, true }

// stage is an engine over a real database, with a clock that the test turns.
type stage struct {
	*Engine
	db  *store.DB
	mu  sync.Mutex
	now time.Time
}

func (s *stage) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// turn takes a step with a row every 5 s for so long.
func (s *stage) turn(t *testing.T, row int64, long time.Duration) deployment.Deployment {
	t.Helper()
	for end := s.clock().Add(long); s.clock().Before(end); {
		s.mu.Lock()
		s.now = s.now.Add(5 * time.Second)
		s.mu.Unlock()
		s.advance(t.Context(), row)
	}

	d, err := s.db.Load(t.Context(), row)
	if err != nil {
		t.Fatal(err)
	}

	return d
}

func newStage(t *testing.T) *stage {
	s := &stage{now: time.Now().UTC()}
	db, err := store.Open(t.Context(), store.Options{
		URL: "sqlite:" + t.TempDir() + "/seraph.db",
		Log: zerolog.Nop(),
		Now: s.clock,
	})

	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = db.Close() })
	s.db = db
	s.Engine = New(Options{
		Rows:        db,
		DueRows:     db,
		Deployments: db,
		Pipelines:   db,
		Retention:   db,
		Starter:     emptyCircleCI{},
		Searcher:    emptyCircleCI{},
		GitHub:      downGitHub{},
		Gate:        &gate.Gate{Policies: noRules{}, Rows: db, History: db, Now: s.clock},
		Log:         zerolog.Nop(),
		Now:         s.clock,
		Machine: deployment.Machine{
			TriggerTimeout: 15 * time.Second,
			LookupGrace:    2 * time.Minute,
			WorkflowGrace:  2 * time.Minute,
			StartTimeout:   15 * time.Minute,
			PollMin:        5 * time.Second,
			PollMax:        30 * time.Second,
			MaxAge:         time.Hour,
		},
	})

	s.startedAt = s.now
	return s
}

// accept takes a deployment to production in and applies events to it.
func (s *stage) accept(t *testing.T, id int64, events ...deployment.Event) deployment.Deployment {
	t.Helper()
	d := s.acceptProblem(t, id, "")
	if len(events) == 0 {
		return d
	}

	d, err := s.commit(t.Context(), d, commitOptions{}, events...)
	if err != nil {
		t.Fatal(err)
	}

	return d
}

// acceptProblem takes a deployment to production in that has a problem, if it is not empty.
func (s *stage) acceptProblem(t *testing.T, id int64, problem string) deployment.Deployment {
	t.Helper()
	key := fmt.Sprint("key-", id)
	d, _ := s.Machine.New(deployment.Request{
		ID:          id,
		Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
		Environment: "production",
		Ref:         "main",
		SHA:         "abc",
		CreatedAt:   s.clock(),
	}, deployment.Admission{Target: deployment.Target{
		Project:     "gh/acme/api",
		Ref:         deployment.ParseRef("main"),
		Key:         key,
		CarriesKey:  true,
		Timeout:     3 * time.Hour,
		HoldTimeout: time.Hour,
	}}, s.clock())
	d.Problem = problem

	if _, err := s.db.Accept(t.Context(), deployment.Delivery{
		GUID:         key,
		RepositoryID: 7,
		DeploymentID: id,
		ReceivedAt:   s.clock(),
	}, d); err != nil {
		t.Fatal(err)
	}

	d, err := s.db.ByKey(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}

	return d
}

// running takes a deployment to production in whose pipeline, p and its id, runs.
func (s *stage) running(t *testing.T, id int64) deployment.Deployment {
	t.Helper()
	return s.accept(t, id, deployment.Resolved{Project: deployment.Project{ID: "uuid", Slug: "gh/acme/api"}},
		deployment.Start{
			SendBefore: s.clock().Add(deployment.SendWindow),
		}, deployment.Triggered{
			Pipeline: deployment.PipelineFacts{ID: fmt.Sprint("p", id), Number: 1},
		})
}

// Who is not first in line waits for its turn, and for nothing else: not for GitHub either.
func TestWaitingDoesNotAskGitHub(t *testing.T) {
	s := newStage(t)
	s.running(t, 1)
	second := s.accept(t, 2)
	if d := s.turn(t, second.Row, 40*time.Minute); d.State != deployment.Waiting ||
		d.Blocked != "deployment 1 of the same environment" {
		t.Errorf("%s %q %q", d.State, d.Reason, d.Blocked)
	}
}

// A trigger in doubt is looked up, whatever watch for twins an earlier attempt left behind.
func TestDoubtIsLookedUp(t *testing.T) {
	s := newStage(t)
	sent := deployment.Start{SendBefore: s.clock().Add(deployment.SendWindow)}
	d := s.accept(t, 1, deployment.Resolved{
		Project: deployment.Project{ID: "uuid", Slug: "gh/acme/api"},
	}, sent, deployment.TriggerUnknown{}, deployment.LookupAbsent{},
		sent, deployment.TriggerUnknown{}, deployment.LookupFound{
			Pipeline: deployment.PipelineFacts{ID: "p1"},
			By:       deployment.ByWindow,
		}, deployment.PipelineReassigned{})

	if d = s.turn(t, d.Row, time.Hour); d.State == deployment.Unconfirmed {
		t.Errorf("%s after an hour and %d looks", d.State, d.Looks)
	}
}

// A deployment whose problem was known at its acceptance ends at its first step. It does not wait
// for its turn behind the one that runs.
func TestAdvance_ProblemEndsBeforeItsTurn(t *testing.T) {
	s := newStage(t)
	s.running(t, 1)
	second := s.acceptProblem(t, 2, "already handled")

	d := s.turn(t, second.Row, 5*time.Second)
	if d.State != deployment.Errored || d.Reason != "already handled" {
		t.Errorf("got %s %q, want errored %q", d.State, d.Reason, "already handled")
	}
}
