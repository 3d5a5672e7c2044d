package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

const (
	ruledEvery = 3 // one deployment in so many is on a route with rules
	mayDeploy  = "alice"
	stranger   = "mallory"
	unrouted   = "sandbox" // no route with rules is for this environment
)

// ruledEnvironments are few, so that deployments wait for each other, and people push meanwhile.
var ruledEnvironments = []string{"live-1", "live-2"}

// ruledKind is where the pipelines of a route with rules read their configuration from.
type ruledKind int

const (
	requested  ruledKind = iota // the ref that was asked for, at the commit that was judged
	branch                      // main, which is also what is built
	definition                  // main, while the ref that was asked for is built
	ruledKinds
)

// ruledRepository has a route with rules.
type ruledRepository struct {
	name string
	kind ruledKind
}

func ruledRepositories(n int) []ruledRepository {
	var all []ruledRepository
	for i := range n {
		all = append(all, ruledRepository{name: fmt.Sprint("acme/ruled-", i), kind: ruledKind(i) % ruledKinds})
	}
	return all
}

// route returns the repository's part of the routes file.
func (r ruledRepository) route() string {
	circleci := map[ruledKind]string{
		requested:  "{}",
		branch:     "{branch: main}",
		definition: fmt.Sprintf("{project: %s, definition: %s, config_ref: main}", r.project(), r.definition()),
	}

	return fmt.Sprintf(`
  - repository: %s
    environment: "live-*"
    allow: {users: [%s]}
    refs: ["work-*"]
    checks: [build]
    circleci: %s
    parameters: {%sdeployment_id: "{{ .ID }}", deploy_sha: "{{ .SHA }}", sim_scenario: "{{ .Payload.scenario }}"}`,
		r.name, mayDeploy, circleci[r.kind], withKey)
}

func (r ruledRepository) project() string {
	if r.kind == definition {
		return "circleci/" + r.name
	}
	return "gh/" + r.name
}

func (r ruledRepository) definition() string {
	return "00000000-0000-4000-8000-00000000000" + r.name[len(r.name)-1:]
}

// judged has the deployments on routes with rules.
type judged struct {
	mu    sync.Mutex
	byID  map[int64]*ruledDeployment
	mains map[string][]string // by repository: the commits that main was at
}

// ruledDeployment is what the test knows of a deployment on a route with rules.
type ruledDeployment struct {
	repository ruledRepository
	branch     string // that was asked for; no other deployment has it
	refused    string // why it must not run; empty: it may
	moved      atomic.Bool
}

func (j *judged) add(id int64, d *ruledDeployment) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.byID[id] = d
}

// get returns a deployment, or nil if its route has no rules.
func (j *judged) get(id int64) *ruledDeployment {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.byID[id]
}

// wasMain reports whether main was at a commit.
func (j *judged) wasMain(repository, commit string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Contains(j.mains[repository], commit)
}

func (j *judged) addMain(repository, commit string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mains[repository] = append(j.mains[repository], commit)
}

func (j *judged) mustNotRun(id int64) bool {
	d := j.get(id)
	return d != nil && d.refused != ""
}

// trouble is what somebody does about a deployment on a route with rules.
type trouble int

const (
	noTrouble trouble = iota
	byStranger
	redCheck  // of the two checks of one name, the one that began first
	lateCheck // the same
	pushed    // to its branch, while it waits
)

// deployRuled creates a deployment on a route with rules.
func (h *harness) deployRuled(t *testing.T, i int, rng *rand.Rand) {
	troubles := []trouble{byStranger, redCheck, lateCheck, pushed, pushed, pushed, pushed}
	chosen := noTrouble
	if n := rng.IntN(12); n < len(troubles) {
		chosen = troubles[n]
	}
	h.createRuled(t, h.ruled[rng.IntN(len(h.ruled))], i, chosen, rng)
}

// createRuled creates a deployment of a branch of its own. Its commit has two check suites with a check of
// the same name.
func (h *harness) createRuled(t *testing.T, repository ruledRepository, i int, what trouble, rng *rand.Rand) {
	d := &ruledDeployment{repository: repository, branch: fmt.Sprint("work-", i)}
	sha := h.github.Push(repository.name, d.branch, "")
	creator := mayDeploy
	first := github.CheckRun{Name: "build", App: "github-actions", Suite: h.newSuite(sha, 1)}
	second := github.CheckRun{Name: "build", App: "github-actions", Suite: h.newSuite(sha, 2)}

	late := interval{0, 2 * time.Second}.pick(rng)
	switch what {
	case byStranger:
		creator, d.refused = stranger, "its creator may not deploy"
	case redCheck:
		first.Conclusion, d.refused = "failure", "the older one of its two checks is red"
	case lateCheck:
		first.Status = "in_progress"
		h.after(t, late, func() {
			h.github.AddCheck(sha, github.CheckRun{Name: "build", App: "github-actions", Suite: first.Suite})
		})
	case pushed:
		h.after(t, late, func() {
			d.moved.Store(true)
			h.github.Push(repository.name, d.branch, "")
			h.judged.addMain(repository.name, h.github.Push(repository.name, "main", ""))
		})
	}

	h.github.AddCheck(sha, first)
	h.github.AddCheck(sha, second)
	id := h.createAs(t, creator, repository.name, ruledEnvironments[rng.IntN(len(ruledEnvironments))], d.branch, rng)
	h.judged.add(id, d)
}

// newSuite adds a run of a workflow and returns its check suite.
func (h *harness) newSuite(sha string, workflow int64) int64 {
	return h.github.AddWorkflowRun(sha, github.WorkflowRun{Workflow: workflow})
}

// after does something later, at the end of the run at the latest.
func (h *harness) after(t *testing.T, delay time.Duration, do func()) {
	h.following.Go(func() {
		pause(t.Context(), delay)
		do()
	})
}
