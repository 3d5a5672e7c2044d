package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// sqlite is one file in the hands of one process. All its writes go through one connection; leases
// are in memory, because a crash must free them all.
type sqlite struct {
	db     *DB
	lock   *flock.Flock
	writer *writer
	intake *writer // stores deliveries, in turn with the writer
	sound  bool    // the file was found good, or was left so
}

func openSQLite(ctx context.Context, db *DB, path string) error {
	l := &sqlite{db: db}
	db.dialect, db.leases = l, &sqliteLeases{db: db, until: map[deployment.Task]time.Time{}}
	if err := l.takeLock(ctx, path); err != nil {
		return err
	}
	if err := private(path); err != nil {
		return err
	}
	if err := l.connect(path); err != nil {
		return err
	}

	if err := l.proveIfUnclean(ctx); err != nil {
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
		return fmt.Errorf("the duties of the last run cannot be freed: %w", err)
	}

	l.writer, l.intake = newWriter(db, db.wdb), newWriter(db, db.wdb)
	for _, w := range []*writer{l.writer, l.intake} {
		w.prepares = true
		w.start()
	}

	return nil
}

// takeLock keeps a second process off the file.
func (l *sqlite) takeLock(ctx context.Context, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("the folder of the database cannot be made: %w", err)
	}

	ctx, cancel := context.WithTimeout(ctx, l.db.o.LockWait)
	defer cancel()
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err == nil && !got {
		l.db.o.Log.Warn().
			Str("file", lock.Path()).
			Dur("for", l.db.o.LockWait).
			Msg("another process uses the database; waiting for it to end")

		got, err = lock.TryLockContext(ctx, 50*time.Millisecond)
	}

	if !got {
		return fmt.Errorf(
			"another process uses the database %s (it holds %s): stop it, or give this one a database of its own: %w",
			path,
			lock.Path(),
			err,
		)
	}

	l.lock = lock
	return err
}

// inUse stands in the lock's file while a process has the database open.
const inUse = "in use\n"

// proveIfUnclean checks the file where the last process did not close it.
func (l *sqlite) proveIfUnclean(ctx context.Context) error {
	text, err := os.ReadFile(l.lock.Path())
	if err != nil {
		return err
	}

	if string(text) == inUse {
		if err := integrity(ctx, l.db.wdb); err != nil {
			return err
		}

		l.db.o.Log.Warn().Msg("the last process did not end cleanly; the database was checked and is sound")
	}

	l.sound = true
	return os.WriteFile(l.lock.Path(), []byte(inUse), 0o600)
}

// private makes the file readable by its owner only; SQLite gives -wal and -shm the same mode.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("the database file cannot be opened: %w", err)
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

const pragmas = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(2000)&_pragma=foreign_keys(1)&_pragma=temp_store(2)&_txlock=immediate"

func (l *sqlite) connect(path string) error {
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas
	var err error
	if l.db.wdb, err = sql.Open("sqlite", name); err != nil {
		return err
	}

	l.db.wdb.SetMaxOpenConns(1)
	if l.db.rdb, err = sql.Open("sqlite", name+"&_pragma=query_only(1)"); err != nil {
		return err
	}

	l.db.rdb.SetMaxOpenConns(4)
	l.db.rdb.SetMaxIdleConns(4)
	return nil
}

func (l *sqlite) write(ctx context.Context, do func(*tx) error) error {
	return l.writer.write(newItem(ctx, do))
}

func (l *sqlite) ping(ctx context.Context) error {
	return l.intake.write(newItem(ctx, func(*tx) error { return nil }))
}

func (l *sqlite) lockEnvironments(*tx, []deployment.Deployment) error { return nil } // there is one writer

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
