package intake_test

import (
	"context"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
	"github.com/seraph-deploy/seraph/pkg/store"
)

// now is when every delivery arrives.
var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// testRoutes match one environment and keep the keys that they were given.
type testRoutes struct {
	environment string
	problem     string
	notes       []string
	keys        []string
}

func (r *testRoutes) Admit(req deployment.Request, key string) deployment.Admission {
	r.keys = append(r.keys, key)
	if req.Environment != r.environment {
		return deployment.Admission{Ignored: "no route matches"}
	}
	return deployment.Admission{
		Target:  deployment.Target{Project: "gh/acme/api", Key: key},
		Problem: r.problem,
		Notes:   r.notes,
	}
}

func openStore(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{
		URL: "sqlite:" + t.TempDir() + "/seraph.db",
		Log: zerolog.Nop(),
		Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = db.Close() })
	return db
}

func newIntake(t *testing.T, routes intake.Routes) (*intake.Intake, *store.DB) {
	t.Helper()
	db := openStore(t)
	return &intake.Intake{Routes: routes, Machine: deployment.Machine{MaxAge: time.Hour}, Store: db}, db
}

func request(id int64, environment string) deployment.Request {
	return deployment.Request{
		ID:          id,
		Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
		Environment: environment,
		Ref:         "main",
		SHA:         "0123456789abcdef0123456789abcdef01234567",
		Task:        "deploy",
		CreatedAt:   now.Add(-time.Second),
	}
}

func delivery(guid string, req deployment.Request) deployment.Delivery {
	return deployment.Delivery{
		GUID:         guid,
		Event:        "deployment",
		Source:       deployment.SourceWebhook,
		RepositoryID: req.Repository.ID,
		DeploymentID: req.ID,
		ReceivedAt:   now,
		Body:         []byte(`{}`),
	}
}

// only returns the one record that a deployment id has.
func only(t *testing.T, db *store.DB, id int64) deployment.Record {
	t.Helper()
	records, err := db.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 1 {
		t.Fatalf("got %d records of deployment %d, want 1", len(records), id)
	}
	return records[0]
}

func TestAccept_Outcomes(t *testing.T) {
	routes := &testRoutes{environment: "production"}
	in, _ := newIntake(t, routes)

	ignored := intake.Result{Outcome: intake.Ignored, Reason: "no route matches"}
	accepted := intake.Result{Outcome: intake.Accepted}
	duplicate := intake.Result{Outcome: intake.Duplicate}

	// Each step sees what the steps before it stored.
	for _, step := range []struct {
		name        string
		guid        string
		id          int64
		environment string
		routed      string // the environment that the routes match
		want        intake.Result
	}{
		{
			name:        "new deployment",
			guid:        "a",
			id:          41,
			environment: "production",
			routed:      "production",
			want:        accepted,
		},
		{
			name:        "same delivery",
			guid:        "a",
			id:          41,
			environment: "production",
			routed:      "production",
			want:        duplicate,
		},
		{
			name:        "same deployment in another delivery",
			guid:        "b",
			id:          41,
			environment: "production",
			routed:      "production",
			want:        duplicate,
		},
		{name: "no route", guid: "c", id: 42, environment: "staging", routed: "production", want: ignored},
		{
			name:        "no route, delivered again",
			guid:        "c",
			id:          42,
			environment: "staging",
			routed:      "production",
			want:        ignored,
		},
		{
			name:        "delivered again after a route was added",
			guid:        "c",
			id:          42,
			environment: "staging",
			routed:      "staging",
			want:        accepted,
		},
		{
			name:        "known GUID after its route was removed",
			guid:        "a",
			id:          41,
			environment: "production",
			routed:      "staging",
			want:        duplicate,
		},
		{
			name:        "known deployment after its route was removed",
			guid:        "d",
			id:          41,
			environment: "production",
			routed:      "staging",
			want:        duplicate,
		},
	} {
		t.Run(step.name, func(t *testing.T) {
			routes.environment = step.routed
			req := request(step.id, step.environment)
			got, err := in.Accept(t.Context(), intake.Delivery{Delivery: delivery(step.guid, req)}, req)
			if err != nil {
				t.Fatal(err)
			}
			if got != step.want {
				t.Errorf("got %+v, want %+v", got, step.want)
			}
		})
	}
}

