// Package pgtest creates a PostgreSQL database for each test that needs one, on the server that
// SERAPH_TEST_POSTGRES_URL names; .ci/with-postgres starts one. Without a server these tests are skipped,
// or fail if CI=true.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const variable = "SERAPH_TEST_POSTGRES_URL"

// Server returns the administrator's URL of the server; false if there is none.
func Server() (string, bool) {
	text := os.Getenv(variable)
	return text, text != ""
}

// count makes the names of databases unique in a process.
var count atomic.Int64

// Database creates an empty database for one test and returns its URL. It drops the database after the
// test.
func Database(t testing.TB) string {
	t.Helper()
	server, ok := Server()
	if !ok {
		if os.Getenv("CI") == "true" {
			t.Fatal(variable + " is not set, and no test may be skipped with CI=true: use .ci/with-postgres")
		}

		t.Skip("the test needs a PostgreSQL server: use make test or .ci/with-postgres go test")
	}

	name := fmt.Sprintf("seraph_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), count.Add(1))
	Exec(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { Exec(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })

	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}

	u.Path = "/" + name
	q := u.Query()
	q.Set("connect_timeout", "60") // seconds; the machine may be slow
	u.RawQuery = q.Encode()
	// a URL without a host needs three slashes
	return strings.Replace(u.String(), "postgres:/"+name, "postgres:///"+name, 1)
}

// Exec runs a statement on a new connection.
func Exec(t testing.TB, database, statement string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement, args...); err != nil {
		t.Fatal(err)
	}
}
