package intent

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
	"github.com/seraph-deploy/seraph/pkg/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	testStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	testSHA   = strings.Repeat("ab", 20)
	alice     = deployment.Actor{ID: 1, Login: "alice", Token: "hubot"}
)

// fixture is a worker over a real database and intake, beside a GitHub in memory. Its steps are taken by
// the test.
type fixture struct {
	*Worker
	t      *testing.T
	db     *store.DB
	intake *intake.Intake
	github *fakeGitHub
	now    time.Time
	routed bool // a route matches
}

// Admit implements intake.Routes.
func (f *fixture) Admit(_ deployment.Request, key string) deployment.Admission {
	if !f.routed {
		return deployment.Admission{Ignored: "no route matches"}
	}
	return deployment.Admission{Target: deployment.Target{Project: "gh/acme/api", Key: key}}
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, now: testStart, routed: true}
	db, err := store.Open(t.Context(), store.Options{
		URL: "sqlite:" + t.TempDir() + "/seraph.db",
		Log: zerolog.Nop(),
		Now: func() time.Time { return f.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })

	f.db, f.github = db, &fakeGitHub{f: f}
	f.intake = &intake.Intake{Routes: f, Machine: deployment.Machine{MaxAge: time.Hour}, Store: db}
	f.Worker = &Worker{
		Store:        db,
		GitHub:       f.github,
		Intake:       f.intake,
		Machine:      deployment.IntentMachine{CallTimeout: 15 * time.Second},
		TrustedSince: func() time.Time { return testStart.Add(-time.Hour) },
		Log:          zerolog.Nop(),
		Now:          func() time.Time { return f.now },
	}

	return f
}

// ask stores an intent by alice for main in production.
func (f *fixture) ask() deployment.Intent {
	f.t.Helper()
	stored, _, err := f.db.AddRequest(f.t.Context(), deployment.Intent{
		Asker:       "api:hubot",
		Key:         "message 1",
		Nonce:       strings.Repeat("0a", 16),
		By:          alice,
		Channel:     deployment.ChannelAPI,
		Repository:  deployment.Repository{ID: 9, Owner: "acme", Name: "api"},
		Environment: "production",
		Ref:         "main",
		SHA:         testSHA,
		Task:        "deploy",
		Cause:       deployment.CauseDeploy,
		State:       deployment.IntentWanted,
		CreatedAt:   f.now,
		Due:         f.now,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return stored
}

// step takes a step with the only intent.
func (f *fixture) step() deployment.Intent {
	f.t.Helper()
	f.Create(f.t.Context(), 1)
	return f.intent()
}

// run takes a step each second for some time, or until the intent has ended.
func (f *fixture) run(long time.Duration) deployment.Intent {
	f.t.Helper()
	for end := f.now.Add(long); f.now.Before(end) && f.intent().State.Open(); {
		f.now = f.now.Add(time.Second)
		f.step()
	}
	return f.intent()
}

func (f *fixture) intent() deployment.Intent {
	f.t.Helper()
	i, err := f.db.Request(f.t.Context(), 1)
	if err != nil {
		f.t.Fatal(err)
	}
	return i
}

// rows are the accepted deployments, the newest first.
func (f *fixture) rows() []deployment.Deployment {
	f.t.Helper()
	list, err := f.db.List(f.t.Context(), deployment.Filter{Limit: 9})
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

// deliver has a deployment's webhook come in.
func (f *fixture) deliver(object json.RawMessage) intake.Outcome {
	f.t.Helper()
	s, err := parseFound(f.intent(), object)
	if err != nil {
		f.t.Fatal(err)
	}
	result, err := f.intake.Accept(f.t.Context(), intake.Delivery{Delivery: deployment.Delivery{
		GUID:       fmt.Sprintf("webhook-%d", s.request.ID),
		Event:      "deployment",
		Source:     deployment.SourceWebhook,
		ReceivedAt: f.now,
		Body:       s.body,
	}}, s.request)
	if err != nil {
		f.t.Fatal(err)
	}
	return result.Outcome
}

// wantOne checks that one deployment was accepted that may run, that it is alice's, and that all others of
// the list are refused.
func (f *fixture) wantOne(id int64) {
	f.t.Helper()
	runs := 0
	for _, d := range f.rows() {
		if d.Refused != "" {
			continue
		}
		runs++
		if d.Request.ID != id || !d.Request.Requester().Same(alice) || d.Request.Ref != "main" {
			f.t.Errorf("got deployment %d of %s by %s, want %d of main by alice",
				d.Request.ID, d.Request.Ref, d.Request.Requester(), id)
		}
	}
	if runs != 1 {
		f.t.Errorf("got %d deployments that may run, want 1", runs)
	}
	if i := f.intent(); i.State != deployment.IntentCreated || i.DeploymentID != id {
		f.t.Errorf("got request %s with deployment %d, want created with %d", i.State, i.DeploymentID, id)
	}
}

// fakeGitHub creates deployments from id 41 on and lists them. The test says how it answers.
type fakeGitHub struct {
	f       *fixture
	objects []json.RawMessage // the oldest first
	hidden  int               // of the newest objects, not listed yet

	during  func(object json.RawMessage)            // between the creation and the answer
	outcome func(call int) deployment.CreateOutcome // in place of creating; a zero outcome: creates
	lost    bool                                    // the answers of creations are lost
	listErr error
	calls   int
}

func (g *fakeGitHub) Maker(context.Context) (deployment.Maker, error) {
	return deployment.Maker{AppID: 7, Login: "seraph[bot]"}, nil
}

func (g *fakeGitHub) CreateDeployment(
	_ context.Context,
	_ deployment.Source,
	n deployment.NewDeployment,
	sendBefore time.Time,
) deployment.CreateOutcome {
	g.calls++
	if g.f.now.After(sendBefore) {
		return deployment.CreateOutcome{Kind: deployment.CreateNotSent}
	}
	if g.outcome != nil {
		if o := g.outcome(g.calls); o.Kind != "" {
			return o
		}
	}

	object := g.create(n.Payload)
	if g.during != nil {
		g.during(object)
	}
	if g.lost {
		return deployment.CreateOutcome{Kind: deployment.CreateUnknown, Cause: "cut"}
	}
	return deployment.CreateOutcome{Kind: deployment.CreateDone, Body: object}
}

func (g *fakeGitHub) create(payload json.RawMessage) json.RawMessage {
	object, _ := json.Marshal(map[string]any{
		"id":                       41 + len(g.objects),
		"sha":                      testSHA,
		"ref":                      testSHA,
		"task":                     "deploy",
		"environment":              "production",
		"payload":                  payload,
		"created_at":               g.f.now,
		"creator":                  map[string]any{"id": 5, "login": "seraph[bot]", "type": "Bot"},
		"performed_via_github_app": map[string]any{"id": 7, "slug": "seraph"},
	})
	g.objects = append(g.objects, object)
	return object
}

func (g *fakeGitHub) FindDeployments(
	context.Context,
	deployment.Source,
	string,
	string,
) (list []json.RawMessage, err error) {
	for n := len(g.objects) - 1 - g.hidden; n >= 0; n-- {
		list = append(list, g.objects[n])
	}
	return list, g.listErr
}
