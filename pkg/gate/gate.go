// Package gate evaluates the rules of a deployment. It finds the policy of the deployment's route,
// gathers the facts that the policy needs, and lets package policy decide. The engine and everybody
// who asks for an explanation use the same functions.
package gate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Policies finds the rules of requests.
type Policies interface {
	// Policy returns the policy of a request; false: no route matches it.
	Policy(req deployment.Request) (policy.Policy, bool)
	// UnlockPolicies returns the policies of all routes to a request's environment. false: a route does
	// not accept deployments of its creator.
	UnlockPolicies(req deployment.Request) ([]policy.Policy, bool)
}

// Gate evaluates policies. All fields but Pins and Jobs are required. It is safe for concurrent use.
type Gate struct {
	Policies     Policies
	Rows         Rows
	History      History
	People       People
	Commits      Commits
	Repositories Repositories
	Pins         *Pins // nil: names mean whoever has them now
	Jobs         Jobs  // nil: a check whose address has only a job's number counts as somebody else's
	Now          func() time.Time
	Log          zerolog.Logger

	jobs jobMemory
}

// HasRules says whether a deployment's route has rules, or had some when it was accepted. For an unlock
// the rules of all routes to its environment count: they decide who may release somebody else's lock.
func (g *Gate) HasRules(d deployment.Deployment) bool {
	if p, _ := g.policyFor(d.Request); d.Target.HasRules || !p.Empty() {
		return true
	}
	if d.Target.LockTask != deployment.TaskUnlock {
		return false
	}

	policies, accepted := g.unlockPolicies(d.Request)
	return !accepted || slices.ContainsFunc(policies, func(p policy.Policy) bool { return !p.Empty() })
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

// DecideLocal evaluates only the rules that need the database and the clock, for a deployment that
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
// To change the lock of somebody else, every route to the environment must allow the requester:
// whoever may run one harmless task there must not open it to everybody.
func (g *Gate) DecideLockTask(ctx context.Context, d deployment.Deployment) (policy.Verdict, error) {
	p, ok := g.policyOf(d)
	if !ok {
		return routeGone(), nil
	}

	policies := []policy.Policy{p}
	foreign, err := g.changesForeignLock(ctx, d, p)
	if err != nil {
		return policy.Verdict{}, fmt.Errorf("read locks: %w", err)
	}
	if foreign {
		if policies, ok = g.unlockPolicies(d.Request); !ok {
			return routeClosed(), nil
		}
	}

	r := request(d)
	r.Force = nil
	return g.evaluateAllow(ctx, d, r, policies, maxLockTaskWait), nil
}

// changesForeignLock says whether a lock task changes a lock of the environment that somebody other than the requester
// may have taken. An unlock releases every lock. A lock gives the requester's own one another end; of an account that
// several people use it is not known who of them took it.
func (g *Gate) changesForeignLock(ctx context.Context, d deployment.Deployment, p policy.Policy) (bool, error) {
	requester := d.Request.Requester()
	shared := p.IsShared(requester, policy.Fact[policy.Membership]{})
	unlocks := d.Target.LockTask == deployment.TaskUnlock
	if !unlocks && !shared {
		return false, nil
	}

	locks, err := g.Rows.LocksOn(ctx, d.Request.Repository.ID, d.Request.EnvironmentKey())
	return slices.ContainsFunc(locks, func(l policy.Lock) bool {
		own := l.Owner.Same(requester)
		return l.RepositoryID != 0 && l.Environment != "" && (own && shared || !own && unlocks)
	}), err
}

// evaluateAllow evaluates the allow rules of several policies. The strictest verdict counts.
func (g *Gate) evaluateAllow(
	ctx context.Context,
	d deployment.Deployment,
	r policy.Request,
	policies []policy.Policy,
	maxWait time.Duration,
) policy.Verdict {
	strictest := policy.Verdict{Decision: policy.DecisionAllow}
	for _, p := range policies {
		limit := maxWait
		if p.MaxWait > 0 && limit > 0 {
			limit = min(limit, p.MaxWait)
		}

		v := g.evaluatePeople(ctx, d, r, policy.Policy{WrongRoute: p.WrongRoute, Allow: p.Allow, MaxWait: limit})
		if v.Decision == policy.DecisionReject {
			return v
		}
		if v.Decision == policy.DecisionWait || len(strictest.Outcomes) == 0 {
			strictest = v
		}
	}
	return strictest
}

// routeClosed is the verdict on an unlock task of an app or bot that a route of the environment does
// not accept.
func routeClosed() policy.Verdict {
	return policy.Verdict{
		Decision: policy.DecisionReject,
		Outcomes: []policy.Outcome{{
			Rule:     policy.RuleAllow,
			Decision: policy.DecisionReject,
			Code:     policy.CodeNotAllowed,
			Message:  "only who may deploy there by every route may release somebody else's lock",
		}},
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
		Ref:         requestedRef(d),
		BuildRef:    buildRef(d),
		SHA:         d.Request.SHA,
		Requester:   d.Request.Requester(),
		Creator:     d.Request.CreatedBy(),
		AcceptedAt:  d.AcceptedAt,
		Parameters:  d.Target.Digest(),
		Force:       d.Force,
		Rollback:    d.Request.IsRollback(),
		AskedHere:   d.Request.Asked != nil,
		Unproven:    d.Request.Asked != nil && d.Request.Asked.Unproven,
	}
}

// requestedRef is the ref that was asked for. A bare name that GitHub showed to be a tag is that tag,
// because the rules for a branch of that name do not hold for a tag.
func requestedRef(d deployment.Deployment) string {
	asked := d.Target.Ref == deployment.ParseRef(d.Request.Ref)
	if asked && d.Target.Ref.Kind == deployment.RefBare && d.BuildRef.Kind == deployment.RefTag {
		return d.BuildRef.Full()
	}
	return d.Request.Ref
}

// buildRef is the ref that is built: what GitHub showed of it, or the target's own. It is empty where the
// route writes the ref out, because then nobody chooses it.
func buildRef(d deployment.Deployment) string {
	switch {
	case d.Target.FixedRef:
		return ""
	case d.BuildRef.Name != "":
		return d.BuildRef.Full()
	default:
		return d.Target.Ref.Full()
	}
}
