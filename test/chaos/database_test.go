package chaos

import (
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/pgtest"
)

// file is the path of the SQLite database.
func (f *fleet) file() string { return strings.TrimPrefix(f.url, "sqlite:") }

// name is the PostgreSQL database's.
func (f *fleet) name(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(f.url)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(u.Path, "/")
}

// serve runs a statement as the server's administrator.
func (f *fleet) serve(t *testing.T, statement string, args ...any) {
	t.Helper()
	server, _ := pgtest.Server()
	pgtest.Exec(t, server, statement, args...)
}

// disconnect ends all connections to the database.
func (f *fleet) disconnect(t *testing.T) {
	t.Helper()
	f.serve(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", f.name(t))
}

// shut lets nobody connect to the database until the returned function is called.
func (f *fleet) shut(t *testing.T) (open func()) {
	t.Helper()
	f.serve(t, "ALTER DATABASE "+f.name(t)+" ALLOW_CONNECTIONS false")
	f.disconnect(t)
	return func() { f.serve(t, "ALTER DATABASE "+f.name(t)+" ALLOW_CONNECTIONS true") }
}

// restartDatabase is to its clients what a restart is: all connections end, and none is taken for a
// while. The server itself goes on, because other tests use it.
func (w *world) restartDatabase(t *testing.T, _ *rand.Rand) {
	defer w.without()()
	defer w.shut(t)()
	pause(t.Context(), w.databaseDown)
}

// refuseWrites makes PostgreSQL answer reads and fail writes for a while, as it does when its disk
// is full.
func (w *world) refuseWrites(t *testing.T, _ *rand.Rand) {
	defer w.without()()
	w.serve(t, "ALTER DATABASE "+w.name(t)+" SET default_transaction_read_only = on")
	w.disconnect(t)
	pause(t.Context(), w.databaseDown)
	w.serve(t, "ALTER DATABASE "+w.name(t)+" RESET default_transaction_read_only")
	w.disconnect(t)
}

// smallDisk makes a folder a disk of its own that can be filled, and says so with its second
// result. It takes the right to mount.
func smallDisk(t *testing.T, folder string) (database, disk string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=128m", "seraph-chaos", folder).
		CombinedOutput()
	if err != nil {
		t.Logf("no disk will be full, because none can be mounted: %s", strings.TrimSpace(string(out)))
		return folder, ""
	}

	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", folder).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})

	return folder, folder
}

// fillDisk leaves no room beside the SQLite file for a while.
func (w *world) fillDisk(t *testing.T, _ *rand.Rand) {
	defer w.without()()
	ballast := filepath.Join(w.disk, "ballast")
	defer os.Remove(ballast) // the disk goes with the test
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}

	defer f.Close() // as above
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2] // to the last byte
		}
	}

	pause(t.Context(), w.databaseDown)
}

// copyDatabase makes a backup as deploy/docs/operate.md describes, and returns how to put it in the
// place of a database that nobody uses.
func (w *world) copyDatabase(t *testing.T) (putBack func()) {
	t.Helper()
	if w.onSQLite() {
		return w.copySQLite(t)
	}

	name := w.name(t)
	backup := name + "_backup"
	defer w.without()()
	defer w.shut(t)() // a template must be left alone
	w.serve(t, "CREATE DATABASE "+backup+" TEMPLATE "+name)
	t.Cleanup(func() { w.serve(t, "DROP DATABASE IF EXISTS "+backup+" WITH (FORCE)") })

	return func() {
		w.serve(t, "DROP DATABASE "+name+" WITH (FORCE)")
		w.serve(t, "ALTER DATABASE "+backup+" RENAME TO "+name)
	}
}

func (w *world) copySQLite(t *testing.T) (putBack func()) {
	t.Helper()
	backup := filepath.Join(t.TempDir(), "backup.db")
	cmd := exec.CommandContext(t.Context(), w.processes[0].binary, "backup", backup)
	cmd.Env = w.processes[0].env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("seraph backup: %v\n%s", err, out)
	}

	return func() {
		content, err := os.ReadFile(backup)
		if err != nil {
			t.Fatal(err)
		}

		for _, suffix := range []string{"-wal", "-shm"} {
			if err := os.Remove(w.file() + suffix); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}

		if err := os.WriteFile(w.file(), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
