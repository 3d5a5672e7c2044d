package store

import (
	"errors"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// dialects open a fresh database of each kind.
var dialects = []struct {
	name string
	open opener
}{
	{name: "sqlite", open: freshSQLite},
	{name: "postgres", open: freshPostgres},
}

// TestPostpone_OnlyMovesTheDueTime: the row stays as it is, its lease ends, and it is due later.
func TestPostpone_OnlyMovesTheDueTime(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(dialect.name, func(t *testing.T) {
			b := dialect.open(t)
			d := b.accept(1, "production", "p")
			leased, ok, err := b.Lease(t.Context(), d.Row)
			if !ok || err != nil {
				t.Fatalf("got lease %v, %v, want it", ok, err)
			}

			leased.Due = b.clock().Add(time.Minute)
			if err := b.Postpone(t.Context(), leased); err != nil {
				t.Fatal(err)
			}

			if _, ok, err = b.Lease(t.Context(), d.Row); ok || err != nil {
				t.Errorf("got lease %v, %v before it is due, want none", ok, err)
			}
			b.later(time.Minute)
			again, ok, err := b.Lease(t.Context(), d.Row)
			if !ok || err != nil || again.Version != d.Version {
				t.Errorf("got lease %v, %v, version %d, want it with version %d", ok, err, again.Version, d.Version)
			}
		})
	}
}

// TestPostpone_KeepsHints: a row that was woken while a worker worked on it is due at once.
func TestPostpone_KeepsHints(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(dialect.name, func(t *testing.T) {
			b := dialect.open(t)
			leased, ok, err := b.Lease(t.Context(), b.accept(1, "production", "p").Row)
			if !ok || err != nil {
				t.Fatalf("got lease %v, %v, want it", ok, err)
			}

			newer := b.accept(2, "production", "p")
			newer.AdmittedAt = b.clock()
			b.mustSave(newer, deployment.Changes{})
			if err := b.WakeQueue(t.Context(), 7, "production"); err != nil {
				t.Fatal(err)
			}
			leased.Due = b.clock().Add(time.Minute)
			if err := b.Postpone(t.Context(), leased); err != nil {
				t.Fatal(err)
			}

			if _, ok, err = b.Lease(t.Context(), leased.Row); !ok || err != nil {
				t.Errorf("got lease %v, %v, want it at once", ok, err)
			}
		})
	}
}

func TestPostpone_VersionConflict(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(dialect.name, func(t *testing.T) {
			b := dialect.open(t)
			d := b.accept(1, "production", "p")
			b.mustSave(d, deployment.Changes{})
			if err := b.Postpone(t.Context(), d); !errors.Is(err, deployment.ErrVersionConflict) {
				t.Errorf("got %v, want a version conflict", err)
			}
		})
	}
}

// TestIdentity: a PostgreSQL server has a name that stays, an SQLite file has none.
func TestIdentity(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(dialect.name, func(t *testing.T) {
			b := dialect.open(t)
			first, err := b.Identity(t.Context())
			if err != nil {
				t.Fatal(err)
			}

			second, err := b.Identity(t.Context())
			if err != nil || second != first || (first == "") != (dialect.name == "sqlite") {
				t.Errorf("got %q, then %q, %v, want the same twice, and none of SQLite", first, second, err)
			}
		})
	}
}
