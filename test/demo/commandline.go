package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// apiToken lets the command line use the program's API.
const apiToken = "demo-token-of-the-command-line-of-you"

// playCommandLine deploys a new commit from the command line, and goes back to the one before.
func (w *world) playCommandLine(ctx context.Context) error {
	w.screen.printTitle("From the command line: deploy a new commit of %s, and roll back", repository)
	before, _ := w.github.Head(repository, "main")
	after := w.github.Push(repository, "main", "")
	w.screen.printEvent(event{source: "you", what: "push", text: fmt.Sprintf("main moves from %.7s to %.7s", before, after)})

	for _, line := range []string{
		"deploy acme/web@main staging --reason release --watch",
		"status acme/web",
		"rollback acme/web staging --reason slow --watch",
		"status acme/web",
	} {
		if err := w.runCommand(ctx, line); err != nil {
			return fmt.Errorf("seraph %s: %w", line, err)
		}
	}

	for _, d := range w.github.Deployments() {
		if err := w.waitEnd(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// runCommand runs the program as a person does, and prints what it prints.
func (w *world) runCommand(ctx context.Context, line string) error {
	w.screen.printEvent(event{source: "you", what: "$", text: "seraph " + line})
	command := exec.CommandContext(ctx, w.binary, strings.Fields(line)...)
	command.Env = append(
		withoutSeraph(os.Environ()),
		"SERAPH_API_URL=http://"+w.address,
		"SERAPH_API_TOKEN="+apiToken,
	)

	output, writer := io.Pipe()
	command.Stdout, command.Stderr = writer, writer
	if err := command.Start(); err != nil {
		return err
	}

	ended := make(chan error, 1)
	go func() {
		ended <- command.Wait()
		_ = writer.Close() // never fails
	}()

	lines := bufio.NewScanner(output)
	for lines.Scan() {
		w.screen.printEvent(event{source: "", what: "", text: lines.Text()})
	}
	return <-ended
}

// waitEnd waits until GitHub shows the end of a deployment.
func (w *world) waitEnd(ctx context.Context, d github.Deployment) error {
	return w.github.WaitStatus(ctx, repository, d.ID, func(list []github.Status) bool {
		for _, s := range list {
			switch s.State {
			case "success", "failure", "error":
				return true
			}
		}
		return false
	})
}
