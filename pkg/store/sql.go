package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// prepare keeps the statements that the last batch had to do without.
func (w *writer) prepare() {
	for _, query := range w.wanted {
		if _, ok := w.stmts[query]; ok {
			continue
		}
		if s, err := w.pool.Prepare(query); err == nil {
			w.stmts[query] = s
		}
	}
	w.wanted = nil
}

// get reads one row outside of any transaction, with a kept statement.
func (db *DB) get(ctx context.Context, query string, args ...any) *sql.Row {
	if s, ok := db.reads.Load(query); ok {
		return s.(*sql.Stmt).QueryRowContext(ctx, args...)
	}
	if s, err := db.rdb.PrepareContext(ctx, query); err == nil {
		if kept, loaded := db.reads.LoadOrStore(query, s); loaded {
			_ = s.Close()
			s = kept.(*sql.Stmt)
		}
		return s.QueryRowContext(ctx, args...)
	}
	return db.rdb.QueryRowContext(ctx, query, args...)
}

func micros(t time.Time) int64 { return t.UnixMicro() }

// maybe is NULL for the zero time.
func maybe(t time.Time) any {
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
	d.Row, d.Version, d.Nudges = row, version, nudges
	return d, nil
}

func encode(d deployment.Deployment) (string, error) {
	data, err := json.Marshal(d)
	return string(data), err
}

func scanIDs(rows *sql.Rows) ([]int64, error) {
	defer func() { _ = rows.Close() }()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
