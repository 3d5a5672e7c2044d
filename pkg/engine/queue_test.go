package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// The size of a run, and how long its day is.
const (
	simDeployments  = 200
	simEnvironments = 20
	simStep         = 5 * time.Second
	simRequests     = 4 * time.Hour
	simDay          = 14 * time.Hour
)

// Whatever people do, and however often the process dies: an environment never has two pipelines at
// a time, its queue is first come, first served, nothing starts against a rule, nothing waits for
// ever, and everything ends once.
func TestQueue(t *testing.T) {
	seeds := []uint64{rand.Uint64N(1_000_000)}
	if fixed := os.Getenv("SERAPH_QUEUE_SEED"); fixed != "" {
		seed, err := strconv.ParseUint(fixed, 10, 64)
		if err != nil {
			t.Fatal(err)
		}

		seeds = []uint64{seed}
	}

	for _, seed := range seeds {
		t.Run(fmt.Sprint("SERAPH_QUEUE_SEED=", seed), func(t *testing.T) {
			w := newSimulation(t, seed)
			for end := w.now.Add(simDay); w.now.Before(end) && !w.quiet(); w.now = w.now.Add(simStep) {
				w.people()
				w.step()
			}

			w.judge()
		})
	}
}

// randomUser is somebody who deploys, locks, approves and cancels.
func (w *simulation) randomUser() deployment.Actor {
	id := int64(1 + w.rng.IntN(9))
	return deployment.Actor{ID: id, Login: fmt.Sprint("user", id)}
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	w := &simulation{
		t:        t,
		rng:      rand.New(rand.NewPCG(seed, 0)),
		path:     t.TempDir() + "/seraph.db",
		now:      time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC),
		policies: map[string]policy.Policy{},
		statuses: map[int64][]deployment.Status{},
		green:    map[string]time.Time{},
	}

	leads := &policy.Subjects{Teams: []string{"acme/leads"}}
	for i := range simEnvironments {
		p := policy.Policy{
			MaxWait:     5 * time.Hour,
			Concurrency: []policy.Concurrency{policy.ConcurrencyQueue, policy.ConcurrencyQueue, policy.ConcurrencyReplace, policy.ConcurrencyCancel, policy.ConcurrencyReject}[i%5],
		}

		if i%2 == 0 {
			p.Approvals = &policy.Approvals{Count: 1, Teams: []string{"acme/leads"}, Expires: 3 * time.Hour}
		}
		if i%3 == 0 {
			p.Freezes = []policy.Freeze{{Cron: "*/40 * * * *", Duration: 7 * time.Minute}}
		}
		if i%4 == 0 {
			p.Checks = &policy.Checks{Set: policy.ChecksAll}
		}
		if i%7 == 0 {
			p.Locked = policy.ModeReject
		}
		if i%3 == 1 {
			p.Force = leads
		}

		w.policies[fmt.Sprint("env", i)] = p
	}

	w.open()
	t.Cleanup(func() { _ = w.db.Close() })
	return w
}

// quiet says that everything has been made, and nothing is open any more.
func (w *simulation) quiet() bool {
	if len(w.green) < simDeployments || w.now.Second() != 0 {
		return false
	}

	census, err := w.db.Stats(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}

	open := 0
	for _, n := range census.Open {
		open += n
	}

	return open+census.ReportsUnsent == 0
}

// people do what they do in five seconds.
func (w *simulation) people() {
	made := int64(len(w.green))
	hour := w.now.Hour() - 8
	if made < simDeployments &&
		w.now.Sub(time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)) >= time.Duration(made)*simRequests/simDeployments {
		who := w.randomUser()
		w.deploy(made+1, fmt.Sprint("env", w.rng.IntN(simEnvironments)), deployment.Creator{
			ID:    who.ID,
			Login: who.Login,
			Type:  "User",
		})
	}

	switch w.rng.IntN(60) {
	case 0:
		w.lockSomething(hour)
	case 1, 2:
		w.unlockSomething()
	case 3, 4, 5, 6, 7, 8:
		w.approveSomething()
	case 9:
		w.cancelSomething(made)
	case 10:
		if w.rng.IntN(10) == 0 {
			w.crash()
		}
	}
}

// must lets pass what the desk refuses: people ask for all kinds of things.
func (w *simulation) must(err error) {
	var refused *command.Error
	if err != nil && !errors.As(err, &refused) {
		w.t.Fatal(err)
	}
}

func (w *simulation) lockSomething(hour int) {
	if hour > 8 {
		return // then all go home
	}

	c := command.Caller{Channel: deployment.ChannelAPI, By: w.randomUser(), Admin: w.rng.IntN(20) == 0}
	r := command.LockRequest{
		Repository:  "acme/api",
		Environment: fmt.Sprint("env", w.rng.IntN(simEnvironments)),
		Reason:      "testing",
		Steal:       w.rng.IntN(3) == 0,
	}

	if c.Admin {
		r.Repository, r.Environment = "", ""
	}
	if w.rng.IntN(2) == 0 || c.Admin {
		r.Until = w.now.Add(time.Duration(1+w.rng.IntN(30)) * time.Minute)
	}

	_, err := w.desk.TakeLock(w.t.Context(), c, r)
	w.must(err)
}

