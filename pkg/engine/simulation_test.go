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

// The size of a simulation.
const (
	simDeployments  = 200
	simEnvironments = 20
	simStep         = 5 * time.Second
	simRequests     = 4 * time.Hour  // in which the deployments are made
	simLocks        = 9 * time.Hour  // in which locks are taken
	simDay          = 14 * time.Hour // after which everything must have ended
)

var simStart = time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)

// TestSimulation_RandomizedDay checks that whatever people do, and however often the process crashes:
// an environment never has two pipelines at a time, deployments start in the order in which they were
// made, none starts against a rule, none waits for ever, and each ends once.
func TestSimulation_RandomizedDay(t *testing.T) {
	seed := seedOf(t)
	t.Run(fmt.Sprint("SERAPH_QUEUE_SEED=", seed), func(t *testing.T) {
		w := newSimulation(t, seed)
		for end := w.now.Add(simDay); w.now.Before(end) && !w.finished(); w.now = w.now.Add(simStep) {
			w.actRandomly()
			w.workOff()
		}

		w.checkOutcome()
	})
}

// seedOf returns a fixed seed, or the one in SERAPH_QUEUE_SEED. The name of the subtest shows it.
func seedOf(t *testing.T) uint64 {
	t.Helper()

	text := os.Getenv("SERAPH_QUEUE_SEED")
	if text == "" {
		return 1
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("SERAPH_QUEUE_SEED: %v", err)
	}
	return seed
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	t.Helper()

	w := &simulation{
		t:        t,
		rng:      rand.New(rand.NewPCG(seed, 0)),
		path:     t.TempDir() + "/seraph.db",
		now:      simStart,
		policies: map[string]policy.Policy{},
		statuses: map[int64][]deployment.Status{},
		green:    map[string]time.Time{},
	}
	for i := range simEnvironments {
		w.policies[environmentOf(i)] = policyOf(i)
	}

	w.open()
	t.Cleanup(func() { _ = w.db.Close() })
	return w
}

func environmentOf(i int) string { return fmt.Sprint("env", i) }

// policyOf is the policy of an environment. The environments have different combinations of rules.
func policyOf(i int) policy.Policy {
	concurrency := []policy.Concurrency{
		policy.ConcurrencyQueue,
		policy.ConcurrencyQueue,
		policy.ConcurrencyReplace,
		policy.ConcurrencyCancel,
		policy.ConcurrencyReject,
	}

	p := policy.Policy{MaxWait: 5 * time.Hour, Concurrency: concurrency[i%5]}
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
		p.Force = &policy.Subjects{Teams: []string{"acme/leads"}}
	}

	return p
}

// finished reports whether all deployments were made and nothing is open any more.
func (w *simulation) finished() bool {
	if len(w.green) < simDeployments || w.now.Second() != 0 {
		return false
	}

	stats, err := w.db.Stats(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}

	open := stats.ReportsUnsent
	for _, n := range stats.Open {
		open += n
	}

	return open == 0
}

// actRandomly does what people may do within one step.
func (w *simulation) actRandomly() {
	made := int64(len(w.green))
	next := simStart.Add(time.Duration(made) * simRequests / simDeployments)
	if made < simDeployments && !w.now.Before(next) {
		creator := user(w.randomUser().ID)
		w.deploy(made+1, environmentOf(w.rng.IntN(simEnvironments)), creator)
	}

	switch w.rng.IntN(60) {
	case 0:
		w.randomLock()
	case 1, 2:
		w.randomUnlock()
	case 3, 4, 5, 6, 7, 8:
		w.randomApproval()
	case 9:
		w.randomCancel(made)
	case 10:
		if w.rng.IntN(10) == 0 {
			w.crash()
		}
	}
}

// randomUser is one of nine people who deploy, lock, approve and cancel.
func (w *simulation) randomUser() deployment.Actor {
	id := int64(1 + w.rng.IntN(9))
	return deployment.Actor{ID: id, Login: fmt.Sprint("user", id)}
}

func callerOf(by deployment.Actor) command.Caller {
	return command.Caller{Channel: deployment.ChannelAPI, By: by}
}

// mustWork fails the test for an error that is not a refusal. Refusals are expected: people ask for
// what they may not do.
func (w *simulation) mustWork(err error) {
	w.t.Helper()
	var refused *command.Error
	if err != nil && !errors.As(err, &refused) {
		w.t.Fatal(err)
	}
}

