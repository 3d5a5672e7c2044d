package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// mostWaiting is how many who wait for a lock are listed.
const mostWaiting = 200

const lockColumns = "id, repository_id, repository, environment, owner, reason, taken_at, expires_at, is_admin"

// Lock reads a lock. open says whether it has neither been ended nor expired.
// deployment.ErrNotFound: there is none.
func (db *DB) Lock(ctx context.Context, id int64) (l policy.Lock, open bool, err error) {
	var ended bool
	l, err = scanLock(db.get(ctx, `SELECT `+lockColumns+`, ended_at IS NOT NULL FROM locks WHERE id = $1`, id), &ended)
	if errors.Is(err, sql.ErrNoRows) {
		err = deployment.ErrNotFound
	}
	return l, err == nil && !ended && !over(l, db.o.Now()), err
}

// Locks lists the open locks, oldest first.
func (db *DB) Locks(ctx context.Context) ([]policy.Lock, error) {
	return db.locks(ctx, `ended_at IS NULL AND (expires_at IS NULL OR expires_at > $1)`, micros(db.o.Now()))
}

// LocksOn lists the open locks that cover an environment, oldest first.
func (db *DB) LocksOn(ctx context.Context, repositoryID int64, environmentKey string) ([]policy.Lock, error) {
	return db.locks(ctx, covering, repositoryID, environmentKey, micros(db.o.Now()))
}

// OpenLock gives the open lock of exactly this scope.
func (db *DB) OpenLock(ctx context.Context, repositoryID int64, environmentKey string) (policy.Lock, bool, error) {
	list, err := db.locks(
		ctx,
		`ended_at IS NULL AND repository_id = $1 AND environment_key = $2 AND (expires_at IS NULL OR expires_at > $3)`,
		repositoryID,
		environmentKey,
		micros(db.o.Now()),
	)

	if len(list) == 0 {
		return policy.Lock{}, false, err
	}

	return list[0], true, err
}

func (db *DB) locks(ctx context.Context, where string, args ...any) ([]policy.Lock, error) {
	rows, err := db.all(ctx, `SELECT `+lockColumns+` FROM locks WHERE `+where+` ORDER BY id`, args...)
	if err != nil {
		return nil, err
	}
	return scanEach(rows, func(s scanner) (policy.Lock, error) { return scanLock(s) })
}

// WaitingFor lists the first of the deployments that wait where a lock reaches, in order.
func (db *DB) WaitingFor(ctx context.Context, l policy.Lock) ([]deployment.Deployment, error) {
	where, args := reach(l)
	rows, err := db.all(
		ctx,
		`SELECT `+deploymentColumns+` FROM deployments d WHERE d.state = 'waiting' AND d.is_act = 0 AND `+where+
			` ORDER BY +d.deployment_id, d.row_id LIMIT `+placeholder(len(args)+1),
		append(args, mostWaiting)...)

	if err != nil {
		return nil, err
	}

	return scanAll(rows)
}

// scanLock reads lockColumns, and what else there is.
func scanLock(s scanner, more ...any) (l policy.Lock, err error) {
	var owner []byte
	var taken int64
	var expires sql.NullInt64
	var admin int
	columns := []any{&l.ID, &l.RepositoryID, &l.Repository, &l.Environment, &owner, &l.Reason, &taken, &expires, &admin}
	if err := s.Scan(append(columns, more...)...); err != nil {
		return l, err
	}

	l.TakenAt, l.Admin = at(taken), admin == 1
	if expires.Valid {
		l.ExpiresAt = at(expires.Int64)
	}
	if err := json.Unmarshal(owner, &l.Owner); err != nil {
		return l, fmt.Errorf("lock %d is damaged: %w", l.ID, err)
	}

	return l, nil
}

// asStored is a time as it will be read back.
func asStored(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return at(micros(t))
}

// Notices lists what owners of locks are to be told, after one, oldest first.
func (db *DB) Notices(ctx context.Context, after int64, limit int) ([]policy.Notice, error) {
	rows, err := db.all(
		ctx,
		`SELECT id, at, for_whom, text, lock_id FROM notices WHERE id > $1 ORDER BY id LIMIT $2`,
		after,
		limit,
	)

	if err != nil {
		return nil, err
	}

	return scanEach(rows, scanNotice)
}

func scanNotice(s scanner) (n policy.Notice, err error) {
	var us int64
	var to []byte
	if err := s.Scan(&n.ID, &us, &to, &n.Text, &n.Lock); err != nil {
		return n, err
	}

	n.At = at(us)
	if err := json.Unmarshal(to, &n.To); err != nil {
		return n, fmt.Errorf("notice %d is damaged: %w", n.ID, err)
	}

	return n, nil
}

// reach is what of the deployments d a lock covers.
func reach(l policy.Lock) (where string, args []any) {
	where = "1 = 1"
	if l.RepositoryID != 0 {
		args = append(args, l.RepositoryID)
		where += " AND d.repository_id = " + placeholder(len(args))
	}
	if key := scopeKey(l); key != "" {
		args = append(args, key)
		where += " AND d.environment_key = " + placeholder(len(args))
	}

	return where, args
}

// firstInReach is the first in the queue of each environment that a lock covers.
func firstInReach(l policy.Lock) (where string, args []any) {
	where, args = reach(l)
	return where + ` AND NOT EXISTS (
			SELECT 1
			FROM deployments o
			WHERE o.repository_id = d.repository_id AND o.environment_key = d.environment_key AND
				o.state = 'waiting' AND o.deployment_id < d.deployment_id
		)`, args
}
