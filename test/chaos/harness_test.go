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
	hookSecret   = "chaos-hook-secret-0123456789"
	ciSecret     = "chaos-circleci-secret-0123456789"
	token        = "ghp_that_may_read_hooks"
	apiToken     = "chaos-api-token-0123456789abcdef0123"
	githubBudget = 1_000_000 // calls an hour: GitHub's limit is not tested here
)

// The parts of the routes file. Most routes send the key. Two repositories share one CircleCI project.
const (
	route = `
  - repository: %s
    circleci: {%s}
    parameters: {%sdeployment_id: "{{ .ID }}", sim_scenario: "{{ .Payload.scenario }}"}`
	withKey   = `seraph_key: "{{ .Key }}", `
	shared    = "project: gh/acme/mono, revision: note"
	keyless   = "acme/keyless-"
	emptyMine = "acme/r00" // CircleCI's /pipeline/mine is always empty for its project
)

// routes returns a routes file that names every repository, so that recovery can list their deployments
// even after an old backup was restored.
func (h *harness) routes() string {
	var text strings.Builder
	text.WriteString("routes:")
	for _, name := range h.repositories {
		switch {
		case sameProject(name) != name:
			text.WriteString(fmt.Sprintf(route, name, shared, withKey))
		case withoutKey(name):
			text.WriteString(fmt.Sprintf(route, name, "revision: note", ""))
		default:
			text.WriteString(fmt.Sprintf(route, name, "revision: note", withKey))
		}
	}

	for _, r := range h.ruled {
		text.WriteString(r.route())
	}

	return text.String()
}

func withoutKey(repository string) bool { return strings.HasPrefix(repository, keyless) }

// The indexes of the fault plans.
const (
	atGitHub = iota
	atCircleCI
)

// harness runs the cluster between the simulated GitHub and CircleCI.
type harness struct {
	settings
	*cluster
	github       *github.Server
	circleci     *circleci.Server
	plans        []*sim.Plan
	triggers     *triggerRecorder
	repositories []string
	clockSkew    time.Duration // CircleCI's clock
	unrelatedIDs []string      // pipelines that are not of a deployment

	ruled     []ruledRepository
	judged    judged
	reads     *refRecorder
	forged    forgery
	following sync.WaitGroup // what happens some time after a deployment was created

	quiet       sync.RWMutex // locked while no deployment may be created and no process killed
	backup      *restoration
	putBackup   func()
	restored    restorations
	restoreDone atomic.Bool // or this run has no restore
}

func newHarness(t *testing.T, s settings) *harness {
	t.Helper()
	h := &harness{
		settings:     s,
		cluster:      newCluster(t, s),
		plans:        []*sim.Plan{sim.NewPlan(s.seed), sim.NewPlan(s.seed + 1)},
		repositories: []string{"acme/left", "acme/right"},
	}

	for i := range s.projects {
		h.repositories = append(h.repositories, fmt.Sprintf("acme/r%02d", i))
	}
	for i := range s.keyless {
		h.repositories = append(h.repositories, fmt.Sprint(keyless, i))
	}

	h.ruled = ruledRepositories(s.ruled)
	h.judged.byID, h.judged.mains = map[int64]*ruledDeployment{}, map[string][]string{}

	h.restoreDone.Store(!s.large)
	h.clockSkew = interval{-10 * time.Minute, 10 * time.Minute}.pick(s.rng(streamClock)).Round(time.Second)
	h.triggers = &triggerRecorder{Plan: h.plans[atCircleCI]}
	h.reads = &refRecorder{Plan: h.plans[atGitHub], heads: map[string][]read{}}
	h.simulate(t)
	h.configure(append([]string{
		"SERAPH_ROUTES=" + h.routes(),
		"SERAPH_API_TOKENS=" + apiToken,
		"SERAPH_GITHUB_API_URL=" + h.github.URL() + "/",
		"SERAPH_GITHUB_TOKEN=" + token,
		"SERAPH_GITHUB_WEBHOOK_SECRETS=" + hookSecret,
		"SERAPH_GITHUB_WRITES_PER_MINUTE=0",
		"SERAPH_CIRCLECI_API_URL=" + h.circleci.URL(),
		"SERAPH_CIRCLECI_TOKEN=" + circleci.DefaultToken,
		"SERAPH_CIRCLECI_WEBHOOK_SECRETS=" + ciSecret,
		"SERAPH_CIRCLECI_READS_PER_SECOND=0",
		"SERAPH_WORKFLOW_GRACE=3s",
	}, s.env...)...)

	return h
}

