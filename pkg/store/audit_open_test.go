package store

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/pgtest"
)

func TestOpenAudit_RefusesDatabaseWithoutTables(t *testing.T) {
	test := func(t *testing.T, driver, name, database string) {
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
		_, err = OpenAudit(t.Context(), database)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}

	t.Run("sqlite", func(t *testing.T) {
		path := t.TempDir() + "/empty.db"
		test(t, "sqlite", "file:"+(&url.URL{Path: path}).EscapedPath(), "sqlite:"+path)
	})
	t.Run("postgres", func(t *testing.T) {
		database := pgtest.Database(t)
		test(t, "pgx", database, database)
	})
}

func TestOpenAudit_Refuses(t *testing.T) {
	missing := "sqlite:" + t.TempDir() + "/none.db"
	for _, c := range []struct{ name, url, want string }{
		{name: "no file", url: missing, want: "no database to read"},
		{name: "no server", url: "postgres://u:hunter2@127.0.0.1:1/x", want: "cannot be read"},
		{name: "no URL", url: "postgres://u:hunter2@[bad/x", want: "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := OpenAudit(t.Context(), c.url)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want an error with %q and without the password", err, c.want)
			}
		})
	}
}
