package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seraph-deploy/seraph/pkg/audit"
)

// AuditReader reads the audit of a database that may be in use. It changes nothing and takes no
// lock.
type AuditReader struct{ db *sql.DB }

// OpenAudit opens a database to read its audit. The error holds no password.
func OpenAudit(ctx context.Context, databaseURL string) (*AuditReader, error) {
	db, err := openReader(databaseURL)
	if err != nil {
		return nil, err
	}

	r := &AuditReader{db}
	if _, err := r.AuditHead(ctx); err != nil {
		return nil, errors.Join(
			fmt.Errorf(
				"the audit cannot be read (a database gets one when this version of seraph serve first opens it): %w",
				err,
			),
			r.Close(),
		)
	}

	return r, nil
}

func openReader(databaseURL string) (*sql.DB, error) {
	if path, ok := strings.CutPrefix(databaseURL, "sqlite:"); ok {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("there is no database to read: %w", err)
		}

		return openFile(path)
	}

	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("the database's URL cannot be read: %w", err) // pgconn takes the password out
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}

	return stdlib.OpenDB(*config), nil
}

// Audit lists records after one, oldest first.
func (r *AuditReader) Audit(ctx context.Context, after int64, limit int) ([]audit.Record, error) {
	rows, err := r.db.QueryContext(ctx, auditPage, after, limit)
	if err != nil {
		return nil, err
	}
	return scanEach(rows, scanRecord)
}

// AuditHead gives the newest record's number and hash, as they are kept beside the records.
func (r *AuditReader) AuditHead(ctx context.Context) (audit.Head, error) {
	return scanHead(r.db.QueryRowContext(ctx, auditHead))
}

// Close closes the database.
func (r *AuditReader) Close() error { return r.db.Close() }
