package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// statusFaults are the ways in which writing the final status can fail, by repository.
var statusFaults = map[string]sim.Fault{
	"acme/error-before": {Status: 502, Body: "<html>Bad Gateway</html>"},
	"acme/error-after":  {Status: 500, Body: "<html>Server Error</html>", AfterEffect: true},
	"acme/reset-before": {ResetBefore: true},
	"acme/reset-after":  {ResetAfter: true},
	"acme/half-answer":  {Truncate: true},
	"acme/limited": {
		Status: 403,
		Body:   `{"message":"You have exceeded a secondary rate limit."}`,
		Header: http.Header{"Retry-After": {"2"}},
	},
	"acme/throttled": {
		Status: 429,
		Body:   `{"message":"API rate limit exceeded"}`,
		Header: http.Header{"Retry-After": {"1"}},
	},
	"acme/credentials": {Status: 401, Body: `{"message":"Bad credentials"}`},
	"acme/not-found":   {Status: 404, Body: `{"message":"Not Found"}`},
}

// TestStatus_CallFaults checks that each status reaches GitHub once, however its call fails.
func TestStatus_CallFaults(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	for repository, fault := range statusFaults {
		d := h.deploy(repository, "production", "forever")
		t.Run(strings.TrimPrefix(repository, "acme/"), func(t *testing.T) {
			t.Parallel()
			h := h.withT(t)
			h.waitStatus(d, "in_progress")

			times := 2
			if fault.ResetBefore {
				times = 1 // a call without an answer may still have its effect, for which Seraph waits
			}
			h.ghFaults.of(repository).Next(github.OpCreateStatus, fault, times)

			h.finish(h.waitPipeline(d), "success")
			h.expectEnd(d, "success", "Deployed")
			if statuses := withoutQueued(h.gh.Statuses(repository, d.ID)); len(statuses) != 2 {
				t.Errorf("statuses: got %+v, want 2", statuses)
			}
		})
	}
}

// TestStatus_RepositoryRenamedOrDeleted checks that the statuses of a repository that is renamed during a
// deployment go to its new name, whether or not the old one redirects, and that those of a deleted
// repository are retried without harm to others.
func TestStatus_RepositoryRenamedOrDeleted(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	h.expectEnd(h.deploy("acme/deleted", "production", "success"), "success", "")

	for name, redirects := range map[string]bool{"acme/redirected": true, "acme/moved": false} {
		t.Run(strings.TrimPrefix(name, "acme/"), func(t *testing.T) {
			h := h.withT(t)
			d := h.deploy(name, "production", "forever")
			h.waitStatus(d, "in_progress")
			h.gh.Rename(name, name+"-renamed", redirects)
			h.finish(h.waitPipeline(d), "success")
			d.Repository = name + "-renamed"
			h.expectEnd(d, "success", "Deployed")
			h.expectEnd(h.deploy(d.Repository, "production", "success"), "success", "")
		})
	}

	d := h.deploy("acme/deleted", "production", "forever")
	h.unchecked[d.ID] = true
	p := h.waitPipeline(d)
	h.waitStatus(d, "in_progress")
	h.gh.Delete("acme/deleted")
	h.finish(p, "success")
	h.waitLog("status not written yet", logID(d)) // a token that lost its access for a while has the same answer
	h.deployOneMore()
}

// TestStatus_LimitReached checks that Seraph notes when GitHub accepts no more statuses for a deployment,
// and writes none any more.
func TestStatus_LimitReached(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{github: func(o *github.Options) { o.StatusLimit = 1 }}).start()
	d := h.deploy("acme/api", "production", "success")
	h.unchecked[d.ID] = true
	h.waitLog("status given up", `"result":"full"`, logID(d))
	h.stop() // now the database has the result
	h.start()

	if detail := h.apiDetail(d); !contains(detail, `"event":"report_full"`) {
		t.Errorf("timeline: got no report_full: %s", detail)
	}
	if statuses := h.gh.Statuses(d.Repository, d.ID); len(statuses) != 1 {
		t.Errorf("statuses: got %+v, want 1", statuses)
	}
}

// asApp returns a setup in which the program is a GitHub App.
func asApp(t *testing.T) setup {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}

	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return setup{
		github: func(o *github.Options) {
			o.App = &github.App{ID: 4711, Slug: "seraph", InstallationID: 815, PrivateKey: text}
		},
		env: map[string]string{
			"GITHUB_TOKEN":           "",
			"GITHUB_APP_ID":          "4711",
			"GITHUB_APP_PRIVATE_KEY": strings.ReplaceAll(string(text), "\n", `\n`),
		},
	}
}

// TestGitHubApp_RevokedToken checks that a GitHub App requests a new token when its token is revoked
// during a deployment.
func TestGitHubApp_RevokedToken(t *testing.T) {
	t.Parallel()
	h := newHarness(t, asApp(t)).start()
	d := h.deploy("acme/api", "production", "forever")
	h.waitStatus(d, "in_progress")
	h.gh.RevokeTokens()
	h.finish(h.waitPipeline(d), "success")

	if end := h.expectEnd(d, "success", ""); end.Creator != "seraph[bot]" {
		t.Errorf("creator of the status: got %s, want seraph[bot]", end.Creator)
	}
	if got := h.gh.TokensIssued(); got != 2 {
		t.Errorf("tokens: got %d, want 2", got)
	}
}

// TestGitHub_EnterpriseServer checks that an API below a path works, as on GitHub Enterprise Server.
func TestGitHub_EnterpriseServer(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{github: func(o *github.Options) { o.BasePath = "/api/v3" }}).start()
	h.expectEnd(h.deploy("acme/api", "production", "success"), "success", "")
}

// TestWebhook_Ignored checks that deployments and locks without a route, and those that Actions and other
// bots create, are ignored.
func TestWebhook_Ignored(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	for i, scenario := range []string{"from-actions", "from-pages", "from-bot", "locked", "plain"} {
		repository := "acme/api"
		if scenario == "plain" || scenario == "locked" {
			repository = "other/api"
		}

		h.gh.AddRepository(repository)
		d, err := h.gh.Play(scenario, repository, github.NewDeployment{Ref: "main"})
		if err != nil {
			t.Fatal(err)
		}

		h.unchecked[d.ID] = true
		if got := deliveryResult(t, h.waitDeliveries("deployment", i+1)[i]); got != "200 ignored" {
			t.Errorf("%s: got %s, want 200 ignored", scenario, got)
		}
	}

	h.deployOneMore()
	if got := len(h.ci.Triggers()); got != 1 {
		t.Errorf("triggers: got %d, want 1", got)
	}
	for _, d := range h.gh.Deployments() {
		if h.unchecked[d.ID] && len(d.Statuses) > 0 {
			t.Errorf("statuses of an ignored deployment: got %+v, want none", d.Statuses)
		}
	}
}
