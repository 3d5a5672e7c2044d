package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

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
		err = fmt.Errorf(
			"the audit cannot be read (a database gets one when this version of seraph serve first opens it): %w",
			err,
		)
		return nil, errors.Join(err, r.Close())
	}

	return r, nil
}

func openReader(databaseURL string) (*sql.DB, error) {
	path, isSQLite := strings.CutPrefix(databaseURL, "sqlite:")
	if !isSQLite {
		config, err := parsePostgresURL(databaseURL)
		if err != nil {
			return nil, err
		}

		return stdlib.OpenDB(*config), nil
	}

	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("no database to read: %w: set SERAPH_DATABASE_URL as the service has it", err)
	}

	return openForReading(path)
}

// Audit lists at most limit records after one, oldest first.
func (r *AuditReader) Audit(ctx context.Context, after int64, limit int) ([]audit.Record, error) {
	rows, err := r.db.QueryContext(ctx, auditPage, after, limit)
	if err != nil {
		return nil, err
	}

	return scanEach(rows, scanRecord)
}

// AuditHead gives the newest record's number and hash, as they are stored beside the records.
func (r *AuditReader) AuditHead(ctx context.Context) (audit.Head, error) {
	return scanHead(r.db.QueryRowContext(ctx, auditHead))
}

// Close closes the database.
func (r *AuditReader) Close() error { return r.db.Close() }
