package app

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/chat"
	"github.com/seraph-deploy/seraph/pkg/circleci"
	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/engine"
	"github.com/seraph-deploy/seraph/pkg/events"
	"github.com/seraph-deploy/seraph/pkg/gate"
	"github.com/seraph-deploy/seraph/pkg/github"
	"github.com/seraph-deploy/seraph/pkg/intake"
	"github.com/seraph-deploy/seraph/pkg/intent"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	"github.com/seraph-deploy/seraph/pkg/recovery"
	"github.com/seraph-deploy/seraph/pkg/report"
	"github.com/seraph-deploy/seraph/pkg/route"
	"github.com/seraph-deploy/seraph/pkg/server"
	"github.com/seraph-deploy/seraph/pkg/slack"
	"github.com/seraph-deploy/seraph/pkg/telemetry"
)

// Bounds of one call to Slack, which answers most within a second. Its longest answers are pages of messages.
const (
	slackTimeout = 10 * time.Second
	slackMaxBody = 4 << 20
)

// githubTimeout limits one call to GitHub, which itself gives up after 10 s.
const githubTimeout = 15 * time.Second

// now is the wall clock. Without Go's monotonic reading, times that were stored and times that are
// measured now compare by the same clock, also after the machine was suspended.
func now() time.Time { return time.Now().Round(0) }

// clients are the clients of the vendors.
type clients struct {
	github   *github.Client
	circleci *circleci.Client
	slack    *slack.Client // nil: Slack is off
	close    func()
}

func newClients(cfg *config.Config, m *telemetry.Metrics, log zerolog.Logger) (*clients, error) {
	const agent = "seraph"
	githubHTTP := outbound.New(outbound.Options{Timeout: githubTimeout, Observe: m.Calls("github")})
	circleciHTTP := outbound.New(outbound.Options{Timeout: cfg.CircleCI.Timeout, Observe: m.Calls("circleci")})

	g, err := github.New(github.Options{
		BaseURL:         cfg.GitHub.APIURL,
		Token:           cfg.GitHub.Token.Reveal(),
		AppID:           cfg.GitHub.AppID,
		PrivateKey:      cfg.GitHub.PrivateKey.Reveal(),
		HTTP:            githubHTTP.Client(),
		UserAgent:       agent,
		WritesPerMinute: cfg.GitHub.WritesPerMinute,
		Permissions:     tokenPermissions(cfg.Routes),
		Now:             now,
		Log:             log,
	})
	if err != nil {
		return nil, err
	}

	slackClient := newSlack(cfg, m, agent)
	return &clients{
		github: g,
		slack:  slackClient,
		circleci: circleci.New(circleci.Options{
			BaseURL:   cfg.CircleCI.APIURL,
			Token:     cfg.CircleCI.Token.Reveal(),
			HTTP:      circleciHTTP.Client(),
			UserAgent: agent,
			Now:       now,
		}),
		close: func() {
			githubHTTP.CloseIdle()
			circleciHTTP.CloseIdle()
			if slackClient != nil {
				slackClient.Close()
			}
		},
	}, nil
}

// newSlack makes the client of Slack, or nil if Slack is off.
func newSlack(cfg *config.Config, m *telemetry.Metrics, agent string) *slack.Client {
	if !cfg.Slack.On() {
		return nil
	}

	transport := outbound.New(outbound.Options{
		Timeout: slackTimeout,
		MaxBody: slackMaxBody,
		Observe: m.Calls("slack"),
	})
	return slack.New(slack.Options{
		BaseURL:   cfg.Slack.APIURL,
		Token:     cfg.Slack.BotToken.Reveal(),
		HTTP:      transport.Client(),
		UserAgent: agent,
		Now:       now,
		Observe:   m.ChatCalls("slack"),
	})
}

