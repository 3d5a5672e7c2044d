package engine

import (
	"context"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// waitsForCircleCI is what deployments wait for while triggers are paused.
const waitsForCircleCI = "CircleCI to take triggers again"

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
		return e.applyAndSave(ctx, d, deployment.Blocked{By: d.BlockedBy, First: true, After: wait})
	}

	verdict, err := e.evaluate(ctx, d)
	if err != nil || verdict == nil {
		return err
	}

	resolved, err := e.resolve(ctx, d)
	if err != nil || resolved == nil {
		return err
	}

	if wait := e.pauses.left(resolved.Project.ID, e.Now()); wait > 0 {
		blocked := deployment.Blocked{By: waitsForCircleCI, First: true, After: wait}
		return e.applyAndSave(ctx, d, *resolved, blocked)
	}
	if event := e.checkNotHandled(ctx, d); event != nil {
		return e.applyAndSave(ctx, d, *resolved, event)
	}

	return e.trigger(ctx, d, *resolved, *verdict)
}

// resolve returns CircleCI's identity of the project, which is the same for every spelling of its
// slug. CircleCI is asked once per slug. nil means that the deployment was saved in another way.
func (e *Engine) resolve(ctx context.Context, d deployment.Deployment) (*deployment.Resolved, error) {
	if d.Project.ID != "" {
		return &deployment.Resolved{Project: d.Project}, nil
	}

	slug := d.Target.Project
	project, err := e.Pipelines.Project(ctx, slug)
	if err != nil || project.ID != "" {
		return &deployment.Resolved{Project: project}, err
	}

	if wait := e.pauses.left("", e.Now()); wait > 0 {
		return nil, e.applyAndSave(ctx, d, deployment.Blocked{By: waitsForCircleCI, First: true, After: wait})
	}

	project, refusal := e.Starter.Project(ctx, slug)
	if refusal != nil {
		e.pauseAfterAuthError("", refusal)
		return nil, e.applyAndSave(ctx, d, refusal)
	}

	return &deployment.Resolved{Project: project}, e.Pipelines.SaveProject(ctx, slug, project)
}
