package command

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

var goodOrder = DeployOrder{Repository: "acme/api", Ref: "main", Environment: "production", Reason: "release"}

func orderWith(change func(*DeployOrder)) DeployOrder {
	o := goodOrder
	change(&o)
	return o
}

func TestDeploy(t *testing.T) {
	s, f := newTestService()
	caller := Caller{Channel: deployment.ChannelAPI, By: deployment.Actor{ID: 1, Login: "alice", Token: "hubot"}}
	order := goodOrder
	order.Payload = json.RawMessage(`{"hosts":"a"}`)
	order.Origin = Origin{Key: "message 1", Via: "hubot", Place: "room", Text: "deploy api"}

	got, err := s.Deploy(t.Context(), caller, order)
	if err != nil {
		t.Fatal(err)
	}
	if got.Deployment == nil || got.Deployment.Request.ID != 5 || got.Verdict == nil {
		t.Errorf("got %+v, want deployment 5 with a verdict", got)
	}

	i := f.requests.intents[0]
	if i.SHA != mainSHA || i.Ref != "main" || i.Task != "ship" || !i.Production || i.Installation != 0 || len(i.Nonce) != 32 {
		t.Errorf("got intent %+v, want the commit of main, with the usual task", i)
	}
	if want := (deployment.Maker{AppID: 3, Login: "seraph[bot]"}); i.Maker != want {
		t.Errorf("got maker %+v, want %+v", i.Maker, want)
	}
	if event := f.requests.events[0]; event.Kind != deployment.AuditRequested || event.Actor != caller.By ||
		event.RepositoryID != 9 || !strings.Contains(string(event.Detail), `"reason":"release"`) {
		t.Errorf("got audit %+v %s, want alice's request", event, event.Detail)
	}
	if judged := f.gate.judged.Request; !judged.Requester().Same(alice) || judged.Ref != "main" || judged.ID != 0 {
		t.Errorf("got %+v judged, want alice's deployment of main", judged)
	}
}

