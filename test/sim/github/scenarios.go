package github

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

// Scenario is a named way in which a deployment and its surroundings behave on GitHub's side.
type Scenario struct {
	Name  string
	About string

	before func(*Server, string, *NewDeployment) // may plan faults and change the request
	after  func(*Server, string)                 // called after the deployment was created
}

// Play creates a deployment according to the named scenario.
func (s *Server) Play(scenario, repo string, wanted NewDeployment) (Deployment, error) {
	i := slices.IndexFunc(scenarios, func(sc Scenario) bool { return sc.Name == scenario })
	if i < 0 {
		return Deployment{}, fmt.Errorf(
			"no scenario %q on the GitHub side: seraph-sim --scenarios lists them",
			scenario,
		)
	}

	if before := scenarios[i].before; before != nil {
		before(s, repo, &wanted)
	}

	made, err := s.CreateDeployment(repo, wanted)
	if after := scenarios[i].after; after != nil && err == nil {
		after(s, repo)
	}

	return made, err
}

// Scenarios lists all scenarios that Play accepts.
func Scenarios() []Scenario { return slices.Clone(scenarios) }

var scenarios = slices.Concat(
	[]Scenario{{Name: "plain", About: "a person deploys, GitHub sends the webhook once"}},
	webhookScenarios, repositoryScenarios, callScenarios, requestScenarios, factScenarios,
)

var webhookScenarios = []Scenario{
	{
		Name:   "webhook-lost",
		About:  "GitHub never sends the event",
		before: treatNextWebhook(hookshot.Treatment{Lose: true}),
	},
	{
		Name:   "webhook-failed",
		About:  "the event could not be delivered (502); it waits to be redelivered",
		before: treatNextWebhook(hookshot.Treatment{Fail: 502}),
	},
	{
		Name:   "webhook-late",
		About:  "the event is sent three seconds late",
		before: treatNextWebhook(hookshot.Treatment{Delay: 3 * time.Second}),
	},
	{
		Name:   "webhook-twice",
		About:  "the event is sent twice with one GUID",
		before: treatNextWebhook(hookshot.Treatment{Copies: 1}),
	},
	{
		Name:   "webhook-swapped",
		About:  "this event waits for the next one and is sent after it",
		before: func(s *Server, _ string, _ *NewDeployment) { s.hooks.Reorder("deployment", 2) },
	},
}

func treatNextWebhook(t hookshot.Treatment) func(*Server, string, *NewDeployment) {
	return func(s *Server, _ string, _ *NewDeployment) { s.hooks.Next("deployment", t, 1) }
}

var repositoryScenarios = []Scenario{
	{
		Name:  "renamed",
		About: "the repository gets another name at once; the old one redirects",
		after: func(s *Server, repo string) { s.Rename(repo, repo+"-renamed", true) },
	},
	{
		Name:  "renamed-hard",
		About: "the repository gets another name at once; the old one is not found",
		after: func(s *Server, repo string) { s.Rename(repo, repo+"-renamed", false) },
	},
	{Name: "deleted", About: "the repository is deleted at once", after: (*Server).Delete},
	{Name: "archived", About: "the repository becomes read-only at once", after: (*Server).Archive},
	{
		Name:  "moved",
		About: "somebody pushes to the branch right after",
		after: func(s *Server, repo string) { s.Push(repo, "main", "") },
	},
}

var requestScenarios = []Scenario{
	{
		Name:   "from-actions",
		About:  "a job of GitHub Actions made the deployment",
		before: override(NewDeployment{Creator: "octocat", App: "github-actions", WorkflowRun: true}),
	},
	{
		Name:   "from-pages",
		About:  "GitHub Pages made the deployment",
		before: override(NewDeployment{Creator: "github-pages[bot]", Environment: "github-pages", WorkflowRun: true}),
	},
	{
		Name:   "from-bot",
		About:  "another GitHub App made the deployment",
		before: override(NewDeployment{Creator: "my-hubot[bot]", App: "my-hubot"}),
	},
	{
		Name:   "string-payload",
		About:  "the payload is a string that holds a JSON object",
		before: override(NewDeployment{Payload: json.RawMessage(`"{\"hosts\":\"web-1\"}"`)}),
	},
	{
		Name:   "null-payload",
		About:  "the payload is null",
		before: override(NewDeployment{Payload: json.RawMessage(`null`)}),
	},
	{
		Name:  "hostile-payload",
		About: "the payload contains shell commands",
		before: override(NewDeployment{
			Payload: json.RawMessage(`{"hosts":"$(touch /tmp/owned); ` + "`id`" + ` \" ' \n"}`),
		}),
	},
	{
		Name:   "locked",
		About:  "the task is deploy:lock, not a deploy",
		before: override(NewDeployment{Task: "deploy:lock"}),
	},
	{
		Name:   "stale",
		About:  "the deployment was made three hours ago",
		before: func(s *Server, _ string, d *NewDeployment) { d.CreatedAt = s.options.Now().Add(-3 * time.Hour) },
	},
	{
		Name:   "by-sha",
		About:  "the ref is a commit",
		before: func(s *Server, repo string, d *NewDeployment) { d.Ref = Commit(repo, "main") },
	},
}

// override replaces the fields of the request that are set in o.
func override(o NewDeployment) func(*Server, string, *NewDeployment) {
	return func(_ *Server, _ string, d *NewDeployment) {
		d.Creator, d.App = cmp.Or(o.Creator, d.Creator), cmp.Or(o.App, d.App)
		d.Environment, d.Task = cmp.Or(o.Environment, d.Environment), cmp.Or(o.Task, d.Task)
		d.WorkflowRun = o.WorkflowRun || d.WorkflowRun
		if o.Payload != nil {
			d.Payload = o.Payload
		}
	}
}
