// Command demo shows the whole loop on one machine without any account: the real program on a fresh database, a simulated GitHub and CircleCI,
// and two signed deployments, one that succeeds and one that is held, approved, and fails.
//
// What it prints of GitHub and CircleCI is what the simulators saw and hold; Seraph's own lines are its log.
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

// limit is how long all of it may take, with the build on a cold cache.
const limit = 3 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

// run plays all stories in one world, and leaves nothing behind.
func run(ctx context.Context, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done after %s", limit))
	defer cancel()
	dir, err := os.MkdirTemp("", "seraph-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w := newWorld(dir, newScreen(out))
	defer func() { err = errors.Join(err, w.close()) }()
	ctx, err = w.open(ctx)
	if err != nil {
		return err
	}
	for _, s := range stories {
		if err := w.play(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.environment, err)
		}
	}
	return w.summary()
}
