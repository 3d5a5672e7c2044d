package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations
var migrations embed.FS

// migrateSQLite brings our tables and River's up to date. Both are no-ops on a database that is.
func migrateSQLite(ctx context.Context, db *sql.DB) error {
	if err := migrate(ctx, goose.DialectSQLite3, db, "migrations/sqlite"); err != nil {
		return err
	}
	return migrateQueue(ctx, riversqlite.New(db))
}

// migratePostgres does the same; the caller holds the lock that keeps other replicas from it.
func migratePostgres(ctx context.Context, db *sql.DB, pool *pgxpool.Pool) error {
	if err := migrate(ctx, goose.DialectPostgres, db, "migrations/postgres"); err != nil {
		return err
	}
	return migrateQueue(ctx, riverpgxv5.New(pool))
}

// migrate applies what is missing. A database that a newer version has changed is refused: this one
// does not know what it means.
func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB, folder string) error {
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return err
	}

	provider, err := goose.NewProvider(dialect, db, files)
	if err != nil {
		return err
	}

	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}

	if current > target {
		return fmt.Errorf(
			"its schema is version %d, made by a newer Seraph, and this one knows up to %d: run the newer one",
			current,
			target,
		)
	}

	_, err = provider.Up(ctx)
	return err
}

func migrateQueue[T any](ctx context.Context, driver riverdriver.Driver[T]) error {
	river, err := rivermigrate.New(driver, nil)
	if err != nil {
		return err
	}
	_, err = river.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}
