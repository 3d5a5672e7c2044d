package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/app"
	"github.com/seraph-deploy/seraph/pkg/config"
)

func (p *program) backupCommand() *command {
	return &command{
		name:      "backup",
		arguments: "FILE",
		short:     "copy the SQLite database to a new file while the service runs",
		long: "Copy the SQLite database that SERAPH_DATABASE_URL names to a new file, and verify the copy.\n" +
			"The service may run meanwhile. A PostgreSQL database is copied with pg_dump instead.",
		example: "seraph backup /var/backups/seraph.db --env-file /etc/seraph/seraph.env",
		check: func(args []string) error {
			if len(args) != 1 {
				return errors.New("backup needs one file to write to")
			}

			return nil
		},
		run: func(ctx context.Context, args []string) error { return p.backup(ctx, args[0]) },
	}
}

func (p *program) backup(ctx context.Context, file string) error {
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	if err := app.Backup(ctx, cfg, file); err != nil {
		return err
	}

	_, err = fmt.Fprintln(p.stdout, "the database was copied to", file)
	return err
}
