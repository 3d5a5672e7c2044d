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

// patience is how long the program may take to end.
const patience = 10 * time.Second

// service is the running program.
type service struct {
	command *exec.Cmd
	screen  *screen
	up      chan struct{} // closed when it is ready
	over    chan struct{} // closed after its end
	plain   []string      // what it wrote that is no log line, such as problems of its configuration
	err     error         // how it ended; read it after over
}

// start runs the program. When it ends, by itself or not, ended is told.
func start(binary string, env []string, s *screen, ended context.CancelCauseFunc) (*service, error) {
	p := &service{command: exec.Command(binary, "serve"), screen: s, up: make(chan struct{}), over: make(chan struct{})}
	p.command.Env = append(slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "SERAPH_") }), env...)
	log, err := p.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.over)
		p.follow(log)
		p.err = p.command.Wait()
		ended(fmt.Errorf("the program ended too early (%s) %s", p.command.ProcessState, strings.Join(p.plain, "; ")))
	}()
	return p, nil
}

// ready waits until webhooks are taken.
func (p *service) ready(ctx context.Context) error {
	select {
	case <-p.up:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// follow shows each change of state and each trouble in the program's log, up to its end.
func (p *service) follow(log io.Reader) {
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var entry struct{ Level, Message, Environment, From, State, Reason, Error string }
		if json.Unmarshal(lines.Bytes(), &entry) != nil {
			p.plain = append(p.plain, lines.Text())
			continue
		}
		switch {
		case entry.Message == "ready":
			close(p.up)
		case entry.From != "":
			p.screen.line(event{entry.Environment, "Seraph", entry.State, entry.Reason, ""})
		case entry.Level == "warn" || entry.Level == "error":
			p.screen.line(event{entry.Environment, "Seraph", entry.Level, strings.TrimSpace(entry.Message + " " + entry.Error), ""})
		}
	}
}

// close ends the program as an operator does, and at last by force.
func (p *service) close() error {
	select {
	case <-p.over: // by itself: whoever waited for it has been told
		return nil
	default:
	}
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may end at this very moment
	timer := time.AfterFunc(patience, func() { _ = p.command.Process.Kill() })
	defer timer.Stop()
	<-p.over
	if p.err != nil {
		return fmt.Errorf("the program did not end cleanly: %w", p.err)
	}
	return nil
}
