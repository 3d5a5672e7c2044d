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

// lockTasksRead is among how many of an environment's waiting deployments an older lock task is
// looked for. Lock tasks are done at once, so that few of them ever wait.
const lockTasksRead = 200

// lockTask does a lock task if its requester may deploy there. Tasks of one environment are done in
// order: a lock that is taken after its own release would stay.
func (e *Engine) lockTask(ctx context.Context, d deployment.Deployment) error {
	bounded, cancel := context.WithTimeout(ctx, decideTimeout)
	defer cancel()

	older, err := e.olderLockTask(bounded, d)
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

// olderLockTask returns GitHub's id of an older lock task of the same environment that is still
// waiting; 0: there is none.
func (e *Engine) olderLockTask(ctx context.Context, d deployment.Deployment) (int64, error) {
	waiting, err := e.Deployments.List(ctx, deployment.Filter{
		Repository:  d.Request.Repository.FullName(),
		Environment: d.Request.Environment,
		State:       deployment.Waiting,
		Limit:       lockTasksRead,
	})
	if err != nil {
		return 0, err
	}

	for _, other := range waiting {
		if other.Target.LockTask != "" && other.Request.ID < d.Request.ID {
			return other.Request.ID, nil
		}
	}

	return 0, nil
}
