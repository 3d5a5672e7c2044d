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
)

// takeLock keeps other processes from the file, by a lock file beside it.
func (l *sqlite) takeLock(ctx context.Context, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create folder of the database: %w", err)
	}

	ctx, cancel := context.WithTimeout(ctx, l.db.o.LockWait)
	defer cancel()

	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock the database by the file %s: %w", lock.Path(), err)
	}
	if !got {
		l.db.o.Log.Warn().
			Str("file", lock.Path()).
			Dur("for", l.db.o.LockWait).
			Msg("another process uses the database, waiting for it to end")

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
	return nil
}

// inUse is in the lock file while a process has the database open.
const inUse = "in use\n"

// checkIfUnclean checks the file if the last process did not close it.
func (l *sqlite) checkIfUnclean(ctx context.Context) error {
	text, err := os.ReadFile(l.lock.Path())
	if err != nil {
		return err
	}

	if string(text) == inUse {
		if err := checkIntegrity(ctx, l.db.wdb); err != nil {
			return err
		}

		l.db.o.Log.Warn().Msg("database checked after an unclean end, no fault found")
	}

	l.sound = true
	return os.WriteFile(l.lock.Path(), []byte(inUse), 0o600)
}

// checkIntegrity returns an error if SQLite finds the file damaged.
func checkIntegrity(ctx context.Context, db *sql.DB) error {
	var result string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&result); err != nil {
		return err
	}
	if result != "ok" {
		return fmt.Errorf("check database: %s", result)
	}

	return nil
}

// makePrivate creates the file if needed and lets only its owner read it. SQLite gives -wal and -shm
// the same mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open database file: %w", err)
	}

	return errors.Join(f.Chmod(0o600), f.Close())
}

// openForReading opens a file that another process may have open.
func openForReading(path string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(10000)")
}
