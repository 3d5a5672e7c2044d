// Package gate answers whether a deployment may go now. It finds the policy, gathers the facts that
// its rules need and no others, and lets package policy decide. The engine before a trigger, and
// whoever asks for an explanation, call the same thing.
package gate

import (
	"context"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Policies finds the rules of a request; false: no route matches it.
type Policies interface {
	Policy(req deployment.Request) (policy.Policy, bool)
}

// GitHub is asked for facts. Every call has a timeout of its own; answers may be some seconds old.
// policy.ErrMissing: there is no repository or account of that name.
type GitHub interface {
	Person(ctx context.Context, id int64, of deployment.Repository, installation int64) (login string, err error)
	PersonByLogin(
		ctx context.Context,
		login string,
		of deployment.Repository,
		installation int64,
	) (deployment.Actor, error)
	Permission(
		ctx context.Context,
		of deployment.Repository,
		installation int64,
		id int64,
		login string,
	) (policy.Permission, error)
	TeamMember(ctx context.Context, org, team, login string, of deployment.Repository, installation int64) (bool, error)
	Checks(
		ctx context.Context,
		of deployment.Repository,
		installation int64,
		q policy.CheckQuery,
	) ([]policy.Check, error)
	RequiredChecks(
		ctx context.Context,
		of deployment.Repository,
		installation int64,
		ref string,
	) ([]policy.CheckName, error)
	Compare(
		ctx context.Context,
		of deployment.Repository,
		installation int64,
		base, head string,
	) (policy.Comparison, error)
	ResolveRepository(ctx context.Context, owner, name string) (deployment.Source, error)
}

// Rows are our own facts about what is open now.
type Rows interface {
	LocksOn(ctx context.Context, repositoryID int64, environmentKey string) ([]policy.Lock, error)
	Approvals(ctx context.Context, row int64) ([]policy.Approval, error)
	Queue(ctx context.Context, d deployment.Deployment) (policy.Queue, error)
}

// History is what our own deployments came to.
type History interface {
	Deployed(ctx context.Context, repositoryID int64, environmentKey string) (sha string, err error)
	PriorResult(ctx context.Context, repositoryID int64, environmentKey, sha string) (policy.PriorResult, error)
	Pipelines(ctx context.Context, repositoryID int64, sha string) ([]deployment.Pipeline, error)
}

// Gate decides. It is safe for concurrent use.
type Gate struct {
	Policies Policies
	GitHub   GitHub
	Rows     Rows
	History  History
	Now      func() time.Time
}

// Decide says what all rules say of a deployment now. The error is that our own rows cannot be
// read; what GitHub does not tell is an unknown fact.
func (g *Gate) Decide(ctx context.Context, d deployment.Deployment) (policy.Verdict, error) {
	p, ok := g.policyOf(d)
	if !ok {
		return routeGone(), nil
	}
	return g.evaluate(ctx, d, request(d), p)
}

// DecideLocal says only what our own rows and the clock say: whether others, locks, freezes or
// approvals keep a deployment that was let in before. What it allows must still be decided in full.
func (g *Gate) DecideLocal(ctx context.Context, d deployment.Deployment) (policy.Verdict, error) {
	p, ok := g.policyOf(d)
	if !ok {
		return routeGone(), nil
	}

	r := request(d)
	facts, err := g.gatherLocal(ctx, d, p.Needs(r))
	if err != nil {
		return policy.Verdict{}, unreadable(err)
	}

	return p.EvaluateLocal(r, facts, g.Now()), nil
}

// DecideLockTask says whether the requester of a lock or its end may deploy there at all.
func (g *Gate) DecideLockTask(ctx context.Context, d deployment.Deployment) (policy.Verdict, error) {
	p, ok := g.policyOf(d)
	if !ok {
		return routeGone(), nil
	}
	r := request(d)
	r.Force = nil
	return g.only(ctx, d, r, policy.Policy{Allow: p.Allow, MaxWait: lockTaskWait(p.MaxWait)}), nil
}

// maxLockTaskWait is how long a lock or its end waits for an answer about its requester: what is
// accepted after it in its environment waits for it.
const maxLockTaskWait = 15 * time.Minute

// lockTaskWait is a route's max_wait, for a lock or its end.
func lockTaskWait(most time.Duration) time.Duration {
	if most <= 0 {
		return maxLockTaskWait
	}
	return min(most, maxLockTaskWait)
}

// only asks rules that are about people and nothing else.
func (g *Gate) only(ctx context.Context, d deployment.Deployment, r policy.Request, p policy.Policy) policy.Verdict {
	f := policy.Facts{Locks: policy.Known[[]policy.Lock](nil), Queue: policy.Known(policy.Queue{})}
	needs := p.Needs(r)
	f.Requester = g.membership(ctx, d, r.Requester, needs.Requester)
	if r.Force != nil && needs.Forcer != nil {
		f.Forcer = g.membership(ctx, d, r.Force.By, needs.Forcer)
	}
	return p.Evaluate(r, f, g.Now())
}

// Approver says whether somebody's yes would count for a deployment, and to what they would say it.
func (g *Gate) Approver(
	ctx context.Context,
	d deployment.Deployment,
	by deployment.Actor,
) (a policy.Approval, refused string) {
	p, ok := g.policyOf(d)
	switch {
	case !ok:
		return a, "no route matches the deployment any more"
	case p.Approvals == nil:
		return a, "the deployment needs no approval"
	}

	r := request(d)
	ok, why := p.Eligible(by, g.membership(ctx, d, by, p.ApproverNeeds()), r)
	if !ok {
		return a, why
	}

	return policy.Approval{By: by, At: g.Now(), SHA: r.SHA, Parameters: r.Parameters, Policy: p.Digest()}, ""
}

// Forcer says why somebody may not pass the rules of a deployment; empty: they may.
func (g *Gate) Forcer(ctx context.Context, d deployment.Deployment, by deployment.Actor) (refused string) {
	p, ok := g.policyOf(d)
	if !ok {
		return "no route matches the deployment any more"
	}
	r := request(d)
	r.Force = &deployment.Force{By: by}
	return denial(g.only(ctx, d, r, policy.Policy{Force: p.Force}))
}

// denial is why a verdict does not allow; empty: it does.
func denial(v policy.Verdict) string {
	if v.Decision == policy.DecisionAllow {
		return ""
	}
	return v.First().Message
}

// Member says why somebody may not act on an environment's locks; empty: they may. Without rules
// whoever got through the door may.
func (g *Gate) Member(ctx context.Context, d deployment.Deployment, by deployment.Actor) (refused string) {
	p, ok := g.policyOf(d)
	if !ok || p.Allow == nil || by.ID == 0 && by.Token != "" {
		return ""
	}
	r := request(d)
	r.Requester, r.Force = by, nil
	return denial(g.only(ctx, d, r, policy.Policy{Allow: p.Allow}))
}

// policyOf finds the rules as they are now. What was let in without any goes on without any when
// its route is gone; locks still count.
func (g *Gate) policyOf(d deployment.Deployment) (policy.Policy, bool) {
	p, ok := g.Policies.Policy(d.Request)
	return p, ok || !d.Target.Ruled
}

func routeGone() policy.Verdict {
	return policy.Verdict{
		Decision: policy.DecisionReject,
		Outcomes: []policy.Outcome{{
			Rule:     "routes",
			Decision: policy.DecisionReject,
			Code:     policy.CodeRouteGone,
			Message:  "its route, which had rules, is no longer there: deploy again",
			Who:      "the operator of this service",
		}},
	}
}

// refOf is the ref that will be triggered next: a bare name that CircleCI knows no branch by is
// tried as a tag, and what may be done with a branch of that name may not be done with a tag.
func refOf(d deployment.Deployment) string {
	asked, tag := d.Request.Ref, d.RefTries%2 == 1
	if built := d.Target.Ref; tag && built.Kind == deployment.RefBare && built == deployment.ParseRef(asked) {
		return "refs/tags/" + built.Name
	}
	return asked
}

// request is what the rules see of a deployment.
func request(d deployment.Deployment) policy.Request {
	return policy.Request{
		Deployment:  d.Request.ID,
		Repository:  d.Request.Repository.FullName(),
		Environment: d.Request.Environment,
		Ref:         refOf(d),
		SHA:         d.Request.SHA,
		Requester:   d.Request.Requester(),
		Creator:     d.Request.Requester(),
		AcceptedAt:  d.AcceptedAt,
		Parameters:  d.Target.Digest(),
		Force:       d.Force,
	}
}

func (g *Gate) evaluate(
	ctx context.Context,
	d deployment.Deployment,
	r policy.Request,
	p policy.Policy,
) (policy.Verdict, error) {
	facts, err := g.gather(ctx, d, r, p)
	if err != nil {
		return policy.Verdict{}, unreadable(err)
	}
	return p.Evaluate(r, facts, g.Now()), nil
}

func unreadable(err error) error { return fmt.Errorf("what the rules need cannot be read: %w", err) }

// Ask says what the rules would say about a deployment that does not exist. *policy.NotFoundError:
// there is no such repository, person or route.
func (g *Gate) Ask(ctx context.Context, q policy.Question) (policy.Verdict, error) {
	owner, name, err := policy.ParseRepository(q.Repository)
	if err != nil {
		return policy.Verdict{}, err
	}

	source, err := g.GitHub.ResolveRepository(ctx, owner, name)
	if err != nil {
		return policy.Verdict{}, policy.LookupError("repository "+q.Repository, err)
	}

	d := deployment.Deployment{Request: deployment.Request{
		Repository:   source.Repository,
		Installation: source.Installation,
		Environment:  q.Environment,
		Ref:          q.Ref,
		SHA:          q.SHA,
		Task:         q.Task,
	}}

	if q.Actor != "" {
		if d.Request.Creator, err = g.creator(ctx, q.Actor, source); err != nil {
			return policy.Verdict{}, err
		}
	}

	p, ok := g.Policies.Policy(d.Request)
	if !ok {
		return policy.Verdict{}, &policy.NotFoundError{What: "route for " + q.Repository + " and " + q.Environment}
	}

	return g.evaluate(ctx, d, request(d), p)
}

// creator is who would make the deployment of a question, as GitHub would show them.
func (g *Gate) creator(ctx context.Context, login string, s deployment.Source) (deployment.Creator, error) {
	if err := policy.ParseLogin(login); err != nil {
		return deployment.Creator{}, err
	}

	who, err := g.GitHub.PersonByLogin(ctx, login, s.Repository, s.Installation)
	if err != nil {
		return deployment.Creator{}, policy.LookupError("person "+login, err)
	}

	c := deployment.Creator{ID: who.ID, Login: who.Login}
	if who.App != "" {
		c.Type = "Bot"
	}

	return c, nil
}
