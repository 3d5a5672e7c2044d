package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// LockedError says that a lock is held by somebody else.
type LockedError struct{ Lock Lock }

// Error names what is locked, the owner and the reason.
func (err *LockedError) Error() string {
	return fmt.Sprintf("%s is locked by %s: %s", err.Lock.scope(), err.Lock.Owner, err.Lock.Reason)
}

// evaluateLocks stops everybody but the owners of the locks. An account that several people use is
// stopped by its own lock as well, because it cannot be known who of them took it.
func (e *evaluation) evaluateLocks() Outcome {
	if !e.facts.Locks.Known {
		return unknown("the locks", e.facts.Locks.Problem)
	}

	var others []Lock
	for _, l := range e.facts.Locks.Value {
		switch {
		case l.expired(e.now):
		case l.Owner.Same(e.request.Requester) && !e.policy.IsShared(e.request.Requester, e.facts.Requester):
			e.ownLocks = append(e.ownLocks, l.ID)
		default:
			others = append(others, l)
			e.otherLocks = append(e.otherLocks, l.ID)
		}
	}

	switch {
	case len(others) > 0:
		return e.locked(others)
	case len(e.ownLocks) > 0:
		return allow("the requester holds the lock")
	default:
		return allow("%s is not locked", e.request.Environment)
	}
}

// locked is the outcome where others have locked the environment. It shows the oldest lock.
func (e *evaluation) locked(others []Lock) Outcome {
	oldest := slices.MinFunc(others, func(a, b Lock) int {
		return cmp.Or(a.TakenAt.Compare(b.TakenAt), cmp.Compare(a.ID, b.ID))
	})

	more := ""
	if n := len(others) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}

	o := wait(CodeLocked, "%s's lock on %s: %s%s", oldest.Owner, oldest.scope(), oldest.Reason, more)
	if e.policy.Locked == ModeReject {
		o = reject(CodeLocked, "%s is locked by %s: %s%s", oldest.scope(), oldest.Owner, oldest.Reason, more)
	}

	o.Who = oldest.Owner.String() + ", or an admin"
	o.Until = lastExpiry(others)
	return o
}

func (l Lock) expired(now time.Time) bool { return !l.ExpiresAt.IsZero() && !now.Before(l.ExpiresAt) }

// scope names what the lock covers.
func (l Lock) scope() string {
	environments := cmp.Or(l.Environment, "every environment")
	if l.RepositoryID == 0 {
		return environments + " of every repository"
	}
	return environments
}

// lastExpiry returns when the last of the locks expires; the zero time if one never does.
func lastExpiry(locks []Lock) time.Time {
	var last time.Time
	for _, l := range locks {
		if l.ExpiresAt.IsZero() {
			return time.Time{}
		}
		if l.ExpiresAt.After(last) {
			last = l.ExpiresAt
		}
	}

	return last
}
