package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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

// Routes finds the route of a request.
type Routes interface {
	// Policy returns the rules; false: no route matches.
	Policy(req deployment.Request) (policy.Policy, bool)
	// Admit returns where the request goes. key is what {{ .Key }} renders to.
	Admit(req deployment.Request, key string) deployment.Admission
	// AskPlaces returns the channels or rooms in which it may be asked for; nil: in any.
	AskPlaces(req deployment.Request) []string
	// Production says whether the environment is one of production.
	Production(req deployment.Request) bool
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
	l, d, err := s.newLock(ctx, c, r)
	if err != nil {
		return l, err
	}

	if err := s.checkRelock(ctx, c, d, l); err != nil {
		return l, err
	}

	event := lockEvent(c, deployment.AuditLocked, lockChange{How: "taken"}, l, s.o.Now())
	taken, err := s.o.Locks.TakeLock(ctx, l, "", event)
	var locked *policy.LockedError
	if errors.As(err, &locked) && r.Steal {
		return s.steal(ctx, c, d, locked.Lock, l)
	}

	return taken, refuseLock(err)
}

// checkRelock refuses to give a lock that the caller's account holds already another end, unless the caller may: that
// can end the lock at once.
func (s *Service) checkRelock(ctx context.Context, c Caller, d deployment.Deployment, l policy.Lock) error {
	refusal := s.o.People.LockOwner(ctx, d, c.By)
	if c.Admin || !refusal.Refused() {
		return nil
	}

	open, err := s.o.LockReader.Locks(ctx)
	if err != nil {
		return err
	}
	for _, old := range open {
		samePlace := old.RepositoryID == l.RepositoryID && strings.EqualFold(old.Environment, l.Environment)
		if samePlace && old.Owner.Same(c.By) {
			return refuseCaller(refusal, "not_the_owner")
		}
	}

	return nil
}

// steal takes the environment of a deployment from the owner of a lock. That opens it for the new
// owner whatever their task, so that every route to it must allow them. The lock of an admin stays.
func (s *Service) steal(
	ctx context.Context,
	c Caller,
	d deployment.Deployment,
	old, l policy.Lock,
) (policy.Lock, error) {
	if old.Admin && !c.Admin {
		message := adminLock(old) + ": ask them to release it"
		return old, &Error{Kind: KindForbidden, Code: "not_the_owner", Message: message}
	}
	if err := refuseCaller(s.o.People.Unlocker(ctx, d, c.By), "not_allowed"); err != nil && !c.Admin {
		return old, err
	}

	change := lockChange{
		How:   "stolen from " + old.Owner.String(),
		OldID: old.ID,
		From:  &old.Owner,
		To:    &l.Owner,
	}
	event := lockEvent(c, deployment.AuditLocked, change, l, s.o.Now())
	notice := fmt.Sprintf("%s took your lock on %s: %s", c.By, scope(old), l.Reason)
	taken, err := s.o.Locks.StealLock(ctx, old.ID, l, event, notice)
	return taken, refuseLock(err)
}

// newLock checks a request and makes the lock that it asks for, and the deployment by whose rules the
// caller may lock.
func (s *Service) newLock(
	ctx context.Context,
	c Caller,
	r LockRequest,
) (l policy.Lock, d deployment.Deployment, err error) {
	now := s.o.Now()
	r.Environment = strings.TrimSpace(r.Environment)
	l = policy.Lock{
		Environment: r.Environment,
		Owner:       c.By,
		Admin:       c.Admin,
		Reason:      r.Reason,
		ExpiresAt:   r.Until,
		TakenAt:     now,
	}
	if err := requireReason(r.Reason); err != nil {
		return l, d, err
	}
	if err := checkEnvironment(r.Environment); err != nil {
		return l, d, err
	}
	if !r.Until.IsZero() && !r.Until.After(now) {
		return l, d, invalid("already_over", endsInPast)
	}

	if r.Repository == "" {
		if !c.Admin {
			return l, d, forbidden("a lock that spans repositories needs the scope admin")
		}
		return l, d, nil
	}
	if r.Environment == "" {
		return l, d, invalid("environment_missing", "the lock of a repository needs an environment")
	}

	d.Request, err = s.lockedPlace(ctx, r)
	if err != nil {
		return l, d, refuseUnknown(err)
	}
	l.RepositoryID, l.Repository = d.Request.Repository.ID, d.Request.Repository.FullName()

	// Whoever may lock by creating a deployment may lock by any other channel.
	if err := refuseCaller(s.o.People.Member(ctx, d, c.By), "not_allowed"); err != nil && !c.Admin {
		return l, d, err
	}

	return l, d, nil
}

