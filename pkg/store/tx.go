package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// tx is one write's share of a transaction.
type tx struct {
	*sql.Tx
	ctx      context.Context
	db       *DB
	now      time.Time
	prepared *writer                 // keeps prepared statements; nil: the driver does
	acts     []deployment.AuditEvent // appended to the audit last, because other writers to it wait from then on
	wrote    bool

	// What notifyAfterCommit announces.
	due     []deployment.Task
	timers  []timedTask
	changed bool // a deployment, so that the timeline has a new line
}

func (t *tx) fragments() fragments { return t.db.dialect.sql() }

// lockEnvironments makes other writers to these rows' environments and projects wait until the
// transaction ends.
func (t *tx) lockEnvironments(rows ...deployment.Deployment) error {
	return t.db.dialect.lockEnvironments(t, rows)
}

// exec runs a statement that writes.
func (t *tx) exec(query string, args ...any) (sql.Result, error) {
	t.wrote = true
	if stmt := t.stmt(query); stmt != nil {
		return stmt.ExecContext(t.ctx, args...)
	}
	return t.ExecContext(t.ctx, query, args...)
}

// row reads one row.
func (t *tx) row(query string, args []any, into ...any) error {
	if stmt := t.stmt(query); stmt != nil {
		return stmt.QueryRowContext(t.ctx, args...).Scan(into...)
	}
	return t.QueryRowContext(t.ctx, query, args...).Scan(into...)
}

// all reads rows.
func (t *tx) all(query string, args ...any) (*sql.Rows, error) {
	if stmt := t.stmt(query); stmt != nil {
		return stmt.QueryContext(t.ctx, args...)
	}
	return t.QueryContext(t.ctx, query, args...)
}

// query is one row to be read in a transaction. It is a scanner.
type query struct {
	t    *tx
	text string
	args []any
}

// Scan reads the row.
func (q query) Scan(into ...any) error { return q.t.row(q.text, q.args, into...) }

// stmt gives the prepared statement of a query. One that is not prepared yet will be after the
// batch, because the batch has the only connection.
func (t *tx) stmt(query string) *sql.Stmt {
	w := t.prepared
	if w == nil {
		return nil
	}
	if stmt, ok := w.inBatch[query]; ok {
		return stmt
	}

	prepared, ok := w.statements[query]
	if !ok {
		w.unprepared = append(w.unprepared, query)
		return nil
	}

	stmt := t.StmtContext(t.ctx, prepared)
	w.inBatch[query] = stmt
	return stmt
}
