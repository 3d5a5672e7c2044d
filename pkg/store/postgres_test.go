package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/test/pgtest"
)

// replicas opens one database several times.
func replicas(t *testing.T, n int) []*testDB {
	url := pgtest.Database(t)
	list := make([]*testDB, n)
	for i := range list {
		list[i] = openURL(t, url)
	}
	return list
}

// Replicas that start together change the tables one after the other.
func TestReplicasStartTogether(t *testing.T) {
	url := pgtest.Database(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			db, err := Open(t.Context(), Options{URL: url, Log: zerolog.Nop()})
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(db.Ping(t.Context()), db.Close()); err != nil {
				t.Error(err)
			}
		})
	}

	all.Wait()
}

// A connection that was stopped in the middle of a transaction gives its locks up, and no commit is
// answered before it is on disk.
func TestPostgresSettings(t *testing.T) {
	b := freshPostgres(t)
	for name, want := range map[string]string{
		"idle_in_transaction_session_timeout": "10s",
		"synchronous_commit":                  "on",
	} {
		var got string
		if err := b.wdb.QueryRow(`SHOW ` + name).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %s, %v", name, got, err)
		}
	}
}

// The server keeps its plan for acceptStatement. One that was made while the tables are small must
// do when they have grown.
func TestPostgresAccept_PlanUsesIndexes(t *testing.T) {
	b := freshPostgres(t)
	for id := range int64(20) {
		b.accept(id+1, "production", "p")
	}

	conn, err := b.dialect.(*postgres).intakeDB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	defer conn.Close()
	for _, statement := range []string{`ANALYZE`, `PREPARE accept AS ` + acceptStatement} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}

	rows, err := conn.QueryContext(t.Context(), `EXPLAIN EXECUTE accept (
		'{g}', '{deployment}', '{github}', '{7}', '{1}', '{1}', '{""}', '{x}',
		'{acme/api}', '{production}', '{waiting}', '{k}', '{1}', '{1}', '{"{}"}', '{abc}', '{0}',
		'{k}', '{1}', '{accepted}', '{by github}')`)
	if err != nil {
		t.Fatal(err)
	}

	lines, err := scanEach(rows, func(s scanner) (line string, err error) {
		err = s.Scan(&line)
		return line, err
	})
	if err != nil {
		t.Fatal(err)
	}

	plan := strings.Join(lines, "\n")
	if strings.Contains(plan, "Seq Scan") || strings.Count(plan, "Index") < 2 {
		t.Errorf("got a plan that reads whole tables:\n%s", plan)
	}

	t.Logf("the plan:\n%s", plan)
	var mode string
	if err := conn.QueryRowContext(t.Context(), `SHOW plan_cache_mode`).Scan(&mode); err != nil || mode != "force_generic_plan" {
		t.Errorf("plan_cache_mode: got %q, %v, want force_generic_plan", mode, err)
	}
}

func TestNoPasswordInErrors(t *testing.T) {
	for _, url := range []string{"postgres://u:hunter2@127.0.0.1:1/x", "postgres://u:hunter2@[bad/x", "postgres://u:hunter2@127.0.0.1:1/x?sslmode=odd"} {
		_, err := Open(t.Context(), Options{URL: url, Log: zerolog.Nop(), LockWait: time.Second})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	}
}

// While one replica ends a deployment and makes way for the next, another tries to start that one:
// whatever comes first, the next one starts or is due at once. The first replica is held between
// its look at who comes next and its commit.
func TestPromotionIsNotOvertaken(t *testing.T) {
	both := replicas(t, 2)
	a, b := both[0], both[1]
	one, two := a.accept(1, "production", "p"), a.accept(2, "production", "p")
	one = a.must(triggering(one, a), deployment.Changes{})
	held, let, ended1 := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended1 <- a.write(t.Context(), func(tx *tx) error {
			next := ended(one, deployment.Succeeded)
			if err := errors.Join(tx.lockEnvironments(next), tx.save(next, deployment.Changes{}, deployment.SaveOptions{})); err != nil {
				return err
			}

			close(held)
			<-let
			return nil
		})
	}()

	<-held
	started := make(chan error)
	go func() {
		_, err := b.save(triggering(two, b), deployment.Changes{})
		started <- err
	}()

	waitForLock(t, b)
	close(let)
	if err := <-ended1; err != nil {
		t.Fatal(err)
	}
	if err := <-started; err != nil && !errors.Is(err, deployment.ErrVersionConflict) {
		t.Errorf("the next one: %v", err)
	}
	if now, err := b.Load(t.Context(), two.Row); err != nil || now.State != deployment.Triggering {
		t.Errorf("%s, %v", now.State, err)
	}
}

