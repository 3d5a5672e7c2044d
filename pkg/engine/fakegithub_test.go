package engine

import (
	"context"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/gate"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// fakeGitHub shows every deployment as its event did, unless change says otherwise, and every ref at
// the deployment's commit, unless heads says otherwise. It counts what it was asked.
type fakeGitHub struct {
	statuses []deployment.Status
	change   func(*deployment.Request)
	missing  bool
	heads    *deployment.Heads
	failure  error // of every call

	statusReads, deploymentReads, refReads int
}

func (g *fakeGitHub) Statuses(context.Context, deployment.Request) ([]deployment.Status, error) {
	g.statusReads++
	return g.statuses, g.failure
}

func (g *fakeGitHub) Deployment(_ context.Context, of deployment.Request) (deployment.Request, error) {
	g.deploymentReads++
	if g.missing {
		return deployment.Request{}, policy.ErrMissing
	}
	if g.change != nil {
		g.change(&of)
	}
	return of, g.failure
}

func (g *fakeGitHub) Heads(
	_ context.Context,
	of deployment.Request,
	_ deployment.Ref,
	_ bool,
) (deployment.Heads, error) {
	g.refReads++
	if g.heads != nil {
		return *g.heads, g.failure
	}
	return deployment.Heads{Branch: of.SHA}, g.failure
}

// fakeCircleCI starts a pipeline at each trigger, unless it has another answer. It takes its time to show
// a project.
type fakeCircleCI struct {
	emptyCircleCI
	answers []deployment.Event // to the first triggers
	slow    func()             // called before a project is shown

	triggers   []deployment.Ref
	sendBefore time.Time
}

func (c *fakeCircleCI) Project(_ context.Context, slug string) (deployment.Project, deployment.Event) {
	if c.slow != nil {
		c.slow()
	}
	return deployment.Project{ID: "uuid", Slug: slug}, nil
}

func (c *fakeCircleCI) Trigger(
	_ context.Context,
	_ deployment.Target,
	ref deployment.Ref,
	sendBefore time.Time,
) deployment.Event {
	c.triggers = append(c.triggers, ref)
	c.sendBefore = sendBefore
	if n := len(c.triggers); n <= len(c.answers) {
		return c.answers[n-1]
	}
	return triggered("p" + time.Now().String())
}

func (*fakeCircleCI) Poll(context.Context, string) (deployment.Progress, *deployment.PollFailed) {
	return deployment.Progress{}, &deployment.PollFailed{Cause: "not now"}
}

func (c *fakeCircleCI) PollWorkflows(ctx context.Context, id string) (deployment.Progress, *deployment.PollFailed) {
	return c.Poll(ctx, id)
}

func (*fakeCircleCI) CancelWorkflow(context.Context, string) error { return nil }

// fixedRules is a route with rules.
type fixedRules policy.Policy

func (r fixedRules) Policy(deployment.Request) (policy.Policy, bool) { return policy.Policy(r), true }

// UnlockPolicies implements gate.Policies.
func (r fixedRules) UnlockPolicies(deployment.Request) ([]policy.Policy, bool) {
	return []policy.Policy{policy.Policy(r)}, true
}

// between puts an engine between a GitHub and a CircleCI, under rules.
func (e *testEngine) between(g *fakeGitHub, c *fakeCircleCI, rules policy.Policy) {
	e.GitHub, e.Starter, e.Poller, e.Searcher = g, c, c, c
	e.Gate = &gate.Gate{Policies: fixedRules(rules), Rows: e.db, History: e.db, Now: e.clock}
}