func TestDeploy_Refused(t *testing.T) {
	for _, test := range []struct {
		name    string
		by      Caller
		order   DeployOrder
		rejects string
		refused string // what People refuse with
		change  func(*fakes)
		want    string
	}{
		{name: "good", order: goodOrder, want: "done"},
		{
			name:    "rejected by the rules",
			order:   goodOrder,
			rejects: "alice is not allowed to deploy",
			want:    "conflict rejected: alice is not allowed to deploy",
		},
		{
			name:   "an account that GitHub does not show",
			order:  goodOrder,
			change: func(f *fakes) { f.gate.nobody = "nosuch's GitHub account" },
			want: "forbidden not_allowed: this depends on nosuch's GitHub account: check by which login and id the person " +
				"is named; https://api.github.com/users/LOGIN shows the id of an account",
		},
		{
			name: "nothing",
			want: "invalid repository_missing: the repository is missing: write OWNER/NAME",
		},
		{
			name:  "no such repository",
			order: orderWith(func(o *DeployOrder) { o.Repository = "acme/gone" }),
			want:  "not_found not_found: repository acme/gone cannot be found: not found at GitHub",
		},
		{
			name:  "GitHub does not say whether there is a repository",
			order: orderWith(func(o *DeployOrder) { o.Repository = "acme/away" }),
			want:  "unavailable unavailable: the repository acme/away could not be looked up: 503",
		},
		{
			name:  "no route",
			order: orderWith(func(o *DeployOrder) { o.Repository = "secret/gone" }),
			want:  "not_found not_found: there is no route for secret/gone and production (task ship)",
		},
		{
			name:  "no repository",
			order: orderWith(func(o *DeployOrder) { o.Repository = "api" }),
			want:  "not_found not_found: there is no repository api",
		},
		{
			name:  "no environment",
			order: orderWith(func(o *DeployOrder) { o.Environment = " " }),
			want:  "invalid environment_missing: the environment is missing",
		},
		{
			name:  "no ref",
			order: orderWith(func(o *DeployOrder) { o.Ref = "" }),
			want:  "invalid ref_missing: the ref is missing: name a branch, a tag or a commit, in plain characters",
		},
		{
			name:  "no such ref",
			order: orderWith(func(o *DeployOrder) { o.Ref = "mian" }),
			want:  `invalid no_such_ref: acme/api has no branch, tag or commit "mian", but there is main`,
		},
		{
			name:  "refs may not be read",
			order: goodOrder,
			change: func(f *fakes) {
				f.refs.err = &deployment.RefsHiddenError{Err: errors.New("403")}
			},
			want: "unavailable refs_hidden: Seraph may not read the repository's refs: give it the permission contents: read",
		},
		{
			name:   "GitHub is away",
			order:  goodOrder,
			change: func(f *fakes) { f.refs.err = errors.New("503") },
			want:   "unavailable unavailable: the ref could not be read at GitHub: 503",
		},
		{
			name:  "ref is where it was seen",
			order: orderWith(func(o *DeployOrder) { o.SHA = strings.ToUpper(mainSHA[:7]) }),
			want:  "done",
		},
		{
			name:  "ref has moved",
			order: orderWith(func(o *DeployOrder) { o.SHA = strings.Repeat("cd", 20) }),
			want:  "conflict ref_moved: main is at abababa now, not at cdcdcdc: look at it, and ask again",
		},
		{
			name:  "seen commit too short",
			order: orderWith(func(o *DeployOrder) { o.SHA = "ab" }),
			want:  "conflict ref_moved: main is at abababa now, not at ab: look at it, and ask again",
		},
		{
			name:  "task that locks",
			order: orderWith(func(o *DeployOrder) { o.Task = "SHIP:unlock" }),
			want:  "invalid task_reserved: the task SHIP:unlock locks and unlocks: use the commands for locks",
		},
		{
			name:  "payload is a list",
			order: orderWith(func(o *DeployOrder) { o.Payload = json.RawMessage(`[1]`) }),
			want:  "invalid payload_invalid: the payload must be a JSON object",
		},
		{
			name:  "payload is text with an object",
			order: orderWith(func(o *DeployOrder) { o.Payload = json.RawMessage(`"{}"`) }),
			want:  "invalid payload_invalid: the payload must be a JSON object",
		},
		{
			name:  "payload asks for force",
			order: orderWith(func(o *DeployOrder) { o.Payload = json.RawMessage(`{"seraph_force":"x"}`) }),
			want:  "invalid payload_reserved: the payload must not have the keys seraph and seraph_force: use force",
		},
		{
			name:   "route cannot render it",
			order:  goodOrder,
			change: func(f *fakes) { f.routes.problem = "parameter hosts is required" },
			want:   "invalid cannot_run: parameter hosts is required",
		},
		{
			name:  "force without a reason",
			order: orderWith(func(o *DeployOrder) { o.Force, o.Reason = true, " " }),
			want:  "invalid reason_missing: a reason is required",
		},
		{
			name:  "force by a token",
			by:    Caller{By: ops},
			order: orderWith(func(o *DeployOrder) { o.Force = true }),
			want:  "forbidden not_allowed: a token needs the scope admin to force a deployment",
		},
		{
			name:    "force by somebody who may not",
			order:   orderWith(func(o *DeployOrder) { o.Force = true }),
			refused: "alice is not allowed to force",
			want:    "forbidden not_allowed: alice is not allowed to force",
		},
		{name: "force", order: orderWith(func(o *DeployOrder) { o.Force = true }), want: "done"},
		{
			name:   "in a room where it may not be asked for",
			order:  orderWith(func(o *DeployOrder) { o.Place = "C0RANDOM1" }),
			change: func(f *fakes) { f.routes.places = []string{"C0DEPLOYS1"} },
			want: "forbidden not_allowed: a deployment of acme/api to production may not be asked for here, " +
				"only in the channels of the routes file (ask: C0DEPLOYS1)",
		},
		{
			name:   "by a person from nowhere, where it may be asked for only in a room",
			order:  goodOrder,
			change: func(f *fakes) { f.routes.places = []string{"C0DEPLOYS1"} },
			want: "forbidden not_allowed: a deployment of acme/api to production may not be asked for here, " +
				"only in the channels of the routes file (ask: C0DEPLOYS1)",
		},
		{
			name:   "by a token, where people may ask for it only in a room",
			by:     Caller{By: ops},
			order:  goodOrder,
			change: func(f *fakes) { f.routes.places = []string{"C0DEPLOYS1"} },
			want:   "done",
		},
		{
			name:   "in a room where it may be asked for",
			order:  orderWith(func(o *DeployOrder) { o.Place = "C0DEPLOYS1" }),
			change: func(f *fakes) { f.routes.places = []string{"C0DEPLOYS1"} },
			want:   "done",
		},
		{
			name:   "GitHub refuses it",
			order:  goodOrder,
			change: func(f *fakes) { f.requests.problem = "No ref found for: ababab" },
			want:   "invalid not_created: No ref found for: ababab",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newTestService()
			f.gate.refused, f.gate.rejects = test.refused, test.rejects
			if test.change != nil {
				test.change(f)
			}

			by := test.by
			if by == (Caller{}) {
				by.By = alice
			}
			_, err := s.Deploy(t.Context(), by, test.order)
			if got := outcome(err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			stored := test.want == "done" || strings.Contains(test.want, "not_created")
			if (len(f.requests.intents) == 1) != stored {
				t.Errorf("got %d requests stored, want stored %v", len(f.requests.intents), stored)
			}
		})
	}
}

