package store

import (
	"context"
	"database/sql"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/test/pgtest"
)

func TestSQLiteRowsSurvive(t *testing.T) {
	path := t.TempDir() + "/seraph.db"
	survive(t, goose.DialectSQLite3, "sqlite", "file:"+path, "sqlite:"+path)
}

func TestPostgresRowsSurvive(t *testing.T) {
	url := pgtest.Database(t)
	survive(t, goose.DialectPostgres, "pgx", url, url)
}

// oldInsert is how the version before the rules accepts a deployment; while replicas are replaced
// it goes on doing so.
const oldInsert = `INSERT INTO deployments (repository_id, deployment_id, repository, environment_key, state, trigger_key, accepted_at, due_at, data)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

// old is what that version stores. The payload holds what is JSON to some and not to others, and
// tries to pass for the commit.
func old(sha, state string) string {
	return `{"request":{"id":1,"repository":{"id":7,"owner":"Acme","name":"api"},"environment":"pro\"sha\":\"e1\"","ref":"\"sha\":\"e2\"","sha":"` + sha +
		`","task":"deploy","payload":{"sha":"e3","nul":"\u0000","half":"\ud800","odd":"\\u0000\\"},"creator":{},"app":{},"created_at":"2026-11-22T12:00:00Z"},` +
		`"target":{"project":"gh/acme/api","ref":{},"config_ref":{},"revision":"note","key":"k","timeout":1,"hold_timeout":1},"state":"` + state + `","accepted_at":"2026-11-22T12:00:00Z"}`
}

// rows of the version before, by GitHub's id.
var oldRows = map[int64]struct{ state, data, pipeline string }{
	1: {"succeeded", old("aaa", "succeeded"), "p1"},
	2: {"failed", old("bbb", "failed"), "p2"},
	3: {"waiting", old("ccc", "waiting"), ""},
	4: {"waiting", "damaged", ""},
}

func survive(t *testing.T, dialect goose.Dialect, driver, name, url string) {
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}

	files, err := fs.Sub(migrations, "migrations/"+map[string]string{"sqlite": "sqlite", "pgx": "postgres"}[driver])
	if err != nil {
		t.Fatal(err)
	}

	provider, err := goose.NewProvider(dialect, db, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(context.Background(), 3); err != nil {
		t.Fatal(err)
	}

	for id, r := range oldRows {
		insertOld(t, db, id, r.state, r.data)
		if _, err := db.Exec(`UPDATE deployments SET pipeline_id = $2 WHERE deployment_id = $1`, id, r.pipeline); err != nil {
			t.Fatal(err)
		}
	}

	if _, err := OpenAudit(t.Context(), url); err == nil ||
		!strings.Contains(err.Error(), "when this version of seraph serve first opens it") {
		t.Errorf("the audit of a database that has none: %v", err)
	}
	if _, err := provider.UpTo(context.Background(), 5); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO inbox_keys (guid, repository_id, deployment_id) VALUES ('g-77', 7, 77)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	survived(t, openURL(t, url))
}

func insertOld(t *testing.T, db *sql.DB, id int64, state, data string) {
	t.Helper()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	if _, err := db.Exec(oldInsert, 7, id, "acme/api", "production", state, "key-"+string(rune('0'+id)), micros(now), nil, data); err != nil {
		t.Fatal(err)
	}
}

func survived(t *testing.T, b *testDB) {
	for sha, want := range map[string]policy.PriorResult{
		"aaa": policy.PriorSucceeded, "bbb": policy.PriorFailed, "ccc": policy.PriorOpen, "e1": policy.PriorNone, "e2": policy.PriorNone, "e3": policy.PriorNone,
	} {
		if got, err := b.PriorResult(t.Context(), 7, "production", sha); err != nil || got != want {
			t.Errorf("the past of %s is %s, %v", sha, got, err)
		}
	}

	if sha, err := b.Deployed(t.Context(), 7, "production"); err != nil || sha != "aaa" {
		t.Errorf("deployed is %q, %v", sha, err)
	}
	if ids, err := b.NotAccepted(t.Context(), 7, []int64{77, 78}); err != nil || !slices.Equal(ids, []int64{78}) {
		t.Errorf("unseen are %v, %v: 77 is in the inbox", ids, err)
	}
	if n := b.acts(); n != 0 {
		t.Errorf("%d acts", n)
	}

	d, err := b.ByKey(t.Context(), "key-3")
	if err != nil || !d.AdmittedAt.IsZero() {
		t.Fatal(err)
	}

	d.Request.ID, d.Request.Environment, d.AdmittedAt = 3, "production", b.clock()
	b.must(triggering(d, b), deployment.Changes{Audit: []deployment.AuditEvent{b.act(deployment.AuditDecided)}})
	insertOld(t, b.wdb, 5, "waiting", old("ddd", "waiting"))
	if got, err := b.PriorResult(t.Context(), 7, "production", "ddd"); b.postgres() &&
		(err != nil || got != policy.PriorOpen) {
		t.Errorf("the past of what a replica of the version before took in is %s, %v", got, err)
	}
	if l, err := b.Queue(t.Context(), b.make(9, "production", "")); err != nil || l.Holder != 3 || len(l.Before) != 2 {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestOpenAuditRefuses(t *testing.T) {
	for url, word := range map[string]string{
		"sqlite:" + t.TempDir() + "/none.db": "no database to read", "postgres://u:hunter2@127.0.0.1:1/x": "cannot be read", "postgres://u:hunter2@[bad/x": "cannot be read",
	} {
		if _, err := OpenAudit(t.Context(), url); err == nil || !strings.Contains(err.Error(), word) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
