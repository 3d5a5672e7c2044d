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

// begin takes a waiting deployment as far as it can go: to a trigger that was answered, or to what it waits for.
func (e *Engine) begin(ctx context.Context, d deployment.Deployment) error {
	switch {
	case d.Problem != "":
		return e.settle(ctx, d, deployment.Refuse{Reason: d.Problem})
	case d.Cancel != nil:
		return e.settle(ctx, d, deployment.CancelAsked{By: d.Cancel.By, Reason: d.Cancel.Reason})
	case d.Target.Act != "":
		return e.lockTask(ctx, d)
	}
	if wait := d.NotBefore.Sub(e.Now()); wait > 0 {
		return e.settle(ctx, d, deployment.Blocked{By: d.Blocked, First: true, After: wait})
	}
	ruling, err := e.rule(ctx, d)
	if err != nil || ruling == nil {
		return err
	}
	before, err := e.resolve(ctx, d)
	if err != nil || before == nil {
		return err
	}
	if wait := e.pauses.left(before.Project.ID, e.Now()); wait > 0 {
		return e.settle(ctx, d, *before, deployment.Blocked{By: waitsForCircleCI, First: true, After: wait})
	}
	if ev := e.guard(ctx, d); ev != nil {
		return e.settle(ctx, d, *before, ev)
	}
	return e.trigger(ctx, d, *before, *ruling)
}

// resolve asks once for CircleCI's identity of the project, whatever spelling of its slug the route uses. No answer means that the deployment was
// settled.
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
		return nil, e.settle(ctx, d, deployment.Blocked{By: waitsForCircleCI, First: true, After: wait})
	}
	project, refusal := e.CircleCI.Project(ctx, slug)
	if refusal != nil {
		e.mistrust("", refusal)
		return nil, e.settle(ctx, d, refusal)
	}
	return &deployment.Resolved{Project: project}, e.Store.SaveProject(ctx, slug, project)
}

// guard keeps a deployment from running twice where our own memory may be older than the world: what was made before the start (a backup may have
// been restored, and what it forgot delivered again), and after a long wait. GitHub's statuses must hold nothing that we did not write.
func (e *Engine) guard(ctx context.Context, d deployment.Deployment) deployment.Event {
	now := e.Now()
	if at, ok := e.vouched.Load(d.Row); ok && now.Sub(at.(time.Time)) < guardAfter {
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
			return deployment.Refuse{Reason: "GitHub's statuses could not be read before the trigger: " + err.Error()}
		}
		return deployment.Blocked{By: "GitHub to answer", First: true, After: guardPause}
	}
	reports, err := e.Store.Reports(ctx, d.Row)
	if err != nil {
		return deployment.Blocked{By: "the database to answer", First: true, After: guardPause}
	}
	if strangers := deployment.Strangers(statuses, reports); len(strangers) > 0 {
		return deployment.Refuse{Reason: alreadyHandled(strangers[0])}
	}
	e.vouched.Store(d.Row, now)
	return nil
}

func alreadyHandled(s deployment.Status) string {
	return fmt.Sprintf("already handled: GitHub has a status %q that this service did not record", s.State)
}

// trigger sends one POST, if this worker's own write moved the row to triggering.
func (e *Engine) trigger(ctx context.Context, d deployment.Deployment, project deployment.Resolved, ruling policy.Verdict) error {
	beside := deployment.Changes{PassedLocks: ruling.Passed, Acts: []deployment.Act{e.decided(d, ruling)}}
	started, err := e.commit(ctx, d, true, beside, deployment.Admitted{}, project,
		deployment.Start{SendBefore: e.Now().Add(deployment.SendWindow), Forced: ruling.Forced})
	var busy *deployment.Busy
	if errors.As(err, &busy) {
		return e.settle(ctx, d, deployment.Admitted{}, project, blockedBy(busy))
	}
	if err != nil {
		return err
	}
	attempt := started.LastAttempt()
	answer := e.CircleCI.Trigger(ctx, started.Target, attempt.Ref, attempt.SendBefore)
	e.mistrust(started.Project.ID, answer)
	if limited, ok := answer.(deployment.NotSent); ok && limited.After > 0 {
		e.pauses.pause("", e.Now().Add(min(limited.After, time.Minute))) // the limit is the token's, not this deployment's
	}
	e.vouched.Delete(started.Row)
	return e.record(ctx, started, attempt.Number, answer)
}

