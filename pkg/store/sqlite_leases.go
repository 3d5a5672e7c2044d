package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// sqliteLeases are in memory: the file belongs to one process, and its crash must end them all.
type sqliteLeases struct {
	db    *DB
	mu    sync.Mutex
	until map[deployment.Task]time.Time
}

func (l *sqliteLeases) take(
	ctx context.Context,
	task deployment.Task,
	columns string,
	scan func(scanner) error,
) (now time.Time, ok bool, err error) {
	now = l.db.o.Now()
	if !l.reserve(task, now) {
		return now, false, nil
	}

	err = scan(l.db.get(
		ctx,
		`SELECT `+columns+` FROM `+taskTable(task)+` WHERE row_id = $1 AND `+dueColumn(task)+` <= $2`,
		task.Row,
		micros(now),
	))
	if err == nil {
		return now, true, nil
	}

	l.ended(task)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}

	return now, false, err
}

func (l *sqliteLeases) reserve(task deployment.Task, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	if l.stands(task, now) {
		return false
	}

	l.until[task] = now.Add(leaseFor)
	return true
}

func (l *sqliteLeases) giveBack(_ context.Context, task deployment.Task) error {
	l.ended(task)
	return nil
}

func (l *sqliteLeases) ended(task deployment.Task) {
	l.mu.Lock()
	defer l.mu.Unlock()

	delete(l.until, task)
}

func (l *sqliteLeases) isTaken(task deployment.Task, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.stands(task, now)
}

// stands reports whether a task is leased. A lease that was taken before the clock was set back is not.
func (l *sqliteLeases) stands(task deployment.Task, now time.Time) bool {
	until := l.until[task]
	return until.After(now) && !until.After(now.Add(longestLease))
}

func (l *sqliteLeases) extended(task deployment.Task, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.until[task] = until
}

func (l *sqliteLeases) isCurrent(task deployment.Task, until time.Time, _ int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.until[task].Equal(until)
}
