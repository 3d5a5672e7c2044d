package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// LockRequest is a lock that somebody wants. Without a repository it is of every repository,
// without an environment of every environment.
type LockRequest struct {
	Repository  string // owner/name
	Environment string
	Reason      string
	Until       time.Time // zero: until it is released
	Steal       bool      // take it from its owner, who is told
}

// alreadyOver turns away who wants a lock that nobody would ever meet.
const alreadyOver = "the lock would have ended already"

// LockState is a lock and who waits for it, first in line first.
type LockState struct {
	policy.Lock
	Waiting []deployment.Deployment
}

// TakeLock locks, or with Steal takes a lock from its owner. The owner's own lock gets the new
// reason and end.
func (k *Service) TakeLock(ctx context.Context, c Caller, r LockRequest) (policy.Lock, error) {
	l, err := k.wanted(ctx, c, r)
	if err != nil {
		return l, err
	}

	taken, err := k.Store.TakeLock(ctx, l, "", k.lockAct(c, deployment.AuditLocked, "taken", l))
	var held *policy.LockedError
	if errors.As(err, &held) && r.Steal {
		stolen := k.lockAct(c, deployment.AuditLocked, "stolen from "+held.Lock.Owner.String(), l)
		taken, err = k.Store.StealLock(
			ctx,
			held.Lock.ID,
			l,
			stolen,
			fmt.Sprintf("%s took your lock on %s: %s", c.By, scope(held.Lock), r.Reason),
		)
	}

	return taken, lockProblem(err)
}

// wanted checks a request and finds its repository.
func (k *Service) wanted(ctx context.Context, c Caller, r LockRequest) (policy.Lock, error) {
	l := policy.Lock{Environment: r.Environment, Owner: c.By, Reason: r.Reason, ExpiresAt: r.Until, TakenAt: k.Now()}
	if err := checkReason(r.Reason, true); err != nil {
		return l, err
	}

	switch {
	case !r.Until.IsZero() && !r.Until.After(k.Now()):
		return l, newError(KindInvalid, "already_over", alreadyOver)
	case r.Repository != "" && r.Environment == "":
		return l, newError(KindInvalid, "environment_missing", "a lock of a repository needs its environment")
	case r.Repository == "" && !c.Admin:
		return l, newError(KindForbidden, "not_allowed", "a lock that spans repositories needs the scope admin")
	case r.Repository == "":
		return l, nil
	}

	owner, name, err := policy.ParseRepository(r.Repository)
	if err != nil {
		return l, unknown(err)
	}

	source, err := k.Resolver.ResolveRepository(ctx, owner, name)
	if err != nil {
		return l, unknown(policy.LookupError("repository "+r.Repository, err))
	}

	l.RepositoryID, l.Repository = source.Repository.ID, source.Repository.FullName()
	return l, k.mayLock(ctx, c, source, r.Environment)
}

// mayLock lets those lock who may do so by a deployment.
func (k *Service) mayLock(ctx context.Context, c Caller, s deployment.Source, environment string) error {
	d := deployment.Deployment{
		Request: deployment.Request{
			Repository:   s.Repository,
			Installation: s.Installation,
			Environment:  environment,
			Task:         k.LockTask,
		},
	}

	if refused := k.Gate.Member(ctx, d, c.By); refused != "" && !c.Admin {
		return newError(KindForbidden, "not_allowed", "%s", refused)
	}

	return nil
}

// ExtendLock moves a lock's end. Only its owner and an admin may.
func (k *Service) ExtendLock(ctx context.Context, c Caller, id int64, until time.Time) (policy.Lock, error) {
	l, err := k.owned(ctx, c, id)
	if err == nil && !until.IsZero() && !until.After(k.Now()) {
		err = newError(KindInvalid, "already_over", alreadyOver+": release it")
	}
	if err != nil {
		return l, err
	}

	l.ExpiresAt = until
	l, err = k.Store.ExtendLock(ctx, id, until, k.lockAct(c, deployment.AuditLocked, "extended", l))
	return l, lockProblem(err)
}

// HandOverLock gives a lock to somebody else. Only its owner and an admin may.
func (k *Service) HandOverLock(ctx context.Context, c Caller, id int64, to deployment.Actor) (policy.Lock, error) {
	l, err := k.owned(ctx, c, id)
	if err == nil && to.ID == 0 {
		err = newError(KindInvalid, "owner_missing", "the new owner's GitHub id is needed")
	}
	if err != nil {
		return l, err
	}

	l, err = k.Store.HandOverLock(ctx, id, to, k.lockAct(c, deployment.AuditLocked, "handed over to "+to.String(), l))
	return l, lockProblem(err)
}

// ReleaseLock ends a lock. Only its owner and an admin may; the owner is told of an admin's doing.
func (k *Service) ReleaseLock(ctx context.Context, c Caller, id int64) error {
	l, err := k.owned(ctx, c, id)
	if err != nil {
		return err
	}
	return lockProblem(k.release(ctx, c, l))
}

func (k *Service) release(ctx context.Context, c Caller, l policy.Lock) error {
	notice := ""
	if !l.Owner.Same(c.By) {
		notice = fmt.Sprintf("%s released your lock on %s", c.By, scope(l))
	}
	return k.Store.ReleaseLock(ctx, l.ID, k.lockAct(c, deployment.AuditUnlocked, "released", l), notice)
}

