package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/seraph-deploy/seraph/pkg/app"
)

// checkTimeout bounds the whole conversation with GitHub and CircleCI.
const checkTimeout = 2 * time.Minute

// check validates the configuration and, unless offline, asks the world whether it is good.
func check(ctx context.Context, stdout, stderr io.Writer, offline bool) int {
	cfg, ok := load(stderr)
	if !ok {
		return exitConfig
	}
	for _, w := range cfg.Warnings {
		_, _ = fmt.Fprintln(stdout, "warning: "+w)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	findings, err := app.Check(ctx, cfg, offline)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitFailed
	}
	code := exitOK
	for _, f := range findings {
		_, _ = fmt.Fprintln(stdout, f.String())
		if f.Level == app.Wrong {
			code = exitFailed
		}
	}
	return code
}
