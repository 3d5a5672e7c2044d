package bench

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/ports"
)

// binary is the path of the program, which build creates.
var binary string

// TestMain runs the benchmarks or, with floorVariable, the floor.
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

// build builds the program as it is released, once per run.
func build(b *testing.B) {
	b.Helper()
	if _, err := os.Stat(binary); err == nil {
		return
	}

	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -h", "-o", binary, "../../cmd/seraph")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
}

// process starts and stops a program that listens on addr.
type process struct {
	addr    string
	command []string
	env     []string
	cmd     *exec.Cmd
}

func newProcess(b *testing.B, command ...string) *process {
	b.Helper()
	addr, err := ports.Free()
	if err != nil {
		b.Fatal(err)
	}

	p := &process{addr: addr, command: command}
	b.Cleanup(func() { p.stop(b) })
	return p
}

// start starts the program, waits until /readyz answers 200, and returns how long that took.
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

	b.Fatalf("%s: got no 200 from /readyz in 15 s", p.command[0])
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
	timeout := time.AfterFunc(30*time.Second, func() { _ = running.Kill() }) // Wait returns the error
	defer timeout.Stop()

	_ = running.Signal(syscall.SIGTERM) // fails only if the process has ended: Wait returns how
	err := p.cmd.Wait()
	p.cmd = nil
	if err != nil {
		b.Errorf("stop %s: got %v, want exit code 0", p.command[0], err)
	}
}

// kill ends the process as a crash does, and returns when.
func (p *process) kill(b *testing.B) time.Time {
	b.Helper()
	killed := time.Now()
	if err := p.cmd.Process.Kill(); err != nil {
		b.Fatal(err)
	}

	_ = p.cmd.Wait() // always an error: it was killed
	p.cmd = nil
	return killed
}

// memory returns one line of /proc/PID/status, such as VmHWM, in MB; 0 where there is no /proc.
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
