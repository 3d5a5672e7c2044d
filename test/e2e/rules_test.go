package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// ruledRoutes has a repository for each rule.
func ruledRoutes() string {
	now := time.Now()
	rules := map[string]string{
		"allow":    "allow: {users: [alice, erin], teams: [acme/sre], permission: write}",
		"bots":     "allow: {apps: [my-hubot]}\n    apps: [my-hubot, other-bot]",
		"refs":     "refs: [main, 'release/*']",
		"ahead":    "require_ahead: true",
		"checks":   "checks: {require: [build], wait: 1h}",
		"required": "checks: required",
		"all":      "checks: {require: all, ignore: ['codecov/*']}",
		"after":    "after: [staging]",
		"replace":  "concurrency: replace",
		"cancel":   "concurrency: cancel",
		"reject":   "concurrency: reject",
		"shut": fmt.Sprintf(
			"freeze: [{from: %q, to: %q, message: holidays, mode: reject}]",
			now.Add(-time.Hour).Format(time.RFC3339),
			now.Add(time.Hour).Format(time.RFC3339),
		),
		"approved": "approvals: {count: 1, users: [carol], teams: [acme/leads], tokens: [manager]}",
		"forced":   "checks: {require: [build]}\n    allow: {users: [alice, bob]}\n    force: {users: [alice]}",
		"unforced": "checks: {require: [build]}",
		"heaven":   "locked: reject",
		"patient":  "checks: {require: [build]}\n    max_wait: 3s",
		"migrate":  "task: migrate\n    allow: {users: [alice]}",
	}

	text := "routes:"
	for name, rule := range rules {
		text += fmt.Sprintf(
			"\n  - repository: acme/%s\n    %s\n    circleci: {revision: note}%s",
			name,
			rule,
			strings.TrimRight(parameters, "\n"),
		)
	}

	return text + fmt.Sprintf("\n  - repository: acme/*\n    circleci: {revision: note}%s", parameters)
}

const (
	behalfToken  = "a-token-of-a-face-that-knows-people"
	managerToken = "a-token-of-a-manager-that-may-deploy"
	adminToken   = "a-token-of-an-admin-of-this-service"
)

// newRuled is a world with rules, and people who know their place.
func newRuled(t *testing.T) *world {
	w := newWorld(t, setup{
		routes: ruledRoutes(),
		env: map[string]string{
			"API_TOKENS": "e2e:read:" + apiToken + ",face:behalf:" + behalfToken + ",manager:deploy:" + managerToken + ",root:admin:" + adminToken,
		},
	})

	for _, name := range []string{"allow", "ahead", "forced", "api"} {
		w.gh.AddRepository("acme/" + name)
		for login, role := range map[string]string{
			"alice":  "write",
			"bob":    "admin",
			"carol":  "maintain",
			"erin":   "write",
			"reader": "read",
		} {
			w.gh.SetRole("acme/"+name, login, role)
		}
	}

	w.gh.SetTeamMember("acme", "sre", "bob", "active")
	w.gh.SetTeamMember("acme", "sre", "reader", "active")
	w.gh.SetTeamMember("acme", "leads", "dave", "active")
	w.gh.SetTeamMember("acme", "leads", "pending-paul", "pending")

	return w.start()
}

// as makes a deployment to production for somebody.
func (w *world) as(login, repository, story string) github.Deployment {
	w.t.Helper()
	return w.create(repository, github.NewDeployment{
		Environment: "production",
		Payload:     payload(story),
		Creator:     login,
	})
}

// waits waits until GitHub is told what a deployment waits for.
func (w *world) waits(d github.Deployment, about ...string) {
	w.t.Helper()
	s := w.waitStatus(d, "queued")
	for _, part := range append([]string{"Waiting for "}, about...) {
		if !strings.Contains(s.Description, part) {
			w.t.Errorf("deployment in %s waits with %q, want it to say %q", d.Repository, s.Description, part)
		}
	}
}

// call asks the API to do something; it gives the status and the answer.
func (w *world) call(method, path, token, body string) (int, string) {
	w.t.Helper()
	code, text := w.send(method, "/api/v1"+path, []byte(body), http.Header{"Authorization": {"Bearer " + token}})
	return code, string(text)
}

