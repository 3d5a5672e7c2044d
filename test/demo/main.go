// Command demo shows the main job on one machine without any account: the real service on a fresh database, simulated GitHub and CircleCI, and
// two signed deployments, one that succeeds and one that is held, approved, and fails. What it prints is what the service logs and what the
// simulated GitHub was told.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

const (
	repository = "acme/api"
	project    = "gh/acme/api"
	limit      = 60 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done after %s", limit))
	defer cancel()
	dir, err := os.MkdirTemp("", "seraph-demo")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	screen := newScreen(out)
	w, err := newWorld(ctx, dir, screen)
	if err != nil {
		return err
	}
	defer w.close()
	for _, s := range stories {
		if err := w.play(ctx, s); err != nil {
			return err
		}
	}
	return w.summary()
}

// story is one deployment and how it must end.
type story struct {
	environment, scenario string
	approve               bool
	end                   string
}

var stories = []story{
	{environment: "staging", scenario: "success", end: "success"},
	{environment: "production", scenario: "approve-then-fail", approve: true, end: "failure"},
}

// play deploys, approves where a person is asked, and waits for GitHub to show the end.
func (w *world) play(ctx context.Context, s story) error {
	w.screen.title("deploy main of %s to %s", repository, s.environment)
	if err := w.circleci.Expect(project, s.scenario); err != nil {
		return err
	}
	before := len(w.circleci.Pipelines())
	d, err := w.github.CreateDeployment(repository, github.NewDeployment{Ref: "main", Environment: s.environment})
	if err != nil {
		return err
	}
	w.screen.line("GitHub", "deployment", fmt.Sprintf("%d created; GitHub sends a signed webhook", d.ID), "")
	var approved sync.WaitGroup
	if s.approve {
		approved.Go(func() { w.approve(ctx, before, d.ID) })
	}
	shown := 0
	err = w.github.WaitStatus(ctx, repository, d.ID, func(list []github.Status) bool {
		for _, st := range list[shown:] {
			w.screen.line("GitHub", st.State, st.Description, st.LogURL)
		}
		shown = len(list)
		return shown > 0 && list[shown-1].State == s.end
	})
	if err != nil {
		return fmt.Errorf("GitHub never showed %s for %s: %w", s.end, s.environment, err)
	}
	approved.Wait()
	return nil
}

// approve gives the approval once GitHub shows that it is waited for, as a person would.
func (w *world) approve(ctx context.Context, pipeline int, deployment int64) {
	held := github.Reached("pending")
	if w.github.WaitStatus(ctx, repository, deployment, held) != nil {
		return
	}
	w.screen.line("you", "approve", "a person presses Approve in CircleCI", "")
	if err := w.circleci.Approve(w.circleci.Pipelines()[pipeline].ID); err != nil {
		w.screen.line("you", "approve", err.Error(), "")
	}
}

// summary says what the outside saw, and fails if that is not what it should be.
func (w *world) summary() error {
	w.screen.title("what the outside saw")
	deployments := w.github.Deployments()
	for _, d := range deployments {
		last := d.Statuses[len(d.Statuses)-1]
		w.screen.line("GitHub", last.State, fmt.Sprintf("%s, after %d statuses", d.Environment, len(d.Statuses)), last.LogURL)
	}
	triggers := len(w.circleci.Triggers())
	w.screen.line("CircleCI", "triggered", fmt.Sprintf("%d pipelines for %d deployments", triggers, len(deployments)), "")
	if triggers != len(deployments) {
		return errors.New("a deployment was not run exactly once")
	}
	if bad := append(w.github.Violations(), w.circleci.Violations()...); len(bad) > 0 {
		return fmt.Errorf("calls that the vendors' references do not allow: %v", bad)
	}
	return nil
}
