package app

import (
	"context"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/pkg/route"
	"github.com/seraph-deploy/seraph/pkg/telemetry"
)

// Level says how bad a finding is.
type Level string

// The levels. Wrong: deployments would fail.
const (
	Good    Level = "ok"
	Warning Level = "warning"
	Wrong   Level = "wrong"
)

// Finding is one line of what `seraph check` found out.
type Finding struct {
	Level Level
	Text  string
}

// String is the line as people read it.
func (f Finding) String() string { return string(f.Level) + ": " + f.Text }

// Check warns about routes without a key and, unless offline, asks GitHub and CircleCI whether the
// credentials and every route's repository, project and definition are good. It changes nothing out
// there.
func Check(ctx context.Context, cfg *config.Config, offline bool) ([]Finding, error) {
	c := &checker{cfg: cfg}
	c.found(Good, "the configuration is valid: %d routes", len(cfg.Routes.Routes()))
	for _, r := range cfg.Routes.Routes() {
		if !r.CarriesKey {
			c.found(
				Warning,
				"%s: no parameter carries {{ .Key }}: a trigger whose answer is lost cannot be told from a stranger's, and ends errored",
				r.Name(),
			)
		}
	}

	if cfg.PublicURL != nil {
		c.found(
			Good,
			"webhooks go to %s (GitHub) and %s (CircleCI)",
			cfg.PublicURL.JoinPath("webhooks/github"),
			cfg.PublicURL.JoinPath("webhooks/circleci"),
		)
	}

	if offline {
		return c.findings, nil
	}

	clients, err := newClients(cfg, telemetry.New("", ""))
	if err != nil {
		return nil, err
	}

	defer clients.close()
	c.clients = clients
	c.credentials(ctx)
	for _, r := range cfg.Routes.Routes() {
		c.route(ctx, r)
	}

	return c.findings, nil
}

// checker collects findings.
type checker struct {
	cfg      *config.Config
	clients  *clients
	findings []Finding
}

func (c *checker) found(level Level, format string, args ...any) {
	c.findings = append(c.findings, Finding{level, fmt.Sprintf(format, args...)})
}

func (c *checker) credentials(ctx context.Context) {
	if id, err := c.clients.github.Identity(ctx); err != nil {
		c.found(Wrong, "GitHub does not take the credentials: %v", err)
	} else {
		c.found(Good, "GitHub knows us as %s", id)
	}

	if me, err := c.clients.circleci.Me(ctx); err != nil {
		c.found(Wrong, "CircleCI does not take SERAPH_CIRCLECI_TOKEN: %v", err)
	} else {
		c.found(Good, "CircleCI knows us as %s", me.Login)
	}
}

func (c *checker) route(ctx context.Context, r route.Route) {
	owner, name, literal := r.LiteralRepository()
	if literal {
		if err := c.clients.github.CheckRepository(ctx, owner, name); err != nil {
			c.found(Wrong, "%s: deployments of %s/%s: %v", r.Name(), owner, name, err)
		} else {
			c.found(Good, "%s: deployments can be read, see %s", r.Name(), c.cfg.GitHub.WebURL.JoinPath(owner, name, "deployments"))
		}
	}

	if r.Project == "" && literal {
		r.Project = "gh/" + owner + "/" + name // what such a route defaults to
	}
	if r.Project == "" {
		return // rendered from the repository that deploys
	}

	project, err := c.clients.circleci.FindProject(ctx, r.Project)
	if err != nil {
		c.found(Wrong, "%s: CircleCI project %s: %v", r.Name(), r.Project, err)
		return
	}

	c.found(Good, "%s: CircleCI project %s", r.Name(), project.Slug)
	if r.Definition != "" {
		c.definition(ctx, r, project.ID)
	}
}

func (c *checker) definition(ctx context.Context, r route.Route, projectID string) {
	definitions, err := c.clients.circleci.Definitions(ctx, projectID)
	if err != nil {
		c.found(Wrong, "%s: pipeline definitions of %s: %v", r.Name(), r.Project, err)
		return
	}

	for _, d := range definitions {
		if d.ID == r.Definition {
			return
		}
	}

	c.found(
		Wrong,
		"%s: %s has no pipeline definition %s; see Project Settings > Project Setup",
		r.Name(),
		r.Project,
		r.Definition,
	)
}
