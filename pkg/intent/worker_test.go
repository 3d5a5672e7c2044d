package intent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
	"github.com/seraph-deploy/seraph/pkg/store"
	"github.com/seraph-deploy/seraph/pkg/webhook"
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
		AppID:        7,
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
	s, err := parseShown(f.intent(), object)
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

func (g *fakeGitHub) Login(context.Context) (string, error) { return "seraph[bot]", nil }

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

func TestWorker_Creates(t *testing.T) {
	f := newFixture(t)
	f.ask()
	f.step()
	f.wantOne(41)

	if got := f.deliver(f.github.objects[0]); got != intake.Duplicate {
		t.Errorf("webhook after the answer: got %s, want a duplicate", got)
	}
	f.wantOne(41)
}

// The webhook of our own deployment comes before the answer, which is usual.
func TestWorker_WebhookBeforeAnswer(t *testing.T) {
	for _, test := range []struct {
		name string
		lost bool
	}{{name: "answer arrives"}, {name: "answer is lost", lost: true}} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.ask()
			f.github.lost = test.lost
			f.github.during = func(object json.RawMessage) {
				if got := f.deliver(object); got != intake.Accepted {
					t.Errorf("webhook: got %s, want accepted", got)
				}
			}
			f.step()
			f.run(time.Minute)

			f.wantOne(41)
			if f.github.calls != 1 {
				t.Errorf("got %d calls, want 1", f.github.calls)
			}
		})
	}
}

// The answer is lost although the deployment was made: the list shows it, at once, late, or not before the
// call was repeated, and its webhook comes then or never.
func TestWorker_AnswerLost(t *testing.T) {
	for _, test := range []struct {
		name    string
		late    time.Duration // until it is listed
		webhook bool          // comes after all
		calls   int
		want    int64
		rows    int
	}{
		{name: "listed at once", calls: 1, want: 41, rows: 1},
		{name: "listed at once, webhook later", webhook: true, calls: 1, want: 41, rows: 1},
		{name: "listed late", late: 30 * time.Second, calls: 1, want: 41, rows: 1},
		{name: "listed after it counted as absent", late: time.Hour, webhook: true, calls: 2, want: 42, rows: 2},
		{name: "never listed, no webhook", late: time.Hour, calls: 2, want: 42, rows: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.ask()
			f.github.lost = true
			f.github.during = func(json.RawMessage) {
				if len(f.github.objects) == 1 && test.late > 0 {
					f.github.hidden = 1
				}
			}
			if got := f.step(); got.State != deployment.IntentUnknown {
				t.Fatalf("got %s, want unknown", got.State)
			}

			f.github.lost = false
			f.run(min(test.late, 10*time.Minute))
			f.github.hidden = 0
			f.run(10 * time.Minute)
			if test.webhook {
				f.deliver(f.github.objects[0])
			}

			f.wantOne(test.want)
			if f.github.calls != test.calls || len(f.rows()) != test.rows {
				t.Errorf("got %d calls and %d rows, want %d and %d", f.github.calls, len(f.rows()), test.calls, test.rows)
			}
			for _, d := range f.rows() {
				if want := fmt.Sprintf("duplicate of #%d", test.want); d.Request.ID != test.want && d.Refused != want {
					t.Errorf("deployment %d: got refused %q, want %q", d.Request.ID, d.Refused, want)
				}
			}
		})
	}
}

// Two deployments with one nonce are listed: the older one runs, the younger one is rejected.
func TestWorker_TwinsListed(t *testing.T) {
	f := newFixture(t)
	i := f.ask()
	f.github.lost = true
	f.github.during = func(json.RawMessage) {
		n, _ := i.NewDeployment()
		f.github.create(n.Payload)
	}
	f.step()
	f.run(time.Minute)

	f.wantOne(41)
	if got := len(f.rows()); got != 2 {
		t.Errorf("got %d rows, want both deployments", got)
	}
}

// The sender dies before or after its call. Nobody else calls before the list has shown nothing for long.
func TestWorker_SenderDied(t *testing.T) {
	for _, test := range []struct {
		name  string
		made  bool
		calls int
	}{{name: "before the call", calls: 1}, {name: "after the call", made: true}} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			i := f.ask()
			sending, err := f.Machine.Send(i, deployment.Maker{AppID: 7, Login: "seraph[bot]"}, f.now)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.db.SaveRequest(t.Context(), sending, deployment.SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			if test.made {
				n, _ := sending.NewDeployment()
				f.github.create(n.Payload)
			}

			if got := f.step(); got.State != deployment.IntentUnknown || f.github.calls != 0 {
				t.Fatalf("got %s after %d calls, want unknown without one", got.State, f.github.calls)
			}
			f.run(10 * time.Minute)

			f.wantOne(41)
			if f.github.calls != test.calls {
				t.Errorf("got %d calls, want %d", f.github.calls, test.calls)
			}
		})
	}
}

// After a backup was restored the row says that GitHub was not asked, although it was.
func TestWorker_RestoredBackup(t *testing.T) {
	f := newFixture(t)
	i := f.ask()
	n, _ := i.NewDeployment()
	f.github.create(n.Payload)
	f.TrustedSince = func() time.Time { return f.now }
	f.step()

	f.wantOne(41)
	if f.github.calls != 0 {
		t.Errorf("got %d calls, want none", f.github.calls)
	}
}

