package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// sqlite is one file that belongs to one process. All writes go through one connection, in batches.
type sqlite struct {
	db     *DB
	lock   *flock.Flock
	writer *writer
	intake *writer // stores deliveries, in turn with the writer
	sound  bool    // the file was found sound, or was left so
}

func openSQLite(ctx context.Context, db *DB, path string) error {
	l := &sqlite{db: db}
	db.dialect, db.leases = l, &sqliteLeases{db: db, until: map[deployment.Task]time.Time{}}

	if err := l.takeLock(ctx, path); err != nil {
		return err
	}
	if err := makePrivate(path); err != nil {
		return err
	}
	if err := l.connect(path); err != nil {
		return err
	}
	if err := l.checkIfUnclean(ctx); err != nil {
		return fmt.Errorf(
			"the database %s cannot be trusted: restore a backup, or repair it with sqlite3's .recover: %w",
			path,
			err,
		)
	}

	if err := migrate(ctx, goose.DialectSQLite3, db.wdb, "migrations/sqlite"); err != nil {
		return fmt.Errorf("the database %s cannot be brought up to date: %w", path, err)
	}
	if _, err := db.wdb.ExecContext(ctx, `UPDATE duties SET held_until = 0`); err != nil {
		return fmt.Errorf("end the named leases of the last run: %w", err)
	}

	l.writer, l.intake = newWriter(db, db.wdb), newWriter(db, db.wdb)
	l.writer.maxBatch = maxWorkerBatch
	l.writer.yields = l.intake.busy.Load
	for _, w := range []*writer{l.writer, l.intake} {
		w.prepares = true
		w.start()
	}

	return nil
}

// sqliteOptions: each commit is synced; transactions take the write lock at their start; temporary
// files are in memory.
const sqliteOptions = "_pragma=busy_timeout(5000)" +
	"&_pragma=journal_mode(WAL)" +
	"&_pragma=synchronous(FULL)" +
	"&_pragma=wal_autocheckpoint(2000)" +
	"&_pragma=foreign_keys(1)" +
	"&_pragma=temp_store(2)" +
	"&_txlock=immediate"

func (l *sqlite) connect(path string) (err error) {
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + sqliteOptions
	l.db.wdb, err = sql.Open("sqlite", name)
	if err != nil {
		return err
	}

	l.db.wdb.SetMaxOpenConns(1)

	l.db.rdb, err = sql.Open("sqlite", name+"&_pragma=query_only(1)")
	if err != nil {
		return err
	}

	l.db.rdb.SetMaxOpenConns(4)
	l.db.rdb.SetMaxIdleConns(4)
	return nil
}

func (l *sqlite) write(ctx context.Context, do func(*tx) error) error {
	return l.writer.write(newItem(ctx, do))
}

func (l *sqlite) receive(ctx context.Context, do func(*tx) error) error {
	return l.intake.write(newItem(ctx, do))
}

func (l *sqlite) ping(ctx context.Context) error {
	return l.receive(ctx, func(*tx) error { return nil })
}

// lockEnvironments has nothing to do: there is one connection for writes.
func (l *sqlite) lockEnvironments(*tx, []deployment.Deployment) error { return nil }

// lockLocks has nothing to do either.
func (l *sqlite) lockLocks(*tx) error { return nil }

func (l *sqlite) sql() fragments {
	return fragments{freeRow: "1 = 1", freeReports: "1 = 1", leasedReports: "0"}
}

func (l *sqlite) close() error {
	for _, w := range []*writer{l.intake, l.writer} {
		if w != nil {
			w.close()
		}
	}

	err := l.db.closePools()
	if l.sound && err == nil {
		err = os.WriteFile(l.lock.Path(), nil, 0o600)
	}
	if l.lock != nil {
		err = errors.Join(err, l.lock.Close())
	}

	return err
}
