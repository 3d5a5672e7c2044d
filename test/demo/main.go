// Command demo shows the whole loop on one machine, without any account: the real program on a new database, between a
// simulated GitHub, CircleCI and Slack. A deployment comes from GitHub; somebody deploys from the command line and rolls
// back; and in Slack alice asks, bob approves, CircleCI holds a job that carol approves, a deployment fails, and bob
// rolls it back.
//
//	demo BINARY    BINARY is the program; `make demo` builds both
//
// What it prints about GitHub, CircleCI and Slack is what the simulators recorded. Seraph's own lines are its log.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// limit is how long the deployments may take together. On an idle machine they take twenty seconds.
const limit = 5 * time.Minute

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo BINARY (`make demo` builds the program and runs this)")
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

// run plays all stories with one process of the program, and leaves nothing behind.
func run(ctx context.Context, binary string, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done after %s", limit))
	defer cancel()
	dir, err := os.MkdirTemp("", "seraph-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	w := newWorld(binary, dir, newScreen(out))
	defer func() { err = errors.Join(err, w.close()) }()
	ctx, err = w.open(ctx)
	if err != nil {
		return err
	}

	for _, play := range []func(context.Context) error{w.playGitHub, w.playCommandLine, w.playSlack} {
		if err := play(ctx); err != nil {
			return err
		}
	}
	return w.printSummary()
}
