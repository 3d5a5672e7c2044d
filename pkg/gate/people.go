package gate

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// People answers questions about people at GitHub. Every call has a timeout of its own; answers may
// be some seconds old. policy.ErrMissing: there is no account of that login.
type People interface {
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
	// TeamMember takes a team's slug or id:N.
	TeamMember(ctx context.Context, org, team, login string, of deployment.Repository, installation int64) (bool, error)
	TeamID(ctx context.Context, org, team string, of deployment.Repository, installation int64) (int64, error)
}

const noRoute = "no route matches the deployment any more"

// Approver returns the approval that somebody would give to a deployment, or why it would not count.
func (g *Gate) Approver(
	ctx context.Context,
	d deployment.Deployment,
	by deployment.Actor,
) (policy.Approval, policy.Refusal) {
	p, ok := g.policyOf(d)
	if !ok {
		return policy.Approval{}, policy.Refusal{Reason: noRoute}
	}
	if p.Approvals == nil {
		return policy.Approval{}, policy.Refusal{Reason: "the deployment needs no approval"}
	}

	r := request(d)
	refusal := p.CanApprove(by, g.membership(ctx, d, by, p.ApproverNeeds()), r)
	if refusal.Refused() {
		return policy.Approval{}, refusal
	}

	approval := policy.Approval{By: by, At: g.Now(), SHA: r.SHA, Parameters: r.Parameters, Policy: p.Digest()}
	return approval, policy.Refusal{}
}

// HoldApprover returns why somebody may not approve a job of a deployment that CircleCI holds.
func (g *Gate) HoldApprover(ctx context.Context, d deployment.Deployment, by deployment.Actor) policy.Refusal {
	p, ok := g.policyOf(d)
	if !ok {
		return policy.Refusal{Reason: noRoute}
	}
	return p.CanApproveHold(by, g.membership(ctx, d, by, p.HoldApproverNeeds()), request(d))
}

// Forcer returns why somebody may not force a deployment.
func (g *Gate) Forcer(ctx context.Context, d deployment.Deployment, by deployment.Actor) policy.Refusal {
	p, ok := g.policyOf(d)
	if !ok {
		return policy.Refusal{Reason: noRoute}
	}

	r := request(d)
	r.AcceptedAt, r.Force = time.Time{}, &deployment.Force{By: by} // the person does not wait
	return policy.RefusalOf(g.evaluatePeople(ctx, d, r, policy.Policy{WrongRoute: p.WrongRoute, Force: p.Force}))
}

// Member returns why somebody may not take locks of an environment, or cancel its deployments. Without
// rules, everybody may who may write to the repository at GitHub. A token that acts for no person may.
func (g *Gate) Member(ctx context.Context, d deployment.Deployment, by deployment.Actor) policy.Refusal {
	if isToken(by) {
		return policy.Refusal{}
	}

	p, _ := g.policyFor(d.Request)
	r := asPerson(d, by)
	return policy.RefusalOf(g.evaluatePeople(ctx, d, r, policy.Policy{WrongRoute: p.WrongRoute, Allow: p.Allow}))
}

// Unlocker returns why somebody may not take away somebody else's lock of an environment. Every route
// to the environment must allow them, and they need write permission as for Member. A token that acts for no
// person may.
func (g *Gate) Unlocker(ctx context.Context, d deployment.Deployment, by deployment.Actor) policy.Refusal {
	if isToken(by) {
		return policy.Refusal{}
	}

	policies, _ := g.unlockPolicies(d.Request) // a person is accepted by every route
	if len(policies) == 0 {
		policies = []policy.Policy{{}}
	}
	return policy.RefusalOf(g.evaluateAllow(ctx, d, asPerson(d, by), policies, 0))
}

// asPerson is the request of somebody who asks this service now to deploy what d names.
func asPerson(d deployment.Deployment, by deployment.Actor) policy.Request {
	r := request(d)
	r.Requester, r.AskedHere, r.AcceptedAt, r.Force = by, true, time.Time{}, nil
	return r
}

