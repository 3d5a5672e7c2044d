package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/test/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testDB is an open database with a clock that the test sets, which keeps the announced tasks.
type testDB struct {
	*DB
	t     *testing.T
	mu    sync.Mutex
	now   time.Time
	tasks []deployment.Task
}

func (b *testDB) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.now
}

func (b *testDB) later(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.now = b.now.Add(d)
}

// announced gives the tasks that were announced since the last time.
func (b *testDB) announced() []deployment.Task {
	b.mu.Lock()
	defer b.mu.Unlock()

	tasks := b.tasks
	b.tasks = nil
	return tasks
}

// wantAnnounced checks the tasks that were announced since the last time.
func (b *testDB) wantAnnounced(want ...deployment.Task) {
	b.t.Helper()
	got := b.announced()
	if len(got) != len(want) {
		b.t.Errorf("announced: got %v, want %v", got, want)
		return
	}

	for i := range want {
		if got[i] != want[i] {
			b.t.Errorf("announced: got %v, want %v", got, want)
			return
		}
	}
}

// opener opens a fresh database of one dialect.
type opener func(t *testing.T) *testDB

func freshSQLite(t *testing.T) *testDB { return openURL(t, "sqlite:"+t.TempDir()+"/seraph.db") }

func freshPostgres(t *testing.T) *testDB { return openURL(t, pgtest.Database(t)) }