// wire creates the objects of the service, each from those that were created before it.
func (a *App) wire() error {
	c, err := newClients(a.cfg, a.metrics, a.log)
	if err != nil {
		return err
	}
	a.onStop(func(context.Context) { c.close() })

	a.ownApp = &ownApp{app: route.OwnApp{ID: a.cfg.GitHub.AppID}, github: c.github, log: a.log}
	a.routes = route.NewLive(a.cfg.Routes, &a.ownApp.app)
	in := &intake.Intake{
		Routes:  a.routes,
		Machine: newMachine(a.cfg),
		Store:   a.db,
		Maker:   c.github.Maker,
	}
	a.pins = gate.NewPins(gate.PinOptions{
		Store:        a.db,
		People:       c.github,
		Repositories: c.github,
		Log:          a.log,
	})
	rules := &gate.Gate{
		Policies:     a.routes,
		Rows:         a.db,
		History:      a.db,
		People:       c.github,
		Commits:      c.github,
		Repositories: c.github,
		Pins:         a.pins,
		Jobs:         c.circleci,
		Now:          now,
		Log:          a.log,
	}

	a.engine = engine.New(a.engineOptions(c, in, rules))
	a.recovery = recovery.New(a.recoveryOptions(c, in))
	commands := a.newCommands(c, rules)

	a.links = a.newLinks(c)
	lines := a.newChat(c, commands)
	if c.slack != nil {
		a.notifier = a.newNotifier(c, rules, faceSlack, slack.Face{Client: c.slack, Render: a.renderOptions()})
		a.actions = a.newSlackActions(c, rules, commands, lines)
		a.inbox, err = a.newSlackInbox(c.slack, a.actions)
		if err != nil {
			return err
		}
		a.notices = a.newSlackNotices()
	}

	a.events = a.newEvents()
	a.sources = newHookSources(a.cfg, c.github, a.log)
	a.server = server.New(a.serverOptions(in, commands, lines))
	a.metrics.CollectStats(a.db.Stats)

	return nil
}

// newCommands makes the service that carries out commands of people: of the API, of the command line and of chats.
func (a *App) newCommands(c *clients, rules *gate.Gate) *command.Service {
	return command.New(command.Options{
		Gate:        rules,
		People:      rules,
		Routes:      a.routes,
		Engine:      a.engine,
		Holds:       c.circleci,
		HoldPeople:  rules,
		Deployments: a.db,
		Locks:       a.db,
		LockReader:  a.db,
		Resolver:    c.github,
		Requests:    a.db,
		Refs:        c.github,
		History:     intent.History{SuccessStore: a.db, GitHub: c.github},
		Task:        a.cfg.Routes.DefaultTask(),
		LockTask:    a.cfg.Routes.LockTask(),
		Now:         now,
	})
}

// newChat makes the service that answers the lines that people type.
func (a *App) newChat(c *clients, commands *command.Service) *chat.Service {
	return chat.New(chat.Options{
		Asks:        commands,
		Branches:    c.github,
		Deployments: commands,
		Holds:       commands,
		Locks:       commands,
		Reader:      a.db,
		Routes:      a.routes,
		Answers:     a.db,
		Unlink:      a.unlink,
		TaskPrefix:  a.cfg.Routes.DefaultTask(),
		Now:         now,
	})
}

// newEvents makes the hub of those who stream events, and shows in the metrics how many they are.
func (a *App) newEvents() *events.Hub {
	hub := events.New(events.Options{Source: a.db, Shared: a.db.SharesDatabase(), Log: a.log})
	a.metrics.CollectStreams(hub.Watchers)
	return hub
}

func newMachine(cfg *config.Config) deployment.Machine {
	return deployment.Machine{
		TriggerTimeout: cfg.CircleCI.Timeout,
		LookupGrace:    cfg.LookupGrace,
		WorkflowGrace:  cfg.WorkflowGrace,
		StartTimeout:   cfg.StartTimeout,
		PollMin:        cfg.PollMin,
		PollMax:        cfg.PollMax,
		MaxAge:         cfg.RecoverMaxAge,
		AppURL:         strings.TrimRight(cfg.CircleCI.AppURL.String(), "/"),
	}
}

