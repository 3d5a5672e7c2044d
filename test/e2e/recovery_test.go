package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// literal is a route that names its repository, so that recovery knows where to look.
const literal = `
routes:
  - repository: acme/api
    circleci: {revision: note}` + parameters

// What GitHub could not deliver while the program was down is taken in at the start, unless
// somebody else handled it or it is too old.
func TestRecovery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{routes: literal})
	old := w.create("acme/api", github.NewDeployment{
		Environment: "old",
		Payload:     payload("success"),
		CreatedAt:   time.Now().Add(-3 * time.Hour),
	})

	lost, handled := w.deploy("acme/api", "lost", "success"), w.deploy("acme/api", "handled", "success")
	w.gh.AddToken("ghp_somebody_else", "octocat", nil)
	w.foreignStatus(handled, "in_progress")
	w.silent[handled.ID], w.silent[old.ID] = true, true
	w.deliveries("deployment", 3) // refused: nobody listens
	w.start()
	w.ends(lost, "success", "Deployed")
	if !contains(w.detail(lost), `"event":"recovered"`) {
		t.Errorf("the timeline does not say so: %s", w.detail(lost))
	}

	w.quiet()
	if n := w.triggers(handled.ID) + w.triggers(old.ID); n != 0 {
		t.Errorf("%d triggers of deployments that are none of ours any more", n)
	}
}

// foreignStatus writes a status in somebody else's name.
func (w *world) foreignStatus(d github.Deployment, state string) {
	w.t.Helper()
	url := fmt.Sprintf("%s/repos/%s/deployments/%d/statuses", w.gh.URL(), d.Repository, d.ID)
	r, err := http.NewRequestWithContext(
		w.t.Context(),
		http.MethodPost,
		url,
		bytes.NewBufferString(`{"state":"`+state+`"}`),
	)

	if err != nil {
		w.t.Fatal(err)
	}

	r.Header = http.Header{
		"Authorization": {"Bearer ghp_somebody_else"},
		"Accept":        {"application/vnd.github+json"},
		"User-Agent":    {"octocat"},
		"Content-Type":  {"application/json"},
	}

	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}

	answer.Body.Close() // only the code counts
	if answer.StatusCode != http.StatusCreated {
		w.t.Fatalf("GitHub answered %d", answer.StatusCode)
	}
}

// A webhook that comes hours late ends the deployment instead of surprising production.
func TestArrivedTooLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	w.gh.AddRepository("acme/api")
	d, err := w.gh.Play("stale", "acme/api", github.NewDeployment{Ref: "main", Payload: payload("success")})
	if err != nil {
		t.Fatal(err)
	}

	w.ends(d, "error", "arrived too late, deploy again")
	if n := w.triggers(d.ID); n != 0 {
		t.Errorf("%d triggers", n)
	}
}

// A database from before a deployment ran must not run it again: GitHub's statuses show that
// somebody did.
func TestRestoredBackup(t *testing.T) {
	onlySQLite(t)
	t.Parallel()
	w := newWorld(t, setup{}).start()
	g := w.ciFaults.block(circleci.OpGetProject, "", false)
	d := w.deploy("acme/api", "production", "success")
	w.silent[d.ID] = true // it ends, and then once more
	g.wait(t)             // it waits to start
	backup := w.backup()
	w.kill()
	w.start()
	w.ends(d, "success", "Deployed")
	w.stop()
	w.restore(backup)
	w.start()
	if s := w.waitStatus(d, "error"); !contains(s.Description, "already handled") {
		t.Errorf("description %q", s.Description)
	}

	w.quiet()
	if n := w.triggers(d.ID); n != 1 {
		t.Errorf("%d triggers, want the one before the backup came back", n)
	}
}

// backup copies the database of the running program.
func (w *world) backup() string {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "backup.db")
	if code, out, stderr := command(w.t, w.env, "backup", file); code != 0 {
		w.t.Fatalf("seraph backup: %d %s%s", code, out, stderr)
	}
	return file
}

// restore puts a backup in the place of a database that nobody uses, as README.md says.
func (w *world) restore(backup string) {
	w.t.Helper()
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(w.file + suffix); err != nil && !os.IsNotExist(err) {
			w.t.Fatal(err)
		}
	}

	if err := os.Rename(backup, w.file); err != nil {
		w.t.Fatal(err)
	}
}

// The database is for its owner's eyes only.
func TestDatabaseIsPrivate(t *testing.T) {
	onlySQLite(t)
	t.Parallel()
	w := newWorld(t, setup{}).start()
	w.quiet()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(w.file + suffix)
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", info.Name(), info.Mode())
		}
	}
}
