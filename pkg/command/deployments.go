package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Gate evaluates rules.
type Gate interface {
	Decide(ctx context.Context, d deployment.Deployment) (policy.Verdict, error)
	// DecideAllow evaluates only whether the requester may deploy there, whatever is deployed.
	DecideAllow(ctx context.Context, d deployment.Deployment) policy.Verdict
	Ask(ctx context.Context, q policy.Question) (policy.Verdict, error)
}

// People says whether somebody may approve or force a deployment, lock an environment or cancel
// deployments to it, take away somebody else's lock, and change a lock that their account holds.
type People interface {
	Approver(ctx context.Context, d deployment.Deployment, by deployment.Actor) (policy.Approval, policy.Refusal)
	Forcer(ctx context.Context, d deployment.Deployment, by deployment.Actor) policy.Refusal
	Member(ctx context.Context, d deployment.Deployment, by deployment.Actor) policy.Refusal
	Unlocker(ctx context.Context, d deployment.Deployment, by deployment.Actor) policy.Refusal
	LockOwner(ctx context.Context, d deployment.Deployment, by deployment.Actor) policy.Refusal
}

// Engine changes deployments. It returns *deployment.InvalidTransitionError for a deployment whose
// state no longer allows the change.
type Engine interface {
	Cancel(
		ctx context.Context,
		row int64,
		request deployment.CancelRequested,
		event deployment.AuditEvent,
	) (deployment.Deployment, error)
	Force(
		ctx context.Context,
		row int64,
		force deployment.Force,
		event deployment.AuditEvent,
	) (deployment.Deployment, error)
	// Hold applies a HoldAsked or a HoldApproved. event may be nil.
	Hold(
		ctx context.Context,
		row int64,
		hold deployment.Event,
		event *deployment.AuditEvent,
	) (deployment.Deployment, error)
}

// Deployments reads deployments and stores approvals of them.
type Deployments interface {
	// Decision returns what the rules said when a deployment started or was rejected; false: they
	// decided nothing.
	Decision(ctx context.Context, d deployment.Deployment) (policy.Verdict, bool, error)
	Get(ctx context.Context, deploymentID int64) ([]deployment.Record, error)
	Approve(ctx context.Context, row int64, a policy.Approval, event deployment.AuditEvent) error
}

// Explain returns what every rule says of a deployment now. Of one that has ended it returns what was
// decided then: what the rules would say now, of a commit that a newer one has replaced, misleads.
func (s *Service) Explain(ctx context.Context, id int64) (deployment.Deployment, policy.Verdict, error) {
	d, err := s.find(ctx, id)
	if err != nil {
		return d, policy.Verdict{}, err
	}
	if d.State.Open() {
		v, err := s.o.Gate.Decide(ctx, d)
		return d, v, err
	}

	v, decided, err := s.o.Deployments.Decision(ctx, d)
	if err != nil {
		return d, v, err
	}
	if !decided {
		v = endedUndecided(d)
	}

	return d, v, nil
}

// endedUndecided is the verdict on a deployment that ended before its rules decided, because it was
// canceled or could not be run as requested.
func endedUndecided(d deployment.Deployment) policy.Verdict {
	return policy.Verdict{
		Decision: policy.DecisionReject,
		Outcomes: []policy.Outcome{{
			Rule:     policy.RuleState,
			Decision: policy.DecisionReject,
			Code:     policy.CodeEnded,
			Message:  "it " + stateWords(d.State) + " before the rules decided",
		}},
	}
}

// Ask returns what the rules would say of a deployment that does not exist.
func (s *Service) Ask(ctx context.Context, q policy.Question) (policy.Verdict, error) {
	v, err := s.o.Gate.Ask(ctx, q)
	return v, refuseUnknown(err)
}

