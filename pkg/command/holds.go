package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Holds reads and approves the jobs that CircleCI holds. Every call has a timeout of its own; none is
// repeated.
type Holds interface {
	HoldJobs(ctx context.Context, pipelineID string) ([]deployment.HoldJob, error)
	ApproveHold(ctx context.Context, j deployment.HoldJob) deployment.HoldOutcome
}

// HoldPeople says whether somebody may approve the hold jobs of a deployment.
type HoldPeople interface {
	HoldApprover(ctx context.Context, d deployment.Deployment, by deployment.Actor) policy.Refusal
}

// approveTimeout is how long an approval may take once it was begun, whether or not its caller still waits.
const approveTimeout = 40 * time.Second

// ApproveHold approves a job that CircleCI holds, for somebody whom the route's holds name. job is its name,
// or WORKFLOW/JOB where several workflows have one of that name; empty: the only one that waits. It
// succeeds as well for a job that is approved already, and does nothing then.
func (s *Service) ApproveHold(ctx context.Context, c Caller, id int64, job string) (deployment.Deployment, error) {
	d, err := s.find(ctx, id)
	if err != nil {
		return d, err
	}
	if err := refuseCaller(s.o.HoldPeople.HoldApprover(ctx, d, c.By), "not_allowed"); err != nil {
		return d, err
	}
	if !d.State.Open() && job != "" && approvedBefore(d, job) {
		return d, nil // it is asked again what was done then
	}
	if d.Cancel != nil && d.State.Open() {
		return d, conflict("being_canceled", "the deployment is being canceled: none of its jobs can be approved")
	}
	if d.Pipeline == nil || d.State != deployment.Running && d.State != deployment.Held {
		const format = "the deployment %s: only a job of a running or held one can be approved"
		return d, conflict("not_held", fmt.Sprintf(format, stateWords(d.State)))
	}

	holds, err := s.o.Holds.HoldJobs(ctx, d.Pipeline.ID)
	if err != nil {
		return d, circleciAway(err)
	}

	chosen, done, err := chooseHold(holds, job)
	if err != nil || done {
		return d, err
	}

	// From here on it does not matter whether the caller waits for the answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), approveTimeout)
	defer cancel()

	return s.approveHold(ctx, c, d, chosen, holds)
}

// approvedBefore says whether a job of a deployment was approved through this service. Where one runs again in
// the same pipeline, that says nothing about the new one.
func approvedBefore(d deployment.Deployment, job string) bool {
	return slices.ContainsFunc(d.HoldApprovals, func(a deployment.HoldApproval) bool {
		return job == a.Job || job == a.Workflow+"/"+a.Job
	})
}

// chooseHold returns the job that a name means. done: it is approved already.
func chooseHold(holds []deployment.HoldJob, job string) (chosen deployment.HoldJob, done bool, err error) {
	var waiting, named []deployment.HoldJob
	for _, h := range holds {
		if h.Waits() {
			waiting = append(waiting, h)
		}
		if job == "" && (h.Waits() || h.Approved()) || job == h.Name || job == h.Workflow+"/"+h.Name {
			named = append(named, h)
		}
	}

	candidates := slices.DeleteFunc(slices.Clone(named), func(h deployment.HoldJob) bool { return !h.Waits() })
	switch {
	case len(candidates) == 1:
		return candidates[0], false, nil
	case len(candidates) > 1:
		const format = "several jobs wait for an approval: name one of %s"
		return chosen, false, conflict("several_held", fmt.Sprintf(format, holdNames(candidates)))
	case slices.ContainsFunc(named, deployment.HoldJob.Approved):
		return chosen, true, nil
	case len(waiting) == 0:
		return chosen, false, conflict("not_held", "no job waits for an approval in CircleCI")
	default:
		const format = "no job %q waits for an approval in CircleCI: name one of %s"
		return chosen, false, conflict("not_held", fmt.Sprintf(format, deployment.Readable(job), holdNames(waiting)))
	}
}

// holdNames lists jobs by names that ApproveHold takes.
func holdNames(holds []deployment.HoldJob) string {
	return strings.Join(deployment.HoldNames(holds), ", ")
}

// approveHold records who approves, asks CircleCI, and records that it was done.
func (s *Service) approveHold(
	ctx context.Context,
	c Caller,
	d deployment.Deployment,
	j deployment.HoldJob,
	holds []deployment.HoldJob,
) (deployment.Deployment, error) {
	detail, _ := json.Marshal(map[string]string{"workflow": j.Workflow, "job": j.Name}) // it cannot fail
	event := c.auditEvent(deployment.AuditHold, detail)
	asked := deployment.HoldAsked{By: c.By, Workflow: j.Workflow, Job: j.Name}
	d, err := s.o.Engine.Hold(ctx, d.Row, asked, &event)
	if err != nil {
		return d, refuseTooLate(d, err)
	}

	outcome := s.o.Holds.ApproveHold(ctx, j)
	if outcome.Kind != deployment.HoldDone {
		// Somebody else may have been faster, or the answer alone was lost.
		now, err := s.o.Holds.HoldJobs(ctx, d.Pipeline.ID)
		if err != nil || !isApproved(now, j) {
			return d, refuseHold(outcome)
		}

		holds = now
	}

	more := slices.ContainsFunc(holds, func(h deployment.HoldJob) bool { return h.Waits() && h.Request != j.Request })
	done := deployment.HoldApproved{By: c.By, Workflow: j.Workflow, Job: j.Name, MoreWait: more}
	return s.o.Engine.Hold(ctx, d.Row, done, nil)
}

func isApproved(holds []deployment.HoldJob, j deployment.HoldJob) bool {
	return slices.ContainsFunc(holds, func(h deployment.HoldJob) bool {
		return h.WorkflowID == j.WorkflowID && h.Request == j.Request && h.Approved()
	})
}

// refuseHold is the error of an approval that CircleCI did not take, as far as is known.
func refuseHold(o deployment.HoldOutcome) error {
	switch o.Kind {
	case deployment.HoldRefused:
		return conflict("circleci_refused", "CircleCI did not take the approval: "+o.Cause)
	case deployment.HoldDenied:
		const format = "CircleCI does not let this service approve: check the rights of " +
			"SERAPH_CIRCLECI_TOKEN's user (%s)"
		return conflict("circleci_refused", fmt.Sprintf(format, o.Cause))
	default:
		return circleciAway(errors.New(o.Cause))
	}
}

// circleciAway is the error of a question that CircleCI did not answer.
func circleciAway(err error) error {
	cause, _ := deployment.PublicCause("CircleCI", err)
	return &Error{Kind: KindUnavailable, Code: "unavailable", Message: cause + "; ask again, which does no harm"}
}
