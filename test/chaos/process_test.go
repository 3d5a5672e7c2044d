package chaos

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/ports"
)

// process is the real program. Whenever it ends it is started again, with the same port, database and
// log file, until the test ends.
type process struct {
	name, binary, addr string
	env                []string
	log                *os.File
	running            sync.WaitGroup
	ctx                context.Context // ends when it must not be started again
	cancel             context.CancelFunc
	startLock          sync.Mutex // locked while it must stay down
	clock              *clockPage // nil in the small run

	mu     sync.Mutex
	cmd    *exec.Cmd     // nil while it is down
	exited chan struct{} // closed when cmd has ended
	frozen bool
	kills  int
	exits  []exit
}

// exit is an end without a kill.
type exit struct {
	began, ended time.Time
	code         int
}

// built are the paths of the programs that build has built, by their flags.
var built = struct {
	sync.Mutex
	paths map[string]string
}{paths: map[string]string{}}

// build builds the program as the Makefile does and returns its path. Runs that build it with the same flags share it.
func build(t *testing.T, flags ...string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	key := strings.Join(flags, " ")
	if binary, ok := built.paths[key]; ok {
		return binary
	}

	binary := filepath.Join(programs, fmt.Sprint("seraph-", len(built.paths)))
	args := slices.Concat([]string{"build", "-trimpath", "-o", binary}, flags, []string{"../../cmd/seraph"})
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}

	built.paths[key] = binary
	return binary
}

func newProcess(t *testing.T, name, binary string) *process {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}

	addr, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}

	p := &process{name: name, binary: binary, addr: addr, log: log}
	p.env = []string{"SERAPH_ADDR=" + p.addr}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	t.Cleanup(func() {
		p.cancel()
		p.thaw()
		p.kill()
		p.running.Wait()
		log.Close()
	})

	return p
}

// start keeps the process running. After an end within a second it waits, as an orchestrator does.
func (p *process) start() {
	p.running.Go(func() {
		for p.ctx.Err() == nil {
			if p.runOnce() < time.Second {
				pause(p.ctx, time.Second)
			}
		}
	})
}

// runOnce runs the process to its end, and returns how long it ran. For a killed process it returns the
// longest duration, so that it is started again at once.
func (p *process) runOnce() time.Duration {
	cmd := exec.Command(p.binary, "serve")
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, p.log, p.log
	began, ok := p.launch(cmd)
	if !ok {
		return 0
	}

	_ = cmd.Wait() // ProcessState has the result

	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = nil
	close(p.exited)
	code := cmd.ProcessState.ExitCode()
	if code < 0 {
		return math.MaxInt64
	}

	p.exits = append(p.exits, exit{began: began, ended: time.Now(), code: code})
	return time.Since(began)
}

// launch starts the process, unless the test has ended. It waits while the process must stay down.
func (p *process) launch(cmd *exec.Cmd) (began time.Time, ok bool) {
	p.startLock.Lock()
	defer p.startLock.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil || cmd.Start() != nil {
		return time.Time{}, false
	}

	p.cmd, p.exited = cmd, make(chan struct{})
	return time.Now(), true
}

// keepDown kills the process and keeps it down until allowStart.
func (p *process) keepDown() {
	p.startLock.Lock()
	p.thaw()
	p.kill()
}

func (p *process) allowStart() { p.startLock.Unlock() }

// stop ends the process as an operator does, and returns when it has ended.
func (p *process) stop() {
	p.mu.Lock()
	if p.cmd == nil {
		p.mu.Unlock()
		return
	}

	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has just ended
	exited := p.exited
	p.mu.Unlock()
	<-exited
}

// kill ends the process as a power failure does, unless it is down or frozen, and returns when it has
// ended.
func (p *process) kill() {
	p.mu.Lock()
	if p.cmd == nil || p.frozen {
		p.mu.Unlock()
		return
	}

	_ = p.cmd.Process.Kill() // fails only if it has just ended
	p.kills++
	exited := p.exited
	p.mu.Unlock()
	<-exited
}

// freeze stops the process with SIGSTOP, and reports whether it was running.
func (p *process) freeze() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.frozen {
		return false
	}

	p.frozen = p.cmd.Process.Signal(syscall.SIGSTOP) == nil
	return p.frozen
}

// thaw lets a frozen process go on.
func (p *process) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen && p.cmd != nil {
		_ = p.cmd.Process.Signal(syscall.SIGCONT) // fails only if it has ended
	}
	p.frozen = false
}

func (p *process) readLog() string {
	text, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// logLines returns the lines of the log that name a deployment.
func (p *process) logLines(deployment string) string {
	var out strings.Builder
	out.WriteString("  log of " + p.name + ":\n")
	for line := range strings.Lines(p.readLog()) {
		if strings.Contains(line, `"deployment":`+deployment+`,`) {
			out.WriteString("  " + line)
		}
	}
	return out.String()
}

func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// maxStart is the longest that a start may take: on a busy machine it takes many times as long as on an idle one, and
// after an outage it may wait for locks, see lockWait.
const maxStart = 3 * time.Minute

// waitReady waits until /readyz answers 200.
func (p *process) waitReady(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), maxStart)
	defer cancel()
	if !p.isReady(ctx) {
		t.Fatalf("%s: got no 200 from /readyz in %s:\n%s", p.name, maxStart, tail(p.readLog(), 20))
	}
}

// isReady waits until /readyz answers 200; false: ctx has ended before.
func (p *process) isReady(ctx context.Context) bool {
	for ctx.Err() == nil {
		if status, _ := p.get("/readyz", ""); status == http.StatusOK {
			return true
		}
		pause(ctx, 50*time.Millisecond)
	}
	return false
}

// get sends a request; without an answer the status is 0 and the body is the error.
func (p *process) get(path, token string) (status int, body string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+path, nil)
	if err != nil {
		return 0, err.Error()
	}

	req.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}

	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}

	return res.StatusCode, string(text)
}
