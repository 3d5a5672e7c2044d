package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// parameters are what the routes send: the key, the deployment's id, and the scenario of the simulator,
// which the payload names.
const parameters = `
    parameters:
      seraph_key: "{{ .Key }}"
      deployment_id: {value: "{{ .ID }}", type: integer}
      sim_scenario: "{{ .Payload.scenario }}"
`

const scenarioRoutes = `
routes:
  - repository: acme/strict
    circleci: {revision: strict}` + parameters + `
  - repository: acme/short
    task: deploy
    circleci: {revision: note}
    timeout: 2s` + parameters + `
  - repository: acme/short
    task: deploy:long
    circleci: {revision: note}` + parameters + `
  - repository: acme/held
    circleci: {revision: note}
    hold_timeout: 1s` + parameters + `
  - repository: acme/*
    circleci: {revision: note}
    environment_url: "https://{{ .Environment }}.example.com/{{ .Name }}"` + parameters

// Patterns of log_url: the page of the pipeline, or the page of the workflow that decided.
const (
	noPage       = `^$`
	pipelinePage = `^https://app\.circleci\.com/pipelines/gh/acme/[a-z]+/\d+$`
	workflowPage = `^https://app\.circleci\.com/pipelines/gh/acme/[a-z]+/\d+/workflows/[0-9a-f-]{36}$`
)

// scenarios has the expected end of each scenario of the simulator.
var scenarios = []struct {
	scenario   string
	repository string // default acme/api
	state      string
	about      string // part of the description
	url        string // pattern of log_url; default any page of a pipeline
	triggers   int    // default 1
	cancels    bool   // its workflows are canceled
}{
	{scenario: "success", state: "success", about: "Deployed"},
	{scenario: "fail", state: "failure", about: "Workflow deploy failed", url: workflowPage},
	{scenario: "slow-success", state: "success"},
	{scenario: "empty-then-success", state: "success"},
	{scenario: "two-workflows", state: "failure", about: "Workflow verify failed", url: workflowPage},
	{scenario: "setup-success", state: "success"},
	{scenario: "setup-no-continuation", state: "error", about: "nothing ran: the setup workflow was not continued"},
	{scenario: "hold-then-success", state: "success"},
	{scenario: "hold-then-fail", state: "failure", about: "Workflow deploy failed", url: workflowPage},
	{
		scenario:   "hold-forever",
		repository: "acme/held",
		state:      "error",
		about:      "Canceled: not approved within 1s",
		url:        pipelinePage,
		cancels:    true,
	},
	{
		scenario:   "approve-then-fail",
		repository: "acme/held",
		state:      "error",
		about:      "Canceled: not approved within 1s",
		url:        pipelinePage,
		cancels:    true,
	},
	{
		scenario:   "two-holds",
		repository: "acme/held",
		state:      "error",
		about:      "Canceled: not approved within 1s",
		url:        pipelinePage,
		cancels:    true,
	},
	{scenario: "queued", state: "success"},
	{scenario: "unknown-status", state: "success"},
	{scenario: "null-status", state: "success"},
	{scenario: "error", state: "failure", about: "Workflow deploy failed", url: workflowPage},
	{scenario: "unauthorized", state: "error", about: "did not authorize workflow deploy", url: workflowPage},
	{scenario: "canceled", state: "error", about: "Canceled in CircleCI: workflow deploy", url: workflowPage},
	{scenario: "not-run", state: "error", about: "nothing ran"},
	{scenario: "not-run-beside-success", state: "success"},
	{scenario: "failing", state: "failure", about: "Workflow deploy failed", url: workflowPage},
	{scenario: "auto-rerun", state: "success"},
	{scenario: "auto-rerun-never", state: "failure", about: "Workflow deploy failed", url: workflowPage},
	{scenario: "many-workflows", state: "success"},
	{
		scenario:   "forever",
		repository: "acme/short",
		state:      "failure",
		about:      "Timed out after 2s",
		url:        pipelinePage,
		cancels:    true,
	},
	{
		scenario:   "cancel-slow",
		repository: "acme/short",
		state:      "failure",
		about:      "Timed out after 2s",
		url:        pipelinePage,
		cancels:    true,
	},
	{
		scenario:   "cancel-ignored",
		repository: "acme/short",
		state:      "failure",
		about:      "Timed out after 2s",
		url:        pipelinePage,
		cancels:    true,
	},
	{scenario: "config-error", state: "error", about: "Unable to parse YAML"},
	{scenario: "odd-name", state: "failure", about: "Workflow de ploy failed", url: workflowPage},
	{scenario: "odd-error", state: "error", about: "Unable to parse"},
	{scenario: "odd-refusal", state: "error", about: "CircleCI refused it (400): Unable to parse", url: noPage},
	{scenario: "undeclared-parameter", state: "error", about: "Unexpected argument(s)"},
	{
		scenario: "refused-parameter",
		state:    "error",
		about:    "CircleCI refused it (400): Unexpected argument(s)",
		url:      noPage,
	},
	{scenario: "no-workflows", state: "error", about: "nothing ran: CircleCI ran no workflow"},
	{scenario: "ci-skip", state: "error", about: "[ci skip]", url: noPage},
	{scenario: "blocked", state: "error", about: "New work is blocked", url: noPage},
	{scenario: "moved", state: "success"},
	{scenario: "moved", repository: "acme/strict", state: "error", about: "main moved: wanted ", url: pipelinePage},
	{scenario: "success", repository: "acme/strict", state: "success"},
	{scenario: "rate-limited", state: "success", triggers: 2},
}

