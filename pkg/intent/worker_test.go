package intent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
	"github.com/seraph-deploy/seraph/pkg/webhook"
)

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
func TestWorker_DuplicatesListed(t *testing.T) {
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

// A rollback is asked for, and made, while a deployment is being created: that one must not run afterwards,
// whichever has the larger id at GitHub.
func TestWorker_RollbackInFlight(t *testing.T) {
	for _, test := range []struct {
		name  string
		lost  bool // the answer of the deployment
		first bool // the rollback has the smaller id
	}{
		{name: "answer arrives"},
		{name: "answer is lost", lost: true},
		{name: "answer arrives, rollback first", first: true},
		{name: "answer is lost, rollback first", lost: true, first: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			rollback := f.ask()
			rollback.Key, rollback.Nonce = "message 2", strings.Repeat("0b", 16)
			rollback.Cause, rollback.Supersedes = deployment.CauseRollback, true

			rollBack := func() {
				f.github.lost = false
				stored, _, err := f.db.AddRequest(t.Context(), rollback)
				if err != nil {
					t.Fatal(err)
				}
				f.Create(t.Context(), stored.Row)
				f.github.lost = test.lost
			}
			f.github.outcome = func(call int) (none deployment.CreateOutcome) {
				if test.first && call == 1 {
					rollBack()
				}
				return none
			}
			f.github.during = func(json.RawMessage) {
				if !test.first && f.github.calls == 1 {
					rollBack()
				}
			}
			f.step()
			f.run(time.Minute)

			const superseded = "superseded by the rollback that alice asked for"
			rows := f.rows()
			if len(rows) != 2 {
				t.Fatalf("got %d deployments, want both", len(rows))
			}
			for _, d := range rows {
				if want := superseded; d.Request.IsRollback() && d.Refused != "" || !d.Request.IsRollback() && d.Refused != want {
					t.Errorf("deployment %d, a rollback %v: got refused %q, want only the other one to be %s",
						d.Request.ID, d.Request.IsRollback(), d.Refused, want)
				}
				if smaller := d.Request.ID == 41; d.Request.IsRollback() && smaller != test.first {
					t.Errorf("got id %d of the rollback, want it to be the smaller one: %v", d.Request.ID, test.first)
				}
			}
		})
	}
}

func TestParseShown(t *testing.T) {
	i := deployment.Intent{Repository: deployment.Repository{ID: 9, Owner: "acme", Name: "api"}, Installation: 3}
	if _, err := parseFound(i, json.RawMessage(`{"id":1`)); err == nil {
		t.Error("got no error for broken JSON")
	}
	if _, err := parseFound(i, json.RawMessage(`{"id":1}`)); err == nil {
		t.Error("got no error for a deployment without a commit")
	}

	f := &fakeGitHub{f: &fixture{now: testStart}}
	s, err := parseFound(i, f.create(json.RawMessage(`{}`)))
	if err != nil {
		t.Fatal(err)
	}
	stored, _, err := webhook.ParseDeployment(s.body)
	if err != nil || stored.ID != 41 || stored.Repository != i.Repository || stored.Installation != 3 {
		t.Errorf("got %+v, %v, want the stored body to be a whole event", stored, err)
	}
}
