package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/app"
	"github.com/seraph-deploy/seraph/pkg/config"
)

func (p *program) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "copy the SQLite database to a new file while the service runs",
		Long: "Copy the SQLite database that SERAPH_DATABASE_URL names to a new file, and verify the copy.\n" +
			"The service may run meanwhile. No other setting is needed. A PostgreSQL database is copied with\n" +
			"pg_dump instead.",
		Example: "seraph backup /var/backups/seraph.db --env-file /etc/seraph/seraph.env",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("backup needs one file to write to")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := p.untilSignal(cmd.Context())
			defer stop()
			return p.backup(ctx, args[0])
		},
	}
}

func (p *program) backup(ctx context.Context, file string) error {
	database, err := config.LoadDatabaseURL()
	if err != nil {
		return err
	}
	if err := app.Backup(ctx, database, file); err != nil {
		return err
	}

	_, err = fmt.Fprintln(p.stdout, "the database was copied to", file)
	return err
}
