package gate

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// gather reads all facts that are needed: those of our database one after another, and those of
// GitHub at the same time. An error means that the database cannot be read.
func (g *Gate) gather(
	ctx context.Context,
	d deployment.Deployment,
	r policy.Request,
	p policy.Policy,
) (policy.Facts, error) {
	n := p.Needs(r)
	f, err := g.gatherLocal(ctx, d, n)
	if err != nil {
		return f, err
	}
	if err := g.gatherHistory(ctx, d, n, &f); err != nil {
		return f, err
	}

	var asking sync.WaitGroup
	ask := func(needed bool, do func()) {
		if needed {
			asking.Go(do)
		}
	}

	repo, installation := d.Request.Repository, d.Request.Installation
	ask(n.Requester != nil, func() { f.Requester = g.membership(ctx, d, r.Requester, n.Requester) })
	ask(n.Forcer != nil && r.Force != nil, func() { f.Forcer = g.membership(ctx, d, r.Force.By, n.Forcer) })
	ask(n.Checks, func() {
		if n.Required { // first, because the list says which checks are asked for
			f.Required = fact(g.GitHub.RequiredChecks(ctx, repo, installation, r.Ref))
		}
		f.Checks = g.checks(ctx, d, p.QueryChecks(r, f.Required.Value), f.Pipelines.Value)
	})
	ask(n.Compared && f.Deployed.Value != "" && f.Deployed.Value != r.SHA, func() {
		f.Compared = fact(g.GitHub.Compare(ctx, repo, installation, f.Deployed.Value, r.SHA))
	})
	asking.Wait()

	return f, nil
}

// gatherLocal reads the facts of our database that policy.EvaluateLocal needs: locks, the queue and
// approvals.
func (g *Gate) gatherLocal(ctx context.Context, d deployment.Deployment, n policy.Needs) (policy.Facts, error) {
	var f policy.Facts

	locks, err := g.Rows.LocksOn(ctx, d.Request.Repository.ID, d.Request.EnvironmentKey())
	if err != nil {
		return f, err
	}
	f.Locks = policy.Known(locks)

	queue, err := g.Rows.Queue(ctx, d)
	if err != nil {
		return f, err
	}
	f.Queue = policy.Known(queue)

	if d.Row == 0 { // a question: there is nothing that could have been approved
		f.Approvals = policy.Known[[]policy.Approval](nil)
		return f, nil
	}
	if !n.Approvals {
		return f, nil
	}

	approvals, err := g.Rows.Approvals(ctx, d.Row)
	if err != nil {
		return f, err
	}
	f.Approvals = policy.Known(approvals)

	return f, nil
}

// gatherHistory reads the facts of our database that only a full evaluation needs: what is deployed,
// what became of the commit in other environments, and the pipelines that ran for it.
func (g *Gate) gatherHistory(ctx context.Context, d deployment.Deployment, n policy.Needs, f *policy.Facts) error {
	repo := d.Request.Repository.ID

	if n.Deployed {
		deployed, err := g.History.Deployed(ctx, repo, d.Request.EnvironmentKey())
		if err != nil {
			return err
		}
		f.Deployed = policy.Known(deployed)
	}

	if n.Pipelines {
		pipelines, err := g.History.Pipelines(ctx, repo, d.Request.SHA)
		if err != nil {
			return err
		}
		f.Pipelines = policy.Known(pipelines)
	}

	f.After = map[string]policy.Fact[policy.PriorResult]{}
	for _, environment := range n.After {
		result, err := g.History.PriorResult(ctx, repo, environment, d.Request.SHA)
		if err != nil {
			return err
		}
		f.After[environment] = policy.Known(result)
	}

	return nil
}

// checks reads the checks of a commit. Where one of our own pipelines wrote one of them, it reads also
// those that were replaced: our pipeline's status does not count, and the one before it does.
func (g *Gate) checks(
	ctx context.Context,
	d deployment.Deployment,
	q policy.CheckQuery,
	pipelines []deployment.Pipeline,
) policy.Fact[[]policy.Check] {
	repo, installation := d.Request.Repository, d.Request.Installation
	found, err := g.GitHub.Checks(ctx, repo, installation, q)
	own := func(c policy.Check) bool { return policy.WrittenBy(c, pipelines) }
	if err != nil || !slices.ContainsFunc(found, own) {
		return fact(found, err)
	}

	q.History = true
	return fact(g.GitHub.Checks(ctx, repo, installation, q))
}

// fact makes a fact of an answer; an error is an unknown one.
func fact[T any](v T, err error) policy.Fact[T] {
	if err != nil {
		return policy.Unknown[T](err.Error())
	}
	return policy.Known(v)
}

// membership asks who somebody is now, by id, and what of it is needed. Apps and tokens have none.
func (g *Gate) membership(
	ctx context.Context,
	d deployment.Deployment,
	who deployment.Actor,
	ask *policy.PersonNeeds,
) policy.Fact[policy.Membership] {
	if ask == nil || who.ID == 0 || who.App != "" {
		return policy.Known(policy.Membership{})
	}

	repo, installation := d.Request.Repository, d.Request.Installation
	login, err := g.GitHub.Person(ctx, who.ID, repo, installation)
	if err != nil {
		return policy.Unknown[policy.Membership](err.Error())
	}

	s := policy.Membership{Login: login, Teams: map[string]policy.Fact[bool]{}}
	if ask.Permission {
		s.Permission = fact(g.GitHub.Permission(ctx, repo, installation, who.ID, login))
	}

	for _, name := range ask.Teams {
		org, team, _ := strings.Cut(name, "/")
		s.Teams[name] = fact(g.GitHub.TeamMember(ctx, org, team, login, repo, installation))
	}

	return policy.Known(s)
}
