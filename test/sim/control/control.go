// Package control runs the three simulators as one program and serves a small JSON API to control them.
// A person, a demo or an end-to-end test uses it to deploy, approve, make calls fail and watch.
//
//	POST /deploy     {"repository","environment","ref","task","payload","description","creator",
//	                  "scenario": a CircleCI scenario, "github_scenario": a GitHub scenario,
//	                  "project": which plays the CircleCI scenario; default: the GitHub App's project
//	                  of the repository, else gh/REPOSITORY}
//	GET  /deployments           all deployments with their statuses
//	GET  /pipelines             all pipelines with their workflows
//	GET  /events                server-sent events: deployments, statuses, webhook deliveries, and pipelines
//	                            whenever they change; with ?follow=false only the existing ones
//	POST /approve    {"deployment"} or {"pipeline"}; likewise /cancel and /rerun
//	POST /faults     {"side": "github", "circleci" or "slack", "operation", "fault", "times": default 1};
//	                  GET lists the names
//	POST /facts      sets what GitHub knows of people, commits, branches and tags, see Facts
//	POST /redeliver  {"delivery"}: sends a webhook of GitHub again; GET /deliveries lists them
//	GET  /violations            what callers did against the vendors' references
//	GET  /           the page: a channel of Slack in a browser, as any of its people
//
// What people do and see in Slack, with users and channels by name or id:
//
//	GET  /slack                 users and channels
//	POST /slack/say     {"user","channel","text","thread"}: a message, or a command when it begins with a slash;
//	                    without a channel a direct message to the app
//	POST /slack/click   {"user","channel","ts","action"} or {"view","action"}: presses a button; "block" and "value"
//	                    choose among several, "version" one that an older version of the message had
//	POST /slack/submit  {"view","values"}: submits a modal; values by block or action
//	POST /slack/close   {"view"}
//	POST /slack/home    {"user"}: opens the home tab
//	POST /slack/person  {"id","name","team","deleted","guest"}: adds or changes a user
//	GET  /slack/messages        ?channel= and ?user=: with a user, ephemeral messages of others are left out
//	GET  /slack/views           ?user=: open modals and the home tab
//	GET  /slack/calls           calls of Slack's API; GET /slack/deliveries what was sent to the app
package control

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// CircleCI is the part of the CircleCI simulator that Control uses.
type CircleCI interface {
	// Expect makes the next pipeline of a project play the named scenario.
	Expect(project, scenario string) error
	// Pipelines lists all pipelines, oldest first.
	Pipelines() []Pipeline
	// Changed returns a channel that is closed at the next change of any pipeline.
	Changed() <-chan struct{}
	// Approve, Cancel and Rerun act on the workflows of a pipeline, and fail when no workflow is in
	// the right state.
	Approve(pipeline string) error
	Cancel(pipeline string) error
	Rerun(pipeline string) error
	// Fault makes the next calls of an operation fail. Faults lists the operations and faults.
	Fault(operation, fault string, times int) error
	Faults() Faults
	Violations() []string
}

// Pipeline is one pipeline in the control API.
type Pipeline struct {
	ID         string         `json:"id"`
	Project    string         `json:"project"`
	Number     int64          `json:"number"`
	State      string         `json:"state"`
	Branch     string         `json:"branch"`
	Tag        string         `json:"tag"`
	Revision   string         `json:"revision"`
	Workflows  []Workflow     `json:"workflows"`
	Parameters map[string]any `json:"parameters"`
}

// Workflow is one workflow of a pipeline.
type Workflow struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
}

// Faults are the names that POST /faults accepts.
type Faults struct {
	Operations []string `json:"operations"`
	Faults     []string `json:"faults"`
}

// Control serves the control API of the simulators.
type Control struct {
	github      *github.Server
	circleci    CircleCI
	slack       *slack.Server
	appProjects []appProject
}

// New returns the control of three running simulators.
func New(gh *github.Server, ci CircleCI, sl *slack.Server, appProjects ...appProject) *Control {
	return &Control{github: gh, circleci: ci, slack: sl, appProjects: appProjects}
}

// Handler serves the control API.
func (c *Control) Handler() http.Handler {
	mux := chi.NewRouter()
	mux.Post("/deploy", handle(c.deploy))
	mux.Post("/approve", handle(c.onPipeline(c.circleci.Approve)))
	mux.Post("/cancel", handle(c.onPipeline(c.circleci.Cancel)))
	mux.Post("/rerun", handle(c.onPipeline(c.circleci.Rerun)))
	mux.Post("/faults", handle(c.fault))
	mux.Post("/facts", handle(c.facts))
	mux.Post("/redeliver", handle(c.redeliver))
	mux.Get("/faults", handle(c.faults))
	mux.Get("/deployments", handle(func(*http.Request) (any, error) { return c.deployments(), nil }))
	mux.Get("/pipelines", handle(func(*http.Request) (any, error) { return c.circleci.Pipelines(), nil }))
	mux.Get("/deliveries", handle(func(*http.Request) (any, error) { return c.deliveries(), nil }))
	mux.Get("/violations", handle(c.violations))
	mux.Get("/events", c.events)
	mux.Route("/slack", c.slackRoutes)
	mux.Route(sitePath, c.siteRoutes)
	mux.Get("/", http.RedirectHandler(sitePath+"/", http.StatusFound).ServeHTTP)

	return mux
}

