package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/ports"
	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// Secrets of the two webhooks.
const (
	githubSecret   = "demo-secret-of-the-github-webhook"
	circleciSecret = "demo-secret-of-the-circleci-webhook"
)

// step is how long each stage of a simulated pipeline takes: slow enough to watch.
const step = 600 * time.Millisecond

// slackTimeout is how long the simulated Slack waits. Slack itself waits 3 s; a busy machine may need longer.
const slackTimeout = time.Minute

// world is the program between the simulators.
type world struct {
	binary   string
	dir      string
	screen   *screen
	address  string // of the program
	github   *github.Server
	circleci *circleci.Server
	slack    *slack.Server
	printed  map[string]string // the first line of each message of Slack as it was printed, by ts
	service  *service          // nil until it is started
	watching sync.WaitGroup
	stop     context.CancelCauseFunc
}

func newWorld(binary, dir string, s *screen) *world {
	return &world{binary: binary, dir: dir, screen: s, printed: map[string]string{}, stop: func(error) {}}
}

// open starts the simulators and the program. The context that it returns ends, with a cause, when the program does.
func (w *world) open(ctx context.Context) (context.Context, error) {
	w.screen.printTitle("The real program, on a new database, between a simulated GitHub, CircleCI and Slack")
	ctx, w.stop = context.WithCancelCause(ctx)
	if err := w.startSimulators(); err != nil {
		return ctx, err
	}
	var err error
	if w.service, err = startService(w.binary, w.environ(), w.screen, w.stop); err != nil {
		return ctx, err
	}
	if err := w.service.waitReady(ctx); err != nil {
		return ctx, err
	}

	w.watching.Go(func() { w.watchWorkflows(ctx) })
	w.screen.printEvent(event{source: "Seraph", what: "ready", text: "http://" + w.address})
	w.screen.printEvent(event{source: "GitHub", what: "ready", text: w.github.URL()})
	w.screen.printEvent(event{source: "CircleCI", what: "ready", text: w.circleci.URL()})
	w.screen.printEvent(event{source: "Slack", what: "ready", text: w.slack.URL()})
	return ctx, nil
}

// startSimulators starts GitHub, CircleCI and Slack. They send what happens to where the program will listen.
func (w *world) startSimulators() (err error) {
	if w.address, err = ports.Free(); err != nil {
		return err
	}

	base := "http://" + w.address + "/webhooks/"
	w.github = github.New(github.Options{WebhookURL: base + "github", WebhookSecret: githubSecret})
	w.circleci = circleci.New(circleci.Options{
		WebhookURL:    base + "circleci",
		WebhookSecret: circleciSecret,
		ClaimURL:      base + "claim",
		Step:          step,
		AnyProject:    true,
		AnyBranch:     true,
		Revision: func(project, ref string) string {
			head, _ := w.github.Head(strings.TrimPrefix(project, "gh/"), ref)
			return head
		},
	})
	w.slack = slack.New(slack.Options{
		Commands:    []string{"/deploy", "/seraph"},
		RequestURL:  base + "slack",
		AckTimeout:  slackTimeout,
		TriggerLife: slackTimeout,
	})
	if err := errors.Join(w.github.Start(""), w.circleci.Start(""), w.slack.Start("")); err != nil {
		return err
	}

	w.github.AddRepository(repository)
	w.github.AddRepository(app)
	w.slack.AddChannel(slack.Channel{ID: channel, Name: "deploys"})
	for _, p := range people {
		w.github.AddUserWithID(p.login, p.id)
		w.github.SetRole(app, p.login, "write")
		w.slack.AddUser(slack.User{ID: p.slack, Name: p.login})
	}
	return nil
}

// environ is the program's configuration. It differs from a real one in addresses, and in intervals that are short
// enough to watch.
func (w *world) environ() []string {
	return []string{
		"SERAPH_ADDR=" + w.address,
		"SERAPH_DATABASE_URL=sqlite:" + filepath.Join(w.dir, "seraph.db"),
		"SERAPH_ROUTES=" + routes(),
		"SERAPH_GITHUB_API_URL=" + w.github.URL() + "/",
		"SERAPH_GITHUB_TOKEN=" + github.DefaultToken,
		"SERAPH_GITHUB_WEBHOOK_SECRETS=" + githubSecret,
		"SERAPH_CIRCLECI_API_URL=" + w.circleci.URL(),
		"SERAPH_CIRCLECI_TOKEN=" + circleci.DefaultToken,
		"SERAPH_CIRCLECI_WEBHOOK_SECRETS=" + circleciSecret,
		"SERAPH_SLACK_API_URL=" + w.slack.URL(),
		"SERAPH_SLACK_BOT_TOKEN=" + slack.DefaultToken,
		"SERAPH_SLACK_SIGNING_SECRET=" + slack.DefaultSigningSecret,
		"SERAPH_API_TOKENS=you:deploy:" + apiToken,
		"SERAPH_POLL_MIN=300ms",
		"SERAPH_POLL_MAX=1s",
	}
}

// routes sends staging of every repository to CircleCI at once, and production of one after an approval. The first one
// is a pattern, because the program lists the deployments of literal repositories at its start, and might find the
// first deployment before its webhook comes.
func routes() string {
	var known strings.Builder
	for _, p := range people {
		fmt.Fprintf(&known, "  - {id: %d, login: %s, slack: %s}\n", p.id, p.login, p.slack)
	}

	return `slack: {workspace: ` + slack.DefaultTeam + `}
people:
` + known.String() + `
defaults:
  circleci: {branch: main}
  parameters:
    seraph_key: "{{ .Key }}"
    deploy_sha: "{{ .SHA }}"
    deploy_environment: "{{ .Environment }}"
routes:
  - repository: acme/*
    environment: staging

  - repository: ` + app + `
    environment: production
    name: api
    approvals: {count: 1, users: [bob, carol]}
    holds: {approve: {users: [carol]}}
    logs: true
    notify:
      - {slack: ` + channel + `, broadcast: [failed]}
`
}

// watchWorkflows prints each change of a workflow in CircleCI.
func (w *world) watchWorkflows(ctx context.Context) {
	printed := map[string]string{} // status by workflow
	for {
		changed := w.circleci.Changed() // taken before the pipelines are read, so that no change is missed
		for _, p := range w.circleci.Pipelines() {
			w.printWorkflows(p, printed)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (w *world) printWorkflows(p circleci.Pipeline, printed map[string]string) {
	for _, workflow := range p.Workflows {
		if printed[workflow.ID] == workflow.Status {
			continue
		}
		printed[workflow.ID] = workflow.Status
		w.screen.printEvent(event{
			environment: environmentOf(p),
			source:      "CircleCI",
			what:        workflow.Status,
			text:        fmt.Sprintf("workflow %s of pipeline %d", workflow.Name, p.Number),
		})
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
		w.slack.Close()
	}
	return err
}
