package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// leaseFor is how long a row is kept from other workers. It is a hint; the version decides.
const leaseFor = 25 * time.Second

// leases are held in memory: one process owns the file, and a crash must free them all.
type leases struct {
	mu   sync.Mutex
	held map[leaseKey]time.Time
}

type leaseKey = deployment.Alarm

func (l *leases) take(k leaseKey, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[k].After(now) {
		return false
	}
	l.held[k] = now.Add(leaseFor)
	return true
}

func (l *leases) free(k leaseKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, k)
}

func (l *leases) taken(k leaseKey, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[k].After(now)
}

func advanceLease(row int64) leaseKey {
	return leaseKey{Kind: deployment.AlarmAdvance, Row: row}
}

func reportLease(row int64) leaseKey {
	return leaseKey{Kind: deployment.AlarmReport, Row: row}
}

// Lease gives a row that is due to one worker for 25 s. ok is false when it is not due, or in another's hands.
func (db *DB) Lease(ctx context.Context, row int64) (d deployment.Deployment, ok bool, err error) {
	now := db.o.Now()
	if !db.leases.take(advanceLease(row), now) {
		return d, false, nil
	}
	d, err = scanDeployment(db.get(ctx, `SELECT `+deploymentColumns+` FROM deployments WHERE row_id = $1 AND due_at <= $2`, row, micros(now)))
	if err == nil {
		return d, true, nil
	}
	db.leases.free(advanceLease(row))
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return d, false, err
}

// Unlease gives a row back unchanged.
func (db *DB) Unlease(_ context.Context, row int64) error {
	db.leases.free(advanceLease(row))
	return nil
}

// Load reads a row. deployment.ErrNotFound: there is none.
func (db *DB) Load(ctx context.Context, row int64) (deployment.Deployment, error) {
	return db.one(ctx, `SELECT `+deploymentColumns+` FROM deployments WHERE row_id = $1`, row)
}

// ByKey reads the row whose key this is.
func (db *DB) ByKey(ctx context.Context, key string) (deployment.Deployment, error) {
	return db.one(ctx, `SELECT `+deploymentColumns+` FROM deployments WHERE trigger_key = $1`, key)
}

func (db *DB) one(ctx context.Context, query string, arg any) (deployment.Deployment, error) {
	d, err := scanDeployment(db.get(ctx, query, arg))
	if errors.Is(err, sql.ErrNoRows) {
		return d, deployment.ErrNotFound
	}
	return d, err
}

// Nudge brings the look at a pipeline's deployment forward to now. It says false when no deployment waits for that pipeline. Hints that come
// in while one is waiting are one hint.
func (db *DB) Nudge(ctx context.Context, pipelineID string) (bool, error) {
	var row int64
	var due sql.NullInt64
	err := db.get(ctx, `SELECT row_id, due_at FROM deployments WHERE pipeline_id = $1 AND pipeline_id <> ''`, pipelineID).Scan(&row, &due)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !due.Valid {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	now := db.o.Now()
	if due.Int64 <= micros(now) && !db.leases.taken(advanceLease(row), now) {
		db.rings(advanceLease(row))
		return true, nil
	}
	err = db.write(ctx, func(t *tx) error {
		ok, err := changedOne(t.exec(`UPDATE deployments SET due_at = $2, nudges = nudges + 1 WHERE row_id = $1 AND due_at IS NOT NULL`, row, micros(t.now)))
		if ok {
			t.wake(deployment.AlarmAdvance, row, t.now)
		}
		return err
	})
	return err == nil, err
}

// Overdue lists what is due and in nobody's hands, the longest overdue first.
func (db *DB) Overdue(ctx context.Context, limit int) ([]deployment.Alarm, error) {
	now := db.o.Now()
	rows, err := db.rdb.QueryContext(ctx, `SELECT kind, row_id FROM (
			SELECT 'advance' AS kind, row_id, due_at AS at FROM deployments WHERE due_at <= $1
			UNION ALL
			SELECT 'report', row_id, report_due_at FROM deployments WHERE report_due_at <= $1
		) AS due ORDER BY at LIMIT $2`, micros(now), limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var alarms []deployment.Alarm
	for rows.Next() {
		var a deployment.Alarm
		if err := rows.Scan(&a.Kind, &a.Row); err != nil {
			return nil, err
		}
		if !db.leases.taken(a, now) {
			alarms = append(alarms, a)
		}
	}
	return alarms, rows.Err()
}
