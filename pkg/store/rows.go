package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// leaseFor is how long a row is kept from other workers. It is a hint; the version decides.
const leaseFor = 25 * time.Second

func advanceAlarm(row int64) deployment.Task {
	return deployment.Task{Kind: deployment.TaskAdvance, Row: row}
}

func reportAlarm(row int64) deployment.Task {
	return deployment.Task{Kind: deployment.TaskReport, Row: row}
}

// dueColumn is when an alarm's work is due.
func dueColumn(a deployment.Task) string {
	if a.Kind == deployment.TaskReport {
		return "report_due_at"
	}
	return "due_at"
}

// Lease gives a row that is due to one worker for 25 s. ok is false when it is not due, or in
// another's hands.
func (db *DB) Lease(ctx context.Context, row int64) (d deployment.Deployment, ok bool, err error) {
	if _, ok, err = db.dialect.lease(ctx, advanceAlarm(row)); !ok {
		return d, false, err
	}
	if d, err = db.Load(ctx, row); err != nil {
		return d, false, errors.Join(err, db.Unlease(ctx, row))
	}
	return d, true, nil
}

// Unlease gives a row back unchanged.
func (db *DB) Unlease(ctx context.Context, row int64) error {
	return db.dialect.unlease(ctx, advanceAlarm(row))
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

// WakeByPipeline brings the look at a pipeline's deployment forward to now. It says false when no
// deployment waits for that pipeline. Hints that come in while one is waiting are one hint.
func (db *DB) WakeByPipeline(ctx context.Context, pipelineID string) (bool, error) {
	now := db.o.Now()
	var row int64
	var open, waits bool
	err := db.get(ctx, `SELECT row_id, due_at IS NOT NULL, coalesce(due_at <= $1, 1 = 0) AND `+db.dialect.sql().freeRow+`
		FROM deployments WHERE pipeline_id = $2 AND pipeline_id <> ''`, micros(now), pipelineID).
		Scan(&row, &open, &waits)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !open {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if waits && !db.dialect.leased(advanceAlarm(row), now) {
		db.rings(advanceAlarm(row))
		return true, nil
	}

	err = db.write(ctx, func(t *tx) error {
		ok, err := changedOne(
			t.exec(
				`UPDATE deployments SET due_at = $2, nudges = nudges + 1 WHERE row_id = $1 AND due_at IS NOT NULL`,
				row,
				micros(t.now),
			),
		)

		if ok {
			t.wake(deployment.TaskAdvance, row, t.now)
		}

		return err
	})

	return err == nil, err
}

// Overdue lists what is due and in nobody's hands, the longest overdue first.
func (db *DB) Overdue(ctx context.Context, limit int) ([]deployment.Task, error) {
	now := db.o.Now()
	words := db.dialect.sql()
	rows, err := db.all(ctx, `SELECT kind, row_id FROM (
			SELECT 'advance' AS kind, row_id, due_at AS at FROM deployments WHERE due_at <= $1 AND `+words.freeRow+`
			UNION ALL
			SELECT 'report', row_id, report_due_at FROM deployments WHERE report_due_at <= $1 AND `+words.freeReports+`
		) AS due ORDER BY at LIMIT $2`, micros(now), limit)

	if err != nil {
		return nil, err
	}

	defer func() { _ = rows.Close() }()
	var alarms []deployment.Task
	for rows.Next() {
		var a deployment.Task
		if err := rows.Scan(&a.Kind, &a.Row); err != nil {
			return nil, err
		}
		if !db.dialect.leased(a, now) {
			alarms = append(alarms, a)
		}
	}

	return alarms, rows.Err()
}
