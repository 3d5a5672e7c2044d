package engine

import (
	"context"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// LockTasks does what a deployment with a reserved task asks for: lock its environment or release
// the lock. It must be idempotent. refused says why it was not done, for GitHub.
type LockTasks interface {
	Task(ctx context.Context, d deployment.Deployment) (done, refused string, err error)
}

// lockTask does a lock task if its requester may deploy there. Tasks of one environment are done in
// order: a lock that is taken after its own release would stay.
func (e *Engine) lockTask(ctx context.Context, d deployment.Deployment) error {
	bounded, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()

	repositoryID := d.Request.Repository.ID // the name may have changed between two tasks
	older, err := e.Deployments.OlderLockTask(bounded, repositoryID, d.Request.EnvironmentKey(), d.Request.ID)
	if err != nil {
		return err
	}
	if older != 0 {
		return e.applyAndSave(ctx, d, blockedBy(&deployment.BlockedError{On: deployment.BlockedByOrder, ID: older}))
	}

	verdict, err := e.Gate.DecideLockTask(bounded, d)
	if err != nil {
		return err
	}
	if verdict.Decision != policy.DecisionAllow {
		return e.applyVerdict(ctx, d, verdict)
	}

	done, refused, err := e.LockTasks.Task(bounded, d)
	if err != nil {
		return err
	}
	if refused != "" {
		return e.reject(ctx, d, lockTaskRefused(refused))
	}

	return e.applyAndSave(ctx, d, deployment.Done{Reason: done})
}

// lockTaskRefused is the verdict on a lock task that was refused.
func lockTaskRefused(reason string) policy.Verdict {
	return policy.Verdict{
		Decision: policy.DecisionReject,
		Outcomes: []policy.Outcome{{
			Rule:     policy.RuleLocks,
			Decision: policy.DecisionReject,
			Code:     policy.CodeLocked,
			Message:  reason,
		}},
	}
}
