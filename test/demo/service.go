package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// stopTimeout is how long the program may take to end before it is killed.
const stopTimeout = time.Minute

// service is the running program.
type service struct {
	command *exec.Cmd
	screen  *screen
	ready   chan struct{} // closed when it takes webhooks
	exited  chan struct{} // closed after its end
	output  []string      // lines that are not part of its log, such as problems of its configuration
	err     error         // how it ended; read it after exited is closed
}

// startService runs the program, and calls ended when it exits.
func startService(binary string, env []string, s *screen, ended context.CancelCauseFunc) (*service, error) {
	p := &service{
		command: exec.Command(binary, "serve"),
		screen:  s,
		ready:   make(chan struct{}),
		exited:  make(chan struct{}),
	}
	p.command.Env = append(withoutSeraph(os.Environ()), env...)
	log, err := p.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start the program: %w", err)
	}

	go func() {
		defer close(p.exited)
		p.readLog(log)
		p.err = p.command.Wait()
		ended(fmt.Errorf("the program ended too early: %s: %s", p.command.ProcessState, strings.Join(p.output, "; ")))
	}()
	return p, nil
}

// waitReady waits until the program takes webhooks.
func (p *service) waitReady(ctx context.Context) error {
	select {
	case <-p.ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// readLog prints each change of state and each warning in the program's log, until the log ends.
func (p *service) readLog(log io.Reader) {
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var entry struct{ Level, Message, Environment, From, State, Reason, Error string }
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			p.output = append(p.output, lines.Text())
			continue
		}

		switch {
		case entry.Message == "ready":
			close(p.ready)
		case entry.From != "":
			p.screen.printEvent(event{
				environment: entry.Environment,
				source:      "Seraph",
				what:        entry.State,
				text:        entry.Reason,
			})
		case entry.Level == "warn" || entry.Level == "error":
			p.screen.printEvent(event{
				environment: entry.Environment,
				source:      "Seraph",
				what:        entry.Level,
				text:        strings.TrimSpace(entry.Message + " " + entry.Error),
			})
		}
	}
}

// close ends the program with SIGTERM, and kills it when it takes too long.
func (p *service) close() error {
	select {
	case <-p.exited: // by itself, which ended has reported
		return nil
	default:
	}

	_ = p.command.Process.Signal(syscall.SIGTERM) // it may exit at this moment
	timer := time.AfterFunc(stopTimeout, func() { _ = p.command.Process.Kill() })
	defer timer.Stop()
	<-p.exited
	if p.err != nil {
		return fmt.Errorf("stop the program: %w", p.err)
	}
	return nil
}

// withoutSeraph leaves out the variables of another Seraph.
func withoutSeraph(environ []string) []string {
	return slices.DeleteFunc(environ, func(pair string) bool { return strings.HasPrefix(pair, "SERAPH_") })
}
