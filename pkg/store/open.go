// Package store is the database: deliveries, deployments with their timeline and reports, locks,
// approvals and the audit. They live in one database because one commit often changes several of
// them.
//
// There is no separate job queue. Each deployment's row says when the deployment is due for its
// next step (due_at) and when its next report is due (report_due_at). After a commit the store
// calls the function given to OnDue for rows that are due now, and sets a timer in memory for rows
// that are due within the next minute. Timers are lost with the process, and rows due later get
// none: the engine finds both, because it asks Overdue when it starts and every few seconds. The
// file due.go lists who changes the two times.
//
// Several processes may share a PostgreSQL database, and what divides the work among them is
// PostgreSQL itself. A lease in the row (leased_until) keeps other processes from a row for 25 s
// while one of them works on it. The lease may run out in the middle of the work, so the write is
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
	URL string // sqlite:PATH, postgres://... or postgresql://...
	// how long to wait for another process to leave the file, or to end its migrations; 0: 30 s
	LockWait   time.Duration
	QueueLimit int // writes that may wait at once; 0: 4096
	Log        zerolog.Logger
	Now        func() time.Time // nil: time.Now
}

// DB is an open database. It is safe for concurrent use. One process owns an SQLite file; many may
// share a PostgreSQL database.
type DB struct {
	o       Options
	dialect dialect
	leases  rowLeases
	wdb     *sql.DB
	rdb     *sql.DB  // readers
	reads   sync.Map // query -> *sql.Stmt of rdb
	onDue   atomic.Pointer[func(...deployment.Task)]
}

// dialect is what SQLite and PostgreSQL do differently.
type dialect interface {
	// write does one thing in a transaction; nil means that it is on disk.
	write(ctx context.Context, do func(*tx) error) error
	// accept stores a delivery, in one transaction with others that come in at the same time.
	accept(ctx context.Context, in *incoming) error
	// lockEnvironments keeps other writers to these rows' environments and projects out until the
	// end of the transaction.
	lockEnvironments(t *tx, rows []deployment.Deployment) error
	// lockLocks keeps starts, and whoever else changes locks, out until the end of the transaction.
	lockLocks(t *tx) error
	// ping says whether the database can be written.
	ping(ctx context.Context) error
	// sql gives the words that differ.
	sql() fragments
	// close ends what runs, closes the connections, and gives up locks.
	close() error
}

// fragments are the parts of statements in which the dialects differ.
type fragments struct {
	forUpdate   string // after a SELECT in a transaction: keeps the row from other writers until its end
	endLease    string // in an UPDATE's SET: ends the lease of the row
	endReports  string // ends the lease of its reports
	freeRow     string // in a WHERE that has the time as $1: nobody has the row
	freeReports string

	leasedReports string // in a SELECT: the end of the reports' lease
}

// Open opens the database, brings its tables up to date, and takes the lock of an SQLite file. When
// another process holds the lock it waits for LockWait, or until ctx ends. The error says what to
// do and holds no password.
func Open(ctx context.Context, o Options) (*DB, error) {
	db := &DB{o: withDefaults(o)}
	path, sqlite := strings.CutPrefix(o.URL, "sqlite:")
	var err error
	switch {
	case sqlite && path != "":
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

func withDefaults(o Options) Options {
	if o.LockWait == 0 {
		o.LockWait = 30 * time.Second
	}
	if o.QueueLimit == 0 {
		o.QueueLimit = 4096
	}
	if o.Now == nil {
		o.Now = time.Now
	}

	return o
}

// OnDue sets the function that is called with tasks that are due now. It is called after the commit
// that made them due, never inside one, on the goroutine that writes: it must not block. Before
// OnDue nobody is told.
func (db *DB) OnDue(announce func(...deployment.Task)) { db.onDue.Store(&announce) }

// Close writes what waits, closes the database and gives up its lock.
func (db *DB) Close() error {
	if db.dialect == nil {
		return nil
	}
	return db.dialect.close()
}

// closePools closes the connections; one pool may serve both.
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
	var found, none T
	err := db.write(ctx, func(t *tx) (err error) {
		found, err = do(t)
		return err
	})

	if err != nil {
		return none, err
	}

	return found, nil
}

// Ping says whether the database can be written. It does not stand in the workers' line.
func (db *DB) Ping(ctx context.Context) error { return db.dialect.ping(ctx) }
