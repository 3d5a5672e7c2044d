package command

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var (
	goodRollback = RollbackOrder{Repository: "acme/api", Environment: "production", Reason: "errors"}

	runs   = deployment.Success{DeploymentID: 8, SHA: strings.Repeat("8", 40), Ref: "main", Task: "ship"}
	before = deployment.Success{DeploymentID: 7, SHA: strings.Repeat("7a", 20), Ref: "release", Task: "ship:blue"}
	left   = deployment.Success{
		DeploymentID: 6,
		SHA:          strings.Repeat("6", 40),
		Ref:          "main",
		Task:         "ship",
		BadSince:     time.Unix(1, 0),
	}
)

func TestRollback(t *testing.T) {
	s, f := newTestService()
	f.history.successes = []deployment.Success{runs, left, before}
	order := goodRollback
	order.Current = 8

	got, err := s.Rollback(t.Context(), Caller{Channel: deployment.ChannelAPI, By: alice}, order)
	if err != nil || got.Deployment == nil {
		t.Fatalf("got %+v, %v, want a deployment", got, err)
	}

	i := f.requests.intents[0]
	if i.SHA != before.SHA || i.Ref != "release" || i.Task != "ship:blue" || i.BackTo != 7 ||
		i.Cause != deployment.CauseRollback || string(i.Payload) != `{"hosts":"a"}` {
		t.Errorf("got %+v with payload %s, want the commit, ref, task and payload of #7", i, i.Payload)
	}
	if judged := f.gate.judged.Request; !judged.IsRollback() || judged.SHA != before.SHA {
		t.Errorf("got %+v judged, want a rollback", judged)
	}
	if detail := string(f.requests.events[0].Detail); !strings.Contains(detail, `"cause":"rollback"`) ||
		!strings.Contains(detail, `"back_to":7`) {
		t.Errorf("got audit detail %s, want it to say to what alice rolls back", detail)
	}
}

func TestRollback_FromFailed(t *testing.T) {
	s, f := newTestService()
	f.history.successes = []deployment.Success{runs, before}
	order := goodRollback
	order.Current, order.Failed = 8, 9

	if _, err := s.Rollback(t.Context(), Caller{Channel: deployment.ChannelAPI, By: alice}, order); err != nil {
		t.Fatal(err)
	}
	if i := f.requests.intents[0]; i.SHA != runs.SHA || i.BackTo != runs.DeploymentID {
		t.Errorf("got %s, #%d, want what ran before #9 failed: %s", i.SHA, i.BackTo, runs)
	}
}