// handle turns a function into a handler: 200 with its result, or 400 with its error.
func handle(serve func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		body, err := serve(r)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			body = map[string]string{"error": err.Error()}
		}

		json.NewEncoder(w).Encode(body) // an error means that the caller closed the connection
	}
}

// decode reads a request's JSON body and rejects unknown fields.
func decode(r *http.Request, target any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	return d.Decode(target)
}

type deployRequest struct {
	Repository     string          `json:"repository"`
	Environment    string          `json:"environment"`
	Ref            string          `json:"ref"`
	Task           string          `json:"task"`
	Payload        json.RawMessage `json:"payload"`
	Description    string          `json:"description"`
	Creator        string          `json:"creator"`
	Project        string          `json:"project"`
	Scenario       string          `json:"scenario"`
	GitHubScenario string          `json:"github_scenario"`
}

// deploy creates a deployment as a person would. A repository that does not exist is added first.
func (c *Control) deploy(r *http.Request) (any, error) {
	in := deployRequest{Ref: "main", GitHubScenario: "plain"}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Repository == "" {
		return nil, errors.New("repository is missing: use owner/name")
	}
	if in.Project == "" {
		in.Project = projectOf(c.appProjects, in.Repository)
	}

	if in.Scenario != "" {
		if err := c.circleci.Expect(in.Project, in.Scenario); err != nil {
			return nil, err
		}
	}

	c.github.AddRepository(in.Repository)
	created, err := c.github.Play(in.GitHubScenario, in.Repository, github.NewDeployment{
		Ref:         in.Ref,
		Environment: in.Environment,
		Task:        in.Task,
		Payload:     in.Payload,
		Description: in.Description,
		Creator:     in.Creator,
	})

	if err != nil {
		return nil, err
	}

	return deploymentOf(created), nil
}

// onPipeline calls act for the pipeline that a request names by its id, or by a deployment whose
// statuses link to it.
func (c *Control) onPipeline(act func(pipeline string) error) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var in struct {
			Pipeline   string `json:"pipeline"`
			Deployment int64  `json:"deployment"`
		}

		if err := decode(r, &in); err != nil {
			return nil, err
		}

		if in.Pipeline == "" {
			found, err := c.pipelineOf(in.Deployment)
			if err != nil {
				return nil, err
			}

			in.Pipeline = found
		}

		return map[string]string{"pipeline": in.Pipeline}, act(in.Pipeline)
	}
}

func (c *Control) fault(r *http.Request) (any, error) {
	in := struct {
		Side      string `json:"side"`
		Operation string `json:"operation"`
		Fault     string `json:"fault"`
		Times     int    `json:"times"`
	}{Times: 1}

	if err := decode(r, &in); err != nil {
		return nil, err
	}

	switch in.Side {
	case "github":
		return in, c.github.NextNamed(in.Operation, in.Fault, in.Times)
	case "circleci":
		return in, c.circleci.Fault(in.Operation, in.Fault, in.Times)
	case "slack":
		return in, c.slack.NextNamed(in.Operation, in.Fault, in.Times)
	}

	return nil, errors.New(`side must be "github", "circleci" or "slack"`)
}

func (c *Control) faults(*http.Request) (any, error) {
	return map[string]Faults{
		"github":   {Operations: github.Operations(), Faults: github.Faults()},
		"circleci": c.circleci.Faults(),
		"slack":    {Operations: slack.Operations(), Faults: slack.Faults()},
	}, nil
}

func (c *Control) redeliver(r *http.Request) (any, error) {
	var in struct {
		Delivery int64 `json:"delivery"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	return in, c.github.Hooks().Redeliver(in.Delivery)
}

func (c *Control) violations(*http.Request) (any, error) {
	return map[string][]string{
		"github": append(
			[]string{},
			c.github.Violations()...),
		"circleci": append([]string{}, c.circleci.Violations()...),
	}, nil
}

// delivery is one webhook delivery of GitHub in the control API.
type delivery struct {
	ID         int64     `json:"id"`
	GUID       string    `json:"guid"`
	Event      string    `json:"event"`
	At         time.Time `json:"at"`
	Lost       bool      `json:"lost"`
	Redelivery bool      `json:"redelivery"`
	StatusCode int       `json:"status_code"`
	Status     string    `json:"status"`
	Answer     string    `json:"answer"`
}

func (c *Control) deliveries() []delivery {
	out := []delivery{}
	for _, d := range c.github.Deliveries() {
		out = append(out, deliveryOf(d))
	}
	return out
}

func deliveryOf(d hookshot.Delivery) delivery {
	return delivery{
		ID:         d.ID,
		GUID:       d.GUID,
		Event:      d.Event,
		At:         d.At,
		Lost:       d.Lost,
		Redelivery: d.Redelivery,
		StatusCode: d.StatusCode,
		Status:     d.Status,
		Answer:     string(d.Answer),
	}
}
