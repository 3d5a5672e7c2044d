package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// parameters are what every route sends: the key, the deployment's id, and the story that its
// payload chooses.
const parameters = `
    parameters:
      seraph_key: "{{ .Key }}"
      deployment_id: {value: "{{ .ID }}", type: integer}
      sim_scenario: "{{ .Payload.story }}"
`

const scenarioRoutes = `
routes:
  - repository: acme/strict
    circleci: {revision: strict}` + parameters + `
  - repository: acme/short
    circleci: {revision: note}
    timeout: 2s
    hold_timeout: 1s` + parameters + `
  - repository: acme/*
    circleci: {revision: note}
    environment_url: "https://{{ .Environment }}.example.com/{{ .Name }}"` + parameters

// Shapes of log_url: a pipeline's page, or the page of the workflow that decided.
const (
	noPage       = `^$`
	pipelinePage = `^https://app\.circleci\.com/pipelines/gh/acme/[a-z]+/\d+$`
	workflowPage = `^https://app\.circleci\.com/pipelines/gh/acme/[a-z]+/\d+/workflows/[0-9a-f-]{36}$`
)

var scenarios = []struct {
	story, repository string
	state, about, url string
	triggers          int  // 0 is 1
	cancels           bool // its workflows are canceled
}{
	{story: "success", state: "success", about: "Deployed"},
	{story: "fail", state: "failure", about: "Workflow deploy failed", url: workflowPage},
	{story: "slow-success", state: "success"},
	{story: "empty-then-success", state: "success"},
	{story: "two-workflows", state: "failure", about: "Workflow verify failed", url: workflowPage},
	{story: "setup-success", state: "success"},
	{story: "setup-no-continuation", state: "error", about: "nothing ran: the setup workflow was not continued"},
	{story: "hold-then-success", state: "success"},
	{story: "hold-then-fail", state: "failure", about: "Workflow deploy failed", url: workflowPage},
	{
		story:      "hold-forever",
		repository: "acme/short",
		state:      "error",
		about:      "Canceled: not approved within 1s",
		url:        pipelinePage,
		cancels:    true,
	},
	{
		story:      "approve-then-fail",
		repository: "acme/short",
		state:      "error",
		about:      "Canceled: not approved within 1s",
		url:        pipelinePage,
		cancels:    true,
	},
	{story: "queued", state: "success"},
	{story: "unknown-status", state: "success"},
	{story: "null-status", state: "success"},
	{story: "error", state: "failure", about: "Workflow deploy failed", url: workflowPage},
	{story: "unauthorized", state: "error", about: "did not authorize workflow deploy", url: workflowPage},
	{story: "canceled", state: "error", about: "Canceled in CircleCI: workflow deploy", url: workflowPage},
	{story: "not-run", state: "error", about: "nothing ran"},
	{story: "not-run-beside-success", state: "success"},
	{story: "failing", state: "failure", about: "Workflow deploy failed", url: workflowPage},
	{story: "auto-rerun", state: "success"},
	{story: "auto-rerun-never", state: "failure", about: "Workflow deploy failed", url: workflowPage},
	{story: "many-workflows", state: "success"},
	{
		story:      "forever",
		repository: "acme/short",
		state:      "failure",
		about:      "Timed out after 2s",
		url:        pipelinePage,
		cancels:    true,
	},
	{
		story:      "cancel-slow",
		repository: "acme/short",
		state:      "failure",
		about:      "Timed out after 2s",
		url:        pipelinePage,
		cancels:    true,
	},
	{
		story:      "cancel-ignored",
		repository: "acme/short",
		state:      "failure",
		about:      "Timed out after 2s",
		url:        pipelinePage,
		cancels:    true,
	},
	{story: "config-error", state: "error", about: "Unable to parse YAML"},
	{story: "undeclared-parameter", state: "error", about: "Unexpected argument(s)"},
	{
		story: "refused-parameter",
		state: "error",
		about: "CircleCI refused it (400): Unexpected argument(s)",
		url:   noPage,
	},
	{story: "no-workflows", state: "error", about: "nothing ran: CircleCI ran no workflow"},
	{story: "ci-skip", state: "error", about: "[ci skip]", url: noPage},
	{story: "blocked", state: "error", about: "New work is blocked", url: noPage},
	{story: "moved", state: "success"},
	{story: "moved", repository: "acme/strict", state: "error", about: "main moved: wanted ", url: pipelinePage},
	{story: "success", repository: "acme/strict", state: "success"},
	{story: "rate-limited", state: "success", triggers: 2},
}

