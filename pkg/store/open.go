// Package store is the database: deliveries, requests (package deployment calls them intents), deployments with
// their timeline and reports, locks, approvals, what has succeeded where, answers to messages, and the audit.
// They live in one database because one commit often changes several of them.
//
// A webhook is answered only after its delivery and its deployment are committed. Deliveries that come in at the
// same time share a commit, without waiting for more to come: PostgreSQL stores such a batch by one
// statement, SQLite row by row, because there a statement over json_each takes longer.
//
// There is no separate job queue. Each deployment's row says when the deployment is due for its
// next step (due_at) and when its next report is due (report_due_at). After a commit the store
// calls the function given to OnDue for rows that are due now, and sets a timer in memory for rows
// that are due within the next minute. Timers are lost with the process, and rows due later get
// none: the engine finds both, because it asks Overdue when it starts and every few seconds. The
// file due.go lists who changes the two times.
//
// Several processes may share a PostgreSQL database, and what divides the work among them is
// PostgreSQL itself. A lease in the row (leased_until) keeps other processes from a row for 25 s,
// and during a trigger for 25 s longer than the call may take (45 s by default), while one of them
// works on it. The lease may run out in the middle of the work, so the write is
// checked again: the row's version rejects one that is based on an older state of the row, and
// reports are written only under the lease they were read with. One advisory lock per environment
// (and one per CircleCI project), held until the transaction ends, lets only one process at a time
// decide who may start there; unique indexes would reject a second start. An SQLite file belongs to
// one process, whose leases are in memory.
package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Options say which database to open, and how.
type Options struct {
	URL        string        // sqlite:PATH, postgres://... or postgresql://...
	LockWait   time.Duration // how long to wait for another process to leave the file or end its migrations; 0: 30 s
	QueueLimit int           // writes that may wait at once; 0: 4096
	Log        zerolog.Logger
	Now        func() time.Time // nil: time.Now
}

// DB is an open database. It is safe for concurrent use. One process owns an SQLite file; several
// may share a PostgreSQL database.
//
// Its methods come from small types, one for each subject, which all work on the same database. The
// embedded names in lower case are aliases: a field named Locks would hide the method Locks.
type DB struct {
	Intake
	Deployments
	DueRows
	Environments
	Outbox
	Messages
	Pipelines
	locks
	approvals
	auditTrail
	Leases
	Links
	Redeliveries
	Requests
	ChatDeliveries
	Retention

	o       Options
	dialect dialect
	leases  rowLeases
	wdb     *sql.DB  // for writes
	rdb     *sql.DB  // for reads; on PostgreSQL the same pool
	reads   sync.Map // query -> *sql.Stmt of rdb
	onDue   atomic.Pointer[func(...deployment.Task)]

	onChange atomic.Pointer[func()]
	clock    clockWatch
}

type (
	locks      = Locks
	approvals  = Approvals
	auditTrail = Audit
)

// Intake stores deliveries and knows what was accepted.
type Intake struct{ db *DB }

// Deployments reads and writes rows.
type Deployments struct{ db *DB }

// DueRows finds, leases and wakes rows that are due.
type DueRows struct{ db *DB }

// Environments answers what there is and was in an environment.
type Environments struct{ db *DB }

// Outbox holds the reports for GitHub.
type Outbox struct{ db *DB }

// Pipelines knows which pipelines were seen and whose they are, and CircleCI's projects.
type Pipelines struct{ db *DB }

// Locks holds the locks on environments, and notices for their owners.
type Locks struct{ db *DB }

// Approvals holds the approvals of deployments.
type Approvals struct{ db *DB }

// Audit holds the audit records.
type Audit struct{ db *DB }

// Leases holds the named leases of periodic work.
type Leases struct{ db *DB }

// Links holds who users of chat systems are at GitHub, and the links that are under way.
type Links struct{ db *DB }

// Redeliveries counts how often GitHub was asked to repeat a delivery.
type Redeliveries struct{ db *DB }

// Requests holds what people asked for through this service.
type Requests struct{ db *DB }

// Retention deletes what is old.
type Retention struct{ db *DB }

// Open opens the database, brings its tables up to date, and takes the lock of an SQLite file. When
// another process holds the lock it waits for LockWait, or until ctx ends. The error says what to
// do and holds no password.
func Open(ctx context.Context, o Options) (*DB, error) {
	db := newDB(o)
	path, isSQLite := strings.CutPrefix(o.URL, "sqlite:")

	var err error
	switch {
	case isSQLite && path != "":
		err = openSQLite(ctx, db, path)
	case strings.HasPrefix(o.URL, "postgres://"), strings.HasPrefix(o.URL, "postgresql://"):
		err = openPostgres(ctx, db)
	default:
		err = errors.New("the database must be sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME")
	}

	if err != nil {
		return nil, errors.Join(err, db.Close())
	}

	return db, nil
}

func newDB(o Options) *DB {
	if o.LockWait == 0 {
		o.LockWait = 30 * time.Second
	}
	if o.QueueLimit == 0 {
		o.QueueLimit = 4096
	}
	if o.Now == nil {
		o.Now = time.Now
	}

	db := &DB{o: o}
	db.Intake = Intake{db}
	db.Deployments = Deployments{db}
	db.DueRows = DueRows{db}
	db.Environments = Environments{db}
	db.Outbox = Outbox{db}
	db.Messages = Messages{db}
	db.Pipelines = Pipelines{db}
	db.locks = Locks{db}
	db.approvals = Approvals{db}
	db.auditTrail = Audit{db}
	db.Leases = Leases{db}
	db.Links = Links{db}
	db.Redeliveries = Redeliveries{db}
	db.Requests = Requests{db}
	db.ChatDeliveries = ChatDeliveries{db}
	db.Retention = Retention{db}
	return db
}

// OnDue sets the function that is called with tasks that are due now. It is called after the commit
// that made them due, never inside one, on the goroutine that writes: it must not block. Tasks
// that become due before OnDue is set are not announced.
func (db *DB) OnDue(announce func(...deployment.Task)) { db.onDue.Store(&announce) }

// Ping says whether the database can be written. It waits behind deliveries, and not behind the
// writes of workers.
func (db *DB) Ping(ctx context.Context) error { return db.dialect.ping(ctx) }

// Close commits what waits, closes the database and gives up its lock.
func (db *DB) Close() error {
	if db.dialect == nil {
		return nil
	}
	return db.dialect.close()
}

// closePools closes the connections. One pool may serve both reads and writes.
func (db *DB) closePools() error {
	var errs []error
	for _, pool := range []*sql.DB{db.rdb, db.wdb} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}

	return errors.Join(errs...)
}

func (db *DB) write(ctx context.Context, do func(*tx) error) error { return db.dialect.write(ctx, do) }

// writeFor writes and gives what the write found. After an error that is nothing: the write may go
// on after its caller has left.
func writeFor[T any](ctx context.Context, db *DB, do func(*tx) (T, error)) (T, error) {
	return resultOf(ctx, db.dialect.write, do)
}

// resultOf is writeFor with the function that writes, write or receive of the dialect.
func resultOf[T any](
	ctx context.Context,
	write func(context.Context, func(*tx) error) error,
	do func(*tx) (T, error),
) (T, error) {
	var found, none T
	err := write(ctx, func(t *tx) (err error) {
		found, err = do(t)
		return err
	})
	if err != nil {
		return none, err
	}

	return found, nil
}