// TestScenarios_EndStates checks the end of every scenario, with one trigger and at most two statuses
// besides those about what it waits for. All of them run at the same time, each in an environment of its
// own.
func TestScenarios_EndStates(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{routes: scenarioRoutes}).start()
	for i, s := range scenarios {
		repository := s.repository
		if repository == "" {
			repository = "acme/api"
		}

		d := h.deploy(repository, fmt.Sprintf("%s-%d", s.scenario, i), s.scenario)
		t.Run(fmt.Sprintf("%s-%s", s.scenario, repository), func(t *testing.T) {
			t.Parallel()
			h := h.withT(t)
			end := h.expectEnd(d, s.state, s.about)

			url := s.url
			if url == "" {
				url = `^https://app\.circleci\.com/pipelines/gh/acme/[a-z]+/\d+`
			}
			if !regexp.MustCompile(url).MatchString(end.LogURL) {
				t.Errorf("log_url: got %q, want %s", end.LogURL, url)
			}

			if s.cancels {
				h.expectCanceled(d)
			}
			if got, want := h.triggerCount(d.ID), max(s.triggers, 1); got != want {
				t.Errorf("triggers: got %d, want %d", got, want)
			}

			if s.state != "success" {
				return
			}

			statuses := withoutQueued(h.gh.Statuses(repository, d.ID))
			if len(statuses) > 2 && s.triggers == 0 && s.scenario != "hold-then-success" {
				t.Errorf("statuses: got %d, want at most 2: %+v", len(statuses), statuses)
			}

			want := fmt.Sprintf("https://%s.example.com/api", d.Environment)
			if s.repository == "" && end.EnvironmentURL != want {
				t.Errorf("environment_url: got %q, want %q", end.EnvironmentURL, want)
			}
		})
	}
}

// withoutQueued returns the statuses without those about waiting: on a busy machine a deployment can wait
// long enough for Seraph to report it.
func withoutQueued(statuses []github.Status) []github.Status {
	return slices.DeleteFunc(slices.Clone(statuses), func(s github.Status) bool { return s.State == "queued" })
}

// triggerCount counts the triggers of a deployment, including those that were refused.
func (h *harness) triggerCount(id int64) int {
	count := 0
	for _, trigger := range h.ci.Triggers() {
		if fmt.Sprint(trigger.Parameters["deployment_id"]) == fmt.Sprint(id) {
			count++
		}
	}
	return count
}

// expectCanceled waits until Seraph has requested to cancel every workflow of a deployment's pipeline.
func (h *harness) expectCanceled(d github.Deployment) {
	h.t.Helper()
	h.waitCI("cancellation of all workflows", func() bool {
		p, _ := h.ci.Pipeline(h.pipelines(d)[0])
		notCanceled := func(f circleci.Workflow) bool { return !slices.Contains(h.ci.Cancels(), f.ID) }
		return len(p.Workflows) > 0 && !slices.ContainsFunc(p.Workflows, notCanceled)
	})
}

// TestScenarios_Complete checks that the table has every scenario of the simulator.
func TestScenarios_Complete(t *testing.T) {
	tested := map[string]bool{"manual": true} // used by other tests
	for _, s := range scenarios {
		tested[s.scenario] = true
	}

	for _, s := range circleci.Scenarios() {
		if !tested[s.Name] {
			t.Errorf("got no row for %q: %s", s.Name, s.About)
		}
	}
}
