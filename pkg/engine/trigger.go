package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// start takes a waiting deployment as far as it can go: to a trigger that was answered, or to what
// it waits for.
func (e *Engine) start(ctx context.Context, d deployment.Deployment) error {
	switch {
	case d.Problem != "":
		return e.applyAndSave(ctx, d, deployment.Fail{Reason: d.Problem})
	case d.Cancel != nil:
		return e.applyAndSave(ctx, d, deployment.CancelRequested{By: d.Cancel.By, Reason: d.Cancel.Reason})
	case d.Target.LockTask != "":
		return e.lockTask(ctx, d)
	}

	if wait := d.NotBefore.Sub(e.Now()); wait > 0 {
		return e.applyAndSave(ctx, d, deployment.Blocked{By: d.Blocked, First: true, After: wait})
	}

	ruling, err := e.evaluate(ctx, d)
	if err != nil || ruling == nil {
		return err
	}

	before, err := e.resolve(ctx, d)
	if err != nil || before == nil {
		return err
	}
	if wait := e.pauses.left(before.Project.ID, e.Now()); wait > 0 {
		return e.applyAndSave(ctx, d, *before, deployment.Blocked{By: waitsForCircleCI, First: true, After: wait})
	}
	if ev := e.checkNotHandled(ctx, d); ev != nil {
		return e.applyAndSave(ctx, d, *before, ev)
	}

	return e.trigger(ctx, d, *before, *ruling)
}

// resolve asks once for CircleCI's identity of the project, whatever spelling of its slug the route
// uses. No answer means that the deployment was settled.
func (e *Engine) resolve(ctx context.Context, d deployment.Deployment) (*deployment.Resolved, error) {
	if d.Project.ID != "" {
		return &deployment.Resolved{Project: d.Project}, nil
	}

	slug := d.Target.Project
	project, err := e.Store.Project(ctx, slug)
	if err != nil || project.ID != "" {
		return &deployment.Resolved{Project: project}, err
	}
	if wait := e.pauses.left("", e.Now()); wait > 0 {
		return nil, e.applyAndSave(ctx, d, deployment.Blocked{By: waitsForCircleCI, First: true, After: wait})
	}

	project, refusal := e.CircleCI.Project(ctx, slug)
	if refusal != nil {
		e.pauseAfterAuthError("", refusal)
		return nil, e.applyAndSave(ctx, d, refusal)
	}

	return &deployment.Resolved{Project: project}, e.Store.SaveProject(ctx, slug, project)
}

// checkNotHandled keeps a deployment from running twice where our own memory may be older than the
// world: what was made before the start (a backup may have been restored, and what it forgot
// delivered again), and after a long wait. GitHub's statuses must hold nothing that we did not
// write.
func (e *Engine) checkNotHandled(ctx context.Context, d deployment.Deployment) deployment.Event {
	now := e.Now()
	if at, ok := e.verified.Load(d.Row); ok && now.Sub(at.(time.Time)) < guardAfter {
		return nil
	}

	made := d.Request.CreatedAt
	late := !made.IsZero() && (d.AcceptedAt.Sub(made) > lateArrival || made.Before(e.startedAt.Add(guardSlack)))
	if !d.AcceptedAt.Before(e.startedAt) && now.Sub(d.AcceptedAt) < guardAfter && !late {
		return nil
	}

	statuses, err := e.GitHub.Statuses(ctx, d.Request)
	if err != nil {
		if now.Sub(d.AcceptedAt) > guardFor {
			return deployment.Fail{Reason: "GitHub's statuses could not be read before the trigger: " + err.Error()}
		}

		return deployment.Blocked{By: "GitHub to answer", First: true, After: guardPause}
	}

	reports, err := e.Store.Reports(ctx, d.Row)
	if err != nil {
		return deployment.Blocked{By: "the database to answer", First: true, After: guardPause}
	}
	if strangers := deployment.UnknownStatuses(statuses, reports); len(strangers) > 0 {
		return deployment.Fail{Reason: deployment.AlreadyHandled(strangers[0])}
	}

	e.verified.Store(d.Row, now)
	return nil
}

// trigger sends one POST, if this worker's own write moved the row to triggering.
func (e *Engine) trigger(
	ctx context.Context,
	d deployment.Deployment,
	project deployment.Resolved,
	ruling policy.Verdict,
) error {
	beside := deployment.Changes{PassedLocks: ruling.Passed, Audit: []deployment.AuditEvent{e.decided(d, ruling)}}
	started, err := e.commit(ctx, d, true, beside, deployment.Admitted{}, project,
		deployment.Start{SendBefore: e.Now().Add(deployment.SendWindow), Forced: ruling.Forced})
	var busy *deployment.BlockedError
	if errors.As(err, &busy) {
		return e.applyAndSave(ctx, d, deployment.Admitted{}, project, blockedBy(busy))
	}
	if err != nil {
		return err
	}

	attempt := started.LastAttempt()
	answer := e.CircleCI.Trigger(ctx, started.Target, attempt.Ref, attempt.SendBefore)
	e.pauseAfterAuthError(started.Project.ID, answer)
	if limited, ok := answer.(deployment.TriggerNotSent); ok && limited.After > 0 {
		// the limit is the token's, not this deployment's
		e.pauses.pause("", e.Now().Add(min(limited.After, time.Minute)))
	}

	e.verified.Delete(started.Row)
	return e.recordTriggerResult(ctx, started, attempt.Number, answer)
}