// LockOwner returns why somebody may not change a lock of an environment that their account holds. Of an account that
// several people use it is not known who of them took the lock, so that it counts as somebody else's.
func (g *Gate) LockOwner(ctx context.Context, d deployment.Deployment, by deployment.Actor) policy.Refusal {
	p, _ := g.policyFor(d.Request)
	if !p.IsShared(by, policy.Fact[policy.Membership]{}) {
		return policy.Refusal{}
	}
	return g.Unlocker(ctx, d, by)
}

// isToken says whether an actor is an API token that acts for no person.
func isToken(by deployment.Actor) bool { return by.ID == 0 && by.Token != "" }

// evaluatePeople evaluates a policy whose rules are only about people, without reading the database.
func (g *Gate) evaluatePeople(
	ctx context.Context,
	d deployment.Deployment,
	r policy.Request,
	p policy.Policy,
) policy.Verdict {
	needs := p.Needs(r)
	facts := policy.Facts{
		Locks:     policy.Known[[]policy.Lock](nil),
		Queue:     policy.Known(policy.Queue{}),
		Requester: g.membership(ctx, d, r.Requester, needs.Requester),
	}
	if r.Force != nil && needs.Forcer != nil {
		facts.Forcer = g.membership(ctx, d, r.Force.By, needs.Forcer)
	}

	return p.Evaluate(r, facts, g.Now())
}

// approvers reads what is needed about those who approved, by the ids of their accounts.
func (g *Gate) approvers(
	ctx context.Context,
	d deployment.Deployment,
	needs map[int64]*policy.PersonNeeds,
) map[int64]policy.Fact[policy.Membership] {
	var asking sync.WaitGroup
	var mu sync.Mutex
	facts := map[int64]policy.Fact[policy.Membership]{}

	for id, needed := range needs {
		asking.Go(func() {
			membership := g.membership(ctx, d, deployment.Actor{ID: id}, needed)
			mu.Lock()
			defer mu.Unlock()
			facts[id] = membership
		})
	}
	asking.Wait()

	return facts
}

// membership reads what is needed about a person. The person is found by id, because logins change.
// Apps and tokens have no membership.
func (g *Gate) membership(
	ctx context.Context,
	d deployment.Deployment,
	who deployment.Actor,
	needs *policy.PersonNeeds,
) policy.Fact[policy.Membership] {
	if needs == nil || who.ID == 0 || who.App != "" {
		return policy.Known(policy.Membership{})
	}

	repo, installation := d.Request.Repository, d.Request.Installation
	login, err := g.People.Person(ctx, who.ID, repo, installation)
	if err != nil {
		unknown := policy.Unknown[policy.Membership](g.problem(err))
		unknown.Value.NoAccount = errors.Is(err, policy.ErrMissing)
		return unknown
	}

	m := policy.Membership{Login: login, Teams: map[string]policy.Fact[bool]{}}
	if pinned := g.Pins.id(policy.PinUser, login); pinned != 0 && pinned != who.ID {
		m.OtherLogin = changedID(policy.PinUser, login, who.ID, pinned)
	}
	if needs.Permission {
		m.Permission = fact(g, answerOf(g.People.Permission(ctx, repo, installation, who.ID, login)))
	}
	for _, name := range needs.Teams {
		m.Teams[name] = g.teamMember(ctx, d, name, login)
	}

	return policy.Known(m)
}

// teamMember reads whether a person is in a team. A team that is named by its id belongs to the owner
// of the repository. One that has got the name of another team since counts as unknown.
func (g *Gate) teamMember(ctx context.Context, d deployment.Deployment, name, login string) policy.Fact[bool] {
	repo, installation := d.Request.Repository, d.Request.Installation
	org, team, bySlug := strings.Cut(name, "/")
	if !bySlug {
		org, team = repo.Owner, name
	}

	member, err := g.People.TeamMember(ctx, org, team, login, repo, installation)
	pinned := g.Pins.id(policy.PinTeam, name)
	if err != nil || !member || pinned == 0 {
		return fact(g, answerOf(member, err))
	}

	id, err := g.People.TeamID(ctx, org, team, repo, installation)
	if err != nil {
		return fact(g, answerOf(member, err))
	}
	if id != pinned {
		return policy.Unknown[bool](changedID(policy.PinTeam, name, id, pinned))
	}

	return policy.Known(member)
}
