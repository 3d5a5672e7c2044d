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

// Locks changes locks. It returns deployment.ErrNotFound for a lock that has ended, and
// *policy.LockedError where somebody else has the lock. notice is for the owner; empty: none.
type Locks interface {
	TakeLock(ctx context.Context, l policy.Lock, source string, event deployment.AuditEvent) (policy.Lock, error)
	StealLock(
		ctx context.Context,
		id int64,
		l policy.Lock,
		event deployment.AuditEvent,
		notice string,
	) (policy.Lock, error)
	ExtendLock(ctx context.Context, id int64, until time.Time, event deployment.AuditEvent) (policy.Lock, error)
	HandOverLock(ctx context.Context, id int64, to deployment.Actor, event deployment.AuditEvent) (policy.Lock, error)
	ReleaseLock(ctx context.Context, id int64, event deployment.AuditEvent, notice string) error
}

// LockReader reads locks and the notices to their owners.
type LockReader interface {
	Lock(ctx context.Context, id int64) (l policy.Lock, open bool, err error)
	Locks(ctx context.Context) ([]policy.Lock, error)
	WaitingFor(ctx context.Context, l policy.Lock) ([]deployment.Deployment, error)
	Notices(ctx context.Context, after int64, limit int) ([]policy.Notice, error)
}

// Resolver finds a repository by its name. It returns policy.ErrMissing if there is none.
type Resolver interface {
	ResolveRepository(ctx context.Context, owner, name string) (deployment.Source, error)
}

// LockRequest is a lock that somebody wants. Without a repository it covers every repository,
// without an environment every environment.
type LockRequest struct {
	Repository  string // owner/name
	Environment string
	Reason      string
	Until       time.Time // zero: until it is released
	Steal       bool      // take it from its owner, who gets a notice
}

// LockState is a lock and the deployments that wait for it, the next one first.
type LockState struct {
	policy.Lock
	Waiting []deployment.Deployment
}

// endsInPast refuses a lock that would have no effect.
const endsInPast = "the lock would have ended already"

// TakeLock locks an environment or, with Steal, takes its lock from the owner. The owner's own lock
// gets the new reason and end.
func (s *Service) TakeLock(ctx context.Context, c Caller, r LockRequest) (policy.Lock, error) {
	l, err := s.newLock(ctx, c, r)
	if err != nil {
		return l, err
	}

	taken, err := s.o.Locks.TakeLock(ctx, l, "", lockEvent(c, deployment.AuditLocked, "taken", l, s.o.Now()))
	var locked *policy.LockedError
	if errors.As(err, &locked) && r.Steal {
		owner := locked.Lock.Owner.String()
		event := lockEvent(c, deployment.AuditLocked, "stolen from "+owner, l, s.o.Now())
		notice := fmt.Sprintf("%s took your lock on %s: %s", c.By, scope(locked.Lock), r.Reason)
		taken, err = s.o.Locks.StealLock(ctx, locked.Lock.ID, l, event, notice)
	}

	return taken, refuseLock(err)
}

// newLock checks a request and makes the lock that it asks for.
func (s *Service) newLock(ctx context.Context, c Caller, r LockRequest) (policy.Lock, error) {
	now := s.o.Now()
	l := policy.Lock{Environment: r.Environment, Owner: c.By, Reason: r.Reason, ExpiresAt: r.Until, TakenAt: now}
	if err := requireReason(r.Reason); err != nil {
		return l, err
	}
	if !r.Until.IsZero() && !r.Until.After(now) {
		return l, invalid("already_over", endsInPast)
	}

	if r.Repository == "" {
		if !c.Admin {
			return l, forbidden("a lock that spans repositories needs the scope admin")
		}
		return l, nil
	}
	if r.Environment == "" {
		return l, invalid("environment_missing", "the lock of a repository needs an environment")
	}

	owner, name, err := policy.ParseRepository(r.Repository)
	if err != nil {
		return l, refuseUnknown(err)
	}
	source, err := s.o.Resolver.ResolveRepository(ctx, owner, name)
	if err != nil {
		return l, refuseUnknown(policy.LookupError("repository "+r.Repository, err))
	}
	l.RepositoryID, l.Repository = source.Repository.ID, source.Repository.FullName()

	// Whoever may lock by creating a deployment may lock by any other channel.
	d := deployment.Deployment{Request: deployment.Request{
		Repository:   source.Repository,
		Installation: source.Installation,
		Environment:  r.Environment,
		Task:         s.o.LockTask,
	}}
	if refused := s.o.Gate.Member(ctx, d, c.By); refused != "" && !c.Admin {
		return l, forbidden(refused)
	}

	return l, nil
}