// does wants an answer of the API to be as it should.
func (w *world) does(method, path, token, body string, code int, about string) string {
	w.t.Helper()
	got, text := w.call(method, path, token, body)
	if got != code || !strings.Contains(text, about) {
		w.t.Errorf("%s %s %s: %d %s, want %d with %q", method, path, body, got, text, code, about)
	}
	return text
}

// actor is somebody for whom a face asks.
func (w *world) actor(login string) string {
	return fmt.Sprintf(`{"actor":{"id":%d,"login":%q}}`, w.gh.AddUser(login), login)
}

// TestRules tries each rule with the real program: GitHub's description tells people what is waited
// for, and who can help.
func TestRules(t *testing.T) {
	t.Parallel()
	w := newRuled(t)
	for name, try := range map[string]func(*world){
		"allow": tryAllow, "refs": tryRefs, "ahead": tryAhead, "checks": tryChecks, "after": tryAfter, "concurrency": tryConcurrency, "freeze": tryFreeze,
		"approvals": tryApprovals, "force": tryForce, "max wait": tryMaxWait,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			try(w.in(t))
		})
	}
}

func tryAllow(w *world) {
	w.ends(w.as("alice", "acme/allow", "success"), "success", "")
	w.ends(w.as("bob", "acme/allow", "success"), "success", "")
	w.ends(w.as("mallory", "acme/allow", "success"), "error", "mallory is not allowed to deploy to production")
	w.ends(
		w.as("reader", "acme/allow", "success"),
		"error",
		"reader needs write permission to deploy to production, but has read",
	)

	w.ends(w.as("my-hubot[bot]", "acme/bots", "success"), "success", "")
	w.ends(w.as("other-bot[bot]", "acme/bots", "success"), "error", "other-bot is not allowed to deploy")
	w.gh.RenameUser("erin", "eve")
	w.ends(w.as("eve", "acme/allow", "success"), "error", "eve is not allowed")

	// another one
	d := w.as("erin", "acme/allow", "success")
	w.waits(d, "erin is another user than before")
	w.does("POST", fmt.Sprintf("/deployments/%d/cancel", d.ID), adminToken, `{}`, 202, "")
	w.ends(d, "error", "Canceled")
}

func tryRefs(w *world) {
	w.gh.AddRepository("acme/refs")
	for _, branch := range []string{"topic", "release/1"} {
		w.gh.Push("acme/refs", branch, "")
	}

	w.ends(w.create("acme/refs", github.NewDeployment{Ref: "topic", Payload: payload("success")}), "error", "topic")
	w.ends(w.create("acme/refs", github.NewDeployment{Ref: "release/1", Payload: payload("success")}), "success", "")
	w.gh.Tag("acme/refs", "release/2", "")
	w.ends(w.create("acme/refs", github.NewDeployment{
		Ref:     "refs/tags/release/2",
		Payload: payload("success"),
	}), "error", "refs/tags/release/2 may not")

	// CircleCI does not see it at first: it is asked for again as a branch, not as a tag, which may
	// not go
	w.ci.BranchLag("gh/acme/refs", 1)
	late := w.create("acme/refs", github.NewDeployment{
		Environment: "staging",
		Ref:         "release/1",
		Payload:     payload("success"),
	})

	w.ends(late, "success", "")
	if p := w.pipeline(late); p.Branch != "release/1" || p.Tag != "" {
		w.t.Errorf("built as branch %q, tag %q", p.Branch, p.Tag)
	}
}

func tryAhead(w *world) {
	first := w.as("alice", "acme/ahead", "success")
	w.ends(first, "success", "")
	older := strings.Repeat("ab", 20)
	w.gh.Push("acme/ahead", "old", older)
	w.gh.SetComparison("acme/ahead", first.SHA, older, "behind", 0, 2)
	w.ends(w.create("acme/ahead", github.NewDeployment{Ref: "old", Payload: payload("success")}), "error", "behind")
	newer := w.gh.Push("acme/ahead", "main", "")
	w.gh.SetComparison("acme/ahead", first.SHA, newer, "ahead", 1, 0)
	w.ends(w.as("alice", "acme/ahead", "success"), "success", "")
}