// Somebody who may not deploy learns nothing of the repository's refs, and no ref is looked for.
func TestDeploy_AllowedBeforeRefs(t *testing.T) {
	reject := policy.Verdict{
		Decision: policy.DecisionReject,
		Outcomes: []policy.Outcome{{Decision: policy.DecisionReject, Message: "mallory is not allowed"}},
	}
	for _, test := range []struct {
		name  string
		allow policy.Verdict
		ref   string
		asked int
		want  string
	}{
		{
			name:  "not allowed",
			allow: reject,
			ref:   "deadbee1",
			want:  "conflict rejected: mallory is not allowed",
		},
		{
			name:  "not allowed, and the ref is there",
			allow: reject,
			ref:   "main",
			want:  "conflict rejected: mallory is not allowed",
		},
		{
			name:  "unknown whether allowed",
			allow: policy.Verdict{Decision: policy.DecisionWait},
			ref:   "deadbee1",
			asked: 1,
			want:  `invalid no_such_ref: acme/api has no branch, tag or commit "deadbee1"`,
		},
		{
			name:  "allowed",
			allow: policy.Verdict{Decision: policy.DecisionAllow},
			ref:   "deadbee1",
			asked: 1,
			want:  `invalid no_such_ref: acme/api has no branch, tag or commit "deadbee1", but there is main`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newTestService()
			f.gate.allow = test.allow

			_, err := s.Deploy(t.Context(), Caller{By: bob}, orderWith(func(o *DeployOrder) { o.Ref = test.ref }))
			if outcome(err) != test.want || f.refs.asked != test.asked {
				t.Errorf("got %q after %d refs, want %q after %d", outcome(err), f.refs.asked, test.want, test.asked)
			}
			if asked := f.gate.allowed.Request; !asked.Requester().Same(bob) || asked.Task != "ship" {
				t.Errorf("got %+v asked about, want bob's deployment with the usual task", asked)
			}
		})
	}
}

