package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the tables up to date. It refuses a database whose schema is newer than this program
// knows. On PostgreSQL the caller holds the lock that keeps other replicas from migrating at the
// same time.
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
			"the schema is version %d, made by a newer Seraph, and this one knows up to %d: run the newer one",
			current,
			target,
		)
	}

	_, err = provider.Up(ctx)
	return err
}