func tryChecks(w *world) {
	d := w.as("alice", "acme/checks", "success")
	w.waits(d, "build")
	w.gh.AddCheckRun(d.SHA, "build", "completed", "success")
	w.ends(d, "success", "")
	w.gh.AddRepository("acme/required")
	w.gh.SetRequiredChecks("acme/required", "main", "lint")
	sha := w.gh.Push("acme/required", "main", "")
	w.gh.SetCommitStatus(sha, "lint", "failure")
	w.ends(w.as("alice", "acme/required", "success"), "error", "lint")
	w.gh.AddRepository("acme/all")
	sha = w.gh.Push("acme/all", "main", "")
	w.gh.SetCommitStatus(sha, "codecov/patch", "failure")
	w.gh.AddCheckRun(sha, "build", "completed", "skipped")
	w.ends(w.as("alice", "acme/all", "success"), "success", "")
}

func tryAfter(w *world) {
	w.ends(w.as("alice", "acme/after", "success"), "error", "has not succeeded in staging")
	staging := w.create("acme/after", github.NewDeployment{
		Environment: "Staging",
		Payload:     payload("forever"),
	}) // itself needs nothing before it

	p := w.pipeline(staging)
	d := w.as("alice", "acme/after", "success")
	w.waits(d, "to succeed in staging")
	w.finish(p, "success")
	w.ends(staging, "success", "")
	w.ends(d, "success", "")
}

func tryConcurrency(w *world) {
	running := w.as("alice", "acme/replace", "forever")
	p := w.pipeline(running)
	older := w.as("alice", "acme/replace", "success")
	w.waits(older, fmt.Sprint("deployment ", running.ID))
	newer := w.as("alice", "acme/replace", "success")
	w.ends(older, "error", fmt.Sprint("superseded by #", newer.ID))
	w.finish(p, "success")
	w.ends(newer, "success", "")

	running = w.as("alice", "acme/cancel", "forever")
	w.pipeline(running)
	newer = w.as("alice", "acme/cancel", "success")
	w.ends(running, "error", fmt.Sprint("Canceled: superseded by #", newer.ID))
	w.ends(newer, "success", "")
	w.ranInOrder([]github.Deployment{running, newer})

	running = w.as("alice", "acme/reject", "forever")
	p = w.pipeline(running)
	w.ends(
		w.as("alice", "acme/reject", "success"),
		"error",
		fmt.Sprintf("deployment %d of the same environment has not finished", running.ID),
	)

	w.finish(p, "success")
}

func tryFreeze(w *world) {
	w.ends(w.as("alice", "acme/shut", "success"), "error", "holidays")
}

func tryApprovals(w *world) {
	d := w.as("alice", "acme/approved", "success")
	w.waits(d, "approval", "carol", "acme/leads")
	approve := fmt.Sprintf("/deployments/%d/approve", d.ID)
	for _, login := range []string{"alice", "mallory", "pending-paul"} {
		w.does("POST", approve, behalfToken, w.actor(login), 403, "not_an_approver")
	}

	w.does("GET", fmt.Sprintf("/deployments/%d/explain", d.ID), apiToken, "", 200, `"code":"approvals_missing"`)
	w.does("POST", approve, behalfToken, w.actor("dave"), 200, `"decision":"allow"`)
	w.ends(d, "success", "")
	d = w.as("alice", "acme/approved", "success")
	w.waits(d, "approval")
	w.does("POST", fmt.Sprintf("/deployments/%d/approve", d.ID), managerToken, "{}", 200, `"decision":"allow"`)
	w.ends(d, "success", "")
	w.does("POST", fmt.Sprintf("/deployments/%d/approve", d.ID), managerToken, "{}", 409, "not_waiting")
}

