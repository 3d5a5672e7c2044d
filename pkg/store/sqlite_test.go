package store

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func TestSQLite_OneProcessOwnsTheFile(t *testing.T) {
	path := t.TempDir() + "/seraph.db"
	first := openURL(t, "sqlite:"+path)

	_, err := Open(t.Context(), Options{
		URL:      "sqlite:" + path,
		LockWait: 20 * time.Millisecond,
		Log:      zerolog.Nop(),
	})
	if err == nil || !strings.Contains(err.Error(), "another process uses the database") ||
		!strings.Contains(err.Error(), path+".lock") {
		t.Fatalf("got %v, want that another process holds %s.lock", err, path)
	}

	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	openURL(t, "sqlite:"+path)
}

// TestSQLite_LockFileUnusable checks that a lock file that cannot be opened is not taken for one that another process
// holds.
func TestSQLite_LockFileUnusable(t *testing.T) {
	path := t.TempDir() + "/seraph.db"
	if err := os.Mkdir(path+".lock", 0o700); err != nil {
		t.Fatal(err)
	}

	_, err := Open(t.Context(), Options{URL: "sqlite:" + path, Log: zerolog.Nop()})
	if err == nil || strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), path+".lock") {
		t.Errorf("got %v, want why %s.lock cannot be opened", err, path)
	}
}

func TestSQLite_FilesArePrivate(t *testing.T) {
	path := t.TempDir() + "/new/seraph.db"
	openURL(t, "sqlite:"+path).accept(1, "production", "")

	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		t.Run("file"+suffix, func(t *testing.T) {
			info, err := os.Stat(path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestSQLite_EveryCommitIsSynced(t *testing.T) {
	b := freshSQLite(t)
	for _, c := range []struct{ pragma, want string }{
		{pragma: "journal_mode", want: "wal"},
		{pragma: "synchronous", want: "2"},
		{pragma: "foreign_keys", want: "1"},
	} {
		t.Run(c.pragma, func(t *testing.T) {
			var got string
			err := b.wdb.QueryRow("PRAGMA " + c.pragma).Scan(&got)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}

	if _, err := b.rdb.Exec("DELETE FROM deployments"); err == nil {
		t.Error("a write by a reader: got no error")
	}
}

// What is committed outlives a restart. Leases do not: they are in memory.
func TestSQLite_LeasesEndWithTheProcess(t *testing.T) {
	url := "sqlite:" + t.TempDir() + "/seraph.db"
	b := openURL(t, url)
	d := b.accept(1, "production", "p")
	b.mustLease(d.Row)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	openURL(t, url).mustLease(d.Row)
}

// holdWriter keeps the workers' writer busy, so that what is put after it becomes one batch.
func holdWriter(b *testDB) (release func()) {
	entered, leave := make(chan struct{}), make(chan struct{})
	enter := sync.OnceFunc(func() { close(entered) }) // it is tried again if its batch fails
	go func() {
		_ = b.write(context.Background(), func(*tx) error {
			enter()
			<-leave
			return nil
		})
	}()

	<-entered
	return func() { close(leave) }
}

func TestWriter_OneThatFailsDoesNotDisturbItsBatch(t *testing.T) {
	b := freshSQLite(t)
	w := b.dialect.(*sqlite).writer
	errBad := errors.New("bad")

	release := holdWriter(b)
	items := make([]*item, 5)
	for i := range items {
		items[i] = newItem(t.Context(), func(t *tx) error {
			_, err := t.exec(`INSERT INTO projects (slug, project_id, canonical) VALUES ($1, 'x', 'x')`, i)
			if i == 2 {
				return errBad
			}

			return err
		})

		if err := w.put(items[i]); err != nil {
			t.Fatal(err)
		}
	}

	release()
	for i, it := range items {
		if err := <-it.done; errors.Is(err, errBad) != (i == 2) {
			t.Errorf("write %d: got %v", i, err)
		}
	}

	if got := b.count(`SELECT count(*) FROM projects`); got != 4 {
		t.Errorf("rows: got %d, want 4", got)
	}
}

func TestWriter_FullQueueRefuses(t *testing.T) {
	b := freshSQLite(t)
	w := b.dialect.(*sqlite).writer

	release := holdWriter(b)
	defer release()

	var err error
	for range cap(w.queue) + 1 {
		err = w.put(newItem(t.Context(), func(*tx) error { return nil }))
	}

	if !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want %v", err, ErrFull)
	}
}

func TestBackup_CopiesWhileInUse(t *testing.T) {
	path, file := t.TempDir()+"/seraph.db", t.TempDir()+"/copy.db"
	b := openURL(t, "sqlite:"+path)
	b.accept(1, "production", "p")
	if err := Backup(t.Context(), "sqlite:"+path, file); err != nil {
		t.Fatal(err)
	}

	b.accept(2, "production", "p")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
		t.Errorf("mode: got %v, want %v", got, want)
	}

	list, err := openURL(t, "sqlite:"+file).List(t.Context(), deployment.Filter{Limit: 10})
	if got, want := deploymentIDs(list), []int64{1}; err != nil || !slices.Equal(got, want) {
		t.Errorf("deployments in the copy: got %v, %v, want %v", got, err, want)
	}
}

func TestBackup_Refuses(t *testing.T) {
	dir := t.TempDir()
	database, existing := dir+"/seraph.db", dir+"/existing"
	for _, file := range []string{database, existing} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	for _, c := range []struct{ name, url, file, want string }{
		{name: "a file that exists", url: "sqlite:" + database, file: existing, want: "is there already"},
		{name: "PostgreSQL", url: "postgres://x/y", file: dir + "/new", want: "pg_dump"},
		{name: "no database", url: "sqlite:/nowhere.db", file: dir + "/new", want: "no database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Backup(t.Context(), c.url, c.file)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// A file that a crash left damaged is refused, and stays refused.
func TestSQLite_DamagedFileIsRefused(t *testing.T) {
	path := t.TempDir() + "/seraph.db"
	b := openURL(t, "sqlite:"+path)
	for id := range int64(200) {
		b.accept(id+1, "production", "p")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	for at := 8 * 4096; at+4096 < len(data); at += 3 * 4096 {
		copy(data[at:at+4096], strings.Repeat("damaged!", 512))
	}

	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".lock", []byte(inUse), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, try := range []string{"first open", "second open"} {
		t.Run(try, func(t *testing.T) {
			_, err := Open(t.Context(), Options{URL: "sqlite:" + path, Log: zerolog.Nop()})
			if err == nil || !strings.Contains(err.Error(), "restore a backup") {
				t.Errorf("got %v, want the advice to restore a backup", err)
			}
		})
	}
}