// What GitHub shows in place of a forged event is taken in once, and nothing of it is from the event: the
// credentials of an installation that the event named would not be those of the repository.
func TestAcceptShown(t *testing.T) {
	in, db := newIntake(t, &testRoutes{environment: "production"})
	shown := request(41, "production")
	shown.Installation, shown.ReadAtGitHub = 666, true

	for range 2 {
		if err := in.AcceptShown(t.Context(), shown, now); err != nil {
			t.Fatal(err)
		}
	}

	rec := only(t, db, 41)
	if r := rec.Deployment.Request; r.Installation != 0 || !r.ReadAtGitHub || r.SHA != shown.SHA {
		t.Errorf("got %+v, want what GitHub shows, and no installation", r)
	}
	if rec.Deployment.Problem != "" || len(rec.Timeline) != 2 || rec.Timeline[1].Event != "recovered" {
		t.Errorf("got problem %q and timeline %+v, want it recovered", rec.Deployment.Problem, rec.Timeline)
	}
}

func TestAccept_StoresDeployment(t *testing.T) {
	routes := &testRoutes{environment: "production", notes: []string{"environment_url left out"}}
	in, db := newIntake(t, routes)
	req := request(41, "production")
	del := intake.Delivery{
		Delivery: delivery("a", req),
		Notes:    []deployment.Entry{{At: now, Event: "recovered", Detail: "found in the list"}},
	}

	if _, err := in.Accept(t.Context(), del, req); err != nil {
		t.Fatal(err)
	}

	got := only(t, db, 41)
	if got.Deployment.State != deployment.Waiting || !got.Deployment.AcceptedAt.Equal(now) {
		t.Errorf("got state %s accepted at %s, want waiting at %s", got.Deployment.State, got.Deployment.AcceptedAt, now)
	}
	if got, want := got.Deployment.Target.Key, routes.keys[0]; got != want {
		t.Errorf("got key %q, want the routes' key %q", got, want)
	}
	if diff := cmp.Diff(req, got.Deployment.Request); diff != "" {
		t.Errorf("request differs:\n%s", diff)
	}

	var events []string
	for _, e := range got.Timeline {
		events = append(events, e.Event+": "+e.Detail)
	}
	want := []string{"accepted: by github", "note: environment_url left out", "recovered: found in the list"}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("timeline differs:\n%s", diff)
	}
}

func TestAccept_Problem(t *testing.T) {
	const old, young = 2 * time.Hour, time.Second
	for _, test := range []struct {
		name     string
		routes   string // the problem that the routes find
		delivery string // the problem that the delivery brings
		age      time.Duration
		want     string
	}{
		{name: "none", age: young},
		{name: "of the routes", routes: "bad parameter", age: young, want: "bad parameter"},
		{name: "of the delivery", delivery: "already handled", age: young, want: "already handled"},
		{
			name:     "the delivery's wins over the routes'",
			routes:   "bad parameter",
			delivery: "already handled",
			age:      young,
			want:     "already handled",
		},
		{name: "the delivery's wins over its age", delivery: "already handled", age: old, want: "already handled"},
		{
			name: "of its age",
			age:  old,
			want: "arrived too late, deploy again (created 2h0m0s before it arrived, the limit is 1h0m0s)",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			in, db := newIntake(t, &testRoutes{environment: "production", problem: test.routes})
			req := request(41, "production")
			req.CreatedAt = now.Add(-test.age)
			del := intake.Delivery{Delivery: delivery("a", req), Problem: test.delivery}
			if _, err := in.Accept(t.Context(), del, req); err != nil {
				t.Fatal(err)
			}

			if got := only(t, db, 41).Deployment.Problem; got != test.want {
				t.Errorf("got problem %q, want %q", got, test.want)
			}
		})
	}
}