func TestWorker_Refused(t *testing.T) {
	for _, test := range []struct {
		name    string
		outcome deployment.CreateOutcome
		calls   int
		problem string
	}{
		{
			name:    "no such ref",
			outcome: deployment.CreateOutcome{Kind: deployment.CreateRefused, Cause: "No ref found for: abc"},
			calls:   1,
			problem: "No ref found for: abc",
		},
		{
			name:    "conflict",
			outcome: deployment.CreateOutcome{Kind: deployment.CreateNothing, Cause: "Conflict merging"},
			calls:   3,
			problem: "GitHub created no deployment, although it was asked 3 times: Conflict merging",
		},
		{
			name:    "cannot be reached",
			outcome: deployment.CreateOutcome{Kind: deployment.CreateNotSent, Cause: "GitHub could not be reached"},
			calls:   35,
			problem: "GitHub could not be asked for 15m0s: GitHub could not be reached",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.ask()
			f.github.outcome = func(int) deployment.CreateOutcome { return test.outcome }
			f.step()

			got := f.run(20 * time.Minute)
			if got.State != deployment.IntentFailed || got.Problem != test.problem {
				t.Errorf("got %s: %s, want failed: %s", got.State, got.Problem, test.problem)
			}
			if f.github.calls != test.calls || len(f.rows()) != 0 {
				t.Errorf("got %d calls and %d rows, want %d and none", f.github.calls, len(f.rows()), test.calls)
			}
		})
	}
}

func TestWorker_TriesAgain(t *testing.T) {
	f := newFixture(t)
	f.ask()
	f.github.outcome = func(call int) deployment.CreateOutcome {
		switch call {
		case 1:
			return deployment.CreateOutcome{Kind: deployment.CreateNotSent, After: 30 * time.Second}
		case 2:
			return deployment.CreateOutcome{Kind: deployment.CreateNothing}
		default:
			return deployment.CreateOutcome{}
		}
	}
	f.step()
	if f.run(29 * time.Second); f.github.calls != 1 {
		t.Errorf("got %d calls within Retry-After, want 1", f.github.calls)
	}
	f.run(time.Minute)
	f.wantOne(41)
}

func TestWorker_LookupUnanswered(t *testing.T) {
	f := newFixture(t)
	f.ask()
	f.github.lost, f.github.listErr = true, errors.New("502")
	f.step()
	if got := f.run(50 * time.Minute); got.State != deployment.IntentUnknown || f.github.calls != 1 {
		t.Errorf("got %s after %d calls, want unknown after 1", got.State, f.github.calls)
	}

	f.github.listErr = nil
	f.run(time.Minute)
	f.wantOne(41)
}

func TestWorker_NoRouteAnyMore(t *testing.T) {
	f := newFixture(t)
	f.ask()
	f.routed = false
	const want = "GitHub has created #41, but no route matches"
	if got := f.step(); got.State != deployment.IntentFailed || got.Problem != want {
		t.Errorf("got %s: %s, want failed: %s", got.State, got.Problem, want)
	}
}

// Somebody copies the nonce of a request into a deployment of their own.
func TestWorker_CopiedNonce(t *testing.T) {
	f := newFixture(t)
	i := f.ask()
	n, _ := i.NewDeployment()
	object := f.github.create(n.Payload)
	f.github.objects = nil

	var fields map[string]any
	if err := json.Unmarshal(object, &fields); err != nil {
		t.Fatal(err)
	}
	fields["id"], fields["performed_via_github_app"] = 40, nil
	fields["creator"] = map[string]any{"id": 6, "login": "mallory", "type": "User"}
	copied, _ := json.Marshal(fields)
	if got := f.deliver(copied); got != intake.Accepted {
		t.Fatalf("got %s, want it accepted as mallory's", got)
	}
	if got := f.rows()[0].Request; got.Asked != nil || got.Requester().Login != "mallory" {
		t.Errorf("got requester %s, want mallory", got.Requester())
	}

	f.step()
	if got := f.intent(); got.State != deployment.IntentCreated || got.DeploymentID != 41 {
		t.Errorf("got %s with deployment %d, want created with 41", got.State, got.DeploymentID)
	}
}

// A rollback is asked for while a deployment is being created: it must not run afterwards, whichever id
// is larger.
func TestWorker_RollbackInFlight(t *testing.T) {
	for _, test := range []struct {
		name string
		lost bool
	}{{name: "answer arrives"}, {name: "answer is lost", lost: true}} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			i := f.ask()
			f.github.lost = test.lost
			f.github.during = func(json.RawMessage) {
				rollback := i
				rollback.Key, rollback.Nonce = "message 2", strings.Repeat("0b", 16)
				rollback.Cause = deployment.CauseRollback
				if _, _, err := f.db.AddRequest(t.Context(), rollback); err != nil {
					t.Fatal(err)
				}
			}
			f.step()
			f.run(time.Minute)

			rows := f.rows()
			if want := "superseded by the rollback that alice asked for"; len(rows) != 1 || rows[0].Refused != want {
				t.Errorf("got %+v, want one deployment that is refused: %s", rows, want)
			}
		})
	}
}

func TestParseShown(t *testing.T) {
	i := deployment.Intent{Repository: deployment.Repository{ID: 9, Owner: "acme", Name: "api"}, Installation: 3}
	if _, err := parseShown(i, json.RawMessage(`{"id":1`)); err == nil {
		t.Error("got no error for broken JSON")
	}
	if _, err := parseShown(i, json.RawMessage(`{"id":1}`)); err == nil {
		t.Error("got no error for a deployment without a commit")
	}

	f := &fakeGitHub{f: &fixture{now: testStart}}
	s, err := parseShown(i, f.create(json.RawMessage(`{}`)))
	if err != nil {
		t.Fatal(err)
	}
	stored, _, err := webhook.ParseDeployment(s.body)
	if err != nil || stored.ID != 41 || stored.Repository != i.Repository || stored.Installation != 3 {
		t.Errorf("got %+v, %v, want the stored body to be a whole event", stored, err)
	}
}
