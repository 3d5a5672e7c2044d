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

// The record of who did what is whole, beside the running service and after it; whoever bends a row
// is found.
func TestAudit(t *testing.T) {
	t.Parallel()
	w := newRuled(t)
	w.ends(w.as("alice", "acme/api", "success"), "success", "")
	w.ends(w.as("mallory", "acme/allow", "success"), "error", "")
	w.ends(w.task("alice", "acme/api", "deploy:lock", "moving"), "success", "")
	d := w.as("alice", "acme/approved", "success")
	w.waits(d, "approval")
	w.does("POST", fmt.Sprintf("/deployments/%d/approve", d.ID), behalfToken, w.actor("dave"), 200, "")
	w.ends(d, "success", "")
	code, first, stderr := command(t, w.env, "audit", "verify")
	head := regexp.MustCompile(`head (\d+:[0-9a-f]{64})`).FindStringSubmatch(first)
	if code != 0 || head == nil {
		t.Fatalf("audit verify: %d %s%s", code, first, stderr)
	}

	_, lines, _ := command(t, w.env, "audit", "export")
	for _, want := range []string{`"kind":"decided"`, `\"code\":\"not_allowed\"`, `"kind":"locked"`, `"kind":"approved"`, `"actor_login":"dave"`, `"actor_token":"face"`} {
		if !strings.Contains(lines, want) {
			t.Errorf("the audit does not hold %s:\n%s", want, lines)
		}
	}

	for line := range strings.Lines(lines) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}

	w.ends(w.as("alice", "acme/web", "success"), "success", "")
	if code, out, stderr := command(t, w.env, "audit", "verify", "--head", head[1]); code != 0 {
		t.Errorf("the chain has grown, and the head of before is not in it: %d %s%s", code, out, stderr)
	}

	w.stop()
	if onPostgres() {
		return
	}

	db, err := sql.Open("sqlite", "file:"+w.file)
	if err != nil {
		t.Fatal(err)
	}

	defer db.Close() // nothing is left to be written
	if _, err := db.ExecContext(t.Context(), `UPDATE audit SET actor = '{}' WHERE seq = 2`); err == nil {
		t.Error("the audit let itself be changed")
	}

	for _, trigger := range []string{"audit_no_update", "audit_no_delete"} {
		if _, err := db.ExecContext(t.Context(), `DROP TRIGGER `+trigger); err != nil {
			t.Fatal(err)
		}
	}

	if _, err := db.ExecContext(t.Context(), `UPDATE audit SET environment = 'staging' WHERE seq = 2`); err != nil {
		t.Fatal(err)
	}
	if code, out, stderr := command(t, w.env, "audit", "verify"); code != 1 || !strings.Contains(stderr, "2") {
		t.Errorf("a bent record passes: %d %s%s", code, out, stderr)
	}
}
