package main

import (
	"context"
	"fmt"
	"io"

	"github.com/seraph-deploy/seraph/pkg/app"
)

// backup copies the database that the configuration names.
func backup(ctx context.Context, file string, stdout, stderr io.Writer) int {
	cfg, ok := load(stderr)
	if !ok {
		return exitConfig
	}
	if err := app.Backup(ctx, cfg, file); err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitFailed
	}
	_, _ = fmt.Fprintln(stdout, "the database was copied to", file)
	return exitOK
}