func TestDeploy_SameKey(t *testing.T) {
	s, f := newTestService()
	by := Caller{Channel: deployment.ChannelAPI, By: deployment.Actor{Token: "ci"}}
	order := orderWith(func(o *DeployOrder) { o.Key = "build 7" })
	if _, err := s.Deploy(t.Context(), by, order); err != nil {
		t.Fatal(err)
	}

	f.refs.sha = strings.Repeat("cd", 20) // main has moved: the same key means the first commit
	again, err := s.Deploy(t.Context(), by, order)
	if err != nil || again.Deployment == nil || again.Intent.SHA != mainSHA || len(f.requests.intents) != 1 {
		t.Errorf("got %+v, %v, want the deployment of the first time", again, err)
	}

	elsewhere, sawOther := order, order
	elsewhere.Environment, sawOther.SHA = "staging", f.refs.sha
	for name, other := range map[string]DeployOrder{"another environment": elsewhere, "another commit": sawOther} {
		const want = "invalid key_reused: the idempotency key was used for another request: use a new one"
		if _, err := s.Deploy(t.Context(), by, other); outcome(err) != want {
			t.Errorf("%s with the key: got %q, want %q", name, outcome(err), want)
		}
	}

	by.By.Token = "hubot"
	if _, err := s.Deploy(t.Context(), by, order); err != nil || len(f.requests.intents) != 2 {
		t.Errorf("another client with the key: got %d requests, %v, want 2", len(f.requests.intents), err)
	}
}

func TestDeploy_Tag(t *testing.T) {
	s, f := newTestService()
	if _, err := s.Deploy(t.Context(), Caller{By: alice}, orderWith(func(o *DeployOrder) { o.Ref = "tags/v1" })); err != nil {
		t.Fatal(err)
	}
	if got := f.requests.intents[0].Ref; got != "refs/tags/v1" {
		t.Errorf("got ref %s, want the tag by its full name", got)
	}
}

func TestRequest(t *testing.T) {
	s, f := newTestService()
	by := Caller{Channel: deployment.ChannelAPI, By: deployment.Actor{Token: "ci"}}
	if _, err := s.Deploy(t.Context(), by, orderWith(func(o *DeployOrder) { o.Key = "build 7" })); err != nil {
		t.Fatal(err)
	}

	reader := Caller{Channel: deployment.ChannelAPI, By: deployment.Actor{Token: "reader"}}
	for _, test := range []struct {
		name string
		by   Caller
		key  string
		want string
	}{
		{name: "own key", by: by, key: "build 7", want: "done"},
		{name: "key of another client", by: reader, key: "build 7", want: "not_found not_found: no request has this key"},
		{name: "the key that is everybody's", by: reader, key: f.requests.intents[0].Nonce, want: "done"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := s.Request(t.Context(), test.by, test.key)
			if outcome(err) != test.want || err == nil && got.Deployment == nil {
				t.Errorf("got %q with deployment %v, want %q", outcome(err), got.Deployment, test.want)
			}
		})
	}
}

// GitHub's answer is waited for, and not for ever.
func TestDeploy_Unanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newTestService()
		f.requests.created = 0
		began := time.Now()

		got, err := s.Deploy(t.Context(), Caller{By: alice}, goodOrder)
		if err != nil || got.Deployment != nil || got.Intent.Key == "" || got.Verdict == nil {
			t.Errorf("got %+v, %v, want the request with a verdict and no deployment", got, err)
		}
		if waited := time.Since(began); waited != orderWait {
			t.Errorf("waited %s, want %s", waited, orderWait)
		}
	})
}

func TestDeploy_TooManyOpen(t *testing.T) {
	s, f := newTestService()
	f.requests.full = true
	const want = "conflict too_many_open: alice has 20 open deployments to production: cancel some, " +
		"or wait until they have started"
	if _, err := s.Deploy(t.Context(), Caller{By: alice}, goodOrder); outcome(err) != want {
		t.Errorf("got %q, want %q", outcome(err), want)
	}
}