// waitsForCircleCI is what triggers wait for while they are held back.
const waitsForCircleCI = "CircleCI to take triggers again"

func blockedBy(b *deployment.Busy) deployment.Event {
	switch b.On {
	case deployment.BusyNewer:
		return deployment.Superseded{By: b.ID}
	case deployment.BusyLock: // taken since the rules were asked: they are asked again
		return deployment.Blocked{By: "a lock", After: time.Millisecond}
	case deployment.BusyProject:
		return deployment.Blocked{By: "another trigger in the same CircleCI project", First: true} // whose changes too often to name
	case deployment.BusyOrder:
		return deployment.Blocked{By: fmt.Sprintf("deployment %d of the same environment, which came first", b.ID)}
	default:
		return deployment.Blocked{By: fmt.Sprintf("deployment %d of the same environment", b.ID)}
	}
}

// recordPause is the first pause between tries to record an answer; each next one is twice as long.
const recordPause = 50 * time.Millisecond

// record commits the answer to a trigger, whatever became of the row in the meantime: a 201 is proof and must not be lost.
func (e *Engine) record(ctx context.Context, d deployment.Deployment, attempt int, answer deployment.Event) error {
	for try := 0; try < 5; try++ {
		_, err := e.commit(ctx, d, false, deployment.Changes{}, answer)
		var taken *deployment.Taken
		var impossible *deployment.Impossible
		var busy *deployment.Busy
		switch {
		case err == nil:
			return nil
		case errors.As(err, &taken):
			err = e.displace(ctx, d, answer, taken)
			if err == nil {
				return nil
			}
		case errors.As(err, &impossible), errors.As(err, &busy):
			return e.stray(ctx, d, answer)
		}
		if err != nil && !errors.Is(err, deployment.ErrStale) {
			<-time.After(recordPause << try) // the database may be busy, and this answer is worth waiting for
		}
		fresh, err := e.Store.Load(context.WithoutCancel(ctx), d.Row)
		if err != nil {
			continue
		}
		d = fresh
		if d.LastAttempt().Number != attempt && !proof(answer) {
			return nil // the row has gone on; this answer says nothing about its newer attempt
		}
	}
	return errors.New("the answer to the trigger could not be recorded; it will be looked up")
}

func proof(answer deployment.Event) bool {
	_, ok := answer.(deployment.Triggered)
	return ok
}

// displace gives a pipeline to the deployment whose trigger was answered with it, and sends the one that had adopted it back to look.
func (e *Engine) displace(ctx context.Context, d deployment.Deployment, answer deployment.Event, taken *deployment.Taken) error {
	other, err := e.Store.Load(ctx, taken.Row)
	if err != nil {
		return err
	}
	now := e.Now()
	back, backChanges, err := e.Rules.Apply(other, deployment.Displaced{}, now)
	if err != nil {
		return err
	}
	next, changes, err := e.Rules.Apply(d, answer, now)
	if err != nil {
		return err
	}
	return e.Store.SavePair(ctx, back, backChanges, next, changes)
}

// stray cancels a pipeline that came too late to be followed, and says so.
func (e *Engine) stray(ctx context.Context, d deployment.Deployment, answer deployment.Event) error {
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
	return errors.Join(err, e.settle(ctx, fresh, deployment.Stray{PipelineID: t.Pipeline.ID}))
}

// mistrust pauses a token's or a project's triggers for a minute after an answer that may hide a bad token.
func (e *Engine) mistrust(projectID string, answer deployment.Event) {
	r, ok := answer.(deployment.Refused)
	if !ok || !r.Mistrust {
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
