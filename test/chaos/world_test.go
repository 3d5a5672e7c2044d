package chaos

import (
	"encoding/json"
	"fmt"
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
	token      = "ghp_that_may_read_hooks"
	apiToken   = "chaos-api-token-0123456789abcdef0123"
)

// routes send the key in every case but one. Two repositories share one CircleCI project.
const (
	route = `
  - repository: %s
    circleci: {%s}
    parameters: {%sdeployment_id: "{{ .ID }}", sim_scenario: "{{ .Payload.story }}"}`
	withKey = `seraph_key: "{{ .Key }}", `
	shared  = "project: gh/acme/mono, revision: note"
	keyless = "acme/keyless"
)

var routes = "routes:" + fmt.Sprintf(route, "acme/left", shared, withKey) + fmt.Sprintf(route, "acme/right", shared, withKey) +
	fmt.Sprintf(route, keyless, "revision: note", "") + fmt.Sprintf(route, "acme/*", "revision: note", withKey)

var environments = []string{"production", "staging", "eu-west", "canary"}

// repositories of a run: few, so that deployments meet; in the large run more, because a project in doubt waits for minutes.
func repositories(large bool) []string {
	list := []string{"acme/left", "acme/right", "acme/api", "acme/web", "acme/jobs"}
	if large {
		list = append(list, keyless)
		for i := range 36 {
			list = append(list, fmt.Sprintf("acme/r%02d", i))
		}
	}
	return list
}

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

// world is the fleet between its two vendors.
type world struct {
	settings
	*fleet
	github       *github.Server
	circleci     *circleci.Server
	plans        []*sim.Plan // GitHub's, CircleCI's
	repositories []string
	projects     []string // in which strangers trigger
	strangers    []string // their pipelines
}

func newWorld(t *testing.T, s settings, database string) *world {
	t.Helper()
	w := &world{settings: s, fleet: newFleet(t, database), plans: []*sim.Plan{sim.NewPlan(s.seed), sim.NewPlan(s.seed + 1)}, repositories: repositories(s.large)}
	w.github = github.New(github.Options{WebhookURL: w.front.URL + "/webhooks/github", WebhookSecret: hookSecret, Plan: w.plans[0]})
	ci := circleci.Options{
		AnyProject: true, AnyBranch: true, Step: 200 * time.Millisecond, Plan: w.plans[1],
		WebhookURL: w.front.URL + "/webhooks/circleci", WebhookSecret: ciSecret,
	}
	if s.large {
		off := []time.Duration{-10 * time.Minute, 10 * time.Minute}[s.seed%2]
		ci.ListLag, ci.Now = 20*time.Second, func() time.Time { return time.Now().Add(off) }
	}
	w.circleci = circleci.New(ci)
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
	w.populate(t)
	return w
}

// populate makes repositories and projects, and tells the fleet of them.
func (w *world) populate(t *testing.T) {
	t.Helper()
	for _, name := range w.repositories {
		w.github.AddRepository(name)
		if name != keyless {
			w.circleci.AddProject("gh/"+name, "main")
			w.projects = append(w.projects, "gh/"+name)
		}
	}
	w.circleci.MineEmpty("gh/acme/web")
	w.github.AddToken(token, "seraph-bot", nil) // it may read webhooks, too
	w.configure(
		"SERAPH_GITHUB_WEBHOOK_SECRETS="+hookSecret, "SERAPH_GITHUB_TOKEN="+token, "SERAPH_GITHUB_API_URL="+w.github.URL()+"/",
		"SERAPH_GITHUB_WRITES_PER_MINUTE=0",
		"SERAPH_CIRCLECI_TOKEN="+circleci.DefaultToken, "SERAPH_CIRCLECI_API_URL="+w.circleci.URL(), "SERAPH_CIRCLECI_WEBHOOK_SECRETS="+ciSecret,
		"SERAPH_CIRCLECI_READS_PER_SECOND=0", "SERAPH_CIRCLECI_TIMEOUT=3s",
		"SERAPH_LOOKUP_GRACE="+w.lookupGrace(), "SERAPH_WORKFLOW_GRACE=3s", "SERAPH_POLL_MIN=200ms", "SERAPH_POLL_MAX=1s",
		"SERAPH_API_TOKENS="+apiToken, "SERAPH_ROUTES="+routes,
	)
}

// lookupGrace is longer than the latest effect and the lag of the lists together.
func (w *world) lookupGrace() string {
	if w.large {
		return "90s"
	}
	return "3s"
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
	slot := dice.IntN(len(w.repositories) * len(environments))
	_, err = w.github.CreateDeployment(w.repositories[slot/len(environments)], github.NewDeployment{
		Ref: "main", Environment: environments[slot%len(environments)], Payload: payload,
	})
	if err != nil {
		t.Error(fmt.Errorf("deployment %d: %w", i, err))
	}
}
