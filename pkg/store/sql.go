package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// get reads one row outside of any transaction, with a kept statement.
func (db *DB) get(ctx context.Context, query string, args ...any) *sql.Row {
	if s := db.read(ctx, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return db.rdb.QueryRowContext(ctx, query, args...)
}

// all reads rows outside of any transaction, with a kept statement.
func (db *DB) all(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := db.read(ctx, query); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return db.rdb.QueryContext(ctx, query, args...)
}

// read gives the kept statement of a query; nil: it cannot be prepared now.
func (db *DB) read(ctx context.Context, query string) *sql.Stmt {
	if s, ok := db.reads.Load(query); ok {
		return s.(*sql.Stmt)
	}

	s, err := db.rdb.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	if kept, loaded := db.reads.LoadOrStore(query, s); loaded {
		_ = s.Close()
		s = kept.(*sql.Stmt)
	}

	return s
}

func micros(t time.Time) int64 { return t.UnixMicro() }

// nullTime is NULL for the zero time.
func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return micros(t)
}

func at(us int64) time.Time { return time.UnixMicro(us).UTC() }

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

const deploymentColumns = "row_id, version, nudges, data"

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(...any) error }

func scanDeployment(s scanner) (deployment.Deployment, error) {
	var row, version, nudges int64
	var data []byte
	if err := s.Scan(&row, &version, &nudges, &data); err != nil {
		return deployment.Deployment{}, err
	}
	return decode(row, version, nudges, data)
}

func decode(row, version, nudges int64, data []byte) (deployment.Deployment, error) {
	var d deployment.Deployment
	if err := json.Unmarshal(data, &d); err != nil {
		return d, fmt.Errorf("row %d is damaged: %w", row, err)
	}
	d.Row, d.Version, d.WakeCount = row, version, nudges
	return d, nil
}

func scanIDs(rows *sql.Rows) ([]int64, error) {
	return scanEach(rows, func(s scanner) (id int64, err error) {
		err = s.Scan(&id)
		return id, err
	})
}

// scanEach reads all rows with one function, and closes them.
func scanEach[T any](rows *sql.Rows, scan func(scanner) (T, error)) ([]T, error) {
	defer func() { _ = rows.Close() }()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}

		list = append(list, v)
	}

	return list, rows.Err()
}
