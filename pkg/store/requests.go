package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const intentColumns = `row_id, version, data`

func scanIntent(s scanner) (i deployment.Intent, err error) {
	var row, version int64
	var data []byte
	if err := s.Scan(&row, &version, &data); err != nil {
		return i, err
	}
	if err := json.Unmarshal(data, &i); err != nil {
		return i, fmt.Errorf("decode request %d: %w", row, err)
	}

	i.Row, i.Version = row, version
	return i, nil
}

// oneIntent reads one intent. deployment.ErrNotFound: there is none.
func oneIntent(s scanner) (deployment.Intent, error) {
	i, err := scanIntent(s)
	if errors.Is(err, sql.ErrNoRows) {
		err = deployment.ErrNotFound
	}
	return i, err
}

// AddRequest stores a new intent with its audit events, unless its asker has used its key before: then
// added is false, and the intent of that time is returned. One that supersedes ends, in the same commit, all
// open intents of its environment.
func (s Requests) AddRequest(
	ctx context.Context,
	i deployment.Intent,
	events ...deployment.AuditEvent,
) (stored deployment.Intent, added bool, err error) {
	type result struct {
		intent deployment.Intent
		added  bool
	}

	r, err := writeFor(ctx, s.db, func(t *tx) (result, error) {
		before, err := oneIntent(query{t, requestByKey, []any{i.Asker, i.Key}})
		if !errors.Is(err, deployment.ErrNotFound) {
			return result{intent: before}, err
		}

		if err := t.insertIntent(i); err != nil {
			return result{}, err
		}

		i, err := oneIntent(query{t, requestByKey, []any{i.Asker, i.Key}})
		if err != nil {
			return result{}, err
		}
		if i.Supersedes {
			if err := t.supersedeIntents(i); err != nil {
				return result{}, err
			}
		}

		t.acts = append(t.acts, events...)
		t.wake(createTask(i.Row), i.Due)
		return result{intent: i, added: true}, nil
	})

	return r.intent, r.added, err
}

