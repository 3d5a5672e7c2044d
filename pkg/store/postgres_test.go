package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/test/pgtest"
)

// openReplicas opens one database n times.
func openReplicas(t *testing.T, n int) []*testDB {
	t.Helper()
	url := pgtest.Database(t)
	replicas := make([]*testDB, n)
	for i := range replicas {
		replicas[i] = openURL(t, url)
	}

	return replicas
}

func TestPostgres_ReplicasStartTogether(t *testing.T) {
	url := pgtest.Database(t)
	errs := concurrently(4, func(int) error {
		db, err := Open(t.Context(), Options{URL: url, Log: zerolog.Nop()})
		if err != nil {
			return err
		}

		return errors.Join(db.Ping(t.Context()), db.Close())
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// A connection that stands still in a transaction gives its locks up, and no commit is answered
// before it is on disk.
func TestPostgres_Settings(t *testing.T) {
	b := freshPostgres(t)
	intake := b.dialect.(*postgres).intakeDB

	for _, c := range []struct {
		name    string
		setting string
		intake  bool
		want    string
	}{
		{name: "rows, idle", setting: "idle_in_transaction_session_timeout", want: "10s"},
		{name: "rows, commit", setting: "synchronous_commit", want: "on"},
		{name: "intake, idle", setting: "idle_in_transaction_session_timeout", intake: true, want: "10s"},
		{name: "intake, commit", setting: "synchronous_commit", intake: true, want: "on"},
		{name: "intake, scans", setting: "enable_seqscan", intake: true, want: "off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := b.wdb
			if c.intake {
				pool = intake
			}

			var got string
			err := pool.QueryRow(`SHOW ` + c.setting).Scan(&got)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

// Taking a lease does not wait for the disk; what follows on the same connection does.
func TestPostgresLeases_OnlyTheLeaseIsNotSynced(t *testing.T) {
	b := freshPostgres(t)
	d := b.accept(1, "production", "p")
	now := micros(b.clock())

	sqltx, err := b.wdb.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = sqltx.Rollback() }() // after a commit it does nothing

	taken, err := scanDeployment(sqltx.QueryRow(takeStatement(advanceTask(d.Row), deploymentColumns), d.Row, now+1, now, now+1))
	if err != nil || taken.Request.ID != 1 {
		t.Fatalf("got deployment %d, %v, want 1", taken.Request.ID, err)
	}

	var during, after string
	err = sqltx.QueryRow(`SHOW synchronous_commit`).Scan(&during)
	if err != nil || during != "off" {
		t.Errorf("in the transaction of the lease: got %q, %v, want off", during, err)
	}
	if err := sqltx.Commit(); err != nil {
		t.Fatal(err)
	}

	err = b.wdb.QueryRow(`SHOW synchronous_commit`).Scan(&after)
	if err != nil || after != "on" {
		t.Errorf("after it: got %q, %v, want on", after, err)
	}
}

func TestPostgres_NoPasswordInErrors(t *testing.T) {
	for _, url := range []string{
		"postgres://u:hunter2@127.0.0.1:1/x",
		"postgres://u:hunter2@[bad/x",
		"postgres://u:hunter2@127.0.0.1:1/x?sslmode=odd",
	} {
		t.Run(url, func(t *testing.T) {
			_, err := Open(t.Context(), Options{URL: url, Log: zerolog.Nop(), LockWait: time.Second})
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want an error without the password", err)
			}
		})
	}
}

// A plan that was made while the tables are small must do when they have grown.
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

	for _, statement := range []string{
		`ANALYZE`,
		`SET plan_cache_mode = force_generic_plan`, // as after a few times
		`PREPARE accept AS ` + acceptStatement,
	} {
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
}

// Two replicas are given the same deployment by two deliveries at the same moment: the statement of
// the second one does not see the first one's rows, and still adds nothing.
func TestPostgresAccept_AnotherReplicaIsFaster(t *testing.T) {
	replicas := openReplicas(t, 2)
	a, b := replicas[0], replicas[1]
	first := []*item{newIncomingItem(t.Context(), a.incoming("first", 1, "key of first"))}
	release, done := holdTransaction(t, a, func(t *tx) error {
		_, err := t.exec(acceptStatement, acceptParameters(first)...)
		return err
	})

	duplicate := make(chan bool)
	go func() {
		d := b.newDeployment(1, "review-1", "")
		d.Target.Key = "key of second"
		got, err := b.Accept(t.Context(), deployment.Delivery{GUID: "second", Source: "github", Body: []byte("{}")}, d)
		if err != nil {
			t.Error(err)
		}

		duplicate <- got
	}()

	waitForTransaction(t, b)
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !<-duplicate {
		t.Error("the second delivery: got accepted, want duplicate")
	}
	if ignored, hasBody := b.storedDelivery("second"); ignored != "duplicate" || hasBody {
		t.Errorf("stored: got ignored %q and body %v, want a duplicate without a body", ignored, hasBody)
	}
}

// waitForTransaction waits until some connection waits for a row of another transaction.
func waitForTransaction(t *testing.T, b *testDB) {
	t.Helper()
	for b.count(`
		SELECT count(*)
		FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'transactionid'`) == 0 {
	}
}

// holdTransaction holds one of a replica's transactions between its last statement and its commit, without the server's
// limit for idle transactions.
func holdTransaction(t *testing.T, b *testDB, do func(*tx) error) (release func(), done <-chan error) {
	held, free, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		result <- b.write(t.Context(), func(t *tx) error {
			_, err := t.exec(`SET LOCAL idle_in_transaction_session_timeout = 0`)
			if err == nil {
				err = do(t)
			}
			close(held)
			if err == nil {
				<-free
			}

			return err
		})
	}()

	<-held
	return func() { close(free) }, result
}

// waitForLock waits until some connection waits for an advisory lock.
func waitForLock(t *testing.T, b *testDB) {
	t.Helper()
	for !isLockWaitedFor(b) {
	}
}

func isLockWaitedFor(b *testDB) bool {
	b.t.Helper()
	return b.count(`
		SELECT count(*)
		FROM pg_locks
		WHERE locktype = 'advisory' AND NOT granted AND
			database = (SELECT oid FROM pg_database WHERE datname = current_database())`) > 0
}

// While one replica ends a deployment and wakes the next one, another replica tries to start that
// one. Whatever comes first, the next one starts, or is due at once. The first replica is held
// between its look at who comes next and its commit.
func TestPostgres_WakingNextIsNotOvertaken(t *testing.T) {
	replicas := openReplicas(t, 2)
	a, b := replicas[0], replicas[1]
	one, two := a.accept(1, "production", "p"), a.accept(2, "production", "p")
	one = a.mustSave(triggering(one, a), deployment.Changes{})

	release, endedOne := holdTransaction(t, a, func(t *tx) error {
		next := ended(one, deployment.Succeeded)
		return errors.Join(
			t.lockEnvironments(next),
			t.save(next, deployment.Changes{}, deployment.SaveOptions{}),
		)
	})

	startedTwo := make(chan error)
	go func() {
		_, err := b.save(triggering(two, b), deployment.Changes{})
		startedTwo <- err
	}()

	waitForLock(t, b)
	release()
	if err := <-endedOne; err != nil {
		t.Fatal(err)
	}
	if err := <-startedTwo; err != nil && !errors.Is(err, deployment.ErrVersionConflict) {
		t.Errorf("start of the next one: got %v", err)
	}
	if got := b.mustLoad(two.Row).State; got != deployment.Triggering {
		t.Errorf("the next one: got %s, want %s", got, deployment.Triggering)
	}
}

// What a replica had leased when it died is another's after 25 s, and not before.
func TestPostgres_LeaseOfDeadReplicaEnds(t *testing.T) {
	replicas := openReplicas(t, 2)
	a, b := replicas[0], replicas[1]
	d := a.accept(1, "production", "p")
	a.mustLease(d.Row)
	b.wantOverdue()

	b.later(leaseFor + time.Second)
	b.wantOverdue(advanceTask(d.Row))
	b.mustLease(d.Row)
}

// environments watches which deployment is inside each environment, and in which order they were.
type environments struct {
	mu     sync.Mutex
	inside map[string]int64
	order  map[string][]int64
}

func (e *environments) enter(t *testing.T, d deployment.Deployment) {
	e.mu.Lock()
	defer e.mu.Unlock()

	name := d.Request.Environment
	if other := e.inside[name]; other != 0 {
		t.Errorf("%s: got %d beside %d", name, d.Request.ID, other)
	}

	e.inside[name] = d.Request.ID
	e.order[name] = append(e.order[name], d.Request.ID)
}

func (e *environments) leave(d deployment.Deployment) {
	e.mu.Lock()
	defer e.mu.Unlock()

	delete(e.inside, d.Request.Environment)
}

// Two replicas work through many deployments: never two of one environment at once, in order, and
// all of them.
func TestPostgres_ReplicasShareTheWork(t *testing.T) {
	replicas := openReplicas(t, 2)
	const each, kinds = 6, 5
	for i := range each * kinds {
		replicas[i%2].accept(int64(i+1), fmt.Sprintf("e%d", i%kinds), fmt.Sprintf("p%d", i%3))
	}

	seen := &environments{inside: map[string]int64{}, order: map[string][]int64{}}
	var workers sync.WaitGroup
	for i := range 8 {
		workers.Go(func() {
			for left := true; left; {
				left = deployWaiting(t, replicas[i%2], seen)
			}
		})
	}

	workers.Wait()
	for name, ids := range seen.order {
		if !slices.IsSorted(ids) || len(ids) != each {
			t.Errorf("%s: got %v, want %d in order", name, ids, each)
		}
	}
}

// deployWaiting takes the rows that it can lease from their start to their end, and says whether
// there were any.
func deployWaiting(t *testing.T, b *testDB, seen *environments) (left bool) {
	waiting, err := b.List(t.Context(), deployment.Filter{State: deployment.Waiting, Limit: 100})
	if err != nil {
		t.Error(err)
		return false
	}

	for _, d := range waiting {
		d, ok, err := b.Lease(t.Context(), d.Row)
		if err != nil {
			t.Error(err)
		}
		if !ok {
			continue
		}

		keep := deployment.SaveOptions{KeepLease: true}
		started, err := b.Save(t.Context(), triggering(d, b), deployment.Changes{}, keep)
		var blocked *deployment.BlockedError
		if errors.As(err, &blocked) || errors.Is(err, deployment.ErrVersionConflict) {
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
		b.mustSave(ended(started, deployment.Succeeded), deployment.Changes{})
	}

	return len(waiting) > 0
}

func TestPostgres_ReplicasShareTheAudit(t *testing.T) { testAuditWriters(t, openReplicas(t, 2)...) }

// A dump that is restored into an empty database, as deploy/docs/operate.md says, is a database that a replica opens:
// it holds what was there at the time of the dump, takes in more, and its audit log verifies.
func TestPostgres_DumpIsRestored(t *testing.T) {
	url, empty, file := pgtest.Database(t), pgtest.Database(t), t.TempDir()+"/seraph.dump"
	b := openURL(t, url)
	b.accept(1, "production", "p")
	b.mustAppend(3)
	runTool(t, "pg_dump", "--format=custom", "--dbname="+url, "--file="+file)
	b.accept(2, "production", "p")

	runTool(t, "pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", "--dbname="+empty, file)
	restored := openURL(t, empty)
	if got := restored.auditCount(); got != 3 {
		t.Errorf("audit after the restore: got %d records, want 3", got)
	}

	restored.mustAppend(1)
	restored.auditCount() // the new record continues the chain
	restored.accept(3, "production", "p")
	list, err := restored.List(t.Context(), deployment.Filter{Limit: 10})
	if got, want := deploymentIDs(list), []int64{3, 1}; err != nil || !slices.Equal(got, want) {
		t.Errorf("deployments after the restore: got %v, %v, want %v", got, err, want)
	}
}

// runTool runs a program of PostgreSQL. Where it is not installed beside the server, the test is skipped, or fails if
// CI=true.
func runTool(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("find %s: %v", name, err)
	}
	if err != nil {
		t.Skipf("%s is not installed", name)
	}

	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
