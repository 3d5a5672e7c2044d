package chaos

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// maxDelay is the longest delay of an answer.
const maxDelay = 2 * time.Second

// startCallFaults makes a part of all calls to GitHub and CircleCI fail. Some triggers then take effect
// long after the client gave up.
func (h *harness) startCallFaults() {
	faults := []sim.Fault{
		{Status: http.StatusInternalServerError},
		{Status: http.StatusInternalServerError, AfterEffect: true},
		{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}, Body: "Rate limited."},
		{ResetAfter: true},
		{Delay: maxDelay},
	}

	for _, p := range h.plans {
		p.Random("", h.failureRate, faults...)
	}

	if !h.restoreDone.Load() {
		return // a late trigger must not take effect after the restore: Seraph could not know of it
	}

	triggers := slices.Repeat(faults, len(h.lateEffects))
	for i, late := range h.lateEffects {
		triggers = append(triggers, sim.Fault{ResetBefore: i%2 == 0, LateEffect: late}) // or 504
	}

	h.plans[atCircleCI].Random(circleci.OpTrigger, h.failureRate, triggers...)
}

func (h *harness) stopCallFaults() {
	for _, p := range h.plans {
		p.Clear("")
	}
}

// incident is one thing that goes wrong in the cluster, at GitHub or at CircleCI.
type incident struct {
	name string
	run  func(t *testing.T, rng *rand.Rand)
}

func (h *harness) incidents() []incident {
	all := []incident{
		{"unrelated pipelines start", h.triggerUnrelated},
		{"GitHub is down", h.vendorDown(atGitHub)},
		{"CircleCI is down", h.vendorDown(atCircleCI)},
		{"a process is frozen", h.freezeOne},
		{"events are forged", h.forgeEvents},
	}
	if h.large {
		all = append(all,
			incident{"a clock is wrong", h.stepClock},
			incident{"a machine is suspended", h.suspend},
		)
	}

	switch {
	case !h.onSQLite():
		all = append(all,
			incident{"the database restarts", h.restartDatabase},
			incident{"the database is full", h.refuseWrites},
		)
	case h.disk != "":
		all = append(all, incident{"the disk is full", h.fillDisk})
	}

	return all
}

// schedule returns every incident once, in random order. In the large run an old backup is restored
// between them, and with PostgreSQL a standby takes over before that backup is taken.
func (h *harness) schedule(rng *rand.Rand) []incident {
	list := h.incidents()
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	if h.large {
		list = slices.Insert(list, 3, incident{"an old backup is restored", h.restore})
		list = slices.Insert(list, 2, incident{"a backup is taken", h.takeBackup})
	}
	if h.large && !h.onSQLite() {
		list = slices.Insert(list, 1, incident{"a standby takes over", h.failOver})
	}
	return list
}

// runIncidents runs one incident after the other until end, and in the large run until each has run.
func (h *harness) runIncidents(t *testing.T, end time.Time) {
	rng := h.rng(streamIncident)
	list := h.schedule(rng)
	for i := 0; time.Now().Before(end) || h.large && i < len(list); i++ {
		if i >= len(list) {
			list = append(list, h.incidents()[rng.IntN(len(h.incidents()))])
		}

		pause(t.Context(), h.incidentInterval.pick(rng))
		t.Logf("%s %s", formatTime(time.Now()), list[i].name)
		list[i].run(t, rng)
	}
}

// killAll kills one process after the other, as a power failure does, until ctx ends.
func (h *harness) killAll(ctx context.Context) {
	rng := h.rng(streamKill)
	for {
		pause(ctx, h.killInterval.pick(rng))
		if ctx.Err() != nil {
			return
		}

		h.quiet.RLock()
		h.processes[rng.IntN(len(h.processes))].kill()
		h.quiet.RUnlock()
	}
}

// triggerUnrelated starts pipelines with Seraph's token on the deployed branch, as a person with the
// token could. It leaves out projects whose route sends no key: nothing could tell such a pipeline from
// a deployment's own, and Seraph does not promise to.
func (h *harness) triggerUnrelated(_ *testing.T, rng *rand.Rand) {
	for range h.unrelated {
		project := "gh/acme/mono"
		if name := h.repositories[rng.IntN(len(h.repositories))]; !withoutKey(name) && sameProject(name) == name {
			project = "gh/" + name
		}
		h.unrelatedIDs = append(h.unrelatedIDs, h.circleci.AddUnrelatedPipeline(project, "main"))
	}
}

// vendorDown returns an incident in which every call to GitHub or to CircleCI fails for a while.
func (h *harness) vendorDown(vendor int) func(*testing.T, *rand.Rand) {
	return func(t *testing.T, rng *rand.Rand) {
		h.plans[vendor].Clear("")
		h.plans[vendor].Random("", 1, sim.Fault{Status: http.StatusServiceUnavailable})
		pause(t.Context(), h.vendorOutage.pick(rng))
		h.startCallFaults()
	}
}

// freezeOne stops a process with SIGSTOP for a while.
func (h *harness) freezeOne(t *testing.T, rng *rand.Rand) {
	h.freezeFor(t.Context(), h.processes[rng.IntN(len(h.processes))], h.frozen)
}

// freezePastLease freezes a replica for so long that other replicas take over its leases. It waits until
// the replica is ready: a replica that is frozen during its start would hold the migration lock, without
// which no other replica starts.
func (h *harness) freezePastLease(t *testing.T) {
	p := h.processes[len(h.processes)-1]
	p.waitReady(t)
	t.Logf("%s %s is frozen for %s", formatTime(time.Now()), p.name, h.frozenLong)
	h.freezing.Go(func() { h.freezeFor(t.Context(), p, h.frozenLong) })
}
