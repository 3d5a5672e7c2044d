package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// How long until the rules are asked again where nothing says when: a tenth of the time waited so
// far, within these. Whoever changes something that we see wakes the row at once.
const (
	askAgainLeast = 15 * time.Second
	askAgainMost  = time.Minute
)

// decideTimeout bounds all questions of one decision: a step is short. What was not answered by
// then is unknown.
const decideTimeout = 15 * time.Second

// evaluate asks the rules about a waiting deployment. GitHub is asked when it comes in, and again
// right before its trigger; in between, while others or a lock keep it, our own rows are enough. No
// verdict means that the deployment was settled.
func (e *Engine) evaluate(ctx context.Context, d deployment.Deployment) (*policy.Verdict, error) {
	asking, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()
	if !d.AdmittedAt.IsZero() {
		here, err := e.Gate.DecideLocal(asking, d)
		if err != nil || here.Decision != policy.DecisionAllow {
			return nil, e.applyVerdict(ctx, d, here, err)
		}
	}

	verdict, err := e.Gate.Decide(asking, d)
	if err != nil || verdict.Decision != policy.DecisionAllow {
		return nil, e.applyVerdict(ctx, d, verdict, err)
	}

	return &verdict, nil
}

// applyVerdict does what a verdict says that does not let a deployment go.
func (e *Engine) applyVerdict(ctx context.Context, d deployment.Deployment, v policy.Verdict, err error) error {
	if err != nil {
		return err
	}

	first := v.First()
	if v.Decision == policy.DecisionReject {
		if ev := e.checkNotHandled(ctx, d); ev != nil { // who has run already must not be told that it was turned away
			return e.applyAndSave(ctx, d, ev)
		}

		_, err := e.commit(ctx, d, false, deployment.Changes{
			Audit: []deployment.AuditEvent{e.decided(d, v)},
		}, deployment.Reject{
			Reason: first.Message,
		})

		return err
	}

	events := []deployment.Event{deployment.Blocked{By: first.Message, After: e.nextAsk(d, v)}}
	fresh := d.AdmittedAt.IsZero() && !v.Unsure()
	if fresh {
		events = append([]deployment.Event{deployment.Admitted{}}, events...)
	}
	if err := e.applyAndSave(ctx, d, events...); err != nil {
		return err
	}
	if v.Cancels != 0 {
		e.cancelFor(ctx, d, v.Cancels)
	}
	if fresh { // older ones may have to make room for it
		return e.Store.WakeQueue(ctx, d.Request.Repository.ID, d.Request.EnvironmentKey())
	}

	return nil
}

// nextAsk is when the rules are asked again at the latest.
func (e *Engine) nextAsk(d deployment.Deployment, v policy.Verdict) time.Duration {
	now := e.Now()
	after := min(max(now.Sub(d.AcceptedAt)/10, askAgainLeast), askAgainMost)
	if !v.Until.IsZero() && v.Until.After(now) {
		after = min(after, v.Until.Sub(now))
	}
	return max(after, time.Millisecond)
}

// cancelFor has the running deployment of an environment canceled for a newer one.
func (e *Engine) cancelFor(ctx context.Context, d deployment.Deployment, id int64) {
	ask := deployment.CancelRequested{Reason: fmt.Sprintf("superseded by #%d", d.Request.ID)}
	act := deployment.AuditEvent{
		Kind:    deployment.AuditCanceled,
		Channel: deployment.ChannelSeraph,
		Actor:   d.Request.Requester(),
	}

	records, err := e.Store.Get(ctx, id)
	for _, rec := range records {
		if rec.Deployment.Request.Repository.ID == d.Request.Repository.ID && rec.Deployment.Cancel == nil {
			_, err = e.Cancel(ctx, rec.Deployment.Row, ask, act)
		}
	}

	if err != nil {
		e.log(d, warn).Err(err).Int64("other", id).Msg("the deployment before it cannot be canceled yet; trying again")
	}
}

// Cancel has a deployment canceled for somebody: at once while it waits, else by canceling its
// workflows and waiting for CircleCI's word. *deployment.Impossible: it has ended.
func (e *Engine) Cancel(
	ctx context.Context,
	row int64,
	ask deployment.CancelRequested,
	act deployment.AuditEvent,
) (deployment.Deployment, error) {
	return e.change(ctx, row, ask, act)
}

