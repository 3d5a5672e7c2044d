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

// slowest is how long an answer may take.
const slowest = 2 * time.Second

// misbehave makes a part of all calls to both vendors go wrong. Some triggers then take effect long
// after the client gave up.
func (w *world) misbehave() {
	faults := []sim.Fault{
		{Status: http.StatusInternalServerError},
		{Status: http.StatusInternalServerError, AfterEffect: true},
		{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}, Body: "Rate limited."},
		{ResetAfter: true},
		{Delay: slowest},
	}

	for _, p := range w.plans {
		p.Random("", w.failing, faults...)
	}

	if !w.again.Load() {
		return // what comes late must not come after the restore: nobody could know of it
	}

	triggers := slices.Repeat(faults, len(w.late))
	for i, late := range w.late {
		triggers = append(triggers, sim.Fault{ResetBefore: i%2 == 0, LateEffect: late}) // or 504
	}

	w.plans[atCircleCI].Random(circleci.OpTrigger, w.failing, triggers...)
}

func (w *world) behave() {
	for _, p := range w.plans {
		p.Clear("")
	}
}

// trouble is one thing that happens to the fleet or its world.
type trouble struct {
	name   string
	happen func(t *testing.T, dice *rand.Rand)
}

func (w *world) troubles() []trouble {
	list := []trouble{
		{"strangers trigger", w.trigger},
		{"GitHub is down", w.vendorDown(atGitHub)},
		{"CircleCI is down", w.vendorDown(atCircleCI)},
		{"a process is frozen", w.freezeOne},
	}

	switch {
	case !w.onSQLite():
		list = append(
			list,
			trouble{"the database restarts", w.restartDatabase},
			trouble{"the database is full", w.refuseWrites},
		)
	case w.disk != "":
		list = append(list, trouble{"the disk is full", w.fillDisk})
	}

	return list
}

// schedule is every trouble once. In the large run an old backup comes back amid them.
func (w *world) schedule(dice *rand.Rand) []trouble {
	list := w.troubles()
	dice.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	if w.large {
		list = slices.Insert(list, 3, trouble{"an old backup is restored", w.restore})
		list = slices.Insert(list, 2, trouble{"the database is copied", w.backUp})
	}
	return list
}

// suffer lets one trouble follow the other to the end, and in the large run until each has
// happened.
func (w *world) suffer(t *testing.T, end time.Time) {
	dice := w.dice(diceTrouble)
	list := w.schedule(dice)
	for i := 0; time.Now().Before(end) || w.large && i < len(list); i++ {
		if i >= len(list) {
			list = append(list, w.troubles()[dice.IntN(len(w.troubles()))])
		}

		pause(t.Context(), w.trouble.pick(dice))
		t.Logf("%s %s", clock(time.Now()), list[i].name)
		list[i].happen(t, dice)
	}
}

// killAll ends one process after the other as a power cut does, until ctx ends.
func (w *world) killAll(ctx context.Context) {
	dice := w.dice(diceKill)
	for {
		pause(ctx, w.kill.pick(dice))
		if ctx.Err() != nil {
			return
		}

		w.hush.RLock()
		w.processes[dice.IntN(len(w.processes))].kill()
		w.hush.RUnlock()
	}
}

// trigger lets a stranger start pipelines with our token on the branch that is deployed, as a
// person with the token would. Where the route sends no key nothing could tell them from ours, and
// nothing promises to.
func (w *world) trigger(_ *testing.T, dice *rand.Rand) {
	for range w.strangers {
		project := "gh/acme/mono"
		if name := w.repositories[dice.IntN(len(w.repositories))]; !withoutKey(name) && sibling(name) == name {
			project = "gh/" + name
		}
		w.strange = append(w.strange, w.circleci.AddUnrelatedPipeline(project, "main"))
	}
}

// vendorDown makes every call to a vendor fail for a while.
func (w *world) vendorDown(vendor int) func(*testing.T, *rand.Rand) {
	return func(t *testing.T, dice *rand.Rand) {
		w.plans[vendor].Clear("")
		w.plans[vendor].Random("", 1, sim.Fault{Status: http.StatusServiceUnavailable})
		pause(t.Context(), w.down.pick(dice))
		w.misbehave()
	}
}

// freezeOne stops a process without its knowledge, and lets it go on after a while.
func (w *world) freezeOne(t *testing.T, dice *rand.Rand) {
	w.sleep(t.Context(), w.processes[dice.IntN(len(w.processes))], w.frozen)
}

// oversleep stops a replica for so long that its leases are others', while the other one goes on.
// It must be awake at first: what it would hold in the middle of a start is the lock of the tables,
// and no replica starts without.
func (w *world) oversleep(t *testing.T) {
	p := w.processes[len(w.processes)-1]
	p.waitReady(t)
	t.Logf("%s %s is frozen for %s", clock(time.Now()), p.name, w.frozenOnce)
	w.asleep.Go(func() { w.sleep(t.Context(), p, w.frozenOnce) })
}
