package link_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/store"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// TestLink_KeepsNoSecret wants that neither the log nor the database holds an address, a code, a cookie, a token or the
// client's secret, whatever went wrong.
func TestLink_KeepsNoSecret(t *testing.T) {
	w := newWorld(t)
	w.mustLink(alice, "alice")
	w.mustSignIn(w.start(bob), "bob")
	for _, fault := range []string{"server-error", "half-answer", "no-answer", "lost-answer"} {
		for _, op := range []string{github.OpAccessToken, github.OpGetUser, github.OpRevokeToken} {
			if err := w.github.NextNamed(op, fault, 1); err != nil {
				t.Fatal(err)
			}
			w.newBrowser().signIn(w.start(mallory), "mallory")
			w.github.ClearFaults()
		}
	}
	w.Service = w.newService("a-wrong-secret-of-the-app-0123456789")
	w.newBrowser().signIn(w.start(mallory), "mallory")

	w.mu.Lock()
	logged := w.logged.String()
	w.mu.Unlock()
	if !strings.Contains(logged, "link failed") || !strings.Contains(logged, "incorrect_client_credentials") {
		t.Errorf("the log lacks the failures: %s", logged)
	}
	secrets := append(w.secrets, clientSecret, "a-wrong-secret", "ghu_simulated", "ghr_simulated")
	secrets = append(secrets, w.github.CodesIssued()...)
	stored := w.databaseFiles()
	for _, secret := range secrets {
		if strings.Contains(logged, secret) {
			t.Errorf("the log holds %q: %s", secret, logged)
		}
		if strings.Contains(stored, secret) {
			t.Errorf("the database holds %q", secret)
		}
	}
	if !strings.Contains(stored, "U0ALICE01") {
		t.Error("the database was not read")
	}
	if left := w.github.UserTokens(); len(left) > 8 {
		t.Errorf("got %d tokens that were not revoked, want only those of failed revocations", len(left))
	}
}

// databaseFiles returns all bytes of the database.
func (w *world) databaseFiles() string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "copy.db")
	if err := store.Backup(w.t.Context(), w.database, path); err != nil {
		w.t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}
