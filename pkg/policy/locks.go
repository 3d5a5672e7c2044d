package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// locks keeps everybody out but their owners.
func (j *evaluation) locks() Outcome {
	if !j.f.Locks.Known {
		return unknown("the locks", j.f.Locks.Problem)
	}

	var others []Lock
	for _, l := range j.f.Locks.Value {
		switch {
		case !l.ExpiresAt.IsZero() && !j.now.Before(l.ExpiresAt):
		case l.Owner.Same(j.r.Requester):
			j.own = append(j.own, l.ID)
		default:
			others = append(others, l)
			j.others = append(j.others, l.ID)
		}
	}

	switch {
	case len(others) > 0:
		return j.locked(others)
	case len(j.own) > 0:
		return allow("the lock is the requester's own")
	}

	return allow("nobody has locked it")
}

// locked names the oldest lock of those that keep a deployment.
func (j *evaluation) locked(others []Lock) Outcome {
	slices.SortFunc(
		others,
		func(a, b Lock) int { return cmp.Or(a.TakenAt.Compare(b.TakenAt), cmp.Compare(a.ID, b.ID)) },
	)

	l, more := others[0], ""
	if n := len(others) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}

	o := wait(CodeLocked, "%s's lock on %s: %s%s", l.Owner, l.covers(), l.Reason, more)
	if j.p.Locked == RejectMode {
		o = reject(CodeLocked, "%s is locked by %s: %s%s", l.covers(), l.Owner, l.Reason, more)
	}

	o.Who = l.Owner.String() + ", or an admin"
	o.Until = lastEnd(others)
	return o
}

// covers says what is locked.
func (l Lock) covers() string {
	what := cmp.Or(l.Environment, "every environment")
	if l.RepositoryID == 0 {
		what += " of every repository"
	}
	return what
}

// lastEnd is when the last lock ends; zero: one does not end by itself.
func lastEnd(locks []Lock) time.Time {
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
