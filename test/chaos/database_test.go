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

// sqliteFile returns the path of the SQLite database.
func (c *cluster) sqliteFile() string { return strings.TrimPrefix(c.url, "sqlite:") }

// databaseName returns the name of the PostgreSQL database.
func (c *cluster) databaseName(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(u.Path, "/")
}

// execAsAdmin runs a statement as the administrator of the server.
func (c *cluster) execAsAdmin(t *testing.T, statement string, args ...any) {
	t.Helper()
	server, _ := pgtest.Server()
	pgtest.Exec(t, server, statement, args...)
}

// disconnect ends all connections to the database.
func (c *cluster) disconnect(t *testing.T) {
	t.Helper()
	c.execAsAdmin(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", c.databaseName(t))
}

// refuseConnections ends all connections to the database and refuses new ones until allow is called.
func (c *cluster) refuseConnections(t *testing.T) (allow func()) {
	t.Helper()
	c.execAsAdmin(t, "ALTER DATABASE "+c.databaseName(t)+" ALLOW_CONNECTIONS false")
	c.disconnect(t)
	return func() { c.execAsAdmin(t, "ALTER DATABASE "+c.databaseName(t)+" ALLOW_CONNECTIONS true") }
}

// restartDatabase has the effect of a restart of PostgreSQL on its clients: all connections end, and
// new ones are refused for a while. The server itself goes on, because other tests use it.
func (h *harness) restartDatabase(t *testing.T, _ *rand.Rand) {
	defer h.beginOutage()()
	defer h.refuseConnections(t)()
	pause(t.Context(), h.databaseOutage)
}

// refuseWrites makes PostgreSQL fail writes for a while, as it does when its disk is full.
func (h *harness) refuseWrites(t *testing.T, _ *rand.Rand) {
	defer h.beginOutage()()
	h.execAsAdmin(t, "ALTER DATABASE "+h.databaseName(t)+" SET default_transaction_read_only = on")
	h.disconnect(t)
	pause(t.Context(), h.databaseOutage)
	h.execAsAdmin(t, "ALTER DATABASE "+h.databaseName(t)+" RESET default_transaction_read_only")
	h.disconnect(t)
}

// mountSmallDisk mounts a small file system on a folder and returns the folder, or "" without the
// privilege to mount.
func mountSmallDisk(t *testing.T, folder string) string {
	t.Helper()
	mount := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=128m", "seraph-chaos", folder)
	if out, err := mount.CombinedOutput(); err != nil {
		t.Logf("this run has no full disk, because mount failed: %s", strings.TrimSpace(string(out)))
		return ""
	}

	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", folder).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	return folder
}

// fillDisk fills the disk of the SQLite file for a while.
func (h *harness) fillDisk(t *testing.T, _ *rand.Rand) {
	defer h.beginOutage()()
	name := filepath.Join(h.disk, "filler")
	defer os.Remove(name) // after an error the disk is unmounted with the test
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}

	defer f.Close() // as above
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2] // until the last byte is used
		}
	}

	pause(t.Context(), h.databaseOutage)
}

// copyDatabase takes a backup as deploy/docs/operate.md describes. putBack replaces the database with it,
// while no process uses the database.
func (h *harness) copyDatabase(t *testing.T) (putBack func()) {
	t.Helper()
	if h.onSQLite() {
		return h.copySQLite(t)
	}

	name := h.databaseName(t)
	backup := name + "_backup"
	defer h.beginOutage()()
	defer h.refuseConnections(t)()                                      // PostgreSQL copies only a database without connections
	h.execAsAdmin(t, "DROP DATABASE IF EXISTS "+backup+" WITH (FORCE)") // of a fail-over that did not happen
	h.execAsAdmin(t, "CREATE DATABASE "+backup+" TEMPLATE "+name)
	t.Cleanup(func() { h.execAsAdmin(t, "DROP DATABASE IF EXISTS "+backup+" WITH (FORCE)") })

	return func() {
		h.execAsAdmin(t, "DROP DATABASE "+name+" WITH (FORCE)")
		h.execAsAdmin(t, "ALTER DATABASE "+backup+" RENAME TO "+name)
	}
}

func (h *harness) copySQLite(t *testing.T) (putBack func()) {
	t.Helper()
	backup := filepath.Join(t.TempDir(), "backup.db")
	cmd := exec.CommandContext(t.Context(), h.processes[0].binary, "backup", backup)
	cmd.Env = h.processes[0].env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("seraph backup: %v\n%s", err, out)
	}

	return func() {
		content, err := os.ReadFile(backup)
		if err != nil {
			t.Fatal(err)
		}

		for _, suffix := range []string{"-wal", "-shm"} {
			if err := os.Remove(h.sqliteFile() + suffix); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}

		if err := os.WriteFile(h.sqliteFile(), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