// Approve approves a waiting deployment for the caller. The approval counts only for the commit, the
// parameters and the rules that the deployment has now. It returns what the rules say after it.
func (s *Service) Approve(
	ctx context.Context,
	c Caller,
	id int64,
	comment string,
) (deployment.Deployment, policy.Verdict, error) {
	d, err := s.find(ctx, id)
	if err != nil {
		return d, policy.Verdict{}, err
	}
	if err := checkReason(comment); err != nil {
		return d, policy.Verdict{}, err
	}
	if d.State != deployment.Waiting {
		const format = "the deployment %s: only a waiting deployment can be approved"
		return d, policy.Verdict{}, conflict("not_waiting", fmt.Sprintf(format, stateWords(d.State)))
	}

	approval, refusal := s.o.People.Approver(ctx, d, c.By)
	if err := refuseCaller(refusal, "not_an_approver"); err != nil {
		return d, policy.Verdict{}, err
	}

	approval.Comment = comment
	detail, _ := json.Marshal(approval) // it has no field that can fail
	event := c.auditEvent(deployment.AuditApproved, detail).On(d, s.o.Now())
	if err := s.o.Deployments.Approve(ctx, d.Row, approval, event); err != nil {
		return d, policy.Verdict{}, err
	}

	v, err := s.o.Gate.Decide(ctx, d)
	return d, v, err
}

// Cancel ends a deployment: at once while it waits, else as soon as CircleCI shows that its
// workflows have ended.
func (s *Service) Cancel(ctx context.Context, c Caller, id int64, reason string) (deployment.Deployment, error) {
	d, err := s.find(ctx, id)
	if err != nil {
		return d, err
	}
	if err := checkReason(reason); err != nil {
		return d, err
	}
	if err := refuseCaller(s.o.People.Member(ctx, d, c.By), "not_allowed"); err != nil && !c.Admin {
		return d, err
	}

	detail, _ := json.Marshal(map[string]string{"reason": reason, "state": string(d.State)})
	event := c.auditEvent(deployment.AuditCanceled, detail)
	d, err = s.o.Engine.Cancel(ctx, d.Row, deployment.CancelRequested{By: c.By, Reason: reason}, event)
	return d, refuseTooLate(d, err)
}

// Force makes a waiting deployment pass checks, freeze, order and locks, for a reason that everybody
// sees. It never passes allow, refs and approvals, nor deployments that are queued before it.
func (s *Service) Force(ctx context.Context, c Caller, id int64, reason string) (deployment.Deployment, error) {
	d, err := s.find(ctx, id)
	if err != nil {
		return d, err
	}
	if err := requireReason(reason); err != nil {
		return d, err
	}
	if c.By.ID == 0 && !c.Admin {
		return d, forbidden("a token needs the scope admin to force a deployment")
	}
	if err := refuseCaller(s.o.People.Forcer(ctx, d, c.By), "not_allowed"); err != nil {
		return d, err
	}

	force := deployment.Force{By: c.By, Reason: reason}
	detail, _ := json.Marshal(force) // it has no field that can fail
	d, err = s.o.Engine.Force(ctx, d.Row, force, c.auditEvent(deployment.AuditForced, detail))
	return d, refuseTooLate(d, err)
}

// stateWords says how far a deployment is, in words that follow its name.
func stateWords(s deployment.State) string {
	switch s {
	case deployment.Waiting:
		return "still waits"
	case deployment.Triggering, deployment.Unconfirmed:
		return "is being started"
	case deployment.Succeeded, deployment.Failed:
		return "has " + string(s)
	case deployment.Errored:
		return "could not be run"
	case deployment.Canceled, deployment.Rejected:
		return "was " + string(s)
	default:
		return "is " + string(s)
	}
}

// refuseTooLate refuses a change that the deployment's state no longer allows.
func refuseTooLate(d deployment.Deployment, err error) error {
	var late *deployment.InvalidTransitionError
	if errors.As(err, &late) {
		return conflict("too_late", fmt.Sprintf("the deployment %s: it is too late for that", stateWords(d.State)))
	}
	return err
}