func tryForce(w *world) {
	force := json.RawMessage(`{"story":"success","seraph_force":"the site is down"}`)
	d := w.create("acme/forced", github.NewDeployment{Environment: "production", Payload: force, Creator: "alice"})
	w.ends(d, "success", "(forced by alice: the site is down)")
	if code, body := w.get(fmt.Sprintf("/api/v1/deployments/%d", d.ID), apiToken); code != 200 ||
		!strings.Contains(body, `"forced":{"by":{"id":`) {
		w.t.Errorf("the API does not show that it was forced: %d %s", code, body)
	}

	d = w.create("acme/forced", github.NewDeployment{Environment: "production", Payload: force, Creator: "bob"})
	w.ends(d, "error", "bob is not allowed to force a deployment to production")
	d = w.create("acme/forced", github.NewDeployment{Environment: "production", Payload: force, Creator: "mallory"})
	w.ends(d, "error", "mallory is not allowed to deploy")
	d = w.create("acme/forced", github.NewDeployment{
		Environment: "production",
		Payload:     json.RawMessage(`{"seraph_force":true}`),
		Creator:     "alice",
	})

	w.ends(d, "error", "seraph_force needs a reason")
	d = w.as("bob", "acme/forced", "success")
	w.waits(d, "build")
	w.does("POST", fmt.Sprintf("/deployments/%d/force", d.ID), managerToken, `{"reason":"fire"}`, 403, "admin")
	w.does("POST", fmt.Sprintf("/deployments/%d/force", d.ID), adminToken, `{}`, 422, "reason")
	w.does(
		"POST",
		fmt.Sprintf("/deployments/%d/force", d.ID),
		adminToken,
		`{"reason":"fire\u0007"}`,
		422,
		"reason_not_plain",
	)

	w.does("POST", fmt.Sprintf("/deployments/%d/force", d.ID), adminToken, `{"reason":"fire"}`, 202, "")
	w.ends(d, "success", "(forced by token root: fire)")
	d = w.create("acme/unforced", github.NewDeployment{
		Environment: "production",
		Payload:     payload("success"),
		Creator:     "alice",
	})

	w.waits(d, "build")
	w.does("POST", fmt.Sprintf("/deployments/%d/force", d.ID), adminToken, `{"reason":"fire"}`, 403, "nobody is allowed to force")
	w.gh.AddCheckRun(d.SHA, "build", "completed", "success")
	w.ends(d, "success", "")
}

func tryMaxWait(w *world) {
	w.ends(w.as("alice", "acme/patient", "success"), "error", "waited 3s for")
}

// A freeze ends by itself. On a slow machine one may be over before the deployment is there: a
// longer one is tried.
func TestRulesThaw(t *testing.T) {
	t.Parallel()
	for freeze := 6 * time.Second; !thaws(t, freeze); freeze *= 2 {
		if freeze > 40*time.Second {
			t.Fatal("no deployment came in time to be frozen")
		}
	}
}

// thaws has a deployment wait for the end of a freeze that has so long to go; false: it came too
// late to be told to wait.
func thaws(t *testing.T, left time.Duration) bool {
	end := time.Now().Add(left)
	freeze := fmt.Sprintf(
		"\nfreeze: [{from: 2020-01-01 00:00, to: %q, message: moving day}]\n",
		end.Format(time.RFC3339Nano),
	)

	w := newWorld(t, setup{routes: keyed + freeze}).start()
	d := w.as("alice", "acme/frozen", "success")
	s := w.waitStatus(d, "queued", "success")
	if s.State == "queued" && !strings.Contains(s.Description, "moving day") {
		t.Errorf("it waits with %q", s.Description)
	}

	w.ends(d, "success", "")
	if time.Now().Before(end) {
		t.Error("it did not wait for the end of the freeze")
	}

	return s.State == "queued"
}

// TestCancel ends what waits at once, and what runs when CircleCI shows it.
func TestCancel(t *testing.T) {
	t.Parallel()
	w := newRuled(t)
	running, waiting := w.as("alice", "acme/api", "forever"), w.as("alice", "acme/api", "success")
	w.pipeline(running)
	cancel := func(d github.Deployment, code int) {
		w.does("POST", fmt.Sprintf("/deployments/%d/cancel", d.ID), managerToken, `{"reason":"never mind"}`, code, "")
	}
	cancel(waiting, 202)
	w.ends(waiting, "error", "Canceled by token manager: never mind")
	cancel(running, 202)
	w.ends(running, "error", "Canceled by token manager: never mind")
	w.canceled(running)
	cancel(running, 409)
	w.ends(w.as("alice", "acme/api", "success"), "success", "")
}
