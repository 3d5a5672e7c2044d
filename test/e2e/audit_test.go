package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// TestAudit_FindsTampering checks that the audit log verifies while the service runs and afterwards, and
// that `seraph audit verify` finds a changed row.
func TestAudit_FindsTampering(t *testing.T) {
	t.Parallel()
	h := newHarnessWithRules(t)
	h.expectEnd(h.deployAs("alice", "acme/api", "success"), "success", "")
	h.expectEnd(h.deployAs("mallory", "acme/allow", "success"), "error", "")
	h.expectEnd(h.createTask("alice", "acme/api", "deploy:lock", "moving"), "success", "")
	d := h.deployAs("alice", "acme/approved", "success")
	h.expectWaiting(d, "approval")
	h.expectAPI("POST", fmt.Sprintf("/deployments/%d/approve", d.ID), chatToken, h.actorBody("dave"), 200, "")
	h.expectEnd(d, "success", "")

	code, stdout, stderr := command(t, h.env, "audit", "verify")
	head := regexp.MustCompile(`head (\d+:[0-9a-f]{64})`).FindStringSubmatch(stdout)
	if code != 0 || head == nil {
		t.Fatalf("audit verify: got %d %s%s, want 0 and the head of the chain", code, stdout, stderr)
	}

	_, lines, _ := command(t, h.env, "audit", "export")
	for _, want := range []string{
		`"kind":"decided"`,
		`\"code\":\"not_allowed\"`,
		`"kind":"locked"`,
		`"kind":"approved"`,
		`"actor_login":"dave"`,
		`"actor_token":"chat"`,
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("audit export: got no %s:\n%s", want, lines)
		}
	}

	for line := range strings.Lines(lines) {
		if !json.Valid([]byte(line)) {
			t.Errorf("audit export: got %s, want JSON", line)
		}
	}

	h.expectEnd(h.deployAs("alice", "acme/web", "success"), "success", "")
	if code, stdout, stderr := command(t, h.env, "audit", "verify", "--head", head[1]); code != 0 {
		t.Errorf("audit verify with an older head: got %d %s%s, want 0", code, stdout, stderr)
	}

	h.stop()
	if !onPostgres() {
		h.expectTamperingFound()
	}
}

// expectTamperingFound changes a row of the audit log in the SQLite file of the stopped program.
func (h *harness) expectTamperingFound() {
	h.t.Helper()
	db, err := sql.Open("sqlite", "file:"+h.file)
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close() // nothing is left to write

	if _, err := db.ExecContext(h.t.Context(), `UPDATE audit SET actor = '{}' WHERE seq = 2`); err == nil {
		h.t.Error("update of the audit log: got no error")
	}

	for _, statement := range []string{
		`DROP TRIGGER audit_no_update`,
		`DROP TRIGGER audit_no_delete`,
		`UPDATE audit SET environment = 'staging' WHERE seq = 2`,
	} {
		if _, err := db.ExecContext(h.t.Context(), statement); err != nil {
			h.t.Fatal(err)
		}
	}

	code, stdout, stderr := command(h.t, h.env, "audit", "verify")
	if code != 1 || !strings.Contains(stderr, "2") {
		h.t.Errorf("audit verify of a changed row: got %d %s%s, want 1 and the row", code, stdout, stderr)
	}
}
