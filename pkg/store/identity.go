package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// undefinedFunction and insufficientPrivilege are PostgreSQL's codes for a function that a service like
// PostgreSQL does not have, or does not let everybody call.
const (
	undefinedFunction     = "42883"
	insufficientPrivilege = "42501"
)

// identityStatement names the cluster, the timeline, which grows with each fail-over, and the start of the
// server.
const identityStatement = `SELECT (SELECT system_identifier FROM pg_control_system())::text
	|| ' ' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
	|| ' ' || pg_postmaster_start_time()::text`

// Identity names the database server as far as it can be distinguished from another one that has the same rows: a
// standby that was promoted may lack the last commits. It is empty for an SQLite file, which one process
// alone writes, and where PostgreSQL does not tell.
func (db *DB) Identity(ctx context.Context) (string, error) {
	if _, ok := db.dialect.(*postgres); !ok {
		return "", nil
	}

	var identity string
	err := db.wdb.QueryRowContext(ctx, identityStatement).Scan(&identity)

	var refused *pgconn.PgError
	if errors.As(err, &refused) && (refused.Code == undefinedFunction || refused.Code == insufficientPrivilege) {
		return "", nil
	}

	return identity, err
}