// ExtendLock moves the end of a lock. Only its owner and an admin may.
func (s *Service) ExtendLock(ctx context.Context, c Caller, id int64, until time.Time) (policy.Lock, error) {
	l, err := s.ownedLock(ctx, c, id)
	if err != nil {
		return l, err
	}
	if !until.IsZero() && !until.After(s.o.Now()) {
		return l, invalid("already_over", endsInPast+": release it")
	}

	l.ExpiresAt = until
	l, err = s.o.Locks.ExtendLock(ctx, id, until, lockEvent(c, deployment.AuditLocked, "extended", l, s.o.Now()))
	return l, refuseLock(err)
}

// HandOverLock gives a lock to another owner. Only its owner and an admin may.
func (s *Service) HandOverLock(ctx context.Context, c Caller, id int64, to deployment.Actor) (policy.Lock, error) {
	l, err := s.ownedLock(ctx, c, id)
	if err != nil {
		return l, err
	}
	if to.ID == 0 {
		return l, invalid("owner_missing", "the GitHub id of the new owner is required")
	}

	event := lockEvent(c, deployment.AuditLocked, "handed over to "+to.String(), l, s.o.Now())
	l, err = s.o.Locks.HandOverLock(ctx, id, to, event)
	return l, refuseLock(err)
}

// ReleaseLock ends a lock. Only its owner and an admin may; the owner gets a notice from an admin.
func (s *Service) ReleaseLock(ctx context.Context, c Caller, id int64) error {
	l, err := s.ownedLock(ctx, c, id)
	if err != nil {
		return err
	}
	return refuseLock(release(ctx, s.o.Locks, c, l, s.o.Now()))
}

// lockReleaser ends locks.
type lockReleaser interface {
	ReleaseLock(ctx context.Context, id int64, event deployment.AuditEvent, notice string) error
}

// release ends a lock and leaves a notice when it is somebody else's.
func release(ctx context.Context, locks lockReleaser, c Caller, l policy.Lock, now time.Time) error {
	notice := ""
	if !l.Owner.Same(c.By) {
		notice = fmt.Sprintf("%s released your lock on %s", c.By, scope(l))
	}
	return locks.ReleaseLock(ctx, l.ID, lockEvent(c, deployment.AuditUnlocked, "released", l, now), notice)
}

// ownedLock returns an open lock that the caller may change: the caller's own, or any for an admin.
func (s *Service) ownedLock(ctx context.Context, c Caller, id int64) (policy.Lock, error) {
	l, err := s.openLock(ctx, id)
	if err != nil {
		return l, err
	}
	if !l.Owner.Same(c.By) && !c.Admin {
		message := fmt.Sprintf("the lock belongs to %s: ask them to release it, or steal it", l.Owner)
		return l, &Error{Kind: KindForbidden, Code: "not_the_owner", Message: message}
	}
	return l, nil
}

func (s *Service) openLock(ctx context.Context, id int64) (policy.Lock, error) {
	l, open, err := s.o.LockReader.Lock(ctx, id)
	if err == nil && !open {
		err = deployment.ErrNotFound
	}
	return l, refuseLock(err)
}

// Lock returns one open lock and the deployments that wait for it.
func (s *Service) Lock(ctx context.Context, id int64) (LockState, error) {
	l, err := s.openLock(ctx, id)
	if err != nil {
		return LockState{}, err
	}

	waiting, err := s.o.LockReader.WaitingFor(ctx, l)
	return LockState{Lock: l, Waiting: waiting}, err
}

// Locks lists the open locks.
func (s *Service) Locks(ctx context.Context) ([]policy.Lock, error) { return s.o.LockReader.Locks(ctx) }

// Notices lists the notices to the owners of locks with ids above after, oldest first.
func (s *Service) Notices(ctx context.Context, after int64, limit int) ([]policy.Notice, error) {
	return s.o.LockReader.Notices(ctx, after, limit)
}

// refuseLock refuses a change of a lock that somebody else has, or that has ended.
func refuseLock(err error) error {
	var locked *policy.LockedError
	switch {
	case errors.As(err, &locked):
		return conflict("locked", lockedBy(locked.Lock))
	case errors.Is(err, deployment.ErrNotFound):
		return notFound("no open lock has this id")
	default:
		return err
	}
}

// lockedBy says, for people, what is locked, by whom and why.
func lockedBy(l policy.Lock) string {
	text := fmt.Sprintf("%s is locked by %s", scope(l), l.Owner)
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	return text
}

// scope says, for people, what a lock covers.
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

// lockEvent is the audit record of what is done to a lock. A lock that is only being taken has no id
// yet.
func lockEvent(
	c Caller,
	kind deployment.AuditKind,
	how string,
	l policy.Lock,
	now time.Time,
) deployment.AuditEvent {
	detail, _ := json.Marshal(struct { // it has no field that can fail
		How string `json:"how"`
		ID  int64  `json:"id,omitempty"` // hides the lock's own id, which is never left out
		policy.Lock
	}{how, l.ID, l})

	event := c.auditEvent(kind, detail)
	event.At, event.RepositoryID, event.Repository, event.Environment = now, l.RepositoryID, l.Repository, l.Environment
	return event
}