func (t *tx) insertIntent(i deployment.Intent) error {
	data, err := json.Marshal(i)
	if err != nil {
		return err
	}

	_, err = t.exec(`
		INSERT INTO requests (nonce, asker, request_key, repository_id, environment_key, state, due_at, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		i.Nonce,
		i.Asker,
		i.Key,
		i.Repository.ID,
		strings.ToLower(i.Environment),
		string(i.State),
		nullTime(i.Due),
		string(data),
	)
	return err
}

// SupersedeRequests says of the open intents of an environment that are older than a rollback, by its nonce,
// that it takes their place. deployment.ErrNotFound: there is no such intent.
func (s Requests) SupersedeRequests(ctx context.Context, nonce string) error {
	rollback, err := s.RequestByNonce(ctx, nonce)
	if err != nil {
		return fmt.Errorf("read request of the rollback: %w", err)
	}
	return s.db.write(ctx, func(t *tx) error { return t.supersedeIntents(rollback) })
}

// supersedeIntents says of the open intents of an environment that are older than a rollback that it takes
// their place. Those that it takes the place of already stay as they are.
func (t *tx) supersedeIntents(rollback deployment.Intent) error {
	rows, err := t.all(`
		SELECT `+intentColumns+`
		FROM requests
		WHERE repository_id = $1 AND environment_key = $2 AND row_id < $3 AND ended_at IS NULL
		ORDER BY row_id`+t.fragments().forUpdate,
		rollback.Repository.ID,
		strings.ToLower(rollback.Environment),
		rollback.Row,
	)
	if err != nil {
		return err
	}

	open, err := scanEach(rows, scanIntent)
	if err != nil {
		return err
	}

	reason := "superseded by the rollback that " + rollback.By.String() + " asked for"
	for _, i := range open {
		if i.Superseded != "" {
			continue
		}
		if err := t.updateIntent(deployment.IntentMachine{}.Supersede(i, reason, t.now)); err != nil {
			return err
		}
	}

	return nil
}

// updateIntent writes the next version of an intent, and leaves its lease as it is.
func (t *tx) updateIntent(next deployment.Intent) error {
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}

	_, err = t.exec(`
		UPDATE requests
		SET
			state = $2,
			version = version + 1,
			deployment_id = $3,
			due_at = $4,
			ended_at = $5,
			data = $6
		WHERE row_id = $1`,
		next.Row,
		string(next.State),
		next.DeploymentID,
		nullTime(next.Due),
		nullTime(next.EndedAt),
		string(data),
	)
	return err
}

const (
	requestByKey   = `SELECT ` + intentColumns + ` FROM requests WHERE asker = $1 AND request_key = $2`
	requestByNonce = `SELECT ` + intentColumns + ` FROM requests WHERE nonce = $1`
)

// RequestByKey reads the intent to which an asker gave a key. deployment.ErrNotFound: there is none.
func (s Requests) RequestByKey(ctx context.Context, asker, key string) (deployment.Intent, error) {
	return oneIntent(s.db.get(ctx, requestByKey, asker, key))
}

// RequestByNonce reads the intent with a nonce. deployment.ErrNotFound: there is none.
func (s Requests) RequestByNonce(ctx context.Context, nonce string) (deployment.Intent, error) {
	return oneIntent(s.db.get(ctx, requestByNonce, nonce))
}

// Request reads an intent by its row. deployment.ErrNotFound: there is none.
func (s Requests) Request(ctx context.Context, row int64) (deployment.Intent, error) {
	return oneIntent(s.db.get(ctx, `SELECT `+intentColumns+` FROM requests WHERE row_id = $1`, row))
}

// LeaseRequest gives an intent that is due to one worker for 25 s. ok is false when it is not due, or
// another worker has it.
func (s Requests) LeaseRequest(ctx context.Context, row int64) (i deployment.Intent, ok bool, err error) {
	_, ok, err = s.db.leases.take(ctx, createTask(row), intentColumns, func(s scanner) (err error) {
		i, err = scanIntent(s)
		return err
	})
	return i, ok, err
}

// UnleaseRequest ends the lease of an intent that was not written.
func (s Requests) UnleaseRequest(ctx context.Context, row int64) error {
	return s.db.leases.giveBack(ctx, createTask(row))
}

// SaveRequest writes the next version of an intent, and ends its lease unless the options keep it.
// deployment.ErrVersionConflict: the intent was written since it was read, and nothing is written.
func (s Requests) SaveRequest(
	ctx context.Context,
	next deployment.Intent,
	o deployment.SaveOptions,
) (deployment.Intent, error) {
	task := createTask(next.Row)
	leasedUntil := leaseEnd(s.db.o.Now(), o.CallTimeout)

	err := s.db.write(ctx, func(t *tx) error {
		var version int64
		err := t.row(`SELECT version FROM requests WHERE row_id = $1`+t.fragments().forUpdate, []any{next.Row}, &version)
		if errors.Is(err, sql.ErrNoRows) {
			return deployment.ErrNotFound
		}
		if err != nil {
			return err
		}
		if version != next.Version {
			return deployment.ErrVersionConflict
		}

		if t.fragments().endLease != "" { // the lease is a column
			until := int64(0)
			if o.KeepLease {
				until = micros(leasedUntil)
			}
			if _, err := t.exec(`UPDATE requests SET leased_until = $2 WHERE row_id = $1`, next.Row, until); err != nil {
				return err
			}
		}

		if !o.KeepLease {
			t.wake(task, next.Due)
		}
		return t.updateIntent(next)
	})
	if err != nil {
		return next, err
	}

	if o.KeepLease {
		s.db.leases.extended(task, leasedUntil)
	} else {
		s.db.leases.ended(task)
	}

	next.Version++
	return next, nil
}