// waitForLock waits until some connection waits for a lock of ours.
func waitForLock(t *testing.T, b *testDB) {
	t.Helper()
	for !lockIsWaitedFor(t, b) {
	}
}

func lockIsWaitedFor(t *testing.T, b *testDB) bool {
	t.Helper()
	var n int
	if err := b.rdb.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// What a dead replica had in its hands is another's after 25 s, and not before.
func TestDeadReplicasWork(t *testing.T) {
	both := replicas(t, 2)
	a, b := both[0], both[1]
	d := a.accept(1, "production", "p")
	if _, ok, err := a.Lease(t.Context(), d.Row); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if due, err := b.Overdue(t.Context(), 10); err != nil || len(due) != 0 {
		t.Errorf("overdue %v, %v", due, err)
	}

	b.later(leaseFor + time.Second)
	if due, err := b.Overdue(t.Context(), 10); err != nil || len(due) != 1 {
		t.Errorf("overdue %v, %v", due, err)
	}
	if _, ok, err := b.Lease(t.Context(), d.Row); !ok || err != nil {
		t.Errorf("leased %v, %v", ok, err)
	}
}

// environments watches who is inside which.
type environments struct {
	mu     sync.Mutex
	inside map[string]int64
	order  map[string][]int64
}

func (e *environments) enter(t *testing.T, d deployment.Deployment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if other := e.inside[d.Request.Environment]; other != 0 {
		t.Errorf("%d and %d are in %s", other, d.Request.ID, d.Request.Environment)
	}
	e.inside[d.Request.Environment] = d.Request.ID
	e.order[d.Request.Environment] = append(e.order[d.Request.Environment], d.Request.ID)
}

func (e *environments) leave(d deployment.Deployment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.inside, d.Request.Environment)
}

// Two replicas work through many deployments: never two of one environment at once, in order, all
// of them.
func TestReplicasShareTheWork(t *testing.T) {
	both := replicas(t, 2)
	const each, kinds = 6, 5
	for i := range each * kinds {
		both[i%2].accept(int64(i+1), fmt.Sprintf("e%d", i%kinds), fmt.Sprintf("p%d", i%3))
	}

	seen := &environments{inside: map[string]int64{}, order: map[string][]int64{}}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for work(t, both[i%2], seen) {
			}
		})
	}

	all.Wait()
	for name, ids := range seen.order {
		for i := 1; i < len(ids); i++ {
			if ids[i] < ids[i-1] {
				t.Errorf("%s: %v", name, ids)
			}
		}

		if len(ids) != each {
			t.Errorf("%s: %d ended", name, len(ids))
		}
	}
}

// work takes one row from its start to its end, as an engine does, and says whether anything is
// left.
func work(t *testing.T, b *testDB, seen *environments) bool {
	left, err := b.List(t.Context(), deployment.Filter{State: deployment.Waiting, Limit: 100})
	if err != nil {
		t.Error(err)
		return false
	}

	for _, d := range left {
		d, ok, err := b.Lease(t.Context(), d.Row)
		if err != nil {
			t.Error(err)
		}
		if !ok {
			continue
		}

		started, err := b.Save(t.Context(), triggering(d, b), deployment.Changes{}, deployment.SaveOptions{KeepLease: true})
		var busy *deployment.BlockedError
		if errors.As(err, &busy) || errors.Is(err, deployment.ErrVersionConflict) {
			if err := b.Unlease(t.Context(), d.Row); err != nil {
				t.Error(err)
			}

			continue
		}

		if err != nil {
			t.Error(err)
			return false
		}

		seen.enter(t, started)
		seen.leave(started)
		b.must(ended(started, deployment.Succeeded), deployment.Changes{})
	}

	return len(left) > 0
}
