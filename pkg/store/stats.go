package store

import (
	"context"
	"database/sql"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Stats counts what the metrics show.
func (db *DB) Stats(ctx context.Context) (deployment.Stats, error) {
	db.clock.mu.Lock()
	stats := deployment.Stats{Open: map[deployment.State]int{}, ClockSkew: db.clock.skew}
	db.clock.mu.Unlock()

	rows, err := db.all(ctx, `
		SELECT 'waiting', count(*)
		FROM deployments
		WHERE state = 'waiting'
		UNION ALL
		SELECT state, count(*)
		FROM deployments
		WHERE state IN ('triggering', 'unconfirmed', 'running', 'held')
		GROUP BY state`)
	if err != nil {
		return stats, err
	}

	_, err = scanEach(rows, func(s scanner) (state deployment.State, err error) {
		var n int
		err = s.Scan(&state, &n)
		stats.Open[state] = n
		return state, err
	})
	if err != nil {
		return stats, err
	}

	err = db.get(ctx, `SELECT count(*) FROM reports WHERE fate IN ('owed', 'unknown')`).Scan(&stats.ReportsUnsent)
	if err != nil {
		return stats, err
	}

	var oldest sql.NullInt64
	err = db.get(ctx, `
		SELECT min(at)
		FROM (
			SELECT min(due_at) AS at FROM deployments WHERE due_at IS NOT NULL
			UNION ALL
			SELECT min(report_due_at) FROM deployments WHERE report_due_at IS NOT NULL
			UNION ALL
			SELECT min(due_at) FROM requests WHERE due_at IS NOT NULL
		) AS due`,
	).Scan(&oldest)
	if err != nil {
		return stats, err
	}

	if oldest.Valid {
		stats.OldestDue = max(0, db.o.Now().Sub(at(oldest.Int64)))
	}

	return stats, nil
}
