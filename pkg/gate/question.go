package gate

import (
	"context"
	"errors"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Repositories finds a repository by its name. policy.ErrMissing: there is none.
type Repositories interface {
	ResolveRepository(ctx context.Context, owner, name string) (deployment.Source, error)
}

// Ask evaluates the rules of a deployment that does not exist. *policy.NotFoundError: there is no such
// repository, commit, person or route. A commit is not looked up where the credentials may not read any. A
// repository without a route is not looked up at GitHub, so that nobody learns here whether there is one.
func (g *Gate) Ask(ctx context.Context, q policy.Question) (policy.Verdict, error) {
	owner, name, err := policy.ParseRepository(q.Repository)
	if err != nil {
		return policy.Verdict{}, err
	}

	d := deployment.Deployment{Request: deployment.Request{
		Repository:  deployment.Repository{Owner: owner, Name: name},
		Environment: q.Environment,
		Ref:         q.Ref,
		SHA:         q.SHA,
		Task:        q.Task,
	}}
	noRoute := &policy.NotFoundError{What: "route for " + q.Repository + " and " + q.Environment}
	if _, ok := g.Policies.Policy(d.Request); !ok {
		return policy.Verdict{}, noRoute
	}

	source, err := g.Repositories.ResolveRepository(ctx, owner, name)
	if err != nil {
		return policy.Verdict{}, policy.LookupError("repository "+q.Repository, err)
	}

	d.Request.Repository, d.Request.Installation = source.Repository, source.Installation
	p, ok := g.policyFor(d.Request)
	if !ok {
		return policy.Verdict{}, noRoute
	}

	if err := g.checkCommit(ctx, d.Request); err != nil {
		return policy.Verdict{}, err
	}

	if q.Actor != "" {
		d.Request.Creator, err = g.creator(ctx, q.Actor, source)
		if err != nil {
			return policy.Verdict{}, err
		}
	}

	v, err := g.evaluate(ctx, d, request(d), p)
	nameMissingParts(v, q)
	return v, err
}

// checkCommit returns an error if the repository does not have the commit. Rules would wait for its checks, or
// allow it.
func (g *Gate) checkCommit(ctx context.Context, r deployment.Request) error {
	if r.SHA == "" {
		return nil
	}

	err := g.Commits.CommitExists(ctx, r.Repository, r.Installation, r.SHA)
	var hidden *deployment.RefsHiddenError
	if errors.As(err, &hidden) {
		return nil
	}

	return policy.LookupError(fmt.Sprintf("commit %.7s of %s", r.SHA, r.Repository.FullName()), err)
}

// nameMissingParts says what to add to a question where a rule decided without it.
func nameMissingParts(v policy.Verdict, q policy.Question) {
	for i, o := range v.Outcomes {
		switch {
		case o.Decision == policy.DecisionAllow:
		case o.Rule == policy.RuleAllow && q.Actor == "":
			v.Outcomes[i].Message = "the question names nobody who deploys: add actor (seraph gate --actor LOGIN)"
		case o.Rule == policy.RuleRefs && q.Ref == "":
			v.Outcomes[i].Message = "the question names no ref: add ref (seraph gate --ref NAME)"
		}
	}
}

// creator is the creator of a deployment that the person would make, as GitHub would show it.
func (g *Gate) creator(ctx context.Context, login string, s deployment.Source) (deployment.Creator, error) {
	if err := policy.ParseLogin(login); err != nil {
		return deployment.Creator{}, err
	}

	person, err := g.People.PersonByLogin(ctx, login, s.Repository, s.Installation)
	if err != nil {
		return deployment.Creator{}, policy.LookupError("person "+login, err)
	}

	c := deployment.Creator{ID: person.ID, Login: person.Login}
	if person.App != "" {
		c.Type = "Bot"
	}

	return c, nil
}
