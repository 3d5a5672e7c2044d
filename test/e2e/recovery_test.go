package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// namedRoutes has a route that names its repository, so that recovery can list its deployments.
const namedRoutes = `
routes:
  - repository: acme/api
    circleci: {revision: note}` + parameters

// TestRecovery_LostWebhook checks that the program accepts at its start what GitHub could not deliver
// while it was down, unless somebody else has handled it or it is too old.
func TestRecovery_LostWebhook(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{routes: namedRoutes})
	old := h.create("acme/api", github.NewDeployment{
		Environment: "old",
		Payload:     payload("success"),
		CreatedAt:   time.Now().Add(-3 * time.Hour),
	})

	lost, handled := h.deploy("acme/api", "lost", "success"), h.deploy("acme/api", "handled", "success")
	h.gh.AddToken("ghp_somebody_else", "octocat", nil)
	h.writeForeignStatus(handled, "in_progress")
	h.unchecked[handled.ID], h.unchecked[old.ID] = true, true
	h.waitDeliveries("deployment", 3) // they fail: the program is down
	h.start()
	h.expectEnd(lost, "success", "Deployed")
	if detail := h.apiDetail(lost); !contains(detail, `"event":"recovered"`) {
		t.Errorf("timeline: got no recovered: %s", detail)
	}

	h.deployOneMore()
	if got := h.triggerCount(handled.ID) + h.triggerCount(old.ID); got != 0 {
		t.Errorf("triggers of the handled and the old deployment: got %d, want 0", got)
	}
}

// writeForeignStatus writes a status with somebody else's token.
func (h *harness) writeForeignStatus(d github.Deployment, state string) {
	h.t.Helper()
	url := fmt.Sprintf("%s/repos/%s/deployments/%d/statuses", h.gh.URL(), d.Repository, d.ID)
	body := strings.NewReader(fmt.Sprintf(`{"state":%q}`, state))
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, url, body)
	if err != nil {
		h.t.Fatal(err)
	}

	r.Header = http.Header{
		"Authorization": {"Bearer ghp_somebody_else"},
		"Accept":        {"application/vnd.github+json"},
		"User-Agent":    {"octocat"},
		"Content-Type":  {"application/json"},
	}

	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}

	answer.Body.Close() // only the status counts
	if answer.StatusCode != http.StatusCreated {
		h.t.Fatalf("write status: got %d, want 201", answer.StatusCode)
	}
}

// TestWebhook_TooLate checks that a deployment whose webhook comes hours late ends without a pipeline.
func TestWebhook_TooLate(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	h.gh.AddRepository("acme/api")
	d, err := h.gh.Play("stale", "acme/api", github.NewDeployment{Ref: "main", Payload: payload("success")})
	if err != nil {
		t.Fatal(err)
	}

	h.expectEnd(d, "error", "arrived too late, deploy again")
	if got := h.triggerCount(d.ID); got != 0 {
		t.Errorf("triggers: got %d, want 0", got)
	}
}

// TestBackup_Restored checks that a deployment that ran after the backup does not run again when the
// backup is restored: GitHub's statuses show that it was handled.
func TestBackup_Restored(t *testing.T) {
	onlySQLite(t)
	t.Parallel()
	h := newHarness(t, setup{}).start()
	project := h.ciFaults.block(circleci.OpGetProject, "", false)
	d := h.deploy("acme/api", "production", "success")
	h.unchecked[d.ID] = true // it gets two final statuses
	project.wait(t)          // it has not been triggered
	backup := h.backup()
	h.killAndRestart()
	h.expectEnd(d, "success", "Deployed")
	h.stop()
	h.restore(backup)
	h.start()
	if got := h.waitStatus(d, "error").Description; !contains(got, "already handled") {
		t.Errorf("description: got %q, want already handled", got)
	}

	h.deployOneMore()
	if got := h.triggerCount(d.ID); got != 1 {
		t.Errorf("triggers: got %d, want the one before the restore", got)
	}
}

// backup copies the database of the running program.
func (h *harness) backup() string {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "backup.db")
	if code, out, stderr := command(h.t, h.env, "backup", file); code != 0 {
		h.t.Fatalf("seraph backup: got %d %s%s, want 0", code, out, stderr)
	}
	return file
}

// restore replaces the database, which no process uses, with a backup as deploy/docs/operate.md says.
func (h *harness) restore(backup string) {
	h.t.Helper()
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(h.file + suffix); err != nil && !os.IsNotExist(err) {
			h.t.Fatal(err)
		}
	}

	if err := os.Rename(backup, h.file); err != nil {
		h.t.Fatal(err)
	}
}

// TestDatabase_FileMode checks that only its owner can read the database.
func TestDatabase_FileMode(t *testing.T) {
	onlySQLite(t)
	t.Parallel()
	h := newHarness(t, setup{}).start()
	h.deployOneMore()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(h.file + suffix)
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s: got %v, want 0600", info.Name(), info.Mode())
		}
	}
}
