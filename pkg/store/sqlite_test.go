package store

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestOneProcessOwnsTheFile(t *testing.T) {
	path := t.TempDir() + "/seraph.db"
	first := openAt(t, path)
	_, err := Open(t.Context(), Options{URL: "sqlite:" + path, LockWait: 20 * time.Millisecond, Log: zerolog.Nop()})
	if err == nil || !strings.Contains(err.Error(), "another process uses the database") ||
		!strings.Contains(err.Error(), path+".lock") {
		t.Fatalf("got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	openAt(t, path)
}

func TestFilesArePrivate(t *testing.T) {
	path := t.TempDir() + "/new/seraph.db"
	b := openAt(t, path)
	b.accept(1, "production", "")
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", suffix, info.Mode(), err)
		}
	}
}

func TestEveryCommitIsSynced(t *testing.T) {
	b := freshSQLite(t)
	for query, want := range map[string]string{
		"PRAGMA journal_mode": "wal",
		"PRAGMA synchronous":  "2",
		"PRAGMA foreign_keys": "1",
	} {
		var got string
		if err := b.wdb.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %s, %v", query, got, err)
		}
	}

	if _, err := b.rdb.Exec("DELETE FROM deployments"); err == nil {
		t.Error("readers can write")
	}
}

// What is committed outlives a process that never closes; its leases do not.
func TestReopenAfterACrash(t *testing.T) {
	path := t.TempDir() + "/seraph.db"
	b := openAt(t, path)
	d := b.accept(1, "production", "p")
	if _, ok, _ := b.Lease(t.Context(), d.Row); !ok {
		t.Fatal("not leased")
	}

	_ = b.Close()
	again := openAt(t, path)
	if _, ok, err := again.Lease(t.Context(), d.Row); !ok || err != nil {
		t.Errorf("leased %v, %v", ok, err)
	}
}

// One item that fails takes no other with it.
func TestBatchWithABadItem(t *testing.T) {
	b := freshSQLite(t)
	hold, held := make(chan struct{}), make(chan struct{})
	go func() {
		_ = b.write(context.Background(), func(*tx) error { close(held); <-hold; return nil })
	}()
	<-held // what comes now waits, and becomes one batch
	bad := errors.New("bad")
	results := make([]chan error, 5)
	for i := range results {
		results[i] = make(chan error, 1)
		it := &item{
			ctx:  t.Context(),
			done: results[i],
			do: func(tx *tx) error {
				_, err := tx.exec(`INSERT INTO projects (slug, project_id, canonical) VALUES ($1, 'x', 'x')`, i)
				if i == 2 {
					return bad
				}

				return err
			},
		}

		if err := b.dialect.(*sqlite).writer.put(it); err != nil {
			t.Fatal(err)
		}
	}

	close(hold)
	for i, done := range results {
		if err := <-done; (i == 2) != errors.Is(err, bad) {
			t.Errorf("item %d: %v", i, err)
		}
	}

	var n int
	if err := b.rdb.QueryRow(`SELECT count(*) FROM projects`).Scan(&n); err != nil || n != 4 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestFullQueueRefuses(t *testing.T) {
	b := freshSQLite(t)
	hold, held := make(chan struct{}), make(chan struct{})
	go func() {
		_ = b.write(context.Background(), func(*tx) error { close(held); <-hold; return nil })
	}()
	<-held
	var err error
	for range cap(b.dialect.(*sqlite).writer.queue) + 1 {
		err = b.dialect.(*sqlite).writer.put(&item{
			ctx:  t.Context(),
			do:   func(*tx) error { return nil },
			done: make(chan error, 1),
		})
	}

	close(hold)
	if !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
}

func TestBackup(t *testing.T) {
	path, copied := t.TempDir()+"/seraph.db", t.TempDir()+"/copy.db"
	b := openAt(t, path)
	d := b.accept(1, "production", "p")
	if err := Backup(t.Context(), "sqlite:"+path, copied); err != nil {
		t.Fatal(err)
	}

	b.accept(2, "production", "p")
	info, err := os.Stat(copied)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}

	if got, err := openAt(t, copied).List(t.Context(), deployment.Filter{
		Limit: 10,
	}); err != nil || len(got) != 1 || got[0].Row != d.Row {
		t.Errorf("%v %v", got, err)
	}

	for url, word := range map[string]string{
		"sqlite:" + path:     "is there already",
		"postgres://x/y":     "pg_dump",
		"sqlite:/nowhere.db": "no database",
	} {
		if err := Backup(t.Context(), url, copied); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A file that a crash left damaged is not worked on.
func TestDamagedFileIsRefused(t *testing.T) {
	path := t.TempDir() + "/seraph.db"
	b := openAt(t, path)
	for id := range int64(200) {
		b.accept(id+1, "production", "p")
	}

	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	for at := 8 * 4096; at+4096 < len(text); at += 3 * 4096 {
		copy(text[at:at+4096], strings.Repeat("damaged!", 512))
	}

	if err := errors.Join(os.WriteFile(path, text, 0o600), os.WriteFile(path+".lock", []byte(inUse), 0o600)); err != nil {
		t.Fatal(err)
	}

	for range 2 { // and it stays refused
		_, err = Open(t.Context(), Options{URL: "sqlite:" + path, Log: zerolog.Nop()})
		if err == nil || !strings.Contains(err.Error(), "restore a backup") {
			t.Errorf("got %v", err)
		}
	}
}
