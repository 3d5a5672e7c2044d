package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
)

// Backup copies the SQLite database of a URL to a new file while it is in use, as it was at one
// moment, and proves the copy.
func Backup(ctx context.Context, databaseURL, file string) error {
	path, ok := strings.CutPrefix(databaseURL, "sqlite:")
	if !ok {
		return errors.New("backup copies an SQLite file: for PostgreSQL use pg_dump --format=custom")
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("there is no database to copy: %w", err)
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already: name a new file", file)
	}
	if err := private(file); err != nil { // an empty file is taken; it has its mode before it has anything to hide
		return err
	}

	err := withFile(ctx, path, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, `VACUUM INTO $1`, file)
		return err
	})

	if err == nil {
		err = withFile(ctx, file, func(db *sql.DB) error { return integrity(ctx, db) })
	}
	if err == nil {
		err = synced(file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("the copy is not good: %w", err), os.Remove(file))
	}

	return nil
}

func withFile(_ context.Context, path string, do func(*sql.DB) error) error {
	db, err := openFile(path)
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

// openFile opens a database that another process may have in its hands, to read only.
func openFile(path string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(10000)")
}

func synced(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// integrity says whether SQLite finds the file sound.
func integrity(ctx context.Context, db *sql.DB) error {
	var word string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&word); err != nil {
		return err
	}
	if word != "ok" {
		return fmt.Errorf("SQLite finds it damaged: %s", word)
	}
	return nil
}
