package store

import (
	"context"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Pins lists the ids of all names that were looked up.
func (db *DB) Pins(ctx context.Context) ([]policy.Pin, error) {
	rows, err := db.all(ctx, `SELECT kind, name, id FROM pins ORDER BY kind, name`)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, func(s scanner) (p policy.Pin, err error) {
		return p, s.Scan(&p.Kind, &p.Name, &p.ID)
	})
}

// AddPin keeps the id of a name that has none, and returns the pin that stands then.
func (db *DB) AddPin(ctx context.Context, p policy.Pin) (policy.Pin, error) {
	return writeFor(ctx, db, func(t *tx) (policy.Pin, error) {
		_, err := t.exec(
			`INSERT INTO pins (kind, name, id, pinned_at) VALUES ($1, $2, $3, $4) ON CONFLICT (kind, name) DO NOTHING`,
			string(p.Kind),
			p.Name,
			p.ID,
			micros(t.now),
		)
		if err != nil {
			return p, err
		}

		return p, t.row(`SELECT id FROM pins WHERE kind = $1 AND name = $2`, []any{string(p.Kind), p.Name}, &p.ID)
	})
}
