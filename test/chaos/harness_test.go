package chaos

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

const (
	hookSecret = "chaos-hook-secret-0123456789"
	ciSecret   = "chaos-circleci-secret-0123456789"
	token      = "ghp_that_may_read_hooks"
	apiToken   = "chaos-api-token-0123456789abcdef0123"
	budget     = 1_000_000 // calls an hour to GitHub: its limit is not what is tried here
)

// routes send the key in all but a few cases. Two repositories share one CircleCI project.
const (
	route = `
  - repository: %s
    circleci: {%s}
    parameters: {%sdeployment_id: "{{ .ID }}", sim_scenario: "{{ .Payload.story }}"}`
	withKey = `seraph_key: "{{ .Key }}", `
	shared  = "project: gh/acme/mono, revision: note"
	keyless = "acme/keyless-"
	notMine = "acme/r00" // in whose project /pipeline/mine is always empty
)

// routes name every repository, so that recovery knows where to look even after an old backup was
// put back.
func (w *world) routes() string {
	text := "routes:"
	for _, name := range w.repositories {
		switch {
		case sibling(name) != name:
			text += fmt.Sprintf(route, name, shared, withKey)
		case withoutKey(name):
			text += fmt.Sprintf(route, name, "revision: note", "")
		default:
			text += fmt.Sprintf(route, name, "revision: note", withKey)
		}
	}

	return text
}

func withoutKey(repository string) bool { return strings.HasPrefix(repository, keyless) }

// The plans of what goes wrong, one for each vendor.
const (
	atGitHub = iota
	atCircleCI
)

// world is the fleet between its two vendors.
type world struct {
	settings
	*fleet
	github       *github.Server
	circleci     *circleci.Server
	plans        []*sim.Plan
	tally        *tally
	repositories []string
	ahead        time.Duration // CircleCI's clock
	strange      []string      // pipelines that a stranger triggered

	hush     sync.RWMutex // held while no deployment may be made and nobody be killed
	restored restoration
	again    atomic.Bool // the restore is behind us, or none is to come
}

func newWorld(t *testing.T, s settings) *world {
	t.Helper()
	w := &world{settings: s, fleet: newFleet(t, s), plans: []*sim.Plan{sim.NewPlan(s.seed), sim.NewPlan(s.seed + 1)}}
	w.repositories = []string{"acme/left", "acme/right"}
	for i := range s.projects {
		w.repositories = append(w.repositories, fmt.Sprintf("acme/r%02d", i))
	}

	for i := range s.keyless {
		w.repositories = append(w.repositories, fmt.Sprint(keyless, i))
	}

	w.again.Store(!s.large)
	w.ahead = span{-10 * time.Minute, 10 * time.Minute}.pick(s.dice(diceClock)).Round(time.Second)
	w.tally = &tally{Plan: w.plans[atCircleCI]}
	w.simulate(t)
	w.configure(append([]string{
		"SERAPH_GITHUB_WEBHOOK_SECRETS=" + hookSecret, "SERAPH_GITHUB_TOKEN=" + token, "SERAPH_GITHUB_API_URL=" + w.github.URL() + "/",
		"SERAPH_GITHUB_WRITES_PER_MINUTE=0",
		"SERAPH_CIRCLECI_TOKEN=" + circleci.DefaultToken, "SERAPH_CIRCLECI_API_URL=" + w.circleci.URL(),
		"SERAPH_CIRCLECI_WEBHOOK_SECRETS=" + ciSecret, "SERAPH_CIRCLECI_READS_PER_SECOND=0", "SERAPH_WORKFLOW_GRACE=3s",
		"SERAPH_API_TOKENS=" + apiToken, "SERAPH_ROUTES=" + w.routes(),
	}, s.env...)...)

	return w
}

// simulate starts GitHub and CircleCI, and makes repositories and projects.
func (w *world) simulate(t *testing.T) {
	t.Helper()
	w.github = github.New(github.Options{
		WebhookURL:    w.address + "/webhooks/github",
		WebhookSecret: hookSecret,
		Plan:          w.plans[atGitHub],
	})

	w.circleci = circleci.New(circleci.Options{
		AnyProject:    true,
		AnyBranch:     true,
		Step:          200 * time.Millisecond,
		Plan:          w.tally,
		ListLag:       w.listLag,
		Now:           func() time.Time { return time.Now().Add(w.ahead) },
		WebhookURL:    w.address + "/webhooks/circleci",
		WebhookSecret: ciSecret,
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

	for _, name := range w.repositories {
		w.github.AddRepository(name)
		w.circleci.AddProject("gh/"+name, "main")
	}

	w.circleci.MineEmpty("gh/" + notMine)
	w.github.AddToken(token, "seraph-bot", nil) // it may read webhooks, too
	w.github.SetBudget(budget)
}

// real is a time of CircleCI's by the clock of everybody else.
func (w *world) real(at time.Time) time.Time { return at.Add(-w.ahead) }

// stories are what pipelines do, and what GitHub must hear in the end.
var stories = map[string]string{
	"success": "success", "slow-success": "success", "hold-then-success": "success", "auto-rerun": "success", "setup-success": "success",
	"fail": "failure", "two-workflows": "failure", "failing": "failure",
	"canceled": "error",
}

// names of the stories, with the usual ones named more often.
var names = slices.Concat(slices.Repeat([]string{"success"}, 4), slices.Repeat([]string{"fail"}, 2), []string{
	"slow-success", "hold-then-success", "auto-rerun", "setup-success", "two-workflows", "failing", "canceled",
})
