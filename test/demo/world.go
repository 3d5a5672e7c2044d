package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// Secrets of the simulated world.
const (
	githubSecret   = "demo-secret-of-the-github-webhook"
	circleciSecret = "demo-secret-of-the-circleci-webhook"
)

// stage is how long each stage of a simulated pipeline takes: slow enough to watch.
const stage = 700 * time.Millisecond

// world is the program between the two simulators.
type world struct {
	dir      string
	screen   *screen
	address  string // of the program
	github   *github.Server
	circleci *circleci.Server
	service  *service // nil until it is started
	watching sync.WaitGroup
	stop     context.CancelCauseFunc
}

func newWorld(dir string, s *screen) *world {
	return &world{dir: dir, screen: s, stop: func(error) {}}
}

// open builds the program and starts everything. The context it returns ends with a cause when the program does.
func (w *world) open(ctx context.Context) (context.Context, error) {
	w.screen.title("The real program, on a fresh database, between a simulated GitHub and a simulated CircleCI")
	ctx, w.stop = context.WithCancelCause(ctx)
	binary := filepath.Join(w.dir, "seraph")
	if err := build(ctx, binary); err != nil {
		return ctx, err
	}
	if err := w.simulate(); err != nil {
		return ctx, err
	}
	var err error
	if w.service, err = start(binary, w.environ(), w.screen, w.stop); err != nil {
		return ctx, err
	}
	if err := w.service.ready(ctx); err != nil {
		return ctx, err
	}
	w.watching.Go(func() { w.watch(ctx) })
	w.screen.line(event{"", "Seraph", "ready", "http://" + w.address, ""})
	w.screen.line(event{"", "GitHub", "ready", w.github.URL(), ""})
	w.screen.line(event{"", "CircleCI", "ready", w.circleci.URL(), ""})
	return ctx, nil
}

func build(ctx context.Context, binary string) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/seraph-deploy/seraph/cmd/seraph").CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot build the program: %w\n%s", errors.Join(context.Cause(ctx), err), out)
	}
	return nil
}

// simulate starts GitHub and CircleCI. They send their webhooks to where the program will listen.
func (w *world) simulate() (err error) {
	if w.address, err = freeAddress(); err != nil {
		return err
	}
	base := "http://" + w.address + "/webhooks/"
	w.github = github.New(github.Options{WebhookURL: base + "github", WebhookSecret: githubSecret})
	w.circleci = circleci.New(circleci.Options{
		WebhookURL: base + "circleci", WebhookSecret: circleciSecret, ClaimURL: base + "claim",
		Step: stage, AnyProject: true, AnyBranch: true,
		Revision: func(project, ref string) string { return github.Commit(strings.TrimPrefix(project, "gh/"), ref) },
	})
	if err := errors.Join(w.github.Start(""), w.circleci.Start("")); err != nil {
		return err
	}
	w.github.AddRepository(repository)
	return nil
}

// freeAddress finds a port that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// environ is the program's configuration: like a real one, but for addresses and for waits that are short enough to watch.
func (w *world) environ() []string {
	return []string{
		"SERAPH_ADDR=" + w.address, "SERAPH_DATABASE_URL=sqlite:" + filepath.Join(w.dir, "seraph.db"), "SERAPH_ROUTES=" + routes(),
		"SERAPH_GITHUB_API_URL=" + w.github.URL() + "/", "SERAPH_GITHUB_TOKEN=" + github.DefaultToken,
		"SERAPH_GITHUB_WEBHOOK_SECRETS=" + githubSecret,
		"SERAPH_CIRCLECI_API_URL=" + w.circleci.URL(), "SERAPH_CIRCLECI_TOKEN=" + circleci.DefaultToken,
		"SERAPH_CIRCLECI_WEBHOOK_SECRETS=" + circleciSecret, "SERAPH_POLL_MIN=300ms", "SERAPH_POLL_MAX=1s",
	}
}

// routes has one route a story; a parameter tells the simulated CircleCI which story to play. Their repository is a pattern, so that the program
// does not list deployments at its start: it might find the first one before its webhook comes.
func routes() string {
	text := "routes:\n"
	for _, s := range stories {
		text += fmt.Sprintf("  - {repository: acme/*, environment: %s, parameters: {seraph_key: '{{ .Key }}', deploy_sha: '{{ .SHA }}', "+
			"deploy_environment: '{{ .Environment }}', %s: %s}}\n", s.environment, circleci.ScenarioParameter, s.scenario)
	}
	return text
}

// watch shows each change of a workflow in CircleCI.
func (w *world) watch(ctx context.Context) {
	shown := map[string]string{}
	for {
		changed := w.circleci.Changed() // before the look, so that no change is missed
		for _, p := range w.circleci.Pipelines() {
			w.show(p, shown)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (w *world) show(p circleci.Pipeline, shown map[string]string) {
	for _, flow := range p.Workflows {
		if shown[flow.ID] != flow.Status {
			shown[flow.ID] = flow.Status
			w.screen.line(event{environment(p), "CircleCI", flow.Status, fmt.Sprintf("workflow %s of pipeline %d", flow.Name, p.Number), ""})
		}
	}
}

// close ends the program and the simulators.
func (w *world) close() error {
	var err error
	if w.service != nil {
		err = w.service.close()
	}
	w.stop(nil)
	w.watching.Wait()
	if w.github != nil {
		w.github.Close()
		w.circleci.Close()
	}
	return err
}