// simulate starts the simulators, and creates repositories and projects.
func (h *harness) simulate(t *testing.T) {
	t.Helper()
	h.github = github.New(github.Options{
		WebhookURL:    h.address + "/webhooks/github",
		WebhookSecret: hookSecret,
		Plan:          h.reads,
	})

	h.circleci = circleci.New(circleci.Options{
		AnyProject:    true,
		AnyBranch:     true,
		Step:          200 * time.Millisecond,
		Plan:          h.triggers,
		ListLag:       h.listLag,
		Now:           func() time.Time { return time.Now().Add(h.clockSkew) },
		Revision:      h.headOf,
		WebhookURL:    h.address + "/webhooks/circleci",
		WebhookSecret: ciSecret,
	})

	for _, start := range []func(string) error{h.github.Start, h.circleci.Start} {
		if err := start(""); err != nil {
			t.Fatal(err)
		}
	}

	t.Cleanup(func() {
		h.github.Close()
		h.circleci.Close()
		for _, p := range h.plans {
			p.Close()
		}
	})

	for _, name := range h.repositories {
		h.github.AddRepository(name)
		h.circleci.AddProject("gh/"+name, "main")
	}

	for _, r := range h.ruled {
		h.github.AddRepository(r.name)
		h.judged.addMain(r.name, github.Commit(r.name, "main"))
		h.circleci.AddProject(r.project(), "main")
		if r.kind == definition {
			h.circleci.SetDefinition(r.project(), r.definition())
		}
	}

	h.circleci.MineEmpty("gh/" + emptyMine)
	h.github.AddToken(token, "seraph-bot", nil) // it may read webhooks, too
	h.github.SetBudget(githubBudget)
	h.github.AddUser(mayDeploy)
	h.github.AddUser(stranger)
}

// headOf returns the commit of a branch as CircleCI sees it: GitHub's, where the project has a repository.
func (h *harness) headOf(project, branch string) string {
	_, repository, _ := strings.Cut(project, "/")
	if h.github.HasRepository(repository) {
		sha, _ := h.github.Head(repository, branch)
		return sha
	}
	return circleci.RevisionOf(branch)
}

// localTime converts a time of CircleCI's clock to the local clock.
func (h *harness) localTime(at time.Time) time.Time { return at.Add(-h.clockSkew) }

// finalStates has the state that GitHub must show in the end, by the scenario of the pipeline.
var finalStates = map[string]string{
	"success":           "success",
	"slow-success":      "success",
	"hold-then-success": "success",
	"auto-rerun":        "success",
	"setup-success":     "success",
	"fail":              "failure",
	"two-workflows":     "failure",
	"failing":           "failure",
	"canceled":          "error",
	"odd-name":          "failure",
	"odd-error":         "error",
	"odd-refusal":       "error",
}

// scenarios has the names of the scenarios, the usual ones several times.
var scenarios = slices.Concat(
	slices.Repeat([]string{"success"}, 4),
	slices.Repeat([]string{"fail"}, 2),
	[]string{
		"slow-success",
		"hold-then-success",
		"auto-rerun",
		"setup-success",
		"two-workflows",
		"failing",
		"canceled",
		"odd-name",
		"odd-error",
		"odd-refusal",
	},
)
