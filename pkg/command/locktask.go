package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// TaskLocks are the locks as tasks need them. Errors are as those of Locks.
type TaskLocks interface {
	OpenLock(ctx context.Context, repositoryID int64, environmentKey string) (l policy.Lock, open bool, err error)
	TakeLock(ctx context.Context, l policy.Lock, source string, event deployment.AuditEvent) (policy.Lock, error)
	ReleaseLock(ctx context.Context, id int64, event deployment.AuditEvent, notice string) error
}

// LockTasks locks and unlocks environments for deployments with a reserved task. The engine runs it
// once it has checked that the requester may deploy there.
type LockTasks struct {
	Locks TaskLocks
	Now   func() time.Time
}

// Task does what a deployment with a reserved task asks for: it locks the environment for the
// requester, or unlocks it. Doing it twice has the effect of doing it once. done is what was done and
// refused is why it was not; both are for people, and one of them is empty.
func (t *LockTasks) Task(ctx context.Context, d deployment.Deployment) (done, refused string, err error) {
	c := Caller{Channel: deployment.ChannelGitHub, By: d.Request.Requester()}
	if d.Target.LockTask == deployment.TaskUnlock {
		return t.unlock(ctx, c, d)
	}
	return t.lock(ctx, c, d)
}

func (t *LockTasks) lock(ctx context.Context, c Caller, d deployment.Deployment) (done, refused string, err error) {
	l := policy.Lock{
		RepositoryID: d.Request.Repository.ID,
		Repository:   d.Request.Repository.FullName(),
		Environment:  d.Request.Environment,
		Owner:        c.By,
		Reason:       deployment.Readable(d.Request.Description),
		TakenAt:      requestedAt(d),
	}
	if d.Target.LockFor > 0 {
		l.ExpiresAt = d.AcceptedAt.Add(d.Target.LockFor)
		if !l.ExpiresAt.After(t.Now()) {
			return "", endsInPast, nil
		}
	}

	event := lockEvent(c, deployment.AuditLocked, lockChange{How: "taken"}, l, t.Now())
	event.Deployment = d.Request.ID
	source := fmt.Sprintf("deployment:%d:%d", l.RepositoryID, d.Request.ID)
	_, err = t.Locks.TakeLock(ctx, l, source, event)

	var locked *policy.LockedError
	if errors.As(err, &locked) {
		return "", lockedBy(locked.Lock), nil
	}
	if err != nil {
		return "", "", err
	}

	return fmt.Sprintf("Locked %s for %s", l.Environment, c.By), "", nil
}

// unlock releases the lock that was there when the task was requested, and no later one. The lock of
// an admin stays.
func (t *LockTasks) unlock(ctx context.Context, c Caller, d deployment.Deployment) (done, refused string, err error) {
	environment := d.Request.Environment
	notLocked := environment + " is not locked"

	l, open, err := t.Locks.OpenLock(ctx, d.Request.Repository.ID, d.Request.EnvironmentKey())
	if err != nil {
		return "", "", err
	}
	if !open {
		return notLocked, "", nil
	}
	if l.TakenAt.After(requestedAt(d)) {
		const format = "%s was locked again by %s after this was requested: it stays locked"
		return fmt.Sprintf(format, environment, l.Owner), "", nil
	}
	if l.Admin {
		return "", adminLock(l), nil
	}

	err = release(ctx, t.Locks, c, l, t.Now())
	if errors.Is(err, deployment.ErrNotFound) {
		return notLocked, "", nil // somebody else released it meanwhile
	}
	if err != nil {
		return "", "", err
	}

	return fmt.Sprintf("Unlocked %s, which %s had locked", environment, l.Owner), "", nil
}

// webhookDelay is how long a webhook may take to arrive. A task whose webhook takes longer counts as
// requested this long after it was created.
const webhookDelay = time.Minute

// requestedAt is when a task was requested. It orders locks and unlocks, however late they are
// processed and however often they are delivered.
func requestedAt(d deployment.Deployment) time.Time {
	created := d.Request.CreatedAt
	if created.IsZero() {
		return d.AcceptedAt
	}

	latest := created.Add(webhookDelay)
	if latest.Before(d.AcceptedAt) {
		return latest
	}
	return d.AcceptedAt
}
