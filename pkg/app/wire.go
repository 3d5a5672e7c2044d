package app

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/circleci"
	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/engine"
	"github.com/seraph-deploy/seraph/pkg/github"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	"github.com/seraph-deploy/seraph/pkg/recovery"
	"github.com/seraph-deploy/seraph/pkg/report"
	"github.com/seraph-deploy/seraph/pkg/route"
	"github.com/seraph-deploy/seraph/pkg/server"
	"github.com/seraph-deploy/seraph/pkg/telemetry"
)

// githubTimeout bounds one call to GitHub, which itself gives up after 10 s.
const githubTimeout = 15 * time.Second

// clients are the two vendors.
type clients struct {
	github   *github.Client
	circleci *circleci.Client
	close    func()
}

func newClients(cfg *config.Config, m *telemetry.Metrics) (*clients, error) {
	const agent = "seraph"
	gh := outbound.New(outbound.Options{Timeout: githubTimeout, Observe: m.Calls("github")})
	ci := outbound.New(outbound.Options{Timeout: cfg.CircleCI.Timeout, Observe: m.Calls("circleci")})
	g, err := github.New(github.Options{
		BaseURL:         cfg.GitHub.APIURL,
		Token:           cfg.GitHub.Token.Reveal(),
		AppID:           cfg.GitHub.AppID,
		PrivateKey:      cfg.GitHub.PrivateKey.Reveal(),
		HTTP:            gh.Client(),
		UserAgent:       agent,
		WritesPerMinute: cfg.GitHub.WritesPerMinute,
	})

	if err != nil {
		return nil, err
	}

	c := circleci.New(circleci.Options{
		BaseURL:   cfg.CircleCI.APIURL,
		Token:     cfg.CircleCI.Token.Reveal(),
		HTTP:      ci.Client(),
		UserAgent: agent,
	})

	return &clients{github: g, circleci: c, close: func() { gh.CloseIdle(); ci.CloseIdle() }}, nil
}

func rules(cfg *config.Config) deployment.Machine {
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

func (a *App) engineOptions(c *clients) engine.Options {
	return engine.Options{
		Machine:     a.intake.Machine,
		Rows:        a.db,
		DueRows:     a.db,
		Deployments: a.db,
		Pipelines:   a.db,
		Retention:   a.db,
		Starter:     c.circleci,
		Poller:      c.circleci,
		Searcher:    c.circleci,
		GitHub:      c.github,
		Gate:        a.gate,
		LockTasks:   &command.LockTasks{Locks: a.db, Now: time.Now},
		Sender: &report.Sender{
			Store:   a.db,
			GitHub:  c.github,
			Log:     a.log,
			Now:     time.Now,
			Observe: a.metrics.Reported,
		},
		Retain:         a.cfg.Retention,
		ReadsPerSecond: a.cfg.CircleCI.ReadsPerSecond,
		Observe: engine.Observe{
			Ended:       a.metrics.Ended,
			Triggered:   a.metrics.Triggered,
			Unconfirmed: a.metrics.Unconfirmed,
		},
		Log: a.log,
		Now: time.Now,
	}
}

func (a *App) recoveryOptions(c *clients) recovery.Options {
	return recovery.Options{
		Intake:        a.intake,
		Store:         a.db,
		Leases:        a.db,
		GitHub:        c.github,
		Hooks:         c.github,
		MaxAge:        a.intake.Machine.MaxAge,
		Watched:       watched(a.cfg.Routes),
		Redeliver:     a.cfg.RecoverDeliveries && (a.cfg.PublicURL != nil || a.cfg.GitHub.AppID != 0),
		HookAddresses: hookAddresses(a.cfg.PublicURL),
		Observe:       a.metrics.Recovered,
		Log:           a.log,
		Now:           time.Now,
	}
}

// hookAddresses are where GitHub's webhooks to this service go.
func hookAddresses(public *url.URL) []string {
	if public == nil {
		return nil
	}
	return []string{public.JoinPath("webhooks/github").String(), public.JoinPath("events").String()}
}

// watched are the repositories that routes name literally.
func watched(t *route.Table) []deployment.Repository {
	var list []deployment.Repository
	for _, r := range t.Routes() {
		if owner, name, ok := r.LiteralRepository(); ok {
			list = append(list, deployment.Repository{Owner: owner, Name: name})
		}
	}
	return list
}

func (a *App) serverOptions() server.Options {
	return server.Options{
		GitHubSecrets:   a.cfg.GitHub.WebhookSecrets.Bytes(),
		CircleCISecrets: a.cfg.CircleCI.WebhookSecrets.Bytes(),
		Sources:         a.sources.allowed,
		TrustedProxies:  a.cfg.TrustedProxies,
		Intake:          a.intake,
		Waker:           a.db,
		Claims:          a.engine,
		Reader:          a.db,
		Deployments:     a.commands,
		Locks:           a.commands,
		LockReader:      a.commands,
		Ready:           a.ready,
		Metrics:         a.metrics.Handler(),
		ServeMetrics:    a.cfg.MetricsAddr == "",
		Tokens:          tokens(a.cfg),
		Log:             a.log,
		Observe:         a.metrics.Delivery,
		CircleCIURL: func(d deployment.Deployment) string {
			return deployment.PipelineURL(a.intake.Machine.AppURL, *d.Pipeline)
		},
	}
}

func tokens(cfg *config.Config) []server.Token {
	list := make([]server.Token, len(cfg.APITokens))
	for i, t := range cfg.APITokens {
		list[i] = server.Token{Name: t.Name, Scope: server.Scope(t.Scope), Hash: t.Hash}
	}
	return list
}

func (a *App) ready(ctx context.Context) map[string]error {
	return map[string]error{"database": a.db.Ping(ctx), "queue": a.engine.QueueOK()}
}
