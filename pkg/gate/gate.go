// Package gate evaluates the rules of a deployment. It finds the policy of the deployment's route,
// gathers the facts that the policy needs, and lets package policy decide. The engine and everybody
// who asks for an explanation use the same functions.
package gate

import (
	"context"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Policies finds the policy of a request; false: no route matches it.
type Policies interface {
	Policy(req deployment.Request) (policy.Policy, bool)
}

// Gate evaluates policies. All fields but Pins are required. It is safe for concurrent use.
type Gate struct {
	Policies     Policies
	Rows         Rows
	People       People
	Commits      Commits
	Repositories Repositories
	Pins         *Pins // nil: names mean whoever has them now
	Now          func() time.Time
}

// Decide evaluates all rules of a deployment. A fact that GitHub does not answer is unknown to the
// rules; an error means that the database could not be read.
func (g *Gate) Decide(ctx context.Context, d deployment.Deployment) (policy.Verdict, error) {
	p, ok := g.policyOf(d)
	if !ok {
		return routeGone(), nil
	}
	return g.evaluate(ctx, d, request(d), p)
}

// DecideLocal evaluates only the rules that need our database and the clock, for a deployment that
// was admitted before. What it allows must still be evaluated in full.
func (g *Gate) DecideLocal(ctx context.Context, d deployment.Deployment) (policy.Verdict, error) {
	p, ok := g.policyOf(d)
	if !ok {
		return routeGone(), nil
	}

	r := request(d)
	facts, err := g.gatherLocal(ctx, d, p.Needs(r))
	if err != nil {
		return policy.Verdict{}, fmt.Errorf("read policy facts: %w", err)
	}

	return p.EvaluateLocal(r, facts, g.Now()), nil
}

// maxLockTaskWait is how long a lock task waits for facts about its requester. Everything that was
// accepted after it in its environment waits for it.
const maxLockTaskWait = 15 * time.Minute

// DecideLockTask evaluates whether the requester of a lock task may deploy to the environment at all.
func (g *Gate) DecideLockTask(ctx context.Context, d deployment.Deployment) (policy.Verdict, error) {
	p, ok := g.policyOf(d)
	if !ok {
		return routeGone(), nil
	}

	maxWait := maxLockTaskWait
	if p.MaxWait > 0 {
		maxWait = min(maxWait, p.MaxWait)
	}

	r := request(d)
	r.Force = nil
	return g.evaluatePeople(ctx, d, r, policy.Policy{Allow: p.Allow, MaxWait: maxWait}), nil
}

func (g *Gate) evaluate(
	ctx context.Context,
	d deployment.Deployment,
	r policy.Request,
	p policy.Policy,
) (policy.Verdict, error) {
	facts, err := g.gather(ctx, d, r, p.Needs(r))
	if err != nil {
		return policy.Verdict{}, fmt.Errorf("read policy facts: %w", err)
	}

	facts.Approvers = g.approvers(ctx, d, p.ApproversToCheck(r, facts.Approvals.Value, g.Now()))
	return p.Evaluate(r, facts, g.Now()), nil
}

// policyOf finds the policy as it is now. A deployment that was accepted without rules needs none when
// its route is gone; locks still count.
func (g *Gate) policyOf(d deployment.Deployment) (policy.Policy, bool) {
	p, ok := g.policyFor(d.Request)
	return p, ok || !d.Target.HasRules
}

// routeGone is the verdict on a deployment that was accepted with rules and whose route is gone.
func routeGone() policy.Verdict {
	return policy.Verdict{
		Decision: policy.DecisionReject,
		Outcomes: []policy.Outcome{{
			Rule:     policy.RuleRoutes,
			Decision: policy.DecisionReject,
			Code:     policy.CodeRouteGone,
			Message:  "its route, which had rules, is no longer there: deploy again",
			Who:      "the operator of this service",
		}},
	}
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

// refOf is the ref that will be triggered next. A bare name that CircleCI does not know as a branch is
// tried as a tag, and the rules for branches of that name do not hold for a tag.
func refOf(d deployment.Deployment) string {
	requested, asTag := d.Request.Ref, d.RefTries%2 == 1
	target := d.Target.Ref
	if asTag && target.Kind == deployment.RefBare && target == deployment.ParseRef(requested) {
		return "refs/tags/" + target.Name
	}
	return requested
}
