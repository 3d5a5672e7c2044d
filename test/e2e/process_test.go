package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/ports"
	"github.com/seraph-deploy/seraph/test/sim/signal"
)

// maxWait limits every wait of a test. Most take a second; the longest is for a lease of 45 seconds to end.
const maxWait = 2 * time.Minute

// process is one run of the program. Its log is shown when the test fails.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	exited  chan struct{} // closed when the program has ended and all of its output is read
	changed signal.Broadcaster

	mu    sync.Mutex
	lines []string
}

// launch starts the program with these variables and nothing else of the test's environment.
func launch(t *testing.T, env map[string]string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(binary, args...), exited: make(chan struct{})}
	p.cmd.Env = environ(env)
	p.cmd.Dir = t.TempDir()

	reader, writer := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = writer, writer
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}

	read := make(chan struct{})
	go func() {
		defer close(read)
		p.readOutput(reader)
	}()

	go func() {
		p.cmd.Wait() // ProcessState has the exit code
		writer.Close()
		<-read
		close(p.exited)
		p.changed.Broadcast()
	}()

	t.Cleanup(p.cleanup)
	return p
}

// environ returns the environment of the program.
func environ(env map[string]string) []string {
	list := []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GORACE=halt_on_error=1"}
	for name, value := range env {
		list = append(list, "SERAPH_"+name+"="+value)
	}
	return list
}

func (p *process) readOutput(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, lines.Text())
		p.mu.Unlock()
		p.changed.Broadcast()
	}
}

// output returns everything that the program has written so far.
func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

func (p *process) cleanup() {
	p.signal(syscall.SIGKILL)
	<-p.exited

	out := p.output()
	for _, bad := range []string{"DATA RACE", "panic:", "goroutine 1 ["} {
		if strings.Contains(out, bad) {
			p.t.Errorf("log: got %q", bad)
		}
	}
	if p.t.Failed() || os.Getenv("E2E_LOG") != "" {
		p.t.Logf("log of process %d:\n%s", p.cmd.Process.Pid, tail(out, 30_000))
	}
}

func tail(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return "…" + s[len(s)-most:]
}

// waitLog waits until one line of the log contains all of these texts.
func (p *process) waitLog(texts ...string) {
	p.t.Helper()
	p.wait("a log line with "+strings.Join(texts, " and "), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.ContainsFunc(p.lines, func(line string) bool {
			missing := func(text string) bool { return !strings.Contains(line, text) }
			return !slices.ContainsFunc(texts, missing)
		})
	})
}

// wait waits until a condition holds. It fails when the program ends before.
func (p *process) wait(what string, done func() bool) {
	p.t.Helper()
	ctx := context.WithoutCancel(p.t.Context()) // a cleanup function may wait, too
	ctx, cancel := context.WithTimeoutCause(ctx, maxWait, fmt.Errorf("waited %s for %s", maxWait, what))
	defer cancel()

	err := p.changed.Wait(ctx, func() bool { return done() || p.hasExited() })
	if err == nil && !done() {
		err = fmt.Errorf("the program ended before %s", what)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) signal(s os.Signal) {
	p.cmd.Process.Signal(s) // fails only if the program has ended
}

// kill ends the program as a power failure does, and returns when it has ended.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// waitExit waits for the end of the program for a limited time and returns its exit code.
func (p *process) waitExit(within time.Duration) int {
	p.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
		p.t.Fatalf("got no exit in %s", within)
	}

	return p.cmd.ProcessState.ExitCode()
}

// command runs the program to its end and returns its exit code and what it wrote to each stream.
func command(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), maxWait)
	defer cancel()

	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = environ(env), t.TempDir(), &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}

	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// freeAddr returns an address that the program can listen on after each restart.
func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