// Force gives a waiting deployment somebody's will to pass rules. *deployment.Impossible: it does
// not wait.
func (e *Engine) Force(
	ctx context.Context,
	row int64,
	force deployment.Force,
	act deployment.AuditEvent,
) (deployment.Deployment, error) {
	return e.change(ctx, row, deployment.ForceRequested{Force: force}, act)
}

// change applies what somebody asked for to a row, whoever else works on it. A sender keeps its
// lease: who loaded the row now would take its trigger for an interrupted one.
func (e *Engine) change(
	ctx context.Context,
	row int64,
	ev deployment.Event,
	act deployment.AuditEvent,
) (deployment.Deployment, error) {
	for try := 0; ; try++ {
		d, err := e.Store.Load(ctx, row)
		if err != nil {
			return d, err
		}

		next, changes, err := e.Machine.Apply(d, ev, e.Now())
		if err != nil {
			return d, err
		}

		changes.Audit = []deployment.AuditEvent{act.On(d, e.Now())}
		saved, err := e.Store.Save(ctx, next, changes, d.State == deployment.Triggering)
		if err == nil {
			e.logTransition(d, saved)
			return saved, nil
		}
		if !errors.Is(err, deployment.ErrVersionConflict) || try == 5 {
			return d, err
		}
	}
}

// lockTask does what a deployment with a reserved task asks for, if its requester may deploy there.
// Acts of one environment keep their order, or a lock would outlive the end that was meant for it.
func (e *Engine) lockTask(ctx context.Context, d deployment.Deployment) error {
	asking, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()
	older, err := e.olderLockTask(asking, d)
	if err != nil {
		return err
	}
	if older != 0 {
		return e.applyAndSave(ctx, d, blockedBy(&deployment.BlockedError{On: deployment.BlockedByOrder, ID: older}))
	}

	v, err := e.Gate.DecideLockTask(asking, d)
	if err != nil || v.Decision != policy.DecisionAllow {
		return e.applyVerdict(ctx, d, v, err)
	}

	done, refused, err := e.Locks.Task(asking, d)
	switch {
	case err != nil:
		return err
	case refused != "":
		v = policy.Verdict{
			Decision: policy.DecisionReject,
			Outcomes: []policy.Outcome{{
				Rule:     policy.RuleLocks,
				Decision: policy.DecisionReject,
				Code:     policy.CodeLocked,
				Message:  refused,
			}},
		}

		_, err := e.commit(ctx, d, false, deployment.Changes{
			Audit: []deployment.AuditEvent{e.decided(d, v)},
		}, deployment.Reject{
			Reason: refused,
		})

		return err
	default:
		return e.applyAndSave(ctx, d, deployment.Done{Reason: done})
	}
}

// lockTasksRead is among how many of an environment's waiting deployments an older act is looked
// for: acts are done at once, so that few ever wait.
const lockTasksRead = 200

// olderLockTask gives GitHub's id of an older act of the same environment that is still to be done;
// 0: there is none.
func (e *Engine) olderLockTask(ctx context.Context, d deployment.Deployment) (int64, error) {
	waiting, err := e.Store.List(ctx, deployment.Filter{
		Repository:  d.Request.Repository.FullName(),
		Environment: d.Request.Environment,
		State:       deployment.Waiting,
		Limit:       lockTasksRead,
	})

	for _, o := range waiting {
		if o.Target.LockTask != "" && o.Request.ID < d.Request.ID {
			return o.Request.ID, err
		}
	}

	return 0, err
}

// decided is what the audit keeps of a verdict.
func (e *Engine) decided(d deployment.Deployment, v policy.Verdict) deployment.AuditEvent {
	detail, _ := json.Marshal(struct { // it holds nothing that cannot be written
		policy.Verdict
		SHA   string            `json:"sha"`
		Ref   string            `json:"ref"`
		Force *deployment.Force `json:"force,omitempty"`
	}{v, d.Request.SHA, d.Request.Ref, d.Force})

	act := deployment.AuditEvent{
		Kind:    deployment.AuditDecided,
		Channel: deployment.ChannelGitHub,
		Actor:   d.Request.Requester(),
		Detail:  detail,
	}

	return act.On(d, e.Now())
}
