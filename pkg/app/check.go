package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/pkg/route"
	"github.com/seraph-deploy/seraph/pkg/telemetry"
)

// Level says how bad a finding is.
type Level string

// The levels. With a finding that is wrong, deployments would fail.
const (
	Good    Level = "ok"
	Warning Level = "warning"
	Wrong   Level = "wrong"
)

// Finding is one line of the output of `seraph check`.
type Finding struct {
	Level Level
	Text  string
}

// String returns the line.
func (f Finding) String() string { return string(f.Level) + ": " + f.Text }

// Check warns about routes without a key, about routes that let a deployment avoid the rules of an earlier one, about
// routes whose configuration the requester can change, and about tokens by which nobody can ask. Unless offline, it
// also asks GitHub and CircleCI whether the credentials work, whether every route's repository, refs, project and
// definition can be read, and who has the ids of people; and Slack, where it is on, whether the app may do what it
// must, in every channel that a route names. It changes nothing at either. Each question that is not answered when ctx
// ends is a finding of level Wrong with the cause of ctx.
func Check(ctx context.Context, cfg *config.Config, offline bool) ([]Finding, error) {
	c := &checker{cfg: cfg}
	c.checkRoutes("configuration", cfg.Routes)
	c.checkConfig()
	if offline {
		return c.findings, nil
	}

	clients, err := newClients(cfg, telemetry.New("", ""), zerolog.Nop())
	if err != nil {
		return nil, err
	}
	defer clients.close()

	c.clients = clients
	c.checkCredentials(ctx)
	c.checkPeople(ctx)
	c.checkSlack(ctx)
	for _, r := range cfg.Routes.Routes() {
		c.checkRepository(ctx, r)
		c.checkProject(ctx, r)
	}

	for _, question := range c.unanswered { // last, so that nobody overlooks them
		c.found(Wrong, "not checked, because %v: %s", context.Cause(ctx), question)
	}

	return c.findings, nil
}

// CheckRoutes says what Check says of routes without asking anybody.
func CheckRoutes(t *route.Table) []Finding {
	c := &checker{}
	c.checkRoutes("routes file", t)
	return c.findings
}

// checker collects findings.
type checker struct {
	cfg      *config.Config
	clients  *clients
	findings []Finding

	unanswered []string // questions that had no answer when ctx ended
}

func (c *checker) found(level Level, format string, args ...any) {
	c.findings = append(c.findings, Finding{level, fmt.Sprintf(format, args...)})
}

// late says whether a question was not answered because ctx has ended, and notes the question if so.
func (c *checker) late(ctx context.Context, question string) bool {
	if ctx.Err() == nil {
		return false
	}
	c.unanswered = append(c.unanswered, question)
	return true
}

// checkRoutes says that the routes are good, and warns of what they make possible. what names where they
// are from.
func (c *checker) checkRoutes(what string, t *route.Table) {
	const noKey = "%s: no parameter carries {{ .Key }}: after a lost answer the pipeline cannot be identified, " +
		"and the deployment ends errored"
	const noRollback = "%s: it has rollback, but builds the requester's own ref, so that a rollback is refused: " +
		"set circleci.branch, and send {{ .SHA }}"

	routes := len(t.Routes())
	if routes == 1 {
		c.found(Good, "the %s is valid: 1 route", what)
	} else {
		c.found(Good, "the %s is valid: %d routes", what, routes)
	}

	for _, r := range t.Routes() {
		if !r.CarriesKey {
			c.found(Warning, noKey, r.Name())
		}
		c.checkConfigRef(r)
		if r.HasRollback && !r.FixedRef {
			c.found(Warning, noRollback, r.Name())
		}
	}

	for _, b := range t.Bypasses() {
		c.found(Warning, "%s; give it the same rules or name other places in it", b)
	}
}

// checkConfig says where the webhooks go that this configuration takes, and warns of tokens by which nobody could ask.
func (c *checker) checkConfig() {
	if public := c.cfg.PublicURL; public != nil {
		addresses := []string{public.JoinPath("webhooks/github").String() + " (GitHub)"}
		if len(c.cfg.CircleCI.WebhookSecrets) > 0 {
			addresses = append(addresses, public.JoinPath("webhooks/circleci").String()+" (CircleCI)")
		}
		if c.cfg.Slack.On() {
			addresses = append(addresses, public.JoinPath("webhooks/slack").String()+" (Slack)")
		}
		c.found(Good, "webhooks go to %s", strings.Join(addresses, ", "))
	}

	c.checkTokens()
	c.checkSlackRoutes()
}

func (c *checker) checkCredentials(ctx context.Context) {
	identity, err := c.clients.github.Identity(ctx)
	switch {
	case err == nil:
		c.found(Good, "GitHub: authenticated as %s", identity)
	case !c.late(ctx, "GitHub: the credentials"):
		c.found(Wrong, "cannot authenticate at GitHub: %v", err)
	}

	me, err := c.clients.circleci.Me(ctx)
	switch {
	case err == nil:
		c.found(Good, "CircleCI: authenticated as %s", me.Login)
	case !c.late(ctx, "CircleCI: SERAPH_CIRCLECI_TOKEN"):
		c.found(Wrong, "cannot authenticate at CircleCI with SERAPH_CIRCLECI_TOKEN: %v", err)
	}
}

// checkRepository checks the repository of a route that names one without a pattern.
func (c *checker) checkRepository(ctx context.Context, r route.Route) {
	owner, name, literal := r.LiteralRepository()
	if !literal {
		return
	}

	if err := c.clients.github.CheckRepository(ctx, owner, name); err != nil {
		if !c.late(ctx, r.Name()+": deployments of "+owner+"/"+name) {
			c.found(Wrong, "%s: deployments of %s/%s: %v", r.Name(), owner, name, err)
		}
		return
	}

	page := c.cfg.GitHub.WebURL.JoinPath(owner, name, "deployments")
	c.found(Good, "%s: deployments can be read, see %s", r.Name(), page)
	c.checkRefs(ctx, r, owner, name)
}

// checkProject checks the project and the definition of a route, unless the project is rendered from
// the repository of each deployment.
func (c *checker) checkProject(ctx context.Context, r route.Route) {
	slug := r.Project
	if owner, name, literal := r.LiteralRepository(); slug == "" && literal {
		slug = "gh/" + owner + "/" + name // the default of such a route
	}
	if slug == "" {
		return
	}

	project, err := c.clients.circleci.FindProject(ctx, slug)
	if err != nil {
		if !c.late(ctx, r.Name()+": CircleCI project "+slug) {
			c.found(Wrong, "%s: CircleCI project %s: %v", r.Name(), slug, err)
		}
		return
	}

	c.found(Good, "%s: CircleCI project %s", r.Name(), project.Slug)
	if r.Definition == "" {
		return
	}

	definitions, err := c.clients.circleci.Definitions(ctx, project.ID)
	if err != nil {
		if !c.late(ctx, r.Name()+": pipeline definitions of "+slug) {
			c.found(Wrong, "%s: pipeline definitions of %s: %v", r.Name(), slug, err)
		}
		return
	}

	for _, d := range definitions {
		if d.ID == r.Definition {
			return
		}
	}

	c.found(Wrong, "%s: %s has no pipeline definition %s; see Project Settings > Project Setup",
		r.Name(), slug, r.Definition)
}