func TestAccept_KeysAreRandom(t *testing.T) {
	routes := &testRoutes{environment: "production"}
	in, _ := newIntake(t, routes)
	for id := range int64(3) {
		req := request(id+1, "production")
		del := intake.Delivery{Delivery: delivery(string(rune('a'+id)), req)}
		if _, err := in.Accept(t.Context(), del, req); err != nil {
			t.Fatal(err)
		}
	}

	hex := regexp.MustCompile(`^[0-9a-f]{32}$`)
	seen := map[string]bool{}
	for _, key := range routes.keys {
		if !hex.MatchString(key) {
			t.Errorf("got key %q, want 32 hexadecimal digits", key)
		}
		if seen[key] {
			t.Errorf("got key %q twice", key)
		}
		seen[key] = true
	}
}

func TestMatches(t *testing.T) {
	in, db := newIntake(t, &testRoutes{environment: "production"})
	for environment, want := range map[string]bool{"production": true, "staging": false} {
		t.Run(environment, func(t *testing.T) {
			req := request(41, environment)
			if got := in.Matches(req); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
			if known, err := db.Known(t.Context(), delivery("a", req)); err != nil || known {
				t.Errorf("got known %v, %v, want nothing stored", known, err)
			}
		})
	}
}

func TestIgnore_IsNoDuplicate(t *testing.T) {
	in, _ := newIntake(t, &testRoutes{environment: "production"})
	req := request(41, "production")
	got, err := in.Ignore(t.Context(), delivery("a", req), "it was deleted")
	if err != nil {
		t.Fatal(err)
	}
	if want := (intake.Result{Outcome: intake.Ignored, Reason: "it was deleted"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}

	got, err = in.Accept(t.Context(), intake.Delivery{Delivery: delivery("a", req)}, req)
	if err != nil {
		t.Fatal(err)
	}
	if got.Outcome != intake.Accepted {
		t.Errorf("the same delivery later: got %+v, want accepted", got)
	}
}

// A delivery that could not be stored is not remembered, so the sender's next attempt is accepted.
func TestIntake_ErrorIsReturned(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()

	for _, test := range []struct {
		name        string
		environment string
	}{
		{name: "matched", environment: "production"},
		{name: "ignored", environment: "staging"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in, db := newIntake(t, &testRoutes{environment: "production"})
			req := request(41, test.environment)
			del := delivery("a", req)

			result, err := in.Accept(canceled, intake.Delivery{Delivery: del}, req)
			if !errors.Is(err, context.Canceled) || result != (intake.Result{}) {
				t.Errorf("got %+v, %v, want no result and context.Canceled", result, err)
			}
			if known, err := db.Known(t.Context(), del); err != nil || known {
				t.Errorf("got known %v, %v, want nothing remembered", known, err)
			}
		})
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What is ignored can be looked up by what it was about.
func TestAccept_IgnoredIsListed(t *testing.T) {
	in, db := newIntake(t, &testRoutes{environment: "production"})
	req := request(42, "staging")
	if _, err := in.Accept(t.Context(), intake.Delivery{Delivery: delivery("a", req)}, req); err != nil {
		t.Fatal(err)
	}

	filter := deployment.DeliveryFilter{Repository: "acme/api", Environment: "staging", Limit: 9}
	got, err := db.IgnoredDeliveries(t.Context(), filter)
	if err != nil || len(got) != 1 {
		t.Fatalf("got %d ignored deliveries, %v, want 1", len(got), err)
	}
	if got[0].Reason != "no route matches" || got[0].DeploymentID != 42 {
		t.Errorf("got deployment %d, %q, want 42, no route matches", got[0].DeploymentID, got[0].Reason)
	}
}
