package chaos

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// process is the real program. Whenever it ends it is started anew, with the same port, database
// and log file, until the test is over.
type process struct {
	name, binary, addr string
	env                []string
	log                *os.File
	running            sync.WaitGroup
	ctx                context.Context // of all its lives
	over               context.CancelFunc
	door               sync.Mutex // locked while it must stay down

	mu     sync.Mutex
	cmd    *exec.Cmd     // nil while it is down
	gone   chan struct{} // closed at the end of cmd
	frozen bool
	kills  int
	exits  []exit
}

// exit is an end that nobody forced.
type exit struct {
	began, ended time.Time
	code         int
}

// build makes the program and returns its path.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "seraph")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/seraph")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

func newProcess(t *testing.T, name, binary string) *process {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}

	p := &process{name: name, binary: binary, addr: freeAddr(t), log: log}
	p.env = []string{"SERAPH_ADDR=" + p.addr}
	p.ctx, p.over = context.WithCancel(context.Background())
	t.Cleanup(func() { p.end(); log.Close() })

	return p
}

// lastPort keeps to ports below those that the system gives to outgoing connections, so that nobody
// takes one while the program is down.
var lastPort atomic.Int64

func init() { lastPort.Store(30_000 + int64(os.Getpid()%250)*10) }

// freeAddr is an address that can be listened on again and again.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", lastPort.Add(1))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}

	t.Fatal("no free port")
	return ""
}

// start keeps the process running. One that ends at once has to wait, as with an orchestrator.
func (p *process) start() {
	p.running.Go(func() {
		for p.ctx.Err() == nil {
			if p.runOnce() < time.Second {
				pause(p.ctx, time.Second)
			}
		}
	})
}

// runOnce runs the process to its end, and returns how long it ran before it ended by itself: for a
// killed one, that is for ever.
func (p *process) runOnce() time.Duration {
	cmd := exec.Command(p.binary, "serve")
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, p.log, p.log
	began, ok := p.launch(cmd)
	if !ok {
		return 0
	}

	_ = cmd.Wait() // its state says how it ended
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = nil
	close(p.gone)
	code := cmd.ProcessState.ExitCode()
	if code < 0 {
		return math.MaxInt64
	}

	p.exits = append(p.exits, exit{began, time.Now(), code})
	return time.Since(began)
}

// launch starts the process, unless its time is over. It waits while the door is shut.
func (p *process) launch(cmd *exec.Cmd) (began time.Time, ok bool) {
	p.door.Lock()
	defer p.door.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil || cmd.Start() != nil {
		return time.Time{}, false
	}

	p.cmd, p.gone = cmd, make(chan struct{})
	return time.Now(), true
}

// hold takes the process down and keeps it so until release.
func (p *process) hold() {
	p.door.Lock()
	p.thaw()
	p.kill()
}

func (p *process) release() { p.door.Unlock() }

// stop ends the process as an operator does, and returns when it is gone.
func (p *process) stop() {
	p.mu.Lock()
	if p.cmd == nil {
		p.mu.Unlock()
		return
	}

	_ = p.cmd.Process.Signal(syscall.SIGTERM) // or it has just ended by itself
	gone := p.gone
	p.mu.Unlock()
	<-gone
}

// kill ends the process as a power cut does, unless it is down or frozen, and returns when it is
// gone.
func (p *process) kill() bool {
	p.mu.Lock()
	if p.cmd == nil || p.frozen {
		p.mu.Unlock()
		return false
	}

	_ = p.cmd.Process.Kill() // or it has just ended by itself
	p.kills++
	gone := p.gone
	p.mu.Unlock()
	<-gone

	return true
}

// freeze stops the process where it stands, unless it is down.
func (p *process) freeze() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.frozen {
		return false
	}
	p.frozen = p.cmd.Process.Signal(syscall.SIGSTOP) == nil
	return p.frozen
}

// thaw lets it go on.
func (p *process) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen && p.cmd != nil {
		_ = p.cmd.Process.Signal(syscall.SIGCONT) // or it has ended
	}
	p.frozen = false
}

// end is for good.
func (p *process) end() {
	p.over()
	p.thaw()
	p.kill()
	p.running.Wait()
}

func (p *process) logged() string {
	text, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// about are the lines of the log that name a deployment.
func (p *process) about(deployment string) string {
	out := "  log of " + p.name + ":\n"
	for line := range strings.Lines(p.logged()) {
		if strings.Contains(line, `"deployment":`+deployment+`,`) {
			out += "  " + line
		}
	}
	return out
}

func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// waitReady returns when /readyz says 200.
func (p *process) waitReady(t *testing.T) {
	t.Helper()
	for range 600 {
		if status, _ := p.get("/readyz", ""); status == http.StatusOK {
			return
		}
		pause(t.Context(), 50*time.Millisecond)
	}
	t.Fatalf("%s is not ready after 30 s:\n%s", p.name, tail(p.logged(), 20))
}

// get answers 0 where nobody listens.
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
