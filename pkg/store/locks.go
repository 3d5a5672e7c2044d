package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// How a lock ends, in the column ended_how.
const (
	lockExpired    = "expired" // which is noticed when the next lock of its scope is taken
	lockReleased   = "released"
	lockStolen     = "stolen"
	lockHandedOver = "handed over"
)

// TakeLock takes a lock. *policy.LockedError: somebody else has one of the same scope. A lock that
// the owner has already is kept, with the new reason, end and time of taking. A source (empty: none) that took a
// lock before is given that lock, even if it has ended since, and nothing is written: a retry after
// a crash takes no second lock.
func (s Locks) TakeLock(
	ctx context.Context,
	l policy.Lock,
	source string,
	act deployment.AuditEvent,
) (policy.Lock, error) {
	return s.change(ctx, func(t *tx) (policy.Lock, bool, error) { return t.takeLock(l, source, act) })
}

// StealLock ends an open lock and takes one of the same scope for somebody else. notice tells the
// old owner; empty: no notice. deployment.ErrNotFound: there is no such open lock.
func (s Locks) StealLock(
	ctx context.Context,
	id int64,
	l policy.Lock,
	act deployment.AuditEvent,
	notice string,
) (policy.Lock, error) {
	return s.change(ctx, func(t *tx) (policy.Lock, bool, error) {
		old, err := t.endOpenLock(id, lockStolen, act, notice)
		if err != nil {
			return l, false, err
		}

		l.RepositoryID, l.Repository, l.Environment = old.RepositoryID, old.Repository, old.Environment
		l, err = t.insertLock(l)
		return l, true, err
	})
}

// ExtendLock moves the end of an open lock; zero: until it is released. deployment.ErrNotFound:
// there is no such open lock.
func (s Locks) ExtendLock(
	ctx context.Context,
	id int64,
	expiresAt time.Time,
	act deployment.AuditEvent,
) (policy.Lock, error) {
	return s.change(ctx, func(t *tx) (policy.Lock, bool, error) {
		l, err := t.openLock(id)
		if err != nil {
			return l, false, err
		}

		t.acts = append(t.acts, act)
		l, err = t.updateLock(l, l.Reason, expiresAt)
		return l, true, err
	})
}

// HandOverLock gives an open lock to somebody else. It gets a new id: whoever was let past the old
// lock was let past by its old owner. deployment.ErrNotFound: there is no such open lock.
func (s Locks) HandOverLock(
	ctx context.Context,
	id int64,
	to deployment.Actor,
	act deployment.AuditEvent,
) (policy.Lock, error) {
	return s.change(ctx, func(t *tx) (policy.Lock, bool, error) {
		l, err := t.endOpenLock(id, lockHandedOver, act, "")
		if err != nil {
			return l, false, err
		}

		l.Owner, l.Admin = to, false
		l, err = t.insertLock(l)
		return l, true, err
	})
}

// ReleaseLock ends an open lock. notice is for its owner; empty: no notice.
// deployment.ErrNotFound: there is no such open lock.
func (s Locks) ReleaseLock(ctx context.Context, id int64, act deployment.AuditEvent, notice string) error {
	_, err := s.change(ctx, func(t *tx) (policy.Lock, bool, error) {
		l, err := t.endOpenLock(id, lockReleased, act, notice)
		return l, true, err
	})
	return err
}

// change makes one change to the locks at a time, while no deployment starts. If something changed,
// the first deployment in each queue that the lock covers is made due.
func (s Locks) change(
	ctx context.Context,
	do func(*tx) (l policy.Lock, changed bool, err error),
) (policy.Lock, error) {
	type result struct {
		lock  policy.Lock
		woken wokenBatch
	}

	done, err := writeFor(ctx, s.db, func(t *tx) (r result, err error) {
		if err := s.db.dialect.lockLocks(t); err != nil {
			return r, err
		}

		l, changed, err := do(t)
		r.lock = l
		if err != nil || !changed {
			return r, err
		}

		where, args := firstInReach(l)
		r.woken, err = t.wakeWaiting(0, where, args...)
		return r, err
	})
	if err != nil {
		return policy.Lock{}, err
	}

	if done.woken.more {
		where, args := firstInReach(done.lock)
		err := s.db.wakeRest(ctx, done.woken.lastRow, where, args...)
		if err != nil {
			s.db.o.Log.Warn().Err(err).Int64("lock", done.lock.ID).Msg("waiting deployments not woken")
		}
	}

	return done.lock, nil
}

