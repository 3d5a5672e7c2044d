package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Backup copies the SQLite database of a URL to a new file while it may be in use, as it is at one
// moment, and verifies the copy.
func Backup(ctx context.Context, databaseURL, file string) error {
	path, ok := strings.CutPrefix(databaseURL, "sqlite:")
	if !ok {
		return errors.New("backup copies an SQLite file: for PostgreSQL use pg_dump --format=custom")
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("no database to copy: %w: set SERAPH_DATABASE_URL as the service has it", err)
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already: name a new file", file)
	}

	// The file gets its mode while it is empty. SQLite accepts an empty file as new.
	if err := makePrivate(file); err != nil {
		return err
	}

	if err := copyDatabase(ctx, path, file); err != nil {
		return errors.Join(fmt.Errorf("copy database: %w", err), os.Remove(file))
	}
	if err := verifyBackup(ctx, file); err != nil {
		return errors.Join(fmt.Errorf("verify backup: %w", err), os.Remove(file))
	}

	return nil
}

func copyDatabase(ctx context.Context, path, file string) error {
	db, err := openForReading(path)
	if err != nil {
		return err
	}

	_, err = db.ExecContext(ctx, `VACUUM INTO $1`, file)
	return errors.Join(err, db.Close())
}

// verifyBackup checks the copy and syncs it to disk.
func verifyBackup(ctx context.Context, file string) error {
	db, err := openForReading(file)
	if err != nil {
		return err
	}
	if err := errors.Join(checkIntegrity(ctx, db), db.Close()); err != nil {
		return err
	}

	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}

	return errors.Join(f.Sync(), f.Close())
}
