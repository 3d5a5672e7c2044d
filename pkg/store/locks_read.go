package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// maxWaitingFor is how many deployments that wait for a lock are listed.
const maxWaitingFor = 200

const lockColumns = `id, repository_id, repository, environment, owner, reason, taken_at, expires_at, is_admin`

// covering selects the locks that cover an environment and are open at a moment.
const covering = `
	ended_at IS NULL AND
	repository_id IN (0, $1) AND
	environment_key IN ('', $2) AND
	(expires_at IS NULL OR expires_at > $3)`

// Lock reads a lock. open says whether it has neither been ended nor expired.
// deployment.ErrNotFound: there is none.
func (s Locks) Lock(ctx context.Context, id int64) (l policy.Lock, open bool, err error) {
	var ended bool
	l, err = scanLock(
		s.db.get(ctx, `SELECT `+lockColumns+`, ended_at IS NOT NULL FROM locks WHERE id = $1`, id),
		&ended,
	)
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, deployment.ErrNotFound
	}
	if err != nil {
		return l, false, err
	}

	return l, !ended && !hasExpired(l, s.db.o.Now()), nil
}

// Locks lists the open locks, oldest first.
func (s Locks) Locks(ctx context.Context) ([]policy.Lock, error) {
	return s.list(ctx, `ended_at IS NULL AND (expires_at IS NULL OR expires_at > $1)`, micros(s.db.o.Now()))
}

// LocksOn lists the open locks that cover an environment, oldest first.
func (s Locks) LocksOn(ctx context.Context, repositoryID int64, environmentKey string) ([]policy.Lock, error) {
	return s.list(ctx, covering, repositoryID, environmentKey, micros(s.db.o.Now()))
}

// OpenLock gives the open lock of exactly this scope.
func (s Locks) OpenLock(
	ctx context.Context,
	repositoryID int64,
	environmentKey string,
) (l policy.Lock, found bool, err error) {
	list, err := s.list(ctx, `
		ended_at IS NULL AND
		repository_id = $1 AND
		environment_key = $2 AND
		(expires_at IS NULL OR expires_at > $3)`,
		repositoryID,
		environmentKey,
		micros(s.db.o.Now()),
	)
	if err != nil || len(list) == 0 {
		return policy.Lock{}, false, err
	}

	return list[0], true, nil
}

func (s Locks) list(ctx context.Context, where string, args ...any) ([]policy.Lock, error) {
	rows, err := s.db.all(ctx, `SELECT `+lockColumns+` FROM locks WHERE `+where+` ORDER BY id`, args...)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, func(s scanner) (policy.Lock, error) { return scanLock(s) })
}

// WaitingFor lists the deployments that wait where a lock reaches, oldest first, and at most
// maxWaitingFor of them.
func (s Locks) WaitingFor(ctx context.Context, l policy.Lock) ([]deployment.Deployment, error) {
	where, args := reach(l)
	rows, err := s.db.all(ctx, `
		SELECT `+deploymentColumns+`
		FROM deployments d
		WHERE d.state = 'waiting' AND d.is_act <> 1 AND `+where+`
		ORDER BY +d.deployment_id, d.row_id
		LIMIT `+placeholder(len(args)+1),
		append(args, maxWaitingFor)...,
	)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, scanDeployment)
}

// scanLock reads lockColumns, and what is selected after them.
func scanLock(s scanner, more ...any) (l policy.Lock, err error) {
	var owner []byte
	var taken int64
	var expires sql.NullInt64
	var admin int
	columns := []any{
		&l.ID,
		&l.RepositoryID,
		&l.Repository,
		&l.Environment,
		&owner,
		&l.Reason,
		&taken,
		&expires,
		&admin,
	}
	if err := s.Scan(append(columns, more...)...); err != nil {
		return l, err
	}

	l.TakenAt, l.ExpiresAt, l.Admin = at(taken), atOrZero(expires), admin == 1
	if err := json.Unmarshal(owner, &l.Owner); err != nil {
		return l, fmt.Errorf("decode owner of lock %d: %w", l.ID, err)
	}

	return l, nil
}

// Notices lists notices for owners of locks with larger ids than after, oldest first.
func (s Locks) Notices(ctx context.Context, after int64, limit int) ([]policy.Notice, error) {
	rows, err := s.db.all(ctx, `
		SELECT
			id,
			at,
			for_whom,
			text,
			lock_id
		FROM notices
		WHERE id > $1
		ORDER BY id
		LIMIT $2`,
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
		return n, fmt.Errorf("decode addressee of notice %d: %w", n.ID, err)
	}

	return n, nil
}

// reach selects the deployments d that a lock covers.
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

// firstInReach selects the first deployment d in the queue of each environment that a lock covers.
func firstInReach(l policy.Lock) (where string, args []any) {
	where, args = reach(l)
	return where + ` AND NOT EXISTS (
		SELECT 1
		FROM deployments o
		WHERE o.repository_id = d.repository_id AND o.environment_key = d.environment_key AND
			o.state = 'waiting' AND o.deployment_id < d.deployment_id
	)`, args
}

func scopeKey(l policy.Lock) string { return strings.ToLower(l.Environment) }

func hasExpired(l policy.Lock, now time.Time) bool {
	return !l.ExpiresAt.IsZero() && !now.Before(l.ExpiresAt)
}
