package store

import (
	"context"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// postgresLeases are columns of the rows, where all processes see them.
type postgresLeases struct{ p *postgres }

func (l postgresLeases) take(ctx context.Context, task deployment.Task) (now time.Time, ok bool, err error) {
	leave, err := l.p.waitForTurn(ctx)
	if err != nil {
		return now, false, err
	}

	defer leave()

	now = l.p.db.o.Now()
	column := leaseColumn(task)
	ok, err = changedOne(l.p.db.wdb.ExecContext(ctx, `
		UPDATE deployments
		SET `+column+` = $2
		WHERE row_id = $1 AND `+dueColumn(task)+` <= $3 AND `+column+` <= $3`,
		task.Row,
		micros(now.Add(leaseFor)),
		micros(now),
	))

	return now, ok, err
}

func (l postgresLeases) giveBack(ctx context.Context, task deployment.Task) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()

	_, err := l.p.db.wdb.ExecContext(ctx, `UPDATE deployments SET `+leaseColumn(task)+` = 0 WHERE row_id = $1`, task.Row)
	return err
}

// ended has nothing to do: the commit has set the column.
func (l postgresLeases) ended(deployment.Task) {}

// isTaken is false: the fragments look at the columns.
func (l postgresLeases) isTaken(deployment.Task, time.Time) bool { return false }

func (l postgresLeases) isCurrent(_ deployment.Task, until time.Time, column int64) bool {
	return micros(until) == column
}

func leaseColumn(task deployment.Task) string {
	if task.Kind == deployment.TaskReport {
		return "report_leased_until"
	}
	return "leased_until"
}
