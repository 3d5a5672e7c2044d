package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// statusFaults are the ways for the last word to GitHub to go wrong, by repository.
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

// Each word reaches GitHub once, whatever becomes of the call that brings it.
func TestStatusFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	for repository, fault := range statusFaults {
		d := w.deploy(repository, "production", "forever")
		t.Run(strings.TrimPrefix(repository, "acme/"), func(t *testing.T) {
			t.Parallel()
			in := w.in(t)
			in.waitStatus(d, "in_progress")
			times := 2
			if fault.ResetBefore {
				times = 1 // what was not answered may still have its effect, and is waited for
			}

			w.ghFaults.of(repository).Next(github.OpCreateStatus, fault, times)
			in.finish(in.pipeline(d), "success")
			in.ends(d, "success", "Deployed")
			if told := w.gh.Statuses(repository, d.ID); len(told) != 2 {
				t.Errorf("GitHub was told %+v, want two words", told)
			}
		})
	}
}

// A repository that is renamed in the middle is told under its new name, whether or not the old one
// redirects. One that is deleted is let go.
func TestRepositoryMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	gone := w.deploy("acme/deleted", "production", "success")
	w.ends(gone, "success", "")
	for name, redirects := range map[string]bool{"acme/soft": true, "acme/hard": false} {
		d := w.deploy(name, "production", "forever")
		w.waitStatus(d, "in_progress")
		w.gh.Rename(name, name+"-renamed", redirects)
		w.finish(w.pipeline(d), "success")
		d.Repository = name + "-renamed"
		w.ends(d, "success", "Deployed")
		again := w.deploy(d.Repository, "production", "success")
		w.ends(again, "success", "")
	}

	d := w.deploy("acme/deleted", "production", "forever")
	w.silent[d.ID] = true
	p := w.pipeline(d)
	w.waitStatus(d, "in_progress")
	w.gh.Delete("acme/deleted")
	w.finish(p, "success")
	w.waitLog("status not written yet", number(d)) // it looks like a token that lost its sight for a while
	w.quiet()
}

// GitHub takes no more statuses for a deployment: that is noted, and nothing is written any more.
func TestStatusesAreFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{github: func(o *github.Options) { o.StatusLimit = 1 }}).start()
	d := w.deploy("acme/api", "production", "success")
	w.silent[d.ID] = true
	w.waitLog("status given up", `"result":"full"`, number(d))
	w.stop() // and what was learnt is on disk
	w.start()
	if !contains(w.detail(d), `"event":"report_full"`) {
		t.Errorf("the timeline does not say so: %s", w.detail(d))
	}
	if told := w.gh.Statuses(d.Repository, d.ID); len(told) != 1 {
		t.Errorf("GitHub was told %+v", told)
	}
}

// asApp makes the program a GitHub App.
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

// As a GitHub App, with its short-lived tokens taken away in the middle.
func TestGitHubApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asApp(t)).start()
	d := w.deploy("acme/api", "production", "forever")
	w.waitStatus(d, "in_progress")
	w.gh.RevokeTokens()
	w.finish(w.pipeline(d), "success")
	if end := w.ends(d, "success", ""); end.Creator != "seraph[bot]" {
		t.Errorf("the status is %s's", end.Creator)
	}
	if n := w.gh.TokensIssued(); n != 2 {
		t.Errorf("%d tokens were asked for, want 2", n)
	}
}

// GitHub Enterprise Server has its API below a path of its own.
func TestEnterpriseServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{github: func(o *github.Options) { o.BasePath = "/api/v3" }}).start()
	w.ends(w.deploy("acme/api", "production", "success"), "success", "")
}

// Deployments and locks that no route names, or that Actions and bots make, are none of ours.
func TestIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	for i, story := range []string{"from-actions", "from-pages", "from-bot", "locked", "plain"} {
		repository := "acme/api"
		if story == "plain" || story == "locked" {
			repository = "other/api"
		}

		w.gh.AddRepository(repository)
		d, err := w.gh.Play(story, repository, github.NewDeployment{Ref: "main"})
		if err != nil {
			t.Fatal(err)
		}

		w.silent[d.ID] = true
		if got := result(t, w.deliveries("deployment", i+1)[i]); got != "200 ignored" {
			t.Errorf("%s: %s", story, got)
		}
	}

	w.quiet()
	if n := len(w.ci.Triggers()); n != 1 {
		t.Errorf("%d triggers", n)
	}
	if n := slices.IndexFunc(w.gh.Deployments(), func(d github.Deployment) bool { return w.silent[d.ID] && len(d.Statuses) > 0 }); n >= 0 {
		t.Errorf("GitHub was told of an ignored deployment: %+v", w.gh.Deployments()[n])
	}
}
