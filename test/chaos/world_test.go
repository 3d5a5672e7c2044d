package chaos

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

const (
	hookSecret = "chaos-hook-secret-0123456789"
	ciSecret   = "chaos-circleci-secret-0123456789"
	apiToken   = "chaos-api-token-0123456789abcdef0123"
)

// routes send the key in every case. Two repositories share one CircleCI project.
const (
	route = `
  - repository: %s
    circleci: {%s}
    parameters: {seraph_key: "{{ .Key }}", deployment_id: "{{ .ID }}", sim_scenario: "{{ .Payload.story }}"}`
	shared = "project: gh/acme/mono, revision: note"
)

// routes send the key in every case. Two repositories share one CircleCI project.
var routes = "routes:" + fmt.Sprintf(route, "acme/left", shared) + fmt.Sprintf(route, "acme/right", shared) +
	fmt.Sprintf(route, "acme/*", "revision: note")

var (
	repositories = []string{"acme/left", "acme/right", "acme/api", "acme/web", "acme/jobs"}
	environments = []string{"production", "staging", "eu-west", "canary"}
)

// stories are what pipelines do, and what GitHub must hear in the end.
var stories = map[string]string{
	"success": "success", "slow-success": "success", "hold-then-success": "success", "auto-rerun": "success", "setup-success": "success",
	"fail": "failure", "two-workflows": "failure", "failing": "failure",
	"canceled": "error",
}

// names of the stories, with the usual ones named more often.
var names = []string{
	"success", "success", "success", "success", "slow-success", "hold-then-success", "auto-rerun", "setup-success",
	"fail", "fail", "two-workflows", "failing", "canceled",
}

// world is the process between its two vendors.
type world struct {
	settings
	*process
	github   *github.Server
	circleci *circleci.Server
	plans    []*sim.Plan
}

func newWorld(t *testing.T, s settings) *world {
	t.Helper()
	w := &world{settings: s, process: newProcess(t), plans: []*sim.Plan{sim.NewPlan(s.seed), sim.NewPlan(s.seed + 1)}}
	w.github = github.New(github.Options{WebhookURL: w.url("/webhooks/github"), WebhookSecret: hookSecret, Plan: w.plans[0]})
	w.circleci = circleci.New(circleci.Options{
		AnyProject: true, AnyBranch: true, Step: 200 * time.Millisecond, Plan: w.plans[1],
		WebhookURL: w.url("/webhooks/circleci"), WebhookSecret: ciSecret,
	})
	for _, start := range []func(string) error{w.github.Start, w.circleci.Start} {
		if err := start(""); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		w.github.Close()
		w.circleci.Close()
		for _, p := range w.plans {
			p.Close()
		}
	})
	for _, name := range repositories {
		w.github.AddRepository(name)
	}
	w.configure()
	return w
}

func (w *world) configure() {
	w.env = append(w.env,
		"SERAPH_GITHUB_WEBHOOK_SECRETS="+hookSecret, "SERAPH_GITHUB_TOKEN="+github.DefaultToken, "SERAPH_GITHUB_API_URL="+w.github.URL()+"/",
		"SERAPH_GITHUB_WRITES_PER_MINUTE=0",
		"SERAPH_CIRCLECI_TOKEN="+circleci.DefaultToken, "SERAPH_CIRCLECI_API_URL="+w.circleci.URL(), "SERAPH_CIRCLECI_WEBHOOK_SECRETS="+ciSecret,
		"SERAPH_CIRCLECI_READS_PER_SECOND=0", "SERAPH_CIRCLECI_TIMEOUT=3s",
		"SERAPH_LOOKUP_GRACE=3s", "SERAPH_WORKFLOW_GRACE=3s", "SERAPH_POLL_MIN=200ms", "SERAPH_POLL_MAX=1s",
		"SERAPH_API_TOKENS="+apiToken, "SERAPH_ROUTES="+routes,
	)
}

// misbehave makes a part of all calls to both vendors go wrong.
func (w *world) misbehave() {
	faults := []sim.Fault{
		{Status: http.StatusInternalServerError},
		{Status: http.StatusInternalServerError, AfterEffect: true},
		{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}, Body: "Rate limited."},
		{ResetAfter: true},
		{Delay: 2 * time.Second},
	}
	for _, p := range w.plans {
		p.Random("", w.failing, faults...)
	}
}

func (w *world) behave() {
	for _, p := range w.plans {
		p.Clear("")
	}
}

// deploy makes one deployment at GitHub. Its webhook is sent once; one in ten is lost, and one in ten comes three times.
func (w *world) deploy(t *testing.T, i int) {
	t.Helper()
	dice := w.dice(uint64(100 + i))
	payload, err := json.Marshal(map[string]string{"story": names[dice.IntN(len(names))]})
	if err != nil {
		t.Error(err)
		return
	}
	switch dice.IntN(10) {
	case 0:
		w.github.Hooks().Next("deployment", hookshot.Treatment{Lose: true}, 1)
	case 1:
		w.github.Hooks().Next("deployment", hookshot.Treatment{Copies: 2}, 1)
	}
	slot := dice.IntN(len(repositories) * len(environments))
	_, err = w.github.CreateDeployment(repositories[slot/len(environments)], github.NewDeployment{
		Ref: "main", Environment: environments[slot%len(environments)], Payload: payload,
	})
	if err != nil {
		t.Error(fmt.Errorf("deployment %d: %w", i, err))
	}
}
