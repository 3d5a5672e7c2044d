package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/cli"
)

// TestCheck_Interrupted wants a check that a signal ends to say what it has not checked, and to fail.
func TestCheck_Interrupted(t *testing.T) {
	clearEnvironment(t)
	t.Chdir(t.TempDir())

	signals := make(chan os.Signal, 1)
	asked := 0
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked++
		signals <- os.Interrupt
		<-r.Context().Done()
	}))
	defer silent.Close()

	t.Setenv("SERAPH_GITHUB_WEBHOOK_SECRETS", "a-webhook-secret-of-32-bytes-abcd")
	t.Setenv("SERAPH_GITHUB_TOKEN", "ghp_a")
	t.Setenv("SERAPH_GITHUB_API_URL", silent.URL)
	t.Setenv("SERAPH_CIRCLECI_TOKEN", "CCIPAT_a")
	t.Setenv("SERAPH_CIRCLECI_API_URL", silent.URL)
	t.Setenv("SERAPH_SLACK_BOT_TOKEN", "xoxb-a")
	t.Setenv("SERAPH_SLACK_SIGNING_SECRET", "a-signing-secret-of-32-characters")
	t.Setenv("SERAPH_SLACK_API_URL", silent.URL+"/")
	t.Setenv("SERAPH_ROUTES", `
people: [{id: 1, login: alice}, {id: 2, login: bob}]
routes:
  - repository: acme/api
  - repository: acme/web
    circleci: {project: circleci/org/web, definition: 3f0c9f6e-2b1a-4f6d-9c57-0d1e2f3a4b5c}
`)

	var stdout, stderr bytes.Buffer
	code := run(context.Background(), []string{"check"}, &stdout, &stderr, signals)

	if code != cli.ExitFailed || asked != 1 {
		t.Errorf("got exit code %d after %d questions and %q, want 1 after one", code, asked, stderr.String())
	}
	for _, want := range []string{
		"GitHub: the credentials",
		"CircleCI: SERAPH_CIRCLECI_TOKEN",
		"GitHub: people in line 2 and after it",
		"Slack: SERAPH_SLACK_BOT_TOKEN, and the channels",
		"line 4 (acme/api to *): deployments of acme/api",
		"line 4 (acme/api to *): CircleCI project gh/acme/api",
		"line 5 (acme/web to *): deployments of acme/web",
		"line 5 (acme/web to *): CircleCI project circleci/org/web",
	} {
		line := "wrong: not checked, because it was interrupted: " + want + "\n"
		if !strings.Contains(stdout.String(), line) {
			t.Errorf("got %q, want %q in it", stdout.String(), line)
		}
	}
	if other := strings.Count(stdout.String(), "wrong: ") - 8; other != 0 {
		t.Errorf("got %d other problems in %q, want none", other, stdout.String())
	}
}
