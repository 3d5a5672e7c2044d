package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/signal"
)

// patience bounds every wait of a test.
const patience = 60 * time.Second

// process is one run of the program. Its log is kept and shown when the test fails.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	exited chan struct{} // closed after the end, when all of its output was read
	heard  signal.Broadcaster

	mu    sync.Mutex
	lines []string
}

// launch starts the program with these variables and nothing else of our environment.
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
		p.listen(reader)
	}()

	go func() {
		p.cmd.Wait() // the exit code is read from ProcessState
		writer.Close()
		<-read
		close(p.exited)
		p.heard.Broadcast()
	}()

	t.Cleanup(p.cleanup)
	return p
}

func environ(env map[string]string) []string {
	list := []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GORACE=halt_on_error=1"}
	for name, value := range env {
		list = append(list, "SERAPH_"+name+"="+value)
	}
	return list
}

func (p *process) listen(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, lines.Text())
		p.mu.Unlock()
		p.heard.Broadcast()
	}
}

// output is everything the program has written so far.
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
			p.t.Errorf("the program's log shows %q", bad)
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

// waitLog waits until one line of the log holds all of these words.
func (p *process) waitLog(words ...string) {
	p.t.Helper()
	p.wait("a log line with "+strings.Join(words, " and "), func() bool { return p.logged(words...) })
}

func (p *process) logged(words ...string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		found := true
		for _, word := range words {
			found = found && strings.Contains(line, word)
		}

		if found {
			return true
		}
	}

	return false
}

func (p *process) wait(what string, done func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeoutCause(p.t.Context(), patience, fmt.Errorf("waited %s for %s", patience, what))
	defer cancel()
	err := p.heard.Wait(ctx, func() bool { return done() || p.over() })
	if err == nil && !done() {
		err = fmt.Errorf("the program ended before %s", what)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) over() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) signal(s os.Signal) {
	p.cmd.Process.Signal(s) // it may have ended by itself
}

// kill ends the program as a power cut would, and returns when it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// exit waits for the program's end within so much time and returns its code.
func (p *process) exit(within time.Duration) int {
	p.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
		p.t.Fatalf("the program did not end within %s", within)
	}

	return p.cmd.ProcessState.ExitCode()
}

// command runs the program to its end and returns its exit code and what it wrote to each stream.
func command(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = environ(env), t.TempDir(), &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}

	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// lastPort keeps the ports of tests that run side by side apart. They lie below those that the
// system gives to outgoing connections, so that nobody takes one while the program is down.
var lastPort atomic.Int64

func init() { lastPort.Store(20_000 + int64(os.Getpid()%100)*100) }

// freeAddr is an address that can be listened on again and again.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", lastPort.Add(1))
		if listener, err := net.Listen("tcp", addr); err == nil {
			listener.Close()
			return addr
		}
	}

	t.Fatal("no free port")
	return ""
}
