package gate

import (
	"context"
	"strings"
	"sync"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// gather asks for what is needed: our own rows in turn, GitHub for several things at a time.
func (g *Gate) gather(
	ctx context.Context,
	d deployment.Deployment,
	r policy.Request,
	n policy.Needs,
) (policy.Facts, error) {
	f, err := g.gatherLocal(ctx, d, n)
	if err != nil {
		return f, err
	}

	var asking sync.WaitGroup
	ask := func(wanted bool, do func()) {
		if wanted {
			asking.Go(do)
		}
	}

	repo, installation := d.Request.Repository, d.Request.Installation
	ask(n.Requester != nil, func() { f.Requester = g.membership(ctx, d, r.Requester, n.Requester) })
	ask(n.Forcer != nil && r.Force != nil, func() { f.Forcer = g.membership(ctx, d, r.Force.By, n.Forcer) })
	ask(n.Checks, func() { f.Checks = fact(g.GitHub.Checks(ctx, repo, installation, r.SHA)) })
	ask(n.Required, func() { f.Required = fact(g.GitHub.RequiredChecks(ctx, repo, installation, r.Ref)) })
	ask(n.Compared && f.Deployed.Value != "" && f.Deployed.Value != r.SHA, func() {
		f.Compared = fact(g.GitHub.Compare(ctx, repo, installation, f.Deployed.Value, r.SHA))
	})
	asking.Wait()

	return f, nil
}

// gatherLocal reads our own rows.
func (g *Gate) gatherLocal(ctx context.Context, d deployment.Deployment, n policy.Needs) (f policy.Facts, err error) {
	repo, environment := d.Request.Repository.ID, d.Request.EnvironmentKey()
	read := func(wanted bool, do func() error) {
		if err == nil && wanted {
			err = do()
		}
	}

	read(true, func() error { return into(&f.Locks)(g.Rows.LocksOn(ctx, repo, environment)) })
	read(true, func() error { return into(&f.Queue)(g.Rows.Queue(ctx, d)) })
	read(n.Deployed, func() error { return into(&f.Deployed)(g.Rows.Deployed(ctx, repo, environment)) })
	read(n.Approvals && d.Row != 0, func() error { return into(&f.Approvals)(g.Rows.Approvals(ctx, d.Row)) })
	if d.Row == 0 {
		f.Approvals = policy.Known[[]policy.Approval](nil) // nobody can approve what there is not
	}

	f.After = map[string]policy.Fact[policy.PriorResult]{}
	for _, other := range n.After {
		read(true, func() error {
			past, err := g.Rows.PriorResult(ctx, repo, other, d.Request.SHA)
			f.After[other] = policy.Known(past)
			return err
		})
	}

	return f, err
}

// into makes a known fact of what was read without an error.
func into[T any](f *policy.Fact[T]) func(T, error) error {
	return func(v T, err error) error {
		*f = policy.Known(v)
		return err
	}
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
