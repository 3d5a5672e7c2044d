package store

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/test/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opener opens a fresh database of one dialect.
type opener func(t *testing.T) *testDB

// testDB is an open database with a clock that the test turns, and a bell that it can hear.
type testDB struct {
	*DB
	t   *testing.T
	mu  sync.Mutex
	now time.Time
	hit []deployment.Task
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

func (b *testDB) rang() []deployment.Task {
	b.mu.Lock()
	defer b.mu.Unlock()
	hit := b.hit
	b.hit = nil
	return hit
}

func freshSQLite(t *testing.T) *testDB { return openAt(t, t.TempDir()+"/seraph.db") }

func freshPostgres(t *testing.T) *testDB { return openURL(t, pgtest.Database(t)) }

func openAt(t *testing.T, path string) *testDB { return openURL(t, "sqlite:"+path) }

func openURL(t *testing.T, url string) *testDB {
	t.Helper()
	b := &testDB{t: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	db, err := Open(t.Context(), Options{URL: url, Log: zerolog.Nop(), Now: b.clock, LockWait: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}

	b.DB = db
	db.OnDue(func(alarms ...deployment.Task) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.hit = append(b.hit, alarms...)
	})

	t.Cleanup(func() { _ = db.Close() })
	return b
}

func (b *testDB) make(id int64, environment, project string) deployment.Deployment {
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

// accept takes a deployment in and gives its row.
func (b *testDB) accept(id int64, environment, project string) deployment.Deployment {
	b.t.Helper()
	d := b.make(id, environment, project)
	del := deployment.Delivery{
		GUID:         fmt.Sprintf("guid-%d", id),
		Event:        "deployment",
		Source:       "github",
		RepositoryID: 7,
		DeploymentID: id,
		ReceivedAt:   b.clock(),
		Body:         []byte("{}"),
	}

	if dup, err := b.Accept(b.t.Context(), del, d); dup || err != nil {
		b.t.Fatalf("accept %d: %v %v", id, dup, err)
	}

	d, err := b.ByKey(b.t.Context(), d.Target.Key)
	if err != nil {
		b.t.Fatal(err)
	}

	return d
}

func (b *testDB) save(d deployment.Deployment, ch deployment.Changes) (deployment.Deployment, error) {
	return b.Save(b.t.Context(), d, ch, deployment.SaveOptions{})
}

func (b *testDB) must(d deployment.Deployment, ch deployment.Changes) deployment.Deployment {
	b.t.Helper()
	d, err := b.save(d, ch)
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

func advance(row int64) deployment.Task {
	return deployment.Task{Kind: deployment.TaskAdvance, Row: row}
}

func triggering(d deployment.Deployment, b *testDB) deployment.Deployment {
	d.State, d.StepDue, d.Due = deployment.Triggering, b.clock(), b.clock()
	return d
}

func ended(d deployment.Deployment, s deployment.State) deployment.Deployment {
	d.State, d.Due = s, time.Time{}
	return d
}