// lockedPlace is the request of a lock task for an environment. It returns a *policy.NotFoundError if
// no route leads there: such a lock would stop nothing. Without a route GitHub is not asked, so that
// nobody learns here whether there is a repository of that name.
func (s *Service) lockedPlace(ctx context.Context, r LockRequest) (deployment.Request, error) {
	owner, name, err := policy.ParseRepository(r.Repository)
	if err != nil {
		return deployment.Request{}, err
	}

	req := deployment.Request{
		Repository:  deployment.Repository{Owner: owner, Name: name},
		Environment: r.Environment,
		Task:        s.o.LockTask,
	}
	noRoute := &policy.NotFoundError{What: "route for " + r.Repository + " and " + r.Environment}
	if _, ok := s.o.Routes.Policy(req); !ok {
		return req, noRoute
	}

	source, err := s.o.Resolver.ResolveRepository(ctx, owner, name)
	if err != nil {
		return req, policy.LookupError("repository "+r.Repository, err)
	}

	req.Repository, req.Installation = source.Repository, source.Installation
	if _, ok := s.o.Routes.Policy(req); !ok {
		return req, noRoute
	}

	return req, nil
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
	event := lockEvent(c, deployment.AuditLocked, lockChange{How: "extended"}, l, s.o.Now())
	l, err = s.o.Locks.ExtendLock(ctx, id, until, event)
	return l, refuseLock(err)
}

// HandOverLock gives a lock to another owner. Only its owner and an admin may.
func (s *Service) HandOverLock(ctx context.Context, c Caller, id int64, to deployment.Actor) (policy.Lock, error) {
	l, err := s.ownedLock(ctx, c, id)
	if err != nil {
		return l, err
	}
	if to.ID == 0 || policy.ParseLogin(to.Login) != nil {
		return l, invalid("owner_missing", "the GitHub id and login of the new owner are required")
	}

	change := lockChange{How: "handed over to " + to.String(), From: &l.Owner, To: &to}
	event := lockEvent(c, deployment.AuditLocked, change, l, s.o.Now())
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
	event := lockEvent(c, deployment.AuditUnlocked, lockChange{How: "released"}, l, now)
	return locks.ReleaseLock(ctx, l.ID, event, notice)
}

// ownedLock returns an open lock that the caller may change: the caller's own, or any for an admin.
func (s *Service) ownedLock(ctx context.Context, c Caller, id int64) (policy.Lock, error) {
	l, err := s.openLock(ctx, id)
	if err != nil {
		return l, err
	}
	if !l.Owner.Same(c.By) && !c.Admin {
		message := fmt.Sprintf("the lock belongs to %s: ask them, or an admin, to release it", l.Owner)
		return l, &Error{Kind: KindForbidden, Code: "not_the_owner", Message: message}
	}
	if c.Admin {
		return l, nil
	}

	var d deployment.Deployment
	d.Request.Repository.ID, d.Request.Environment, d.Request.Task = l.RepositoryID, l.Environment, s.o.LockTask
	d.Request.Repository.Owner, d.Request.Repository.Name, _ = strings.Cut(l.Repository, "/")
	return l, refuseCaller(s.o.People.LockOwner(ctx, d, c.By), "not_the_owner")
}

func (s *Service) openLock(ctx context.Context, id int64) (policy.Lock, error) {
	l, open, err := s.o.LockReader.Lock(ctx, id)
	if err != nil {
		return l, refuseLock(err)
	}
	if !open {
		return l, refuseLock(deployment.ErrNotFound)
	}

	return l, nil
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

// adminLock says, for people, that an admin has a lock.
func adminLock(l policy.Lock) string {
	return fmt.Sprintf("%s is locked by %s, which has the scope admin", scope(l), l.Owner)
}

// lockChange is what is done to a lock, for the audit.
type lockChange struct {
	How   string            `json:"how"`
	OldID int64             `json:"old_id,omitempty"` // of the lock that is taken away
	From  *deployment.Actor `json:"from,omitempty"`   // the owner before
	To    *deployment.Actor `json:"to,omitempty"`     // the owner after
}

// lockEvent is the audit record of what is done to a lock. A lock that is only being taken has no id
// yet.
func lockEvent(
	c Caller,
	kind deployment.AuditKind,
	change lockChange,
	l policy.Lock,
	now time.Time,
) deployment.AuditEvent {
	detail, _ := json.Marshal(struct { // it has no field that can fail
		lockChange
		ID int64 `json:"id,omitempty"` // hides the lock's own id, which is never left out
		policy.Lock
	}{change, l.ID, l})

	event := c.auditEvent(kind, detail)
	event.At, event.RepositoryID, event.Repository, event.Environment = now, l.RepositoryID, l.Repository, l.Environment
	return event
}
