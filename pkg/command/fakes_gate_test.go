package command

import (
	"context"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// fakeGate allows everything unless refused is set.
type fakeGate struct {
	refused  string // what Approver, Forcer and Member refuse with
	unlocker string // what Unlocker refuses with
	owner    string // what LockOwner refuses with
	unknown  bool   // GitHub did not answer: nothing is known about the person
	askErr   error
	rejects  string                // why Decide rejects
	nobody   string                // why Decide waits for an account that GitHub does not show
	allow    policy.Verdict        // what DecideAllow says
	decided  int                   // how often Decide was called
	judged   deployment.Deployment // what Decide was asked about last
	allowed  deployment.Deployment // what DecideAllow was asked about last
	member   deployment.Deployment // what Member was asked about last
}

func (g *fakeGate) Decide(_ context.Context, d deployment.Deployment) (policy.Verdict, error) {
	g.decided++
	g.judged = d
	if g.rejects != "" {
		return policy.Verdict{
			Decision: policy.DecisionReject,
			Outcomes: []policy.Outcome{{Decision: policy.DecisionReject, Message: g.rejects}},
		}, nil
	}
	if g.nobody != "" {
		return policy.Verdict{
			Decision: policy.DecisionWait,
			Outcomes: []policy.Outcome{
				{Decision: policy.DecisionWait, Code: policy.CodeInLine, Message: "another deployment"},
				{Decision: policy.DecisionWait, Code: policy.CodeUnknown, Message: g.nobody, NoAccount: true},
			},
		}, nil
	}
	return policy.Verdict{Decision: policy.DecisionWait}, nil
}

func (g *fakeGate) DecideAllow(_ context.Context, d deployment.Deployment) policy.Verdict {
	g.allowed = d
	return g.allow
}

func (g *fakeGate) Ask(context.Context, policy.Question) (policy.Verdict, error) {
	return policy.Verdict{}, g.askErr
}

func (g *fakeGate) Approver(
	_ context.Context,
	_ deployment.Deployment,
	by deployment.Actor,
) (policy.Approval, policy.Refusal) {
	return policy.Approval{By: by}, g.refusal(g.refused)
}

func (g *fakeGate) Forcer(context.Context, deployment.Deployment, deployment.Actor) policy.Refusal {
	return g.refusal(g.refused)
}

func (g *fakeGate) Member(_ context.Context, d deployment.Deployment, _ deployment.Actor) policy.Refusal {
	g.member = d
	return g.refusal(g.refused)
}

func (g *fakeGate) HoldApprover(context.Context, deployment.Deployment, deployment.Actor) policy.Refusal {
	return g.refusal(g.refused)
}

func (g *fakeGate) Unlocker(context.Context, deployment.Deployment, deployment.Actor) policy.Refusal {
	return g.refusal(g.unlocker)
}

func (g *fakeGate) LockOwner(_ context.Context, d deployment.Deployment, _ deployment.Actor) policy.Refusal {
	g.member = d
	return g.refusal(g.owner)
}

func (g *fakeGate) refusal(reason string) policy.Refusal {
	return policy.Refusal{Reason: reason, Unknown: g.unknown}
}