func (t *tx) takeLock(l policy.Lock, source string, act deployment.AuditEvent) (policy.Lock, bool, error) {
	taken, found, err := t.lockOfSource(source)
	if err != nil || found {
		return taken, false, err
	}

	old, found, err := t.findLock(
		`repository_id = $1 AND environment_key = $2 AND ended_at IS NULL`,
		l.RepositoryID,
		scopeKey(l),
	)
	if err != nil {
		return l, false, err
	}

	expired := found && hasExpired(old, t.now)
	switch {
	case found && !expired && !old.Owner.Same(l.Owner):
		return l, false, &policy.LockedError{Lock: old}

	case found && !expired:
		if l.TakenAt.IsZero() {
			l.TakenAt = t.now
		}
		if l.TakenAt.After(old.TakenAt) {
			old.TakenAt = asStored(l.TakenAt) // an older unlock must not release what was asked for since
		}

		l, err = t.updateLock(old, l.Reason, l.ExpiresAt)

	default:
		if expired {
			err = t.endLock(old.ID, lockExpired, deployment.Actor{}, old.ExpiresAt)
		}
		if err == nil {
			l, err = t.insertLock(l)
		}
	}

	if err != nil {
		return l, false, err
	}

	t.acts = append(t.acts, act)
	if source == "" {
		return l, true, nil
	}

	_, err = t.exec(`INSERT INTO lock_sources (source, lock_id) VALUES ($1, $2)`, source, l.ID)
	return l, true, err
}

// lockOfSource gives the lock that a source took.
func (t *tx) lockOfSource(source string) (l policy.Lock, found bool, err error) {
	if source == "" {
		return l, false, nil
	}
	return t.findLock(`id = (SELECT lock_id FROM lock_sources WHERE source = $1)`, source)
}

// openLock gives a lock that has neither been ended nor expired.
func (t *tx) openLock(id int64) (policy.Lock, error) {
	l, found, err := t.findLock(`id = $1 AND ended_at IS NULL`, id)
	if err != nil {
		return l, err
	}
	if !found || hasExpired(l, t.now) {
		return l, deployment.ErrNotFound
	}

	return l, nil
}

func (t *tx) findLock(where string, args ...any) (l policy.Lock, found bool, err error) {
	l, err = scanLock(query{t, `SELECT ` + lockColumns + ` FROM locks WHERE ` + where, args})
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, nil
	}

	return l, err == nil, err
}

func (t *tx) insertLock(l policy.Lock) (policy.Lock, error) {
	if l.TakenAt.IsZero() {
		l.TakenAt = t.now
	}

	owner, err := json.Marshal(l.Owner)
	if err != nil {
		return l, err
	}

	t.wrote = true
	err = t.row(`
		INSERT INTO locks (
			repository_id,
			environment_key,
			repository,
			environment,
			owner,
			reason,
			taken_at,
			expires_at,
			is_admin
		)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		RETURNING id`,
		[]any{
			l.RepositoryID,
			scopeKey(l),
			l.Repository,
			l.Environment,
			string(owner),
			l.Reason,
			micros(l.TakenAt),
			nullTime(l.ExpiresAt),
			flag(l.Admin),
		},
		&l.ID,
	)

	l.TakenAt, l.ExpiresAt = asStored(l.TakenAt), asStored(l.ExpiresAt)
	return l, err
}

func (t *tx) updateLock(l policy.Lock, reason string, expiresAt time.Time) (policy.Lock, error) {
	l.Reason, l.ExpiresAt = reason, asStored(expiresAt)
	_, err := t.exec(
		`UPDATE locks SET reason = $2, expires_at = $3, taken_at = $4 WHERE id = $1`,
		l.ID,
		reason,
		nullTime(expiresAt),
		micros(l.TakenAt),
	)
	return l, err
}

// endOpenLock ends a lock that is open, leaves a notice for its owner, and keeps the audit event.
func (t *tx) endOpenLock(id int64, how string, act deployment.AuditEvent, notice string) (policy.Lock, error) {
	l, err := t.openLock(id)
	if err != nil {
		return l, err
	}
	if err := t.endLock(id, how, act.Actor, t.now); err != nil {
		return l, err
	}

	t.acts = append(t.acts, act)
	return l, t.insertNotice(l.Owner, l.ID, notice)
}

func (t *tx) endLock(id int64, how string, by deployment.Actor, when time.Time) error {
	actor, err := json.Marshal(by)
	if err != nil {
		return err
	}

	_, err = t.exec(
		`UPDATE locks SET ended_at = $2, ended_how = $3, ended_by = $4 WHERE id = $1`,
		id,
		micros(when),
		how,
		string(actor),
	)
	return err
}

// insertNotice leaves a notice for somebody, about a lock or, with the id 0, about none, unless the text is empty.
func (t *tx) insertNotice(forWhom deployment.Actor, lock int64, text string) error {
	if text == "" {
		return nil
	}

	person, err := json.Marshal(forWhom)
	if err != nil {
		return err
	}

	_, err = t.exec(
		`INSERT INTO notices (at, for_whom, text, lock_id) VALUES ($1, $2, $3, $4)`,
		micros(t.now),
		string(person),
		text,
		lock,
	)
	return err
}
