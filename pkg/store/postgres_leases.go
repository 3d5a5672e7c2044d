package store

import (
	"context"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// postgresLeases are columns of the rows, where all processes see them.
type postgresLeases struct {
	p   *postgres
	own sync.Map // task -> when this process's lease of it ends, as it is stored
}

func (l *postgresLeases) take(ctx context.Context, task deployment.Task) (now time.Time, ok bool, err error) {
	leave, err := l.p.waitForTurn(ctx)
	if err != nil {
		return now, false, err
	}

	defer leave()

	now = l.p.db.o.Now()
	until := micros(now.Add(leaseFor))
	column := leaseColumn(task)
	ok, err = changedOne(l.p.db.wdb.ExecContext(ctx, `
		UPDATE `+taskTable(task)+`
		SET `+column+` = $2
		WHERE row_id = $1 AND `+dueColumn(task)+` <= $3 AND (`+column+` <= $3 OR `+column+` > $4)`,
		task.Row,
		until,
		micros(now),
		micros(now.Add(longestLease)),
	))
	if ok {
		l.own.Store(task, until)
	}

	return now, ok, err
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