// Every story that a pipeline can play ends as it must, with one trigger and at most two words to
// GitHub, beside those on what it waits for. All of them are under way at once, each in an
// environment of its own.
func TestScenarios(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{routes: scenarioRoutes}).start()
	for i, s := range scenarios {
		repository := s.repository
		if repository == "" {
			repository = "acme/api"
		}

		d := w.deploy(repository, fmt.Sprintf("%s-%d", s.story, i), s.story)
		t.Run(fmt.Sprintf("%s-%s", s.story, repository), func(t *testing.T) {
			t.Parallel()
			end := w.in(t).ends(d, s.state, s.about)
			url := s.url
			if url == "" {
				url = `^https://app\.circleci\.com/pipelines/gh/acme/[a-z]+/\d+`
			}
			if !regexp.MustCompile(url).MatchString(end.LogURL) {
				t.Errorf("log_url %q, want %s", end.LogURL, url)
			}
			if s.cancels {
				w.in(t).canceled(d)
			}
			if want := max(s.triggers, 1); w.triggers(d.ID) != want {
				t.Errorf("%d triggers, want %d", w.triggers(d.ID), want)
			}

			if told := beside("queued", w.gh.Statuses(repository, d.ID)); len(told) > 2 && s.state == "success" &&
				s.triggers == 0 &&
				!holds(s.story) {
				t.Errorf("GitHub was told %d times: %+v", len(told), told)
			}

			if want := fmt.Sprintf("https://%s.example.com/api", d.Environment); s.state == "success" &&
				s.repository == "" &&
				end.EnvironmentURL != want {
				t.Errorf("environment_url %q, want %q", end.EnvironmentURL, want)
			}
		})
	}
}

// beside leaves out the words of one state: on a busy machine a deployment may wait for this and
// for that, long enough to say so.
func beside(state string, told []github.Status) []github.Status {
	return slices.DeleteFunc(slices.Clone(told), func(s github.Status) bool { return s.State == state })
}

func holds(story string) bool { return story == "hold-then-success" }

// triggers counts the calls for a pipeline of one deployment, refused ones among them.
func (w *world) triggers(id int64) int {
	count := 0
	for _, tr := range w.ci.Triggers() {
		if fmt.Sprint(tr.Parameters["deployment_id"]) == fmt.Sprint(id) {
			count++
		}
	}
	return count
}

// canceled waits until CircleCI was asked to cancel every workflow of a deployment's pipeline.
func (w *world) canceled(d github.Deployment) {
	w.t.Helper()
	w.waitCI("the cancel of all workflows", func() bool {
		p, _ := w.ci.Pipeline(w.pipelines(d)[0])
		return len(p.Workflows) > 0 &&
			!slices.ContainsFunc(
				p.Workflows,
				func(f circleci.Workflow) bool { return !slices.Contains(w.ci.Cancels(), f.ID) },
			)
	})
}

// Every story of the simulator has its line in the table.
func TestScenariosAreComplete(t *testing.T) {
	told := map[string]bool{"manual": true} // driven by other tests
	for _, s := range scenarios {
		told[s.story] = true
	}

	for _, s := range circleci.Scenarios() {
		if !told[s.Name] {
			t.Errorf("no line for %q: %s", s.Name, s.About)
		}
	}
}
