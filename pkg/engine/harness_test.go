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

// testEngine is an engine over a real database, with a clock that the test sets. Its steps are taken
// by the test; nothing runs by itself.
type testEngine struct {
	*Engine
	db *store.DB

	mu  sync.Mutex
	now time.Time
}

func (e *testEngine) clock() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

func (e *testEngine) pass(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = e.now.Add(d)
}

func newTestEngine(t *testing.T) *testEngine {
	t.Helper()

	e := &testEngine{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	db, err := store.Open(t.Context(), store.Options{
		URL: "sqlite:" + t.TempDir() + "/seraph.db",
		Log: zerolog.Nop(),
		Now: e.clock,
	})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = db.Close() })
	e.db = db
	e.Engine = New(Options{
		Rows:        db,
		DueRows:     db,
		Deployments: db,
		Requests:    db,
		Pipelines:   db,
		Retention:   db,
		Database:    db,
		Starter:     emptyCircleCI{},
		Searcher:    emptyCircleCI{},
		GitHub:      brokenGitHub{},
		Gate:        &gate.Gate{Policies: noRules{}, Rows: db, History: db, Now: e.clock},
		Log:         zerolog.Nop(),
		Now:         e.clock,
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

	e.lostPause = time.Millisecond
	e.trust.reset(e.now)
	return e
}

// run takes a step with a row every 5 s for some time and returns the row.
func (e *testEngine) run(t *testing.T, row int64, long time.Duration) deployment.Deployment {
	t.Helper()
	for end := e.clock().Add(long); e.clock().Before(end); {
		e.pass(5 * time.Second)
		e.advance(t.Context(), row)
	}
	return e.load(t, row)
}

func (e *testEngine) load(t *testing.T, row int64) deployment.Deployment {
	t.Helper()
	d, err := e.db.Load(t.Context(), row)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// accept stores a deployment to production, after change, and applies events to it.
func (e *testEngine) accept(
	t *testing.T,
	id int64,
	change func(*deployment.Deployment),
	events ...deployment.Event,
) deployment.Deployment {
	t.Helper()

	d, _ := e.Machine.New(deployment.Request{
		ID:          id,
		Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
		Environment: "production",
		Ref:         "main",
		SHA:         "abc",
		CreatedAt:   e.clock(),
	}, deployment.Admission{Target: deployment.Target{
		Project:     "gh/acme/api",
		Ref:         deployment.ParseRef("main"),
		Key:         keyOf(id),
		CarriesKey:  true,
		Timeout:     3 * time.Hour,
		HoldTimeout: time.Hour,
	}}, e.clock())
	if change != nil {
		change(&d)
	}

	_, err := e.db.Accept(t.Context(), deployment.Delivery{
		GUID:         keyOf(id),
		RepositoryID: 7,
		DeploymentID: id,
		ReceivedAt:   e.clock(),
	}, d)
	if err != nil {
		t.Fatal(err)
	}

	d, err = e.db.ByKey(t.Context(), keyOf(id))
	if err != nil {
		t.Fatal(err)
	}
	if len(events) == 0 {
		return d
	}

	d, err = e.commit(t.Context(), d, commitOptions{}, events...)
	if err != nil {
		t.Fatal(err)
	}

	return d
}

// triggering is a deployment whose trigger has not been answered.
func (e *testEngine) triggering(t *testing.T, id int64) deployment.Deployment {
	t.Helper()
	return e.accept(t, id, nil, resolved, e.startEvent())
}

// running is a deployment whose pipeline runs. The pipeline is called p and its id.
func (e *testEngine) running(t *testing.T, id int64) deployment.Deployment {
	t.Helper()
	return e.accept(t, id, nil, resolved, e.startEvent(), triggered(fmt.Sprint("p", id)))
}

var resolved = deployment.Resolved{Project: deployment.Project{ID: "uuid", Slug: "gh/acme/api"}}

func (e *testEngine) startEvent() deployment.Event {
	return deployment.Start{SendBefore: e.clock().Add(deployment.SendWindow)}
}

// triggered is CircleCI's answer with a new pipeline.
func triggered(pipelineID string) deployment.Event {
	return deployment.Triggered{Pipeline: deployment.PipelineFacts{ID: pipelineID, Number: 1}}
}

func keyOf(id int64) string { return fmt.Sprint("key-", id) }

// brokenGitHub does not answer.
type brokenGitHub struct{}

func (brokenGitHub) Statuses(context.Context, deployment.Request) ([]deployment.Status, error) {
	return nil, errors.New("503")
}

func (brokenGitHub) Deployment(context.Context, deployment.Request) (deployment.Request, error) {
	return deployment.Request{}, errors.New("503")
}

func (brokenGitHub) Heads(context.Context, deployment.Request, deployment.Ref, bool) (deployment.Heads, error) {
	return deployment.Heads{}, errors.New("503")
}

// emptyCircleCI has no pipelines and starts none.
type emptyCircleCI struct{}

func (emptyCircleCI) Project(_ context.Context, slug string) (deployment.Project, deployment.Event) {
	return deployment.Project{ID: "uuid", Slug: slug}, nil
}

func (emptyCircleCI) Trigger(context.Context, deployment.Target, deployment.Ref, time.Time) deployment.Event {
	return deployment.TriggerRefused{Status: 400, Message: "not today"}
}

func (emptyCircleCI) List(context.Context, string, time.Time, string) (deployment.Listing, error) {
	return deployment.Listing{MineComplete: true, ProjectComplete: true}, nil
}

func (emptyCircleCI) Evidence(context.Context, string, string, []string) (deployment.KeyEvidence, error) {
	return deployment.KeyAbsent, nil
}

// noRules is a route without rules.
type noRules struct{}

func (noRules) Policy(deployment.Request) (policy.Policy, bool) { return policy.Policy{}, true }

// UnlockPolicies implements gate.Policies.
func (noRules) UnlockPolicies(deployment.Request) ([]policy.Policy, bool) {
	return []policy.Policy{{}}, true
}
