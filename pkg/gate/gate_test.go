package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// github is a GitHub on which little is asked.
type github struct {
	GitHub
	down     error               // of every question
	required map[string][]string // by ref: the names of the checks that it requires
	newest   []policy.Check
	history  []policy.Check // those in newest, and those that they replaced
	queries  *[]policy.CheckQuery
}

func (g github) Checks(
	_ context.Context,
	_ deployment.Repository,
	_ int64,
	q policy.CheckQuery,
) ([]policy.Check, error) {
	*g.queries = append(*g.queries, q)
	if q.History {
		return g.history, g.down
	}
	return g.newest, g.down
}

func (g github) RequiredChecks(
	_ context.Context,
	_ deployment.Repository,
	_ int64,
	ref string,
) ([]policy.CheckName, error) {
	var names []policy.CheckName
	for _, name := range g.required[ref] {
		names = append(names, policy.CheckName{Name: name})
	}
	return names, g.down
}

func (g github) Person(_ context.Context, id int64, _ deployment.Repository, _ int64) (string, error) {
	return map[int64]string{1: "alice", 2: "bob"}[id], g.down
}

func (g github) TeamMember(_ context.Context, _, _, login string, _ deployment.Repository, _ int64) (bool, error) {
	return login == "alice", g.down
}

func (g github) PersonByLogin(
	_ context.Context,
	login string,
	_ deployment.Repository,
	_ int64,
) (deployment.Actor, error) {
	switch login {
	case "alice":
		return deployment.Actor{ID: 1, Login: "alice"}, g.down
	case "my-hubot[bot]":
		return deployment.Actor{ID: 90, Login: login, App: "my-hubot"}, g.down
	default:
		return deployment.Actor{}, fmt.Errorf("%w: 404", policy.ErrMissing)
	}
}

func (g github) ResolveRepository(_ context.Context, owner, name string) (deployment.Source, error) {
	if name == "gone" {
		return deployment.Source{}, fmt.Errorf("%w: 404", policy.ErrMissing)
	}
	return deployment.Source{Repository: deployment.Repository{ID: 7, Owner: owner, Name: name}}, g.down
}

// rows are ours, and empty.
type rows struct{ Rows }

func (rows) LocksOn(context.Context, int64, string) ([]policy.Lock, error) { return nil, nil }
func (rows) Queue(context.Context, deployment.Deployment) (policy.Queue, error) {
	return policy.Queue{}, nil
}
func (rows) Approvals(context.Context, int64) ([]policy.Approval, error) { return nil, nil }

// past is what our deployments came to: nothing, but for the pipelines.
type past []deployment.Pipeline

func (past) Deployed(context.Context, int64, string) (string, error) { return "", nil }
func (past) PriorResult(context.Context, int64, string, string) (policy.PriorResult, error) {
	return policy.PriorNone, nil
}
func (p past) Pipelines(context.Context, int64, string) ([]deployment.Pipeline, error) { return p, nil }

// book has one policy for all.
type book policy.Policy

