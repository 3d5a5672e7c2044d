package chaos

import (
	"database/sql"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/seraph-deploy/seraph/test/pgtest"
	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// misbehave makes a part of all calls to both vendors go wrong. In the large run a few triggers take effect long after the client gave up.
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
	if !w.large {
		return
	}
	dice := w.dice(7)
	var triggers []sim.Fault
	for range 18 {
		triggers = append(triggers, faults...)
	}
	for range 10 { // of a hundred: 2 % of all triggers
		triggers = append(triggers, sim.Fault{ResetBefore: true, LateEffect: 5*time.Second + time.Duration(dice.Int64N(int64(55*time.Second)))})
	}
	w.plans[1].Random(circleci.OpTrigger, w.failing, triggers...)
}

func (w *world) behave() {
	for _, p := range w.plans {
		p.Clear("")
	}
}

// trouble is one thing that happens to the fleet or its world.
type trouble struct {
	name   string
	weight int
	happen func(t *testing.T, dice int)
}

func (w *world) troubles() []trouble {
	list := []trouble{
		{"a process is killed", 10, w.killOne},
		{"a stranger triggers", 2, func(*testing.T, int) { w.stranger() }},
		{"the queue is emptied", 1, func(t *testing.T, _ int) { w.emptyQueue(t) }},
	}
	if !w.large {
		return list
	}
	list = append(list,
		trouble{"GitHub is down", 1, func(t *testing.T, _ int) { w.down(t, 0, 10*time.Second) }},
		trouble{"CircleCI is down", 1, func(t *testing.T, _ int) { w.down(t, 1, 10*time.Second) }},
		trouble{"a process is frozen", 1, func(t *testing.T, dice int) { w.freeze(t, dice, 10*time.Second) }},
	)
	if w.onPostgres() {
		list = append(list, trouble{"the database restarts", 1, func(t *testing.T, _ int) { w.restartDatabase(t) }})
	}
	return list
}

// stranger starts a pipeline with our token on the branch that is deployed, as a person with the token would.
func (w *world) stranger() {
	w.strangers = append(w.strangers, w.circleci.Stranger(w.projects[len(w.strangers)%len(w.projects)], "main"))
}

// down makes every call to a vendor fail for a while.
func (w *world) down(t *testing.T, plan int, long time.Duration) {
	w.plans[plan].Clear("")
	w.plans[plan].Random("", 1, sim.Fault{Status: http.StatusServiceUnavailable})
	pause(t, long)
	w.behave()
	w.misbehave()
}

// emptyQueue deletes River's jobs under the feet of the processes.
func (w *world) emptyQueue(t *testing.T) {
	t.Helper()
	if w.onPostgres() {
		pgtest.Exec(t, w.database, "DELETE FROM river_job")
		return
	}
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(w.database, "sqlite:")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() // nothing is left to be written
	if _, err := db.ExecContext(t.Context(), "DELETE FROM river_job"); err != nil {
		t.Error(err)
	}
}

// restartDatabase is to its clients what a restart is: all connections end, and none is taken for a while.
func (w *world) restartDatabase(t *testing.T) {
	t.Helper()
	server, _ := pgtest.Server()
	u, err := url.Parse(w.database)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Trim(u.Path, "/")
	pgtest.Exec(t, server, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false")
	pgtest.Exec(t, server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
	pause(t, 3*time.Second)
	pgtest.Exec(t, server, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS true")
}

// rage makes all deployments while one trouble follows the other.
func (w *world) rage(t *testing.T) {
	var making sync.WaitGroup
	making.Go(func() {
		for i := range w.deployments {
			w.deploy(t, i)
			pause(t, w.killing*3/4/time.Duration(w.deployments))
		}
	})
	if w.large {
		making.Go(func() { pause(t, w.killing/10); w.longFreeze(t) })
	}
	least, spread := 300*time.Millisecond, 1200*time.Millisecond
	if w.large {
		least, spread = 2*time.Second, 8*time.Second
	}
	dice, end := w.dice(1), time.Now().Add(w.killing)
	for time.Now().Before(end) {
		pause(t, least+time.Duration(dice.Int64N(int64(spread))))
		chosen := pick(w.troubles(), dice.IntN(1000))
		t.Logf("%s %s", clock(time.Now()), chosen.name)
		chosen.happen(t, dice.IntN(1000))
	}
	making.Wait()
}

// longFreeze stops a replica for two minutes, which nothing but its lease tells from a dead one. A single process would only be late.
func (w *world) longFreeze(t *testing.T) {
	if !w.onPostgres() {
		return
	}
	w.spared.Store(true)
	defer w.spared.Store(false)
	t.Logf("%s a replica is frozen for two minutes", clock(time.Now()))
	w.stops++
	_ = w.processes[1].cmd.Process.Signal(syscall.SIGSTOP) // one that has ended is found by kill
	pause(t, 2*time.Minute)
	_ = w.processes[1].cmd.Process.Signal(syscall.SIGCONT)
}

func pick(list []trouble, dice int) trouble {
	total := 0
	for _, tr := range list {
		total += tr.weight
	}
	dice %= total
	for _, tr := range list {
		if dice -= tr.weight; dice < 0 {
			return tr
		}
	}
	return list[0]
}
