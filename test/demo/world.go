package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

const routes = `
routes:
  - repository: acme/*
    parameters:
      seraph_key: "{{ .Key }}"
      deploy_sha: "{{ .SHA }}"
      deploy_environment: "{{ .Environment }}"
`

// Secrets of the simulated world.
const (
	githubSecret   = "demo-secret-of-the-github-webhook"
	circleciSecret = "demo-secret-of-the-circleci-webhook"
)

// world is the service between the two simulators.
type world struct {
	github   *github.Server
	circleci *circleci.Server
	service  *exec.Cmd
	screen   *screen
	logs     sync.WaitGroup
}

func newWorld(ctx context.Context, dir string, s *screen) (w *world, err error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	base := "http://" + address
	w = &world{
		screen: s,
		github: github.New(github.Options{WebhookURL: base + "/webhooks/github", WebhookSecret: githubSecret}),
		circleci: circleci.New(circleci.Options{
			WebhookURL: base + "/webhooks/circleci", WebhookSecret: circleciSecret, Step: time.Second, AnyBranch: true,
		}),
	}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if err := errors.Join(w.github.Start(""), w.circleci.Start("")); err != nil {
		return w, err
	}
	w.github.AddRepository(repository)
	w.circleci.AddProject(project, "main")
	s.title("the real service, on a fresh database, between simulated GitHub and CircleCI")
	return w, w.start(ctx, dir, address)
}

// freeAddress finds a port nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// start builds the service, runs it, and waits until it is ready.
func (w *world) start(ctx context.Context, dir, address string) error {
	binary := dir + "/seraph"
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/seraph").CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the service (run this from the top of the repository): %s", out)
	}
	w.service = exec.Command(binary, "serve")
	w.service.Env = append(cleanEnvironment(), "SERAPH_ADDR="+address, "SERAPH_DATABASE_URL=sqlite:"+dir+"/seraph.db",
		"SERAPH_GITHUB_WEBHOOK_SECRETS="+githubSecret, "SERAPH_GITHUB_TOKEN="+github.DefaultToken, "SERAPH_GITHUB_API_URL="+w.github.URL()+"/",
		"SERAPH_CIRCLECI_TOKEN="+circleci.DefaultToken, "SERAPH_CIRCLECI_API_URL="+w.circleci.URL(), "SERAPH_CIRCLECI_WEBHOOK_SECRETS="+circleciSecret,
		"SERAPH_POLL_MIN=500ms", "SERAPH_POLL_MAX=500ms", "SERAPH_ROUTES="+routes)
	logs, err := w.service.StderrPipe()
	if err != nil {
		return err
	}
	if err := w.service.Start(); err != nil {
		return err
	}
	ready := make(chan struct{})
	w.logs.Go(func() { w.follow(logs, ready) })
	select {
	case <-ready:
		w.screen.line("Seraph", "ready", "listening on "+address, "")
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the service was never ready: %w", context.Cause(ctx))
	}
}

// cleanEnvironment is ours without any setting of the service.
func cleanEnvironment() []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "SERAPH_") {
			env = append(env, pair)
		}
	}
	return env
}

// follow shows each change of state that the service logs.
func (w *world) follow(logs io.Reader, ready chan struct{}) {
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		var entry struct {
			Level, Message, State, From, Reason string
		}
		if json.Unmarshal(lines.Bytes(), &entry) != nil {
			continue
		}
		switch {
		case entry.Message == "ready":
			close(ready)
		case entry.From != "":
			w.screen.line("Seraph", entry.State, entry.Reason, "")
		case entry.Level == "warn" || entry.Level == "error":
			w.screen.line("Seraph", entry.Level, entry.Message, "")
		}
	}
}

// close ends the service and the simulators.
func (w *world) close() {
	if w.service != nil && w.service.Process != nil {
		_ = w.service.Process.Signal(syscall.SIGTERM)
		w.logs.Wait()
		_ = w.service.Wait()
	}
	w.github.Close()
	w.circleci.Close()
}
