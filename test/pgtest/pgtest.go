// Package pgtest gives tests PostgreSQL databases of their own, on the server that
// SERAPH_TEST_POSTGRES_URL names; .ci/with-postgres starts one. Without it the tests are skipped,
// and fail where CI=true.
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

// Server is the administrator's URL of the server; false when there is none.
func Server() (string, bool) {
	text := os.Getenv(variable)
	return text, text != ""
}

var count atomic.Int64

// Database makes an empty database for one test, drops it afterwards, and returns its URL.
func Database(t testing.TB) string {
	t.Helper()
	server, ok := Server()
	if !ok {
		if os.Getenv("CI") == "true" {
			t.Fatal(variable + " is not set, and CI may skip nothing: run the tests through .ci/with-postgres")
		}

		t.Skip("no PostgreSQL: run the tests through .ci/with-postgres, which make test does")
	}

	name := fmt.Sprintf("seraph_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), count.Add(1))
	Exec(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { Exec(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}

	u.Path = "/" + name
	// a URL without host keeps its slashes
	return strings.Replace(u.String(), "postgres:/"+name, "postgres:///"+name, 1)
}

// Exec runs a statement on a connection of its own.
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
