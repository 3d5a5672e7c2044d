package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Gate evaluates the rules. Decide gathers all facts, DecideLocal only those in the database and the
// clock, DecideLockTask only whether the requester may deploy there. An error means that the
// database could not be read; what GitHub does not answer is part of the verdict.
type Gate interface {
	// HasRules says whether anything but the queue and locks can keep the deployment.
	HasRules(d deployment.Deployment) bool
	Decide(ctx context.Context, d deployment.Deployment) (policy.Verdict, error)
	DecideLocal(ctx context.Context, d deployment.Deployment) (policy.Verdict, error)
	DecideLockTask(ctx context.Context, d deployment.Deployment) (policy.Verdict, error)
}

// How long until the rules are evaluated again where no rule says when: a tenth of the time waited
// so far, within these bounds. A change that the store sees wakes the row at once.
const (
	minRecheck = 15 * time.Second
	maxRecheck = time.Minute
)

// decideTimeout limits all questions of one decision. What was not answered by then is unknown.
const decideTimeout = 15 * time.Second

// evaluate evaluates the rules of a waiting deployment. GitHub is asked when the deployment comes in,
// and again before its trigger. In between, while the queue or a lock keeps it, the database is
// enough. nil means that it must not go on, and that is saved.
func (e *Engine) evaluate(ctx context.Context, d deployment.Deployment) (*policy.Verdict, error) {
	bounded, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()

	if !d.AdmittedAt.IsZero() {
		local, err := e.Gate.DecideLocal(bounded, d)
		if err != nil {
			return nil, err
		}
		// A rollback that only the queue keeps may end those before it, if all rules let it.
		ends := d.Request.IsRollback() && local.OnlyQueued
		if local.Decision != policy.DecisionAllow && !ends {
			return nil, e.applyVerdict(ctx, d, local)
		}
	}

	verdict, err := e.Gate.Decide(bounded, d)
	if err != nil {
		return nil, err
	}
	if verdict.Decision != policy.DecisionAllow {
		return nil, e.applyVerdict(ctx, d, verdict)
	}
	if d.Request.IsRollback() {
		e.supersedeOlder(ctx, d)
	}

	return &verdict, nil
}

// evaluateLast evaluates all rules right before the trigger, on the ref that is going to be built. Freezes
// may have begun and approvals may have expired since the first evaluation. Facts that GitHub answered then
// are not asked for again. nil means that it must not go on, and that is saved.
func (e *Engine) evaluateLast(
	ctx context.Context,
	d deployment.Deployment,
	ref deployment.RefResolved,
) (*policy.Verdict, error) {
	bounded, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()

	built, _, err := e.apply(d, []deployment.Event{ref})
	if err != nil {
		return nil, err
	}

	verdict, err := e.Gate.Decide(bounded, built)
	if err != nil {
		return nil, err
	}
	if verdict.Decision != policy.DecisionAllow {
		return nil, e.applyVerdict(ctx, d, verdict)
	}

	return &verdict, nil
}

// applyVerdict saves a verdict that does not allow a deployment.
func (e *Engine) applyVerdict(ctx context.Context, d deployment.Deployment, v policy.Verdict) error {
	if v.Decision == policy.DecisionReject {
		// a deployment that has run already must not be reported as rejected
		if event := e.checkNotHandled(ctx, d); event != nil {
			return e.applyAndSave(ctx, d, event)
		}

		return e.reject(ctx, d, v)
	}

	events := []deployment.Event{deployment.Blocked{By: v.Deciding().Message, After: e.recheckAfter(d, v)}}
	admitted := d.AdmittedAt.IsZero() && !v.LacksFacts()
	if admitted {
		events = append([]deployment.Event{deployment.Admitted{}}, events...)
	}
	if err := e.applyAndSave(ctx, d, events...); err != nil {
		return err
	}

	if v.Cancels != 0 {
		e.cancelRunning(ctx, d, v.Cancels)
	}
	if d.Request.IsRollback() && v.OnlyQueued {
		e.supersedeOlder(ctx, d)
	}
	if admitted { // older deployments may have to give way to it
		return e.DueRows.WakeQueue(ctx, d.Request.Repository.ID, d.Request.EnvironmentKey())
	}

	return nil
}

// reject ends a deployment as rejected and records the verdict in the audit.
func (e *Engine) reject(ctx context.Context, d deployment.Deployment, v policy.Verdict) error {
	_, err := e.commit(
		ctx,
		d,
		commitOptions{audit: []deployment.AuditEvent{e.decided(d, v)}},
		deployment.Reject{Reason: v.Deciding().Message},
	)
	return err
}

// recheckAfter is how long until the rules are evaluated again at the latest.
func (e *Engine) recheckAfter(d deployment.Deployment, v policy.Verdict) time.Duration {
	now := e.Now()
	after := min(max(now.Sub(d.AcceptedAt)/10, minRecheck), maxRecheck)
	if v.Until.After(now) {
		after = min(after, v.Until.Sub(now))
	}
	return max(after, time.Millisecond)
}

// decided is the audit's record of a verdict.
func (e *Engine) decided(d deployment.Deployment, v policy.Verdict) deployment.AuditEvent {
	detail, _ := json.Marshal(struct { // cannot fail: it holds texts, numbers and times
		policy.Verdict
		SHA   string            `json:"sha"`
		Ref   string            `json:"ref"`
		Force *deployment.Force `json:"force,omitempty"`
	}{v, d.Request.SHA, d.Request.Ref, d.Force})

	event := deployment.AuditEvent{
		Kind:    deployment.AuditDecided,
		Channel: d.Request.Channel(),
		Actor:   d.Request.Requester(),
		Detail:  detail,
	}

	return event.On(d, e.Now())
}
