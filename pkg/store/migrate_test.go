package store

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/pgtest"
)

func TestOpenAudit_RefusesDatabaseWithoutTables(t *testing.T) {
	path := t.TempDir() + "/empty.db"
	t.Run("sqlite", func(t *testing.T) { refusesEmpty(t, "sqlite", "file:"+path, "sqlite:"+path) })
	t.Run("postgres", func(t *testing.T) {
		url := pgtest.Database(t)
		refusesEmpty(t, "pgx", url, url)
	})
}

func refusesEmpty(t *testing.T, driver, name, url string) {
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE other (id INTEGER)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	const want = "when this version of seraph serve first opens it"
	if _, err := OpenAudit(t.Context(), url); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error with %q", err, want)
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
