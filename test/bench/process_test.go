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

// TestMain builds the program as it is released, once, when there is something to measure. Started
// with floorVariable it is the floor.
func TestMain(m *testing.M) {
	if addr := os.Getenv(floorVariable); addr != "" {
		os.Exit(serveFloor(addr))
	}
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

// process is one run after another of a program that listens on addr.
type process struct {
	addr    string
	command []string
	env     []string
	cmd     *exec.Cmd
}

func newProcess(b *testing.B, command ...string) *process {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}

	p := &process{addr: l.Addr().String(), command: command}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}

	b.Cleanup(func() { p.stop(b) })
	return p
}

// start returns when /readyz says 200, and how long that took.
func (p *process) start(b *testing.B) time.Duration {
	b.Helper()
	began := time.Now()
	p.cmd = exec.Command(p.command[0], p.command[1:]...)
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

	b.Fatalf("%s is not ready after 15 s", p.command[0])
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

// metric reads one that has no labels.
func (p *process) metric(b *testing.B, name string) float64 {
	b.Helper()
	res, err := http.Get("http://" + p.addr + "/metrics")
	if err != nil {
		b.Fatal(err)
	}

	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				b.Fatal(err)
			}

			return value
		}
	}

	b.Fatalf("there is no metric %s", name)
	return 0
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
		b.Errorf("%s ended: %v", p.command[0], err)
	}
}

// kill ends the process as a crash does, and says when.
func (p *process) kill(b *testing.B) time.Time {
	b.Helper()
	killed := time.Now()
	if err := p.cmd.Process.Kill(); err != nil {
		b.Fatal(err)
	}
	_ = p.cmd.Wait() // it was killed
	p.cmd = nil
	return killed
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