func (b book) Policy(req deployment.Request) (policy.Policy, bool) {
	return policy.Policy(b), req.Environment != "nowhere"
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func of(p policy.Policy, down error) *Gate {
	return &Gate{
		Policies: book(p),
		GitHub:   github{down: down},
		Rows:     rows{},
		History:  past{},
		Now:      func() time.Time { return noon },
	}
}

// byAlice is a deployment to production that she asked for a while ago.
func byAlice(ago time.Duration) deployment.Deployment {
	return deployment.Deployment{
		Row:        5,
		AcceptedAt: noon.Add(-ago),
		Target:     deployment.Target{Ruled: true},
		Request: deployment.Request{
			ID:          5,
			Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
			Environment: "production",
			Ref:         "v1",
			Creator:     deployment.Creator{ID: 1, Login: "alice", Type: "User"},
		},
	}
}

func said(v policy.Verdict) string {
	return strings.TrimSpace(string(v.Decision) + " " + v.First().Message)
}

// What is triggered is what is judged: a bare name that is no branch is tried as a tag.
func TestTagsByBareNames(t *testing.T) {
	const (
		allow  = "allow"
		reject = "reject refs/tags/v1 may not be deployed to production (allowed: "
	)

	bare := deployment.Ref{Kind: deployment.RefBare, Name: "v1"}
	for name, c := range map[string]struct {
		glob  string
		built deployment.Ref
		tries int
		want  string
	}{
		"first as a branch":                {"v*", bare, 0, allow},
		"then as a tag":                    {"v*", bare, 1, reject + "v*)"},
		"as a branch again":                {"v*", bare, 2, allow},
		"as a tag again":                   {"v*", bare, 3, reject + "v*)"},
		"a tag that may go, as a branch":   {"refs/tags/v*", bare, 0, "reject v1 may not be deployed to production (allowed: refs/tags/v*)"},
		"a tag that may go, as a tag":      {"refs/tags/v*", bare, 1, allow},
		"a route that builds a branch":     {"v*", deployment.Ref{Kind: deployment.RefBranch, Name: "v1"}, 1, allow},
		"a route that builds another name": {"v*", deployment.Ref{Kind: deployment.RefBare, Name: "main"}, 1, allow},
	} {
		d := byAlice(0)
		d.Target.Ref, d.RefTries = c.built, c.tries
		v, err := of(policy.Policy{Refs: []string{c.glob}}, nil).Decide(t.Context(), d)
		if got := said(v); err != nil || got != c.want {
			t.Errorf("%s: %s, want %s (%v)", name, got, c.want, err)
		}
	}
}

// Who forces is named as who they are, though only the requester's standing was asked for.
func TestForcerIsNoRequester(t *testing.T) {
	bob := deployment.Actor{ID: 2, Login: "bob"}
	g := of(policy.Policy{
		Allow: &policy.Subjects{Teams: []string{"acme/sre"}},
		Force: &policy.Subjects{Users: []string{"id:3"}},
	}, nil)

	const want = "bob is not allowed to force a deployment to production"
	d := byAlice(0)
	if refused := g.Forcer(t.Context(), d, bob); refused != want {
		t.Errorf("he is told %q, want %q", refused, want)
	}

	d.Force = &deployment.Force{By: bob, Reason: "fire"}
	if v, err := g.Decide(t.Context(), d); err != nil || said(v) != "reject "+want {
		t.Errorf("%s (%v), want %q", said(v), err, want)
	}

	d.Force.By = deployment.Actor{ID: 1, Login: "alice"}
	g = of(policy.Policy{Force: &policy.Subjects{Teams: []string{"acme/sre"}}}, nil)
	if v, err := g.Decide(t.Context(), d); err != nil || said(v) != "allow" {
		t.Errorf("the requester may not force it: %s (%v)", said(v), err)
	}
}

// A lock that cannot be decided keeps its environment for minutes, not for days.
func TestActsWaitForMinutes(t *testing.T) {
	const waiting = "alice's GitHub account, which could not be read (503)"
	for _, c := range []struct {
		ago, most time.Duration
		want      string
	}{
		{14 * time.Minute, 0, "wait " + waiting},
		{16 * time.Minute, 0, "reject waited 15m for " + waiting},
		{16 * time.Minute, 168 * time.Hour, "reject waited 15m for " + waiting},
		{4 * time.Minute, 5 * time.Minute, "wait " + waiting},
		{6 * time.Minute, 5 * time.Minute, "reject waited 5m for " + waiting},
	} {
		g := of(policy.Policy{Allow: &policy.Subjects{Users: []string{"alice"}}, MaxWait: c.most}, errors.New("503"))
		if v, err := g.DecideLockTask(t.Context(), byAlice(c.ago)); err != nil || said(v) != c.want {
			t.Errorf("after %s of %s: %s, want %s (%v)", c.ago, c.most, said(v), c.want, err)
		}
	}
}

// A question is answered as the deployment would be. What GitHub does not have is told from what it
// does not say.
func TestAsk(t *testing.T) {
	p := policy.Policy{Allow: &policy.Subjects{Users: []string{"alice"}, Apps: []string{"my-hubot"}}}
	const down = "503"
	for name, c := range map[string]struct {
		q       policy.Question
		down    error
		want    string
		unknown bool
	}{
		"she may":   {policy.Question{Repository: "acme/api", Actor: "alice"}, nil, "allow", false},
		"a bot may": {policy.Question{Repository: "acme/api", Actor: "my-hubot[bot]"}, nil, "allow", false},
		"nobody": {
			policy.Question{Repository: "acme/api", Actor: "nobody"},
			nil,
			"person nobody cannot be found: " + policy.ErrMissing.Error() + ": 404",
			true,
		},
		"a login that is none": {
			policy.Question{Repository: "acme/api", Actor: "../api"},
			nil,
			"there is no person ../api",
			true,
		},
		"no repository": {
			policy.Question{Repository: "acme/gone"},
			nil,
			"repository acme/gone cannot be found: " + policy.ErrMissing.Error() + ": 404",
			true,
		},
		"a name that is none": {policy.Question{Repository: "acme/.."}, nil, "there is no repository acme/..", true},
		"a name of three":     {policy.Question{Repository: "acme/api/x"}, nil, "there is no repository acme/api/x", true},
		"no route": {
			policy.Question{Repository: "acme/api", Environment: "nowhere"},
			nil,
			"there is no route for acme/api and nowhere",
			true,
		},
		"GitHub is away": {
			policy.Question{Repository: "acme/api"},
			errors.New(down),
			"repository acme/api cannot be looked up: 503",
			false,
		},
		"GitHub is away in place": {
			policy.Question{Repository: "acme/gone"},
			errors.New(down),
			"repository acme/gone cannot be found: " + policy.ErrMissing.Error() + ": 404",
			true,
		},
	} {
		v, err := of(p, c.down).Ask(t.Context(), c.q)
		got := said(v)
		if err != nil {
			got = err.Error()
		}

		var unknown *policy.NotFoundError
		if got != c.want || errors.As(err, &unknown) != c.unknown {
			t.Errorf("%s: %s (%T), want %s", name, got, err, c.want)
		}
	}

	if _, err := of(p, errors.New(down)).creator(t.Context(), "alice", deployment.Source{}); err == nil ||
		err.Error() != "person alice cannot be looked up: 503" {
		t.Errorf("an outage, and she is %v", err)
	}
}

// What a check is asked for, and that our own pipelines' checks do not count.
func TestGate_Checks(t *testing.T) {
	const own = "https://app.circleci.com/pipelines/github/acme/api/25/workflows/1/jobs/2"
	status := func(id int64, name string, state policy.CheckState, url string) policy.Check {
		return policy.Check{Name: name, Status: true, State: state, URL: url, At: noon, ID: id}
	}

	tests := []struct {
		name            string
		rule            policy.Checks
		required        []string
		newest, history []policy.Check
		want            string
		wantQueries     []policy.CheckQuery
	}{
		{
			name:        "all",
			rule:        policy.Checks{Set: policy.ChecksAll},
			newest:      []policy.Check{status(1, "ci", policy.Green, "")},
			want:        "allow",
			wantQueries: []policy.CheckQuery{{SHA: "abc"}},
		},
		{
			name:        "required",
			rule:        policy.Checks{Set: policy.ChecksRequired},
			required:    []string{"ci"},
			newest:      []policy.Check{status(1, "ci", policy.Green, ""), status(2, "other", policy.Red, "")},
			want:        "allow",
			wantQueries: []policy.CheckQuery{{SHA: "abc", Names: []string{"ci"}}},
		},
		{
			name:        "nothing is required",
			rule:        policy.Checks{Set: policy.ChecksRequired},
			newest:      []policy.Check{status(1, "ci", policy.Green, "")},
			want:        "wait a required check (nothing is required here: name the checks in the route)",
			wantQueries: []policy.CheckQuery{{SHA: "abc"}},
		},
		{
			name:        "our failed deployment of this commit",
			rule:        policy.Checks{Set: policy.ChecksAll},
			newest:      []policy.Check{status(1, "ci", policy.Green, ""), status(2, "deploy", policy.Red, own)},
			history:     []policy.Check{status(1, "ci", policy.Green, ""), status(2, "deploy", policy.Red, own)},
			want:        "allow",
			wantQueries: []policy.CheckQuery{{SHA: "abc"}, {SHA: "abc", History: true}},
		},
		{
			name:    "our job wrote over a green status",
			rule:    policy.Checks{Set: policy.ChecksListed, Names: []policy.CheckName{{Name: "ci"}}},
			newest:  []policy.Check{status(2, "ci", policy.Red, own)},
			history: []policy.Check{status(2, "ci", policy.Red, own), status(1, "ci", policy.Green, "")},
			want:    "allow",
			wantQueries: []policy.CheckQuery{
				{SHA: "abc", Names: []string{"ci"}},
				{SHA: "abc", Names: []string{"ci"}, History: true},
			},
		},
		{
			name:    "our job wrote over a red status",
			rule:    policy.Checks{Set: policy.ChecksListed, Names: []policy.CheckName{{Name: "ci"}}},
			newest:  []policy.Check{status(2, "ci", policy.Green, own)},
			history: []policy.Check{status(2, "ci", policy.Green, own), status(1, "ci", policy.Red, "")},
			want:    `reject check "ci" failed`,
			wantQueries: []policy.CheckQuery{
				{SHA: "abc", Names: []string{"ci"}},
				{SHA: "abc", Names: []string{"ci"}, History: true},
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var queries []policy.CheckQuery
			g := of(policy.Policy{Checks: &tt.rule}, nil)
			g.History = past{{ID: "p", Number: 25, Slug: "gh/acme/api"}}
			g.GitHub = github{
				required: map[string][]string{"v1": tt.required},
				newest:   tt.newest,
				history:  tt.history,
				queries:  &queries,
			}

			d := byAlice(0)
			d.Request.SHA = "abc"
			v, err := g.Decide(t.Context(), d)
			if got := said(v); err != nil || got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
			if got, want := fmt.Sprintf("%+v", queries), fmt.Sprintf("%+v", tt.wantQueries); got != want {
				t.Errorf("got the queries %s, want %s", got, want)
			}
		})
	}
}