func (a *App) engineOptions(c *clients, in *intake.Intake, rules *gate.Gate) engine.Options {
	return engine.Options{
		Machine:     in.Machine,
		Rows:        a.db,
		DueRows:     a.db,
		Deployments: a.db,
		Requests:    a.db,
		Pipelines:   a.db,
		Retention:   a.db,
		Database:    a.db,
		Starter:     c.circleci,
		Poller:      c.circleci,
		Failures:    c.circleci,
		Searcher:    c.circleci,
		GitHub:      c.github,
		Gate:        rules,
		LockTasks:   &command.LockTasks{Locks: a.db, Now: now},
		Sender: &report.Sender{
			Store:   a.db,
			GitHub:  c.github,
			Log:     a.log,
			Now:     now,
			Observe: a.metrics.Reported,
		},
		Creator: &intent.Worker{
			Store:        a.db,
			GitHub:       c.github,
			Intake:       in,
			Machine:      deployment.IntentMachine{CallTimeout: githubTimeout},
			TrustedSince: func() time.Time { return a.engine.TrustedSince() },
			Log:          a.log,
			Now:          now,
		},
		Readmit: func(ctx context.Context, shown deployment.Request) error {
			return in.AcceptShown(ctx, shown, now())
		},
		Retain:         a.cfg.Retention,
		ReadsPerSecond: a.cfg.CircleCI.ReadsPerSecond,
		Observe: engine.Observe{
			Ended:       a.metrics.Ended,
			Triggered:   a.metrics.Triggered,
			Unconfirmed: a.metrics.Unconfirmed,
		},
		Log: a.log,
		Now: now,
	}
}

func (a *App) recoveryOptions(c *clients, in *intake.Intake) recovery.Options {
	return recovery.Options{
		Intake:        in,
		Store:         a.db,
		Leases:        a.db,
		GitHub:        c.github,
		Hooks:         c.github,
		MaxAge:        in.Machine.MaxAge,
		Watched:       a.routes.Repositories,
		Redeliver:     a.cfg.RecoverDeliveries && (a.cfg.PublicURL != nil || a.cfg.GitHub.AppID != 0),
		HookAddresses: hookAddresses(a.cfg.PublicURL),
		Observe:       a.metrics.Recovered,
		Log:           a.log,
		Now:           now,
	}
}

// hookAddresses are the addresses of this service in GitHub's webhooks.
func hookAddresses(public *url.URL) []string {
	if public == nil {
		return nil
	}
	return []string{public.JoinPath("webhooks/github").String(), public.JoinPath("events").String()}
}

func (a *App) serverOptions(in *intake.Intake, commands *command.Service, lines *chat.Service) server.Options {
	return server.Options{
		GitHubSecrets:   a.cfg.GitHub.WebhookSecrets.Bytes(),
		CircleCISecrets: a.cfg.CircleCI.WebhookSecrets.Bytes(),
		Sources:         a.sources.allowed,
		TrustedProxies:  a.cfg.TrustedProxies,
		Intake:          in,
		Waker:           a.db,
		Slack:           a.inbox.handlerOrNil(),
		Claims:          a.engine,
		Persons:         a.links,
		Link:            a.linkHandler(),
		Reader:          a.db,
		Deliveries:      a.db,
		Environments:    a.db,
		Events:          a.events,
		Deployments:     commands,
		Orders:          commands,
		Lines:           lines,
		Holds:           commands,
		Locks:           commands,
		LockReader:      commands,
		Ready:           a.ready,
		Metrics:         a.metrics.Handler(),
		ServeMetrics:    a.cfg.MetricsAddr == "",
		Tokens:          apiTokens(a.cfg),
		Log:             a.log,
		Observe:         a.metrics.Delivery,
		ObserveRefused:  a.metrics.APIRefused,
		CircleCIURL: func(d deployment.Deployment) string {
			return deployment.PipelineURL(in.Machine.AppURL, *d.Pipeline)
		},
	}
}

func apiTokens(cfg *config.Config) []server.Token {
	list := make([]server.Token, len(cfg.APITokens))
	for i, t := range cfg.APITokens {
		list[i] = server.Token{
			Name:  t.Name,
			Scope: server.Scope(t.Scope),
			Hash:  t.Hash,
			Chat:  server.Chat{Face: t.Face, Workspace: t.Workspace},
		}
	}
	return list
}

// ready returns what /readyz shows: each part of the service, and why it does not work.
func (a *App) ready(ctx context.Context) map[string]error {
	return map[string]error{"database": a.db.Ping(ctx), "queue": a.engine.QueueOK()}
}
