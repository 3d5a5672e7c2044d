package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// postgresLeases are columns of the rows, where all processes see them.
type postgresLeases struct {
	p   *postgres
	own sync.Map // task -> when this process's lease of it ends, as it is stored
}

// take does not wait until the lease is on the server's disk. A server that crashes and forgets it
// lets another worker have the row too early, which the row's version makes harmless.
func (l *postgresLeases) take(
	ctx context.Context,
	task deployment.Task,
	columns string,
	scan func(scanner) error,
) (now time.Time, ok bool, err error) {
	leave, err := l.p.waitForTurn(ctx)
	if err != nil {
		return now, false, err
	}

	defer leave()

	now = l.p.db.o.Now()
	until := micros(now.Add(leaseFor))
	err = scan(l.p.db.wdb.QueryRowContext(
		ctx,
		takeStatement(task, columns),
		task.Row,
		until,
		micros(now),
		micros(now.Add(longestLease)),
	))
	if errors.Is(err, sql.ErrNoRows) {
		return now, false, nil
	}
	if err != nil {
		return now, false, err
	}

	l.own.Store(task, until)
	return now, true, nil
}

// takeStatement takes a lease, and has the commit of its own transaction not wait for the disk.
func takeStatement(task deployment.Task, columns string) string {
	column := leaseColumn(task)
	return `
		UPDATE ` + taskTable(task) + `
		SET ` + column + ` = $2
		WHERE row_id = $1 AND ` + dueColumn(task) + ` <= $3 AND (` + column + ` <= $3 OR ` + column + ` > $4) AND
			(SELECT set_config('synchronous_commit', 'off', true)) = 'off'
		RETURNING ` + columns
}

func (l *postgresLeases) giveBack(ctx context.Context, task deployment.Task) error {
	until, ok := l.own.LoadAndDelete(task)
	if !ok {
		return nil
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()

	column := leaseColumn(task)
	_, err := l.p.db.wdb.ExecContext(ctx,
		`UPDATE `+taskTable(task)+` SET `+column+` = 0 WHERE row_id = $1 AND `+column+` = $2`,
		task.Row,
		until,
	)
	return err
}

// ended forgets the lease: the commit has set the column.
func (l *postgresLeases) ended(task deployment.Task) { l.own.Delete(task) }

func (l *postgresLeases) extended(task deployment.Task, until time.Time) {
	l.own.Store(task, micros(until))
}

// isTaken is false: the fragments look at the columns.
func (l *postgresLeases) isTaken(deployment.Task, time.Time) bool { return false }

func (l *postgresLeases) isCurrent(_ deployment.Task, until time.Time, column int64) bool {
	return micros(until) == column
}

func leaseColumn(task deployment.Task) string {
	if task.Kind == deployment.TaskReport {
		return "report_leased_until"
	}
	return "leased_until"
}
