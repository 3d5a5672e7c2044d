// Package store is the database: deliveries, deployments, their timeline and reports, and the alarms that say when to look at them again. State
// and alarms live in one database, because what changes one changes the other in the same commit.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/rs/zerolog"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Options say which database to open, and how.
type Options struct {
	URL        string        // sqlite:PATH
	LockWait   time.Duration // how long to wait for another process to leave the file; 0: 30 s
	QueueLimit int           // writes that may wait at once; 0: 4096
	Log        zerolog.Logger
	Now        func() time.Time // nil: time.Now
}

// DB is an open database. It is safe for concurrent use; one process owns the file.
type DB struct {
	o      Options
	lock   *flock.Flock
	wdb    *sql.DB // one connection: the only writer
	rdb    *sql.DB // readers; they cannot write
	writer *writer
	alarms *alarms
	leases leases
	reads  sync.Map // query -> *sql.Stmt of rdb
	ring   atomic.Pointer[func(...deployment.Alarm)]
}

// Open opens the database, brings its tables up to date and takes its lock. When another process holds the lock it waits for LockWait, or until
// ctx ends. The error says what to do.
func Open(ctx context.Context, o Options) (*DB, error) {
	path, ok := strings.CutPrefix(o.URL, "sqlite:")
	if !ok || path == "" {
		return nil, errors.New("this version stores in SQLite only: set SERAPH_DATABASE_URL to sqlite:PATH")
	}
	o = withDefaults(o)
	db := &DB{o: o, leases: leases{held: map[leaseKey]time.Time{}}}
	if err := db.open(ctx, path); err != nil {
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

func (db *DB) open(ctx context.Context, path string) error {
	if err := db.takeLock(ctx, path); err != nil {
		return err
	}
	if err := private(path); err != nil {
		return err
	}
	if err := db.connect(path); err != nil {
		return err
	}
	if err := migrate(ctx, db.wdb); err != nil {
		return fmt.Errorf("the database %s cannot be brought up to date: %w", path, err)
	}
	alarms, err := newAlarms(db)
	if err != nil {
		return err
	}
	db.alarms = alarms
	if err := db.alarms.reset(ctx); err != nil {
		return fmt.Errorf("alarms of the last run cannot be reset: %w", err)
	}
	db.writer = newWriter(db, db.o.QueueLimit)
	return nil
}

// takeLock keeps a second process off the file.
func (db *DB) takeLock(ctx context.Context, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("the folder of the database cannot be made: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, db.o.LockWait)
	defer cancel()
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err == nil && !got {
		db.o.Log.Warn().Str("file", lock.Path()).Dur("for", db.o.LockWait).Msg("another process uses the database; waiting for it to end")
		got, err = lock.TryLockContext(ctx, 50*time.Millisecond)
	}
	if !got {
		return fmt.Errorf("another process uses the database %s (it holds %s): stop it, or give this one a database of its own: %w", path, lock.Path(), err)
	}
	db.lock = lock
	return err
}

// private makes the file readable by its owner only; SQLite gives -wal and -shm the same mode.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("the database file cannot be opened: %w", err)
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

const pragmas = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_txlock=immediate"

func (db *DB) connect(path string) error {
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas
	var err error
	if db.wdb, err = sql.Open("sqlite", name); err != nil {
		return err
	}
	db.wdb.SetMaxOpenConns(1)
	if db.rdb, err = sql.Open("sqlite", name+"&_pragma=query_only(1)"); err != nil {
		return err
	}
	db.rdb.SetMaxOpenConns(4)
	db.rdb.SetMaxIdleConns(4)
	return nil
}

// Bell says whom to tell that rows are due now. It is called after a commit, never inside one. Set it before Start.
func (db *DB) Bell(ring func(...deployment.Alarm)) { db.ring.Store(&ring) }

func (db *DB) rings(alarms ...deployment.Alarm) {
	if ring := db.ring.Load(); ring != nil && len(alarms) > 0 {
		(*ring)(alarms...)
	}
}

// Start runs the queue that rings for what is due later.
func (db *DB) Start(ctx context.Context) error { return db.alarms.start(ctx) }

// Stop ends the queue; what is due stays due.
func (db *DB) Stop(ctx context.Context) error { return db.alarms.stop(ctx) }

// Close writes what waits, closes the files and gives up the lock.
func (db *DB) Close() error {
	if db.writer != nil {
		db.writer.close()
	}
	var errs []error
	for _, pool := range []*sql.DB{db.rdb, db.wdb} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
	}
	return errors.Join(errs...)
}

// Ping says whether the database can be written.
func (db *DB) Ping(ctx context.Context) error {
	return db.write(ctx, func(*tx) error { return nil })
}

// QueueOK says whether the queue runs.
func (db *DB) QueueOK() error { return db.alarms.ok() }
