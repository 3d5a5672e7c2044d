package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// TaskLocks are the locks as lock tasks change them. TakeLock returns *policy.LockedError if somebody
// else has the lock, ReleaseLock deployment.ErrNotFound if the lock has ended.
type TaskLocks interface {
	TakeLock(ctx context.Context, l policy.Lock, source string, audit deployment.AuditEvent) (policy.Lock, error)
	OpenLock(ctx context.Context, repositoryID int64, environmentKey string) (policy.Lock, bool, error)
	ReleaseLock(ctx context.Context, id int64, audit deployment.AuditEvent, notice string) error
}

// LockTasks does what deployments with a reserved task ask for. It is apart from Service because the
// engine uses it, and Service uses the engine.
type LockTasks struct {
	Store TaskLocks
	Now   func() time.Time
}

// Task locks the environment of a deployment for its requester, or releases the lock. It is
// idempotent. refused says why it was not done.
func (k *LockTasks) Task(ctx context.Context, d deployment.Deployment) (done, refused string, err error) {
	c := Caller{Channel: deployment.ChannelGitHub, By: d.Request.Requester()}
	if d.Target.LockTask == deployment.TaskUnlock {
		done, err = k.unlock(ctx, c, d)
		return done, "", err
	}

	return k.lock(ctx, c, d)
}

func (k *LockTasks) lock(ctx context.Context, c Caller, d deployment.Deployment) (done, refused string, err error) {
	l := policy.Lock{
		RepositoryID: d.Request.Repository.ID,
		Repository:   d.Request.Repository.FullName(),
		Environment:  d.Request.Environment,
		Owner:        c.By,
		Reason:       plain(d.Request.Description),
		TakenAt:      requestedAt(d),
	}

	if d.Target.LockFor > 0 {
		l.ExpiresAt = d.AcceptedAt.Add(d.Target.LockFor)
		if !l.ExpiresAt.After(k.Now()) {
			return "", alreadyOver, nil
		}
	}

	audit := lockAct(k.Now(), c, deployment.AuditLocked, "taken", l)
	audit.Deployment = d.Request.ID
	source := fmt.Sprintf("deployment:%d:%d", l.RepositoryID, d.Request.ID)
	_, err = k.Store.TakeLock(ctx, l, source, audit)

	var held *policy.LockedError
	if errors.As(err, &held) {
		owner, reason := held.Lock.Owner, held.Lock.Reason
		return "", fmt.Sprintf("%s is locked on %s by %s: %s", l.Repository, l.Environment, owner, reason), nil
	}
	if err != nil {
		return "", "", err
	}

	return fmt.Sprintf("Locked %s for %s", l.Environment, c.By), "", nil
}

// unlock releases a lock that was taken before the release was requested. A later lock stays.
func (k *LockTasks) unlock(ctx context.Context, c Caller, d deployment.Deployment) (done string, err error) {
	notLocked := d.Request.Environment + " is not locked"
	l, open, err := k.Store.OpenLock(ctx, d.Request.Repository.ID, d.Request.EnvironmentKey())
	if err != nil && !errors.Is(err, deployment.ErrNotFound) {
		return "", err
	}
	if err != nil || !open {
		return notLocked, nil
	}
	if l.TakenAt.After(requestedAt(d)) {
		return fmt.Sprintf("%s was locked anew by %s since: it stays locked", d.Request.Environment, l.Owner), nil
	}

	audit := lockAct(k.Now(), c, deployment.AuditUnlocked, "released", l)
	err = k.Store.ReleaseLock(ctx, l.ID, audit, releaseNotice(c, l))
	if errors.Is(err, deployment.ErrNotFound) {
		return notLocked, nil // somebody else has released it meanwhile
	}
	if err != nil {
		return "", err
	}

	return fmt.Sprintf("Unlocked %s, which %s had locked", d.Request.Environment, l.Owner), nil
}

// maxTransit is how long the webhook of a task may take to arrive. A task that takes longer counts as
// requested at the end of that time.
const maxTransit = time.Minute

// requestedAt is when a task was requested. It orders locks and releases, however late they are done
// and however often they are delivered.
func requestedAt(d deployment.Deployment) time.Time {
	created := d.Request.CreatedAt
	if latest := created.Add(maxTransit); !created.IsZero() && latest.Before(d.AcceptedAt) {
		return latest
	}
	return d.AcceptedAt
}
