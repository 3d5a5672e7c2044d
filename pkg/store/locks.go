package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// How a lock ends.
const (
	lockExpired    = "expired" // found so when the next one was taken
	lockReleased   = "released"
	lockStolen     = "stolen"
	lockHandedOver = "handed over"
)

// TakeLock takes a lock, unless somebody else has one of the same scope: *policy.Held then. Its
// owner's lock is kept, with the new reason and end. A source (empty: none) that has its lock
// already is given that one, even if it has ended since, and nothing is written: so a retry after a
// crash locks nothing twice.
func (db *DB) TakeLock(
	ctx context.Context,
	l policy.Lock,
	source string,
	act deployment.AuditEvent,
) (policy.Lock, error) {
	return db.changeLocks(ctx, func(t *tx) (policy.Lock, bool, error) { return t.takeLock(l, source, act) })
}

// StealLock ends an open lock and takes one of the same scope for somebody else. notice tells the
// old owner; empty: nobody is told. deployment.ErrNotFound: there is no such open lock.
func (db *DB) StealLock(
	ctx context.Context,
	id int64,
	l policy.Lock,
	act deployment.AuditEvent,
	notice string,
) (policy.Lock, error) {
	return db.changeLocks(ctx, func(t *tx) (policy.Lock, bool, error) {
		old, err := t.endOpen(id, lockStolen, act, notice)
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
func (db *DB) ExtendLock(
	ctx context.Context,
	id int64,
	expiresAt time.Time,
	act deployment.AuditEvent,
) (policy.Lock, error) {
	return db.changeLocks(ctx, func(t *tx) (policy.Lock, bool, error) {
		l, err := t.openLock(id)
		if err != nil {
			return l, false, err
		}

		t.acts = append(t.acts, act)
		l, err = t.updateLock(l, l.Reason, expiresAt)
		return l, true, err
	})
}

// HandOverLock gives an open lock to somebody else. It gets a new id: what was let past the old one
// was let past its owner. deployment.ErrNotFound: there is no such open lock.
func (db *DB) HandOverLock(
	ctx context.Context,
	id int64,
	to deployment.Actor,
	act deployment.AuditEvent,
) (policy.Lock, error) {
	return db.changeLocks(ctx, func(t *tx) (policy.Lock, bool, error) {
		l, err := t.endOpen(id, lockHandedOver, act, "")
		if err != nil {
			return l, false, err
		}

		l.Owner, l.Admin = to, false
		l, err = t.insertLock(l)
		return l, true, err
	})
}

// ReleaseLock ends an open lock. notice tells its owner; empty: nobody is told.
// deployment.ErrNotFound: there is no such open lock.
func (db *DB) ReleaseLock(ctx context.Context, id int64, act deployment.AuditEvent, notice string) error {
	_, err := db.changeLocks(ctx, func(t *tx) (policy.Lock, bool, error) {
		l, err := t.endOpen(id, lockReleased, act, notice)
		return l, true, err
	})
	return err
}

// changeLocks does one thing with locks at a time, while nothing starts, and has those look again
// who are first in line where it changed something.
func (db *DB) changeLocks(
	ctx context.Context,
	do func(*tx) (l policy.Lock, changed bool, err error),
) (policy.Lock, error) {
	type result struct {
		lock policy.Lock
		wokenBatch
	}

	done, err := writeFor(ctx, db, func(t *tx) (done result, err error) {
		if err := db.dialect.lockLocks(t); err != nil {
			return done, err
		}

		l, changed, err := do(t)
		done.lock = l
		if err == nil && changed {
			where, args := firstInReach(l)
			done.wokenBatch, err = t.wakeWaiting(0, where, args...)
		}

		return done, err
	})

	if err != nil {
		return policy.Lock{}, err
	}

	if done.more {
		where, args := firstInReach(done.lock)
		if err := db.wakeRest(ctx, done.lastRow, where, args...); err != nil {
			db.o.Log.Warn().Err(err).Msg("not all who wait for a lock could be told; they will look by themselves")
		}
	}

	return done.lock, nil
}

func (t *tx) takeLock(l policy.Lock, source string, act deployment.AuditEvent) (policy.Lock, bool, error) {
	if made, ok, err := t.lockOf(source); ok || err != nil {
		return made, false, err
	}

	old, found, err := t.lockWhere(
		`repository_id = $1 AND environment_key = $2 AND ended_at IS NULL`,
		l.RepositoryID,
		scopeKey(l),
	)

	if err != nil {
		return l, false, err
	}

	mine := found && !over(old, t.now)
	switch {
	case mine && !old.Owner.Same(l.Owner):
		return l, false, &policy.LockedError{Lock: old}
	case mine:
		l, err = t.updateLock(old, l.Reason, l.ExpiresAt)
	default:
		if found {
			err = t.endLock(old.ID, lockExpired, deployment.Actor{}, old.ExpiresAt)
		}
		if err == nil {
			l, err = t.insertLock(l)
		}
	}

	if err == nil && source != "" {
		_, err = t.exec(`INSERT INTO lock_sources (source, lock_id) VALUES ($1, $2)`, source, l.ID)
	}

	t.acts = append(t.acts, act)
	return l, true, err
}

// lockOf gives the lock that a source has taken.
func (t *tx) lockOf(source string) (l policy.Lock, ok bool, err error) {
	if source == "" {
		return l, false, nil
	}
	return t.lockWhere(`id = (SELECT lock_id FROM lock_sources WHERE source = $1)`, source)
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
	err = t.row(
		`INSERT INTO locks (repository_id, environment_key, repository, environment, owner, reason, taken_at, expires_at, is_admin)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`,
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
	_, err := t.exec(`UPDATE locks SET reason = $2, expires_at = $3 WHERE id = $1`, l.ID, reason, nullTime(expiresAt))
	return l, err
}

// endOpen ends a lock that is still open, tells its owner, and keeps the act.
func (t *tx) endOpen(id int64, how string, act deployment.AuditEvent, notice string) (policy.Lock, error) {
	l, err := t.openLock(id)
	if err != nil {
		return l, err
	}
	if err := t.endLock(id, how, act.Actor, t.now); err != nil {
		return l, err
	}

	t.acts = append(t.acts, act)
	return l, t.notify(l, notice)
}

func (t *tx) endLock(id int64, how string, by deployment.Actor, when time.Time) error {
	who, err := json.Marshal(by)
	if err != nil {
		return err
	}

	_, err = t.exec(
		`UPDATE locks SET ended_at = $2, ended_how = $3, ended_by = $4 WHERE id = $1`,
		id,
		micros(when),
		how,
		string(who),
	)

	return err
}

// notify leaves a notice for the owner of a lock.
func (t *tx) notify(l policy.Lock, text string) error {
	if text == "" {
		return nil
	}

	owner, err := json.Marshal(l.Owner)
	if err != nil {
		return err
	}

	_, err = t.exec(
		`INSERT INTO notices (at, for_whom, text, lock_id) VALUES ($1, $2, $3, $4)`,
		micros(t.now),
		string(owner),
		text,
		l.ID,
	)

	return err
}

// openLock gives a lock that has not ended.
func (t *tx) openLock(id int64) (policy.Lock, error) {
	l, found, err := t.lockWhere(`id = $1 AND ended_at IS NULL`, id)
	if err == nil && (!found || over(l, t.now)) {
		err = deployment.ErrNotFound
	}
	return l, err
}

func (t *tx) lockWhere(where string, args ...any) (l policy.Lock, found bool, err error) {
	l, err = scanLock(query{t, `SELECT ` + lockColumns + ` FROM locks WHERE ` + where, args})
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, nil
	}
	return l, err == nil, err
}

// mayPassLocks says whether an open lock keeps a deployment from starting.
func (t *tx) mayPassLocks(next deployment.Deployment, passed []int64) error {
	rows, err := t.all(`SELECT id FROM locks WHERE `+covering+` ORDER BY id`,
		next.Request.Repository.ID, next.Request.EnvironmentKey(), micros(t.now))
	if err != nil {
		return err
	}

	ids, err := scanIDs(rows)
	for _, id := range ids {
		if !slices.Contains(passed, id) {
			return &deployment.BlockedError{On: deployment.BlockedByLock, ID: id}
		}
	}

	return err
}

// covering is the open locks on one environment, at a moment.
const covering = `ended_at IS NULL AND repository_id IN (0, $1) AND environment_key IN ('', $2) AND (expires_at IS NULL OR expires_at > $3)`

func scopeKey(l policy.Lock) string { return strings.ToLower(l.Environment) }

// over says whether a lock has expired.
func over(l policy.Lock, now time.Time) bool {
	return !l.ExpiresAt.IsZero() && !now.Before(l.ExpiresAt)
}
