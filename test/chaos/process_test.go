package chaos

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// process is the real program, started anew on the same port, database and log file after every kill.
type process struct {
	binary string
	addr   string
	env    []string
	log    *os.File
	cmd    *exec.Cmd
}

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

func newProcess(t *testing.T, binary, name string) *process {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(t.TempDir(), name+".log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{binary: binary, addr: freeAddr(t), log: log}
	t.Cleanup(func() { p.kill(t); log.Close() })
	return p
}

// freeAddr is an address nobody listens on: the webhooks' URL must be known before the process starts.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (p *process) url(path string) string { return "http://" + p.addr + path }

func (p *process) start(t *testing.T) {
	t.Helper()
	p.cmd = exec.Command(p.binary, "serve")
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = p.env, p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// kill ends the process as a power cut does. One that has already ended by itself is a failure of its own.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it has ended: Wait tells how
	_ = p.cmd.Wait()
	if code := p.cmd.ProcessState.ExitCode(); code >= 0 {
		t.Errorf("seraph ended by itself with exit code %d; the end of its log:\n%s", code, tail(p.logged(t), 20))
	}
	p.cmd = nil
}

func (p *process) logged(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// about are the lines of the log that name a deployment.
func (p *process) about(t *testing.T, deployment string) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(p.logged(t)) {
		if strings.Contains(line, `"deployment":`+deployment+`,`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// waitReady returns when /readyz says 200.
func (p *process) waitReady(t *testing.T) {
	t.Helper()
	for range 300 {
		if status, _ := p.get(t, "/readyz", ""); status == http.StatusOK {
			return
		}
		pause(t, 50*time.Millisecond)
	}
	t.Fatalf("seraph is not ready after 15 s:\n%s", tail(p.logged(t), 20))
}

// get answers 0 where nobody listens.
func (p *process) get(t *testing.T, path, token string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url(path), nil)
	if err != nil {
		t.Fatal(err)
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
