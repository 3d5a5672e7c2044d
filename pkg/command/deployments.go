package command

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Explain says what every rule says of a deployment now. Of one that does not wait it says what the
// rules would say.
func (k *Service) Explain(ctx context.Context, id int64) (deployment.Deployment, policy.Verdict, error) {
	d, err := k.find(ctx, id)
	if err != nil {
		return d, policy.Verdict{}, err
	}
	v, err := k.Gate.Decide(ctx, d)
	return d, v, err
}

// Ask says what the rules would say of a deployment that there is not.
func (k *Service) Ask(ctx context.Context, q policy.Question) (policy.Verdict, error) {
	v, err := k.Gate.Ask(ctx, q)
	return v, unknown(err)
}

// unknown refuses what is about something that is not there. That it could not be asked is no such
// answer.
func unknown(err error) error {
	var u *policy.NotFoundError
	if errors.As(err, &u) {
		return newError(KindNotFound, "not_found", "%s", u.Error())
	}
	return err
}

// Approve gives somebody's yes to a waiting deployment, as it is now: it counts for this commit,
// these parameters and these rules, and no others.
func (k *Service) Approve(
	ctx context.Context,
	c Caller,
	id int64,
	comment string,
) (deployment.Deployment, policy.Verdict, error) {
	d, err := k.find(ctx, id)
	if err == nil {
		err = checkReason(comment, false)
	}

	if err == nil && d.State != deployment.Waiting {
		err = newError(
			KindConflict,
			"not_waiting",
			"the deployment is %s: only one that waits can be approved",
			d.State,
		)
	}

	if err != nil {
		return d, policy.Verdict{}, err
	}

	approval, refused := k.Gate.Approver(ctx, d, c.By)
	if refused != "" {
		return d, policy.Verdict{}, newError(KindForbidden, "not_an_approver", "%s", refused)
	}

	approval.Comment = comment
	detail, _ := json.Marshal(approval) // it holds nothing that cannot be written
	if err := k.Deployments.Approve(ctx, d.Row, approval, auditEvent(c, deployment.AuditApproved, detail).On(d, k.Now())); err != nil {
		return d, policy.Verdict{}, err
	}

	v, err := k.Gate.Decide(ctx, d)
	return d, v, err
}

// Cancel ends a deployment: at once while it waits, else as soon as CircleCI shows that its
// workflows have ended.
func (k *Service) Cancel(ctx context.Context, c Caller, id int64, reason string) (deployment.Deployment, error) {
	d, err := k.find(ctx, id)
	if err == nil {
		err = checkReason(reason, false)
	}
	if err != nil {
		return d, err
	}
	if refused := k.Gate.Member(ctx, d, c.By); refused != "" && !c.Admin {
		return d, newError(KindForbidden, "not_allowed", "%s", refused)
	}

	detail, _ := json.Marshal(map[string]string{"reason": reason, "state": string(d.State)})
	d, err = k.Engine.Cancel(ctx, d.Row, deployment.CancelRequested{
		By:     c.By,
		Reason: reason,
	}, auditEvent(c, deployment.AuditCanceled, detail))

	return d, impossible(d, err)
}

// Force has the checks, freeze, order and locks of a waiting deployment passed, for a reason that
// everybody sees. It never passes allow, refs, approvals or who stands before it in line.
func (k *Service) Force(ctx context.Context, c Caller, id int64, reason string) (deployment.Deployment, error) {
	d, err := k.find(ctx, id)
	if err == nil {
		err = checkReason(reason, true)
	}
	if err != nil {
		return d, err
	}
	if c.By.ID == 0 && !c.Admin {
		return d, newError(KindForbidden, "not_allowed", "a token needs the scope admin to force a deployment")
	}
	if refused := k.Gate.Forcer(ctx, d, c.By); refused != "" {
		return d, newError(KindForbidden, "not_allowed", "%s", refused)
	}

	force := deployment.Force{By: c.By, Reason: reason}
	detail, _ := json.Marshal(force) // it holds nothing that cannot be written
	d, err = k.Engine.Force(ctx, d.Row, force, auditEvent(c, deployment.AuditForced, detail))
	return d, impossible(d, err)
}

// impossible puts into words that a deployment is past what was asked.
func impossible(d deployment.Deployment, err error) error {
	var past *deployment.InvalidTransitionError
	if errors.As(err, &past) {
		return newError(KindConflict, "too_late", "the deployment is %s: it is too late for that", d.State)
	}
	return err
}
