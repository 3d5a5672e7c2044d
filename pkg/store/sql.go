package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// get reads one row outside of any transaction.
func (db *DB) get(ctx context.Context, query string, args ...any) *sql.Row {
	if prepared := db.prepareRead(ctx, query); prepared != nil {
		return prepared.QueryRowContext(ctx, args...)
	}
	return db.rdb.QueryRowContext(ctx, query, args...)
}

// all reads rows outside of any transaction.
func (db *DB) all(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if prepared := db.prepareRead(ctx, query); prepared != nil {
		return prepared.QueryContext(ctx, args...)
	}
	return db.rdb.QueryContext(ctx, query, args...)
}

// prepareRead gives the prepared statement of a query, which is kept; nil: it cannot be prepared now.
func (db *DB) prepareRead(ctx context.Context, query string) *sql.Stmt {
	if prepared, ok := db.reads.Load(query); ok {
		return prepared.(*sql.Stmt)
	}

	prepared, err := db.rdb.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}

	kept, loaded := db.reads.LoadOrStore(query, prepared)
	if loaded {
		_ = prepared.Close() // another goroutine was faster
	}

	return kept.(*sql.Stmt)
}

// micros is a time as it is stored.
func micros(t time.Time) int64 { return t.UnixMicro() }

// nullTime is NULL for the zero time.
func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return micros(t)
}

// at is the time of a stored one.
func at(us int64) time.Time { return time.UnixMicro(us).UTC() }

// atOrZero is the zero time for NULL.
func atOrZero(us sql.NullInt64) time.Time {
	if !us.Valid {
		return time.Time{}
	}
	return at(us.Int64)
}

// asStored is a time as it will be read back.
func asStored(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return at(micros(t))
}

// flag is a bool as it is stored.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// changedOne reports whether a statement changed a row.
func changedOne(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}

	n, err := res.RowsAffected()
	return n > 0, err
}

const deploymentColumns = `row_id, version, nudges, data`

// scanner is a *sql.Row, *sql.Rows or query.
type scanner interface{ Scan(...any) error }

// scanDeployment reads deploymentColumns.
func scanDeployment(s scanner) (d deployment.Deployment, err error) {
	var row, version, wakeCount int64
	var data []byte
	if err := s.Scan(&row, &version, &wakeCount, &data); err != nil {
		return d, err
	}

	return decodeDeployment(row, version, wakeCount, data)
}

// decodeDeployment makes a deployment of the values of deploymentColumns.
func decodeDeployment(row, version, wakeCount int64, data []byte) (d deployment.Deployment, err error) {
	if err := json.Unmarshal(data, &d); err != nil {
		return d, fmt.Errorf("decode row %d: %w", row, err)
	}

	d.Row, d.Version, d.WakeCount = row, version, wakeCount
	return d, nil
}

func scanID(s scanner) (id int64, err error) {
	err = s.Scan(&id)
	return id, err
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
