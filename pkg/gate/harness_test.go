package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newTestGate is a gate with one policy for all environments but "nowhere". If down is set, GitHub
// answers everything with it.
func newTestGate(p policy.Policy, down error) *Gate {
	return &Gate{
		Policies:     onePolicy(p),
		Rows:         emptyRows{},
		History:      ranPipelines{},
		People:       fakePeople{down: down},
		Repositories: fakeRepositories{down},
		Commits:      fakeHistory{},
		Now:          func() time.Time { return noon },
	}
}

type onePolicy policy.Policy

func (p onePolicy) Policy(req deployment.Request) (policy.Policy, bool) {
	return policy.Policy(p), req.Environment != "nowhere"
}

func (p onePolicy) UnlockPolicies(deployment.Request) ([]policy.Policy, bool) {
	return []policy.Policy{policy.Policy(p)}, true
}

// fakePeople knows alice (1), bob (2) and an app. alice is a member of every team.
type fakePeople struct {
	down  error
	may   policy.Permission // of everybody; empty: write
	reads *int              // of permissions; nil: they are not counted
}

func (f fakePeople) Person(_ context.Context, id int64, _ deployment.Repository, _ int64) (string, error) {
	return map[int64]string{1: "alice", 2: "bob"}[id], f.down
}

func (f fakePeople) TeamMember(_ context.Context, _, _, login string, _ deployment.Repository, _ int64) (bool, error) {
	return login == "alice", f.down
}

func (f fakePeople) TeamID(context.Context, string, string, deployment.Repository, int64) (int64, error) {
	return 12, f.down
}

func (f fakePeople) Permission(
	context.Context,
	deployment.Repository,
	int64,
	int64,
	string,
) (policy.Permission, error) {
	if f.reads != nil {
		*f.reads++
	}
	return cmp.Or(f.may, policy.PermissionWrite), f.down
}

func (f fakePeople) PersonByLogin(
	_ context.Context,
	login string,
	_ deployment.Repository,
	_ int64,
) (deployment.Actor, error) {
	switch login {
	case "alice":
		return deployment.Actor{ID: 1, Login: "alice"}, f.down
	case "bob":
		return deployment.Actor{ID: 2, Login: "bob"}, f.down
	case "my-hubot[bot]":
		return deployment.Actor{ID: 90, Login: login, App: "my-hubot"}, f.down
	default:
		return deployment.Actor{}, fmt.Errorf("%w: 404", policy.ErrMissing)
	}
}

// fakeRepositories has every repository but those called gone.
type fakeRepositories struct{ down error }

func (f fakeRepositories) ResolveRepository(_ context.Context, owner, name string) (deployment.Source, error) {
	if name == "gone" {
		return deployment.Source{}, fmt.Errorf("%w: 404", policy.ErrMissing)
	}
	return deployment.Source{Repository: deployment.Repository{ID: 7, Owner: owner, Name: name}}, f.down
}

// fakeHistory knows which commits there are, by how they begin.
type fakeHistory struct{ Commits }

func (fakeHistory) CommitExists(_ context.Context, _ deployment.Repository, _ int64, sha string) error {
	switch {
	case strings.HasPrefix(sha, "bad"):
		return fmt.Errorf("%w: 404", policy.ErrMissing)
	case sha == "hidden":
		return &deployment.RefsHiddenError{Err: errors.New("403")}
	case strings.HasPrefix(sha, "outage"):
		return errors.New("503")
	default:
		return nil
	}
}

// emptyRows is an empty database.
type emptyRows struct{}

func (emptyRows) LocksOn(context.Context, int64, string) ([]policy.Lock, error) { return nil, nil }

func (emptyRows) Queue(context.Context, deployment.Deployment) (policy.Queue, error) {
	return policy.Queue{}, nil
}

func (emptyRows) Approvals(context.Context, int64) ([]policy.Approval, error) { return nil, nil }

// deploymentOf is alice's deployment to production that was accepted some time ago.
func deploymentOf(age time.Duration) deployment.Deployment {
	return deployment.Deployment{
		Row:        5,
		AcceptedAt: noon.Add(-age),
		Target:     deployment.Target{HasRules: true},
		Request: deployment.Request{
			ID:          5,
			Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
			Environment: "production",
			Ref:         "v1",
			Creator:     deployment.Creator{ID: 1, Login: "alice", Type: "User"},
		},
	}
}

// summary is a verdict as one text: its decision and message.
func summary(v policy.Verdict) string {
	return strings.TrimSpace(string(v.Decision) + " " + v.Deciding().Message)
}