func TestRollback_Refused(t *testing.T) {
	const builds = "invalid cannot_roll_back: the route for acme/api and production builds the ref that is asked for, " +
		"which is not at 7a7a7a7 any more: a rollback needs a fixed branch (circleci.branch) and a parameter with {{ .SHA }}"
	rollbackTo := func(to string) RollbackOrder {
		o := goodRollback
		o.To = to
		return o
	}

	inPlace := func(place string) RollbackOrder {
		o := goodRollback
		o.Place = place
		return o
	}

	for _, test := range []struct {
		name      string
		order     RollbackOrder
		successes []deployment.Success
		change    func(*fakes)
		want      string
	}{
		{name: "good", order: goodRollback, successes: []deployment.Success{runs, before}, want: "done"},
		{
			name:  "nothing was deployed",
			order: goodRollback,
			want: "conflict no_target: production of acme/api: there is nothing to go back to: " +
				"nothing has been deployed there",
		},
		{
			name:      "the task that ran before may not be asked for here",
			order:     inPlace("C0DEPLOYS1"),
			successes: []deployment.Success{runs, before},
			change: func(f *fakes) {
				f.routes.places, f.routes.blue = []string{"C0DEPLOYS1"}, []string{"C0BLUE0001"}
			},
			want: "forbidden not_allowed: a deployment of acme/api to production may not be asked for here, " +
				"only in the channels of the routes file (ask: C0BLUE0001)",
		},
		{
			name:      "something else runs by now",
			order:     RollbackOrder{Repository: "acme/api", Environment: "production", Current: 7},
			successes: []deployment.Success{runs, before},
			want:      "conflict moved: 8888888 (#8) runs in production of acme/api now: look at it, and ask again",
		},
		{
			name:      "to what runs",
			order:     rollbackTo("#8"),
			successes: []deployment.Success{runs, before},
			want:      "conflict no_target: production of acme/api: 8888888 (#8) is what runs there",
		},
		{name: "to a bad one, by name", order: rollbackTo("#6"), successes: []deployment.Success{runs, left}, want: "done"},
		{
			name:      "route builds the ref",
			order:     goodRollback,
			successes: []deployment.Success{runs, before},
			change:    func(f *fakes) { f.routes.moving = true },
			want:      builds,
		},
		{
			name:      "no parameter has the commit",
			order:     goodRollback,
			successes: []deployment.Success{runs, before},
			change:    func(f *fakes) { f.routes.noSHA = true },
			want:      builds,
		},
		{
			name:      "strict revision",
			order:     goodRollback,
			successes: []deployment.Success{runs, before},
			change:    func(f *fakes) { f.routes.strict = true },
			want:      builds,
		},
		{
			name:      "payload is text",
			order:     goodRollback,
			successes: []deployment.Success{runs, before},
			change:    func(f *fakes) { f.history.payload = `"v1"` },
			want: "invalid cannot_roll_back: the payload of 7a7a7a7 (#7) is no JSON object, " +
				"so that it cannot be deployed again by Seraph",
		},
		{
			name:      "payload cannot be read",
			order:     goodRollback,
			successes: []deployment.Success{runs, before},
			change:    func(f *fakes) { f.history.err = errors.New("503") },
			want:      "unavailable unavailable: the payload of 7a7a7a7 (#7) could not be read: 503",
		},
		{
			name:      "rejected by the rules",
			order:     goodRollback,
			successes: []deployment.Success{runs, before},
			change:    func(f *fakes) { f.gate.rejects = "alice may not roll back" },
			want:      "conflict rejected: alice may not roll back",
		},
		{
			name:  "no route",
			order: RollbackOrder{Repository: "acme/api", Environment: "prodution"},
			want:  "not_found not_found: there is no route for acme/api and prodution (task ship)",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newTestService()
			f.history.successes = test.successes
			if test.change != nil {
				test.change(f)
			}

			_, err := s.Rollback(t.Context(), Caller{By: alice}, test.order)
			if got := outcome(err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if stored := len(f.requests.intents) == 1; stored != (test.want == "done") {
				t.Errorf("got stored %v with %q", stored, outcome(err))
			}
		})
	}
}

func TestRollback_SameKey(t *testing.T) {
	s, f := newTestService()
	f.history.successes = []deployment.Success{runs, before}
	order := goodRollback
	order.Key = "message 1"
	by := Caller{By: alice}
	if _, err := s.Rollback(t.Context(), by, order); err != nil {
		t.Fatal(err)
	}

	f.history.successes = []deployment.Success{before, runs}
	if _, err := s.Rollback(t.Context(), by, order); err != nil || len(f.requests.intents) != 1 {
		t.Errorf("same key: got %d requests, %v, want 1", len(f.requests.intents), err)
	}

	deploy := goodOrder
	deploy.Key = "message 1"
	const want = "invalid key_reused: the idempotency key was used for another request: use a new one"
	if _, err := s.Deploy(t.Context(), by, deploy); outcome(err) != want {
		t.Errorf("deployment with the key: got %q, want %q", outcome(err), want)
	}
}

// A success that was rolled back from, or was forced, meets the rules about what is new.
func TestRollback_Unproven(t *testing.T) {
	forced := before
	forced.Forced = true
	for _, test := range []struct {
		name   string
		target deployment.Success
		want   bool
	}{
		{name: "proven", target: before},
		{name: "rolled back from", target: left, want: true},
		{name: "forced", target: forced, want: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newTestService()
			f.history.successes = []deployment.Success{runs, test.target}
			order := goodRollback
			order.To = fmt.Sprintf("#%d", test.target.DeploymentID)
			if _, err := s.Rollback(t.Context(), Caller{By: alice}, order); err != nil {
				t.Fatal(err)
			}

			judged := f.gate.judged.Request
			if got := judged.Asked.Unproven; got != test.want || !judged.IsRollback() {
				t.Errorf("got unproven %v, want %v, of a rollback", got, test.want)
			}
		})
	}
}