func openURL(t *testing.T, url string) *testDB {
	t.Helper()
	b := &testDB{t: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	db, err := Open(t.Context(), Options{
		URL:      url,
		Log:      zerolog.Nop(),
		Now:      b.clock,
		LockWait: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}

	b.DB = db
	db.OnDue(func(tasks ...deployment.Task) {
		b.mu.Lock()
		defer b.mu.Unlock()

		b.tasks = append(b.tasks, tasks...)
	})

	t.Cleanup(func() { _ = db.Close() })
	return b
}

func (b *testDB) isPostgres() bool { return strings.HasPrefix(b.o.URL, "postgres") }

// newDeployment is a waiting deployment that is due now.
func (b *testDB) newDeployment(id int64, environment, project string) deployment.Deployment {
	return deployment.Deployment{
		Request: deployment.Request{
			ID:          id,
			Repository:  deployment.Repository{ID: 7, Owner: "Acme", Name: "api"},
			Environment: environment,
			SHA:         "abc",
		},
		Target:     deployment.Target{Project: "gh/acme/api", Key: fmt.Sprintf("key-%d", id)},
		State:      deployment.Waiting,
		AcceptedAt: b.clock(),
		StepDue:    b.clock(),
		Due:        b.clock(),
		Project:    deployment.Project{ID: project},
	}
}

// accept accepts a new deployment and gives its row.
func (b *testDB) accept(id int64, environment, project string) deployment.Deployment {
	b.t.Helper()
	return b.acceptDeployment(b.newDeployment(id, environment, project))
}

// acceptDeployment accepts a deployment that is new and gives its row.
func (b *testDB) acceptDeployment(d deployment.Deployment) deployment.Deployment {
	b.t.Helper()
	del := deployment.Delivery{
		GUID:         fmt.Sprintf("guid-%d", d.Request.ID),
		Event:        "deployment",
		Source:       "github",
		RepositoryID: d.Request.Repository.ID,
		DeploymentID: d.Request.ID,
		ReceivedAt:   b.clock(),
		Body:         []byte("{}"),
	}

	duplicate, err := b.Accept(b.t.Context(), del, d)
	if err != nil || duplicate {
		b.t.Fatalf("accept deployment %d: got duplicate %v, %v", d.Request.ID, duplicate, err)
	}

	d, err = b.ByKey(b.t.Context(), d.Target.Key)
	if err != nil {
		b.t.Fatal(err)
	}

	return d
}

// acceptIdle accepts a deployment and makes it due in an hour.
func (b *testDB) acceptIdle(id int64, environment string) deployment.Deployment {
	b.t.Helper()
	d := b.accept(id, environment, "")
	d.Due = b.clock().Add(time.Hour)
	return b.mustSave(d, deployment.Changes{})
}

func (b *testDB) save(d deployment.Deployment, changes deployment.Changes) (deployment.Deployment, error) {
	return b.Save(b.t.Context(), d, changes, deployment.SaveOptions{})
}

func (b *testDB) mustSave(d deployment.Deployment, changes deployment.Changes) deployment.Deployment {
	b.t.Helper()
	saved, err := b.save(d, changes)
	if err != nil {
		b.t.Fatalf("save deployment %d: %v", d.Request.ID, err)
	}

	return saved
}

func (b *testDB) mustLoad(row int64) deployment.Deployment {
	b.t.Helper()
	d, err := b.Load(b.t.Context(), row)
	if err != nil {
		b.t.Fatalf("load row %d: %v", row, err)
	}

	return d
}

// mustLease leases a row that is due and free.
func (b *testDB) mustLease(row int64) deployment.Deployment {
	b.t.Helper()
	d, ok, err := b.Lease(b.t.Context(), row)
	if err != nil || !ok {
		b.t.Fatalf("lease row %d: got %v, %v, want true", row, ok, err)
	}

	return d
}

// wantNoLease checks that a row is not due or not free.
func (b *testDB) wantNoLease(row int64, why string) {
	b.t.Helper()
	_, ok, err := b.Lease(b.t.Context(), row)
	if err != nil || ok {
		b.t.Errorf("lease row %d %s: got %v, %v, want false", row, why, ok, err)
	}
}

func (b *testDB) mustExec(statement string, args ...any) {
	b.t.Helper()
	if _, err := b.wdb.Exec(statement, args...); err != nil {
		b.t.Fatalf("%s: %v", statement, err)
	}
}

// count runs a query that gives one number.
func (b *testDB) count(query string, args ...any) (n int64) {
	b.t.Helper()
	if err := b.rdb.QueryRow(query, args...).Scan(&n); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}

	return n
}

// triggering is a deployment at the next state, due now.
func triggering(d deployment.Deployment, b *testDB) deployment.Deployment {
	d.State, d.StepDue, d.Due = deployment.Triggering, b.clock(), b.clock()
	return d
}

// ended is a deployment in a final state.
func ended(d deployment.Deployment, s deployment.State) deployment.Deployment {
	d.State, d.Due = s, time.Time{}
	return d
}

// running is a deployment with a pipeline.
func running(d deployment.Deployment, pipelineID string, due time.Time) deployment.Deployment {
	d.State, d.Pipeline, d.Due = deployment.Running, &deployment.Pipeline{ID: pipelineID}, due
	return d
}

func deploymentIDs(list []deployment.Deployment) []int64 {
	var ids []int64
	for _, d := range list {
		ids = append(ids, d.Request.ID)
	}
	return ids
}

func rowsOf(tasks []deployment.Task) []int64 {
	var rows []int64
	for _, task := range tasks {
		rows = append(rows, task.Row)
	}
	return rows
}

// wantBlocked checks for *deployment.BlockedError.
func wantBlocked(t *testing.T, err error, on string, id int64) {
	t.Helper()
	var blocked *deployment.BlockedError
	if !errors.As(err, &blocked) || blocked.On != on || blocked.ID != id {
		t.Errorf("got %v, want blocked by %s, %d", err, on, id)
	}
}

// concurrently does one thing n times at once, and gives the errors.
func concurrently(n int, do func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}

	close(start)
	all.Wait()
	return errs
}

// succeeded counts who had no error. All others must have an error that isLoss accepts.
func succeeded(t *testing.T, errs []error, isLoss func(error) bool) (n int) {
	t.Helper()
	for _, err := range errs {
		switch {
		case err == nil:
			n++
		case !isLoss(err):
			t.Errorf("got %v", err)
		}
	}

	return n
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