func (w *simulation) randomLock() {
	if w.now.Sub(simStart) >= simLocks {
		return
	}

	caller := callerOf(w.randomUser())
	caller.Admin = w.rng.IntN(20) == 0
	r := command.LockRequest{
		Repository:  "acme/api",
		Environment: environmentOf(w.rng.IntN(simEnvironments)),
		Reason:      "testing",
		Steal:       w.rng.IntN(3) == 0,
	}
	if caller.Admin { // locks everything, so it must end
		r.Repository, r.Environment = "", ""
	}
	if w.rng.IntN(2) == 0 || caller.Admin {
		r.Until = w.now.Add(time.Duration(1+w.rng.IntN(30)) * time.Minute)
	}

	_, err := w.commands.TakeLock(w.t.Context(), caller, r)
	w.mustWork(err)
}

func (w *simulation) randomUnlock() {
	locks, err := w.commands.Locks(w.t.Context())
	w.mustWork(err)
	if len(locks) == 0 {
		return
	}

	l := locks[w.rng.IntN(len(locks))]
	w.mustWork(w.commands.ReleaseLock(w.t.Context(), callerOf(l.Owner), l.ID))
}

func (w *simulation) randomApproval() {
	waiting, err := w.db.List(w.t.Context(), deployment.Filter{State: deployment.Waiting, Limit: 200})
	w.mustWork(err)
	if len(waiting) == 0 {
		return
	}

	id := waiting[w.rng.IntN(len(waiting))].Request.ID
	_, _, err = w.commands.Approve(w.t.Context(), callerOf(w.randomUser()), id, "")
	w.mustWork(err)
}

func (w *simulation) randomCancel(made int64) {
	if made == 0 || w.rng.IntN(6) > 0 {
		return
	}

	id := 1 + w.rng.Int64N(made)
	_, err := w.commands.Cancel(w.t.Context(), callerOf(w.randomUser()), id, "never mind")
	w.mustWork(err)
}

// checkStart checks a pipeline that starts against the rules, without the code that enforces them.
func (w *simulation) checkStart(p *pipelineRun) {
	d := w.get(p.deployment)
	rules, forced := w.policies[p.environment], d.Force != nil
	fault := func(what string) {
		at := w.now.Format(time.TimeOnly)
		w.t.Errorf("%s: deployment %d of %s started %s", at, p.deployment, p.environment, what)
	}

	locks, err := w.db.LocksOn(w.t.Context(), simRepository.ID, p.environment)
	if err != nil {
		w.t.Fatal(err)
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
		fault("forced by somebody who may not")
	}
	if rules.Approvals != nil && !w.approved(d, rules.Approvals.Expires) {
		fault("without an approval")
	}

	for _, other := range w.pipelines {
		if other.environment == p.environment && w.now.Before(other.ends) {
			fault(fmt.Sprintf("while %d ran", other.deployment))
		}
	}
}

// approved reports whether a lead who is not the creator has approved a deployment.
func (w *simulation) approved(d deployment.Deployment, lifetime time.Duration) bool {
	given, err := w.db.Approvals(w.t.Context(), d.Row)
	if err != nil {
		w.t.Fatal(err)
	}

	return slices.ContainsFunc(given, func(a policy.Approval) bool {
		return a.By.ID != d.Request.Creator.ID && a.By.ID <= 5 && w.now.Sub(a.At) < lifetime
	})
}

// checkOutcome checks the deployments, their statuses and the pipelines at the end of the day.
func (w *simulation) checkOutcome() {
	counts := map[deployment.State]int{}
	for id := int64(1); id <= simDeployments; id++ {
		d := w.get(id)
		counts[d.State]++
		if d.State.Open() || d.HoldsSlot() {
			w.t.Errorf("deployment %d of %s: got %s, waits for %q, want it ended",
				id, d.Request.Environment, d.State, d.BlockedBy)
		}

		final := slices.DeleteFunc(slices.Clone(w.statuses[id]), func(s deployment.Status) bool {
			return s.State == deployment.GitHubQueued || s.State == deployment.GitHubPending ||
				s.State == deployment.GitHubInProgress
		})
		if len(final) != 1 {
			w.t.Errorf("deployment %d: got %d final statuses, want 1: %+v", id, len(final), final)
		}

		runs := slices.DeleteFunc(slices.Clone(w.pipelines), func(p *pipelineRun) bool { return p.deployment != id })
		if len(runs) > 1 {
			w.t.Errorf("deployment %d: got %d pipelines, want at most 1", id, len(runs))
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

// reasons counts why deployments did not run, by the first words of the reason.
func (w *simulation) reasons() string {
	count := map[string]int{}
	for id := int64(1); id <= simDeployments; id++ {
		d := w.get(id)
		switch d.State {
		case deployment.Rejected, deployment.Canceled, deployment.Errored:
			words := strings.Fields(d.Reason)
			count[strings.Join(words[:min(3, len(words))], " ")]++
		}
	}
	return fmt.Sprint(count)
}
