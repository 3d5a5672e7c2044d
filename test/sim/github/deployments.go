package github

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// deployment is one deployment with its statuses, oldest first.
type deployment struct {
	wire.Deployment
	repo     *repository
	statuses []wire.Status
	run      wire.Object // the GitHub Actions run that created it, or nil
}

// view returns the deployment with the present name of its repository.
func (d *deployment) view() wire.Deployment {
	v := d.Deployment
	v.Repository = d.repo.Repository
	return v
}

// NewDeployment is a request for a deployment. Only Ref is required.
type NewDeployment struct {
	Ref         string
	Environment string          // default production
	Task        string          // default deploy
	Payload     json.RawMessage // an object or a string; default {}
	Description string
	Creator     string // login, default "octocat"; one that ends in [bot] is a bot
	App         string // slug of the app that creates it, such as github-actions; default none
	WorkflowRun bool   // created by a job of GitHub Actions
	Transient   bool
	Production  *bool     // default: Environment is production
	CreatedAt   time.Time // default now
}

// Deployment is a copy of one deployment for tests.
type Deployment struct {
	ID           int64
	Repository   string
	RepositoryID int64
	SHA          string
	Ref          string
	Task         string
	Environment  string
	Description  string
	Payload      json.RawMessage
	Production   bool
	App          string // slug of the app that created it; empty: none
	Creator      string // the present login
	CreatorID    int64
	At           time.Time
	Statuses     []Status // oldest first
}

// CreateDeployment creates a deployment as POST /repos/{owner}/{repo}/deployments does with
// auto_merge off and no required contexts, and sends its webhook.
func (s *Server) CreateDeployment(repo string, wanted NewDeployment) (Deployment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.mustRepository(repo)
	sha, found := r.resolve(wanted.Ref)
	if !found {
		return Deployment{}, fmt.Errorf("no ref found for: %s", wanted.Ref)
	}
	if len(wanted.Payload) > 0 && !json.Valid(wanted.Payload) {
		return Deployment{}, errors.New("payload is not JSON")
	}

	return s.create(r, sha, wanted).snapshot(), nil
}

func (s *Server) create(r *repository, sha string, w NewDeployment) *deployment {
	created := w.CreatedAt
	if created.IsZero() {
		created = s.options.Now()
	}

	w.Environment, w.Task = cmp.Or(w.Environment, "production"), cmp.Or(w.Task, "deploy")
	production := w.Environment == "production"
	if w.Production != nil {
		production = *w.Production
	}

	d := &deployment{
		repo: r,
		Deployment: wire.Deployment{
			ID:                  s.nextID("deployment"),
			SHA:                 sha,
			Ref:                 w.Ref,
			Task:                w.Task,
			Payload:             normalizePayload(w.Payload),
			Environment:         w.Environment,
			OriginalEnvironment: w.Environment,
			Description:         w.Description,
			Creator:             s.account(cmp.Or(w.Creator, "octocat")),
			App:                 s.appBySlug(w.App),
			Transient:           w.Transient,
			Production:          production,
			CreatedAt:           created,
			UpdatedAt:           created,
		},
	}

	if w.WorkflowRun {
		d.run = s.workflowRun(d)
	}

	s.deployments = append(s.deployments, d)
	s.sendEvent("deployment", d, nil, d.Creator)
	s.changed.Broadcast()
	return d
}

func normalizePayload(raw json.RawMessage) json.RawMessage {
	if trimmed := bytes.TrimSpace(raw); len(trimmed) > 0 {
		return slices.Clone(trimmed)
	}
	return json.RawMessage("{}")
}

func (s *Server) appBySlug(slug string) *wire.App {
	switch {
	case slug == "":
		return nil
	case s.options.App != nil && slug == s.options.App.Slug:
		return s.app()
	default:
		return s.otherApp(slug)
	}
}

// workflowRun is the part of a GitHub Actions run by which receivers recognize such deployments.
func (s *Server) workflowRun(d *deployment) wire.Object {
	id := s.nextID("run")
	return wire.Object{
		"id":          id,
		"name":        "Deploy",
		"path":        ".github/workflows/deploy.yml",
		"event":       "push",
		"status":      "in_progress",
		"conclusion":  nil,
		"head_branch": d.Ref,
		"head_sha":    d.SHA,
		"run_number":  1,
		"run_attempt": 1,
		"actor":       d.Creator.JSON(s.api(), s.web()),
		"html_url":    fmt.Sprintf("%s/%s/actions/runs/%d", s.web(), d.repo.FullName(), id),
	}
}

// sendEvent sends the webhook of a new deployment, or of a new status when status is set.
func (s *Server) sendEvent(event string, d *deployment, status *wire.Status, sender wire.Account) {
	hooks := s.hooksFor(d.repo)
	if len(hooks) == 0 {
		return
	}

	e := wire.Event{Action: "created", Deployment: d.view(), Status: status, Sender: sender, WorkflowRun: d.run}
	e.Installation = hooks[0].InstallationID
	body, err := json.Marshal(e.JSON(s.api(), s.web()))
	if err != nil { // only for a payload that is not JSON, which was refused before
		panic(err)
	}

	s.hooks.Send(hookshot.Message{Event: event, Action: "created", RepositoryID: d.repo.ID, Body: body}, hooks...)
}

func (s *Server) listDeployments(c *call) *response {
	query := s.checkQuery(c, "sha", "ref", "task", "environment", "per_page", "page")
	matches := func(name, value string) bool {
		want := query.Get(name)
		return want == "" || want == "none" || want == value
	}

	bodies := []wire.Object{}
	for _, d := range slices.Backward(s.deployments) {
		if d.repo == c.repo && matches("sha", d.SHA) && matches("ref", d.Ref) && matches("task", d.Task) &&
			matches("environment", d.Environment) {
			bodies = append(bodies, d.view().JSON(s.api(), s.web()))
		}
	}

	return paginate(s, c, bodies)
}

func (s *Server) getDeployment(c *call) *response {
	d := s.deployment(c)
	if d == nil {
		return notFound()
	}
	return ok(d.view().JSON(s.api(), s.web()))
}

// deployment returns the deployment that a call's path names, or nil.
func (s *Server) deployment(c *call) *deployment {
	for _, d := range s.deployments {
		if d.ID == c.id("deployment") && d.repo == c.repo {
			return d
		}
	}
	return nil
}
