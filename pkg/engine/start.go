package engine

import (
	"context"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// waitsForCircleCI is what deployments wait for while triggers are paused.
const waitsForCircleCI = "CircleCI to take triggers again"

// maxRefAge is how long before the trigger the ref may have been read without being read again: somebody
// may have pushed meanwhile.
const maxRefAge = time.Second

// start takes a waiting deployment as far as it can go: to a trigger that was answered, or to what
// it waits for.
func (e *Engine) start(ctx context.Context, d deployment.Deployment) error {
	// What is wrong with a forged event must not end the real deployment.
	hasRules := e.Gate.HasRules(d)
	if hasRules && (d.Problem != "" || d.Refused != "") {
		if saved, err := e.compareEvent(ctx, d); saved || err != nil {
			return err
		}
	}

	switch {
	case d.Refused != "":
		return e.reject(ctx, d, policy.Superseded(d.Refused))
	case d.Problem != "":
		return e.applyAndSave(ctx, d, deployment.Fail{Reason: d.Problem})
	case d.Cancel != nil:
		return e.applyAndSave(ctx, d, deployment.CancelRequested{By: d.Cancel.By, Reason: d.Cancel.Reason})
	case d.Target.LockTask != "":
		return e.lockTask(ctx, d)
	}

	// No pause is longer than the start timeout. What seems longer began before the clock was set back.
	if wait := d.NotBefore.Sub(e.Now()); wait > 0 && wait <= e.Machine.StartTimeout {
		return e.applyAndSave(ctx, d, deployment.Blocked{By: d.BlockedBy, First: true, After: wait})
	}

	// Compare the event with GitHub before the rules see its requester. An admitted deployment was compared
	// already; after a restart prepare compares it again.
	if hasRules && d.AdmittedAt.IsZero() {
		if saved, err := e.compareEvent(ctx, d); saved || err != nil {
			return err
		}
	}

	verdict, err := e.evaluate(ctx, d)
	if err != nil || verdict == nil {
		return err
	}

	return e.prepare(ctx, d, *verdict, hasRules)
}

// prepare takes a deployment that the rules let go on to its trigger. It does all that may take long, and
// then evaluates the rules once more, so that nothing slow stands between them and the trigger.
func (e *Engine) prepare(ctx context.Context, d deployment.Deployment, verdict policy.Verdict, hasRules bool) error {
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

	if !hasRules {
		ref, event := e.resolveRef(ctx, d, hasRules)
		if event != nil {
			return e.applyAndSave(ctx, d, *resolved, event)
		}

		return e.trigger(ctx, d, *resolved, ref, verdict)
	}

	if saved, err := e.compareEvent(ctx, d); saved || err != nil {
		return err
	}

	ref, event := e.resolveRef(ctx, d, hasRules)
	if event != nil {
		return e.applyAndSave(ctx, d, *resolved, event)
	}

	asked := e.Now()
	last, err := e.evaluateLast(ctx, d, ref)
	if err != nil || last == nil {
		return err
	}

	if e.Now().Sub(asked) > maxRefAge {
		again, event := e.resolveRef(ctx, d, hasRules)
		if event == nil && again != ref {
			event = deployment.Blocked{By: "another look at the ref", First: true, After: time.Millisecond}
		}
		if event != nil {
			return e.applyAndSave(ctx, d, *resolved, event)
		}
	}

	return e.trigger(ctx, d, *resolved, ref, *last)
}

// resolve returns CircleCI's identity of the project, which is the same for every spelling of its
// slug. CircleCI is asked once per slug: the answer is saved with the deployment's next change. nil: it
// must not go on, and that is saved.
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

	return &deployment.Resolved{Project: project, Learned: true}, nil
}
