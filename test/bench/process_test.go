package bench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var binary string

// TestMain builds the program as it is released, once, when there is something to measure.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "seraph-bench")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "seraph")
	return m.Run()
}

func build(b *testing.B) {
	b.Helper()
	if _, err := os.Stat(binary); err == nil {
		return
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "../../cmd/seraph")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
}

// process is one run of the program.
type process struct {
	addr string
	env  []string
	cmd  *exec.Cmd
}

func newProcess(b *testing.B, env ...string) *process {
	b.Helper()
	build(b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	p := &process{addr: l.Addr().String()}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	p.env = append(env, "SERAPH_ADDR="+p.addr, "SERAPH_DATABASE_URL=sqlite:"+filepath.Join(b.TempDir(), "seraph.db"), "SERAPH_LOG_LEVEL=error")
	b.Cleanup(func() { p.stop(b) })
	return p
}

// start returns when /readyz says 200, and how long that took.
func (p *process) start(b *testing.B) time.Duration {
	b.Helper()
	began := time.Now()
	p.cmd = exec.Command(binary, "serve")
	p.cmd.Env, p.cmd.Stderr = p.env, os.Stderr
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for time.Since(began) < 15*time.Second {
		if p.ready() {
			return time.Since(began)
		}
		<-time.After(time.Millisecond)
	}
	b.Fatal("seraph is not ready after 15 s")
	return 0
}

func (p *process) ready() bool {
	res, err := http.Get("http://" + p.addr + "/readyz")
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err == nil && res.StatusCode == http.StatusOK
}

func (p *process) stop(b *testing.B) {
	b.Helper()
	if p.cmd == nil {
		return
	}
	running := p.cmd.Process
	stuck := time.AfterFunc(30*time.Second, func() { _ = running.Kill() }) // Wait tells
	defer stuck.Stop()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it has ended: Wait tells how
	err := p.cmd.Wait()
	p.cmd = nil
	if err != nil {
		b.Errorf("seraph ended: %v", err)
	}
}

// memory reads one line of /proc/PID/status, such as VmHWM, in MB; 0 where there is no /proc.
func (p *process) memory(b *testing.B, name string) float64 {
	b.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 3 && fields[0] == name+":" {
			kB, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kB / 1000 * 1.024
		}
	}
	return 0
}
