package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// alarm is one that rings later.
type alarm struct {
	deployment.Task
	at time.Time
}

// clockReach is how far ahead this process rings by its own clock. River looks at what is scheduled
// only every 5 s, and each of its jobs costs several writes; what a crash takes of the clock's
// timers is read from the rows.
const clockReach = time.Minute

// ringsSoon rings by the clock.
func (db *DB) ringsSoon(soon []alarm, now time.Time) {
	for _, al := range soon {
		time.AfterFunc(al.at.Sub(now), func() { db.rings(al.Task) })
	}
}

// alarms ring for what is due later than the clock reaches. They carry nothing but the row's id:
// losing them all costs a few seconds, until what is overdue is read from the rows.
type alarms interface {
	start(ctx context.Context) error
	stop(ctx context.Context) error
	ok() error
}

// riverQueue is River, whose transactions are of type T.
type riverQueue[T any] struct {
	client  *river.Client[T]
	running atomic.Bool
}

type advanceArgs struct {
	Row int64 `json:"row"`
}

// Kind implements river.JobArgs.
func (advanceArgs) Kind() string { return "advance" }

type reportArgs struct {
	Row int64 `json:"row"`
}

// Kind implements river.JobArgs.
func (reportArgs) Kind() string { return "report" }

// ringing is the worker of both kinds: it rings and is done.
type ringing[A river.JobArgs] struct {
	river.WorkerDefaults[A]
	ring func(A)
}

// Work implements river.Worker.
func (r ringing[A]) Work(_ context.Context, job *river.Job[A]) error {
	r.ring(job.Args)
	return nil
}

// queueConfig is River's, for alarms that ring this database's bell.
func queueConfig(db *DB) *river.Config {
	workers := river.NewWorkers()
	river.AddWorker(workers, ringing[advanceArgs]{ring: func(a advanceArgs) { db.rings(advanceAlarm(a.Row)) }})
	river.AddWorker(workers, ringing[reportArgs]{ring: func(a reportArgs) { db.rings(reportAlarm(a.Row)) }})
	return &river.Config{
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 50}},
		Workers:                     workers,
		PollOnly:                    true, // what is due now never goes through River
		FetchCooldown:               5 * time.Millisecond,
		FetchPollInterval:           time.Second,
		JobTimeout:                  20 * time.Second,
		RescueStuckJobsAfter:        40 * time.Second,
		CompletedJobRetentionPeriod: time.Minute,
		DiscardedJobRetentionPeriod: time.Minute,
		Logger:                      slog.New(zerolog.NewSlogHandler(db.o.Log.Level(zerolog.WarnLevel))),
	}
}

func insertParams(list []alarm) []river.InsertManyParams {
	params := make([]river.InsertManyParams, len(list))
	for i, al := range list {
		params[i] = river.InsertManyParams{Args: al.args(), InsertOpts: &river.InsertOpts{ScheduledAt: al.at}}
	}
	return params
}

func (al alarm) args() river.JobArgs {
	if al.Kind == deployment.TaskReport {
		return reportArgs{Row: al.Row}
	}
	return advanceArgs{Row: al.Row}
}

func (q *riverQueue[T]) start(ctx context.Context) error {
	if err := q.client.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	q.running.Store(true)
	return nil
}

func (q *riverQueue[T]) stop(ctx context.Context) error {
	if !q.running.Swap(false) {
		return nil
	}
	return q.client.StopAndCancel(ctx)
}

func (q *riverQueue[T]) ok() error {
	if !q.running.Load() {
		return errors.New("the queue does not run")
	}
	return nil
}

// sqliteAlarms are inserted with what they are for, in one commit.
type sqliteAlarms struct{ riverQueue[*sql.Tx] }

// newSQLiteAlarms frees alarms that a crash left in the hands of a worker; River would do so only
// much later.
func newSQLiteAlarms(ctx context.Context, db *DB) (*sqliteAlarms, error) {
	if _, err := db.wdb.ExecContext(ctx, `UPDATE river_job SET state = 'available' WHERE state = 'running'`); err != nil {
		return nil, err
	}
	client, err := river.NewClient(riversqlite.New(db.wdb), queueConfig(db))
	return &sqliteAlarms{riverQueue[*sql.Tx]{client: client}}, err
}

func (a *sqliteAlarms) insert(ctx context.Context, tx *sql.Tx, list []alarm) error {
	if len(list) == 0 {
		return nil
	}
	_, err := a.client.InsertManyFastTx(ctx, tx, insertParams(list))
	return err
}