func (w *simulation) unlockSomething() {
	locks, err := w.desk.Locks(w.t.Context())
	w.must(err)
	if len(locks) == 0 {
		return
	}
	l := locks[w.rng.IntN(len(locks))]
	w.must(w.desk.ReleaseLock(w.t.Context(), command.Caller{Channel: deployment.ChannelAPI, By: l.Owner}, l.ID))
}

func (w *simulation) approveSomething() {
	waiting, err := w.db.List(w.t.Context(), deployment.Filter{State: deployment.Waiting, Limit: 200})
	w.must(err)
	if len(waiting) == 0 {
		return
	}

	id := waiting[w.rng.IntN(len(waiting))].Request.ID
	_, _, err = w.desk.Approve(w.t.Context(), command.Caller{
		Channel: deployment.ChannelAPI,
		By:      w.randomUser(),
	}, id, "")

	w.must(err)
}

func (w *simulation) cancelSomething(made int64) {
	if made == 0 || w.rng.IntN(6) > 0 {
		return
	}
	_, err := w.desk.Cancel(w.t.Context(), command.Caller{
		Channel: deployment.ChannelAPI,
		By:      w.randomUser(),
	}, 1+w.rng.Int64N(made), "never mind")
	w.must(err)
}

// mayGo holds a trigger against what the rules say, in words of its own.
func (w *simulation) mayGo(p *pipelineRun) {
	d := w.row(p.deployment)
	rules, forced := w.policies[p.environment], d.Force != nil
	locks, err := w.db.LocksOn(w.t.Context(), 7, p.environment)
	if err != nil {
		w.t.Fatal(err)
	}

	fault := func(what string) {
		w.t.Errorf("%s: deployment %d of %s started %s", w.now.Format(time.TimeOnly), p.deployment, p.environment, what)
	}
	for _, l := range locks {
		if l.Owner.ID != d.Request.Creator.ID && !forced {
			fault("under the lock of " + l.Owner.Login)
		}
	}

	if len(rules.Freezes) > 0 && w.now.Minute()%40 < 7 && !forced {
		fault("in a freeze")
	}
	if rules.Checks != nil && w.now.Before(w.green[d.Request.SHA]) && !forced {
		fault("before its checks were green")
	}
	if forced && (rules.Force == nil || d.Request.Creator.ID > 5) {
		fault("by the force of somebody who may not")
	}

	w.approved(d, rules, fault)
	for _, other := range w.pipelines {
		if other.environment == p.environment && w.now.Before(other.ends) {
			fault(fmt.Sprintf("while %d ran", other.deployment))
		}
	}
}

func (w *simulation) approved(d deployment.Deployment, rules policy.Policy, fault func(string)) {
	if rules.Approvals == nil {
		return
	}

	given, err := w.db.Approvals(w.t.Context(), d.Row)
	if err != nil {
		w.t.Fatal(err)
	}

	if !slices.ContainsFunc(given, func(a policy.Approval) bool {
		return a.By.ID != d.Request.Creator.ID && a.By.ID <= 5 && w.now.Sub(a.At) < rules.Approvals.Expires
	}) {
		fault("without an approval")
	}
}

// judge looks at the day when it is over.
func (w *simulation) judge() {
	counts := map[deployment.State]int{}
	for id := int64(1); id <= simDeployments; id++ {
		d := w.row(id)
		counts[d.State]++
		if d.State.Open() || d.HoldsSlot() {
			w.t.Errorf("deployment %d of %s is %s, waits for %q", id, d.Request.Environment, d.State, d.BlockedBy)
		}

		ends := slices.DeleteFunc(slices.Clone(w.statuses[id]), func(s deployment.Status) bool {
			return s.State == deployment.GitHubQueued || s.State == deployment.GitHubPending ||
				s.State == deployment.GitHubInProgress
		})

		if len(ends) != 1 {
			w.t.Errorf("deployment %d has %d ends at GitHub: %+v", id, len(ends), ends)
		}
		if n := len(slices.DeleteFunc(slices.Clone(w.pipelines), func(p *pipelineRun) bool { return p.deployment != id })); n > 1 {
			w.t.Errorf("deployment %d ran %d times", id, n)
		}
	}

	last := map[string]int64{}
	for _, p := range w.pipelines {
		if before := last[p.environment]; before > p.deployment {
			w.t.Errorf("%s: deployment %d started after %d", p.environment, p.deployment, before)
		}

		last[p.environment] = p.deployment
	}

	w.t.Logf("%v; %d pipelines, %d crashes; %s", counts, len(w.pipelines), w.crashes, w.reasons())
}

// reasons counts why deployments were turned away.
func (w *simulation) reasons() string {
	count := map[string]int{}
	for id := int64(1); id <= simDeployments; id++ {
		if d := w.row(id); d.State == deployment.Rejected || d.State == deployment.Canceled ||
			d.State == deployment.Errored {
			count[strings.Join(strings.Fields(d.Reason)[:min(3, len(strings.Fields(d.Reason)))], " ")]++
		}
	}
	return fmt.Sprint(count)
}