// waitsForCircleCI is what triggers wait for while they are held back.
const waitsForCircleCI = "CircleCI to take triggers again"

func blockedBy(b *deployment.BlockedError) deployment.Event {
	switch b.On {
	case deployment.BlockedByNewer:
		return deployment.Superseded{By: b.ID}
	case deployment.BlockedByLock: // taken since the rules were asked: they are asked again
		return deployment.Blocked{By: "a lock", After: time.Millisecond}
	case deployment.BlockedByProject:
		return deployment.Blocked{
			By:    "another trigger in the same CircleCI project",
			First: true,
		} // whose changes too often to name
	case deployment.BlockedByOrder:
		return deployment.Blocked{By: fmt.Sprintf("deployment %d of the same environment, which came first", b.ID)}
	default:
		return deployment.Blocked{By: fmt.Sprintf("deployment %d of the same environment", b.ID)}
	}
}

// recordPause is the first pause between tries to record an answer; each next one is twice as long.
const recordPause = 50 * time.Millisecond

// recordTriggerResult commits the answer to a trigger, whatever became of the row in the meantime:
// a 201 is proof and must not be lost.
func (e *Engine) recordTriggerResult(
	ctx context.Context,
	d deployment.Deployment,
	attempt int,
	answer deployment.Event,
) error {
	for try := 0; try < 5; try++ {
		_, err := e.commit(ctx, d, false, deployment.Changes{}, answer)
		var taken *deployment.PipelineTakenError
		var impossible *deployment.InvalidTransitionError
		var busy *deployment.BlockedError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &taken):
			err = e.reassignPipeline(ctx, d, answer, taken)
			if err == nil {
				return nil
			}
		case errors.As(err, &impossible), errors.As(err, &busy):
			return e.orphan(ctx, d, answer)
		}

		if err != nil && !errors.Is(err, deployment.ErrVersionConflict) {
			<-time.After(recordPause << try) // the database may be busy, and this answer is worth waiting for
		}

		fresh, err := e.Store.Load(context.WithoutCancel(ctx), d.Row)
		if err != nil {
			continue
		}

		d = fresh
		if d.LastAttempt().Number != attempt && !isProof(answer) {
			return nil // the row has gone on; this answer says nothing about its newer attempt
		}
	}

	return errors.New("the answer to the trigger could not be recorded; it will be looked up")
}

func isProof(answer deployment.Event) bool {
	_, ok := answer.(deployment.Triggered)
	return ok
}

// reassignPipeline gives a pipeline to the deployment whose trigger was answered with it, and sends
// the one that had adopted it back to look.
func (e *Engine) reassignPipeline(
	ctx context.Context,
	d deployment.Deployment,
	answer deployment.Event,
	taken *deployment.PipelineTakenError,
) error {
	other, err := e.Store.Load(ctx, taken.Row)
	if err != nil {
		return err
	}

	now := e.Now()
	back, backChanges, err := e.Machine.Apply(other, deployment.PipelineReassigned{}, now)
	if err != nil {
		return err
	}

	next, changes, err := e.Machine.Apply(d, answer, now)
	if err != nil {
		return err
	}

	return e.Store.SavePair(ctx, back, backChanges, next, changes)
}

// orphan cancels a pipeline that came too late to be followed, and says so.
func (e *Engine) orphan(ctx context.Context, d deployment.Deployment, answer deployment.Event) error {
	t, ok := answer.(deployment.Triggered)
	if !ok {
		return nil
	}

	e.log(d, warn).Str("pipeline", t.Pipeline.ID).Msg("a pipeline came too late for its deployment; canceling it")
	err := e.cancelPipeline(ctx, t.Pipeline.ID)
	fresh, loadErr := e.Store.Load(ctx, d.Row)
	if loadErr != nil {
		return errors.Join(err, loadErr)
	}

	return errors.Join(err, e.applyAndSave(ctx, fresh, deployment.PipelineOrphaned{PipelineID: t.Pipeline.ID}))
}

// pauseAfterAuthError pauses a token's or a project's triggers for a minute after an answer that
// may hide a bad token.
func (e *Engine) pauseAfterAuthError(projectID string, answer deployment.Event) {
	r, ok := answer.(deployment.TriggerRefused)
	if !ok || !r.AuthDoubt {
		return
	}

	if r.Status == 401 {
		projectID = ""
	} else if projectID == "" {
		return
	}

	e.pauses.pause(projectID, e.Now().Add(time.Minute))
}

// pauses remembers until when a project's triggers, or all ("") are held back.
type pauses struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (p *pauses) pause(project string, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[string]time.Time{}
	}
	p.until[project] = until
}

func (p *pauses) left(project string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.until[project].Sub(now), p.until[""].Sub(now))
}