// owned gives an open lock that is the caller's, or any to an admin.
func (k *Service) owned(ctx context.Context, c Caller, id int64) (policy.Lock, error) {
	l, open, err := k.Store.Lock(ctx, id)
	switch {
	case err != nil || !open:
		if err == nil {
			err = deployment.ErrNotFound
		}

		return l, lockProblem(err)
	case !l.Owner.Same(c.By) && !c.Admin:
		return l, newError(KindForbidden, "not_the_owner", "the lock is %s's: ask them, or take it with steal", l.Owner)
	default:
		return l, nil
	}
}

// Lock gives one open lock and who waits for it.
func (k *Service) Lock(ctx context.Context, id int64) (LockState, error) {
	l, open, err := k.Store.Lock(ctx, id)
	if err == nil && !open {
		err = deployment.ErrNotFound
	}
	if err != nil {
		return LockState{}, lockProblem(err)
	}

	waiting, err := k.Store.WaitingFor(ctx, l)
	return LockState{l, waiting}, err
}

// Locks lists the open locks.
func (k *Service) Locks(ctx context.Context) ([]policy.Lock, error) { return k.Store.Locks(ctx) }

// Notices lists what owners are to be told of their locks, after a number, oldest first.
func (k *Service) Notices(ctx context.Context, after int64, limit int) ([]policy.Notice, error) {
	return k.Store.Notices(ctx, after, limit)
}

// lockProblem puts what the store says of locks into words.
func lockProblem(err error) error {
	var held *policy.LockedError
	switch {
	case errors.As(err, &held):
		return newError(
			KindConflict,
			"locked",
			"%s is locked by %s: %s",
			scope(held.Lock),
			held.Lock.Owner,
			held.Lock.Reason,
		)
	case errors.Is(err, deployment.ErrNotFound):
		return newError(KindNotFound, "not_found", "no open lock has this id")
	default:
		return err
	}
}

// scope says what a lock is on.
func scope(l policy.Lock) string {
	switch {
	case l.Repository == "" && l.Environment == "":
		return "everything"
	case l.Repository == "":
		return l.Environment + " of every repository"
	default:
		return l.Repository + " " + l.Environment
	}
}

// lockAct is what the audit keeps of a lock. One that is only being taken has no id yet.
func (k *Service) lockAct(c Caller, kind deployment.AuditKind, how string, l policy.Lock) deployment.AuditEvent {
	detail, _ := json.Marshal(struct { // it holds nothing that cannot be written
		How string `json:"how"`
		ID  int64  `json:"id,omitempty"` // over the lock's own, which is never left out
		policy.Lock
	}{how, l.ID, l})
	a := auditEvent(c, kind, detail)
	a.At, a.RepositoryID, a.Repository, a.Environment = k.Now(), l.RepositoryID, l.Repository, l.Environment
	return a
}

// Task does what a deployment with a reserved task asks for: to lock its environment for its
// requester, or to unlock it. Done twice it is the same.
func (k *Service) Task(ctx context.Context, d deployment.Deployment) (done, refused string, err error) {
	c := Caller{Channel: deployment.ChannelGitHub, By: d.Request.Requester()}
	if d.Target.LockTask == deployment.TaskUnlock {
		return k.unlockTask(ctx, c, d)
	}

	l := policy.Lock{
		RepositoryID: d.Request.Repository.ID,
		Repository:   d.Request.Repository.FullName(),
		Environment:  d.Request.Environment,
		Owner:        c.By,
		Reason:       plain(d.Request.Description),
		TakenAt:      askedAt(d),
	}

	if d.Target.LockFor > 0 {
		if l.ExpiresAt = d.AcceptedAt.Add(d.Target.LockFor); !l.ExpiresAt.After(k.Now()) {
			return "", alreadyOver, nil
		}
	}

	a := k.lockAct(c, deployment.AuditLocked, "taken", l)
	a.Deployment = d.Request.ID
	_, err = k.Store.TakeLock(ctx, l, fmt.Sprintf("deployment:%d:%d", l.RepositoryID, d.Request.ID), a)
	var held *policy.LockedError
	if errors.As(err, &held) {
		return "", fmt.Sprintf(
			"%s is locked on %s by %s: %s",
			l.Repository,
			l.Environment,
			held.Lock.Owner,
			held.Lock.Reason,
		), nil
	}

	return fmt.Sprintf("Locked %s for %s", l.Environment, c.By), "", err
}

// onItsWay is how long a task's webhook may take: what arrives later counts as asked for then.
const onItsWay = time.Minute

// askedAt is when a task was asked for. It orders locks and unlocks, however late they are looked
// at, and whatever is delivered again.
func askedAt(d deployment.Deployment) time.Time {
	made := d.Request.CreatedAt
	if latest := made.Add(onItsWay); !made.IsZero() && latest.Before(d.AcceptedAt) {
		return latest
	}
	return d.AcceptedAt
}

// unlockTask releases what was locked when it was asked for, and nothing that was locked since.
func (k *Service) unlockTask(ctx context.Context, c Caller, d deployment.Deployment) (done, refused string, err error) {
	l, open, err := k.Store.OpenLock(ctx, d.Request.Repository.ID, d.Request.EnvironmentKey())
	anew := open && l.TakenAt.After(askedAt(d))
	if err == nil && open && !anew {
		err = k.release(ctx, c, l)
	}

	switch {
	case err == nil && !open, errors.Is(err, deployment.ErrNotFound): // somebody was faster
		return d.Request.Environment + " is not locked", "", nil
	case err != nil:
		return "", "", err
	case anew:
		return fmt.Sprintf("%s was locked anew by %s since: it stays locked", d.Request.Environment, l.Owner), "", nil
	}

	return fmt.Sprintf("Unlocked %s, which %s had locked", d.Request.Environment, l.Owner), "", nil
}
