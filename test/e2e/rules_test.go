package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// TestRules_EachRule checks the effect of each rule, and that the description at GitHub says what a
// deployment waits for and who can help.
func TestRules_EachRule(t *testing.T) {
	t.Parallel()
	h := newHarnessWithRules(t)
	for name, check := range map[string]func(*harness){
		"allow":       checkAllow,
		"refs":        checkRefs,
		"ahead":       checkAhead,
		"checks":      checkChecks,
		"after":       checkAfter,
		"concurrency": checkConcurrency,
		"freeze":      checkFreeze,
		"approvals":   checkApprovals,
		"force":       checkForce,
		"max wait":    checkMaxWait,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(h.withT(t))
		})
	}
}

func checkAllow(h *harness) {
	h.expectEnd(h.deployAs("alice", "acme/allow", "success"), "success", "")
	h.expectEnd(h.deployAs("bob", "acme/allow", "success"), "success", "")
	h.expectEnd(h.deployAs("mallory", "acme/allow", "success"),
		"error", "mallory is not allowed to deploy to production")
	h.expectEnd(h.deployAs("reader", "acme/allow", "success"),
		"error", "reader needs write permission to deploy to production, but has read")

	h.expectEnd(h.deployAs("my-hubot[bot]", "acme/bots", "success"), "success", "")
	h.expectEnd(h.deployAs("other-bot[bot]", "acme/bots", "success"),
		"error", "other-bot is not allowed to deploy")

	h.gh.RenameUser("erin", "eve")
	h.expectEnd(h.deployAs("eve", "acme/allow", "success"), "error", "eve is not allowed")
	// a new user with the old login
	h.expectEnd(h.deployAs("erin", "acme/allow", "success"),
		"error", "erin needs write permission to deploy to production, but has none")
}

func checkRefs(h *harness) {
	h.gh.AddRepository("acme/refs")
	for _, branch := range []string{"topic", "release/1"} {
		h.gh.Push("acme/refs", branch, "")
	}

	h.expectEnd(h.deployRef("topic", "acme/refs"), "error", "topic")
	h.expectEnd(h.deployRef("release/1", "acme/refs"), "success", "")
	h.gh.Tag("acme/refs", "release/2", "")
	h.expectEnd(h.deployRef("refs/tags/release/2", "acme/refs"), "error", "refs/tags/release/2 may not")

	// CircleCI does not know the branch at first: Seraph must try the branch again, not a tag of that name,
	// which the rule would refuse
	h.ci.BranchLag("gh/acme/refs", 1)
	late := h.create("acme/refs", github.NewDeployment{
		Environment: "staging",
		Ref:         "release/1",
		Payload:     payload("success"),
	})
	h.expectEnd(late, "success", "")
	if p := h.waitPipeline(late); p.Branch != "release/1" || p.Tag != "" {
		h.t.Errorf("pipeline: got branch %q and tag %q, want release/1 and none", p.Branch, p.Tag)
	}
}

func checkAhead(h *harness) {
	first := h.deployAs("alice", "acme/ahead", "success")
	h.expectEnd(first, "success", "")
	older := strings.Repeat("ab", 20)
	h.gh.Push("acme/ahead", "old", older)
	h.gh.SetComparison("acme/ahead", first.SHA, older, "behind", 0, 2)
	h.expectEnd(h.deployRef("old", "acme/ahead"), "error", "behind")

	newer := h.gh.Push("acme/ahead", "main", "")
	h.gh.SetComparison("acme/ahead", first.SHA, newer, "ahead", 1, 0)
	h.expectEnd(h.deployAs("alice", "acme/ahead", "success"), "success", "")
}

func checkChecks(h *harness) {
	d := h.deployAs("alice", "acme/checks", "success")
	h.expectWaiting(d, "build")
	h.gh.AddCheckRun(d.SHA, "build", "completed", "success")
	h.expectEnd(d, "success", "")

	h.gh.AddRepository("acme/required")
	h.gh.SetRequiredChecks("acme/required", "main", "lint", "build")
	h.gh.PinRequiredCheck("acme/required", "main", "build", "github-actions")
	sha := h.gh.Push("acme/required", "main", "")
	h.gh.SetCommitStatus(sha, "lint", "failure")
	h.expectEnd(h.deployAs("alice", "acme/required", "success"), "error", "lint")

	// A branch that nobody protects is no way around what the default branch requires.
	evil := h.gh.Push("acme/required", "evil", "")
	h.gh.SetCommitStatus(evil, "lint", "failure")
	h.expectEnd(h.deployRef("evil", "acme/required"), "error", "lint")

	// A check that must come from one app is not met by what a person sets.
	pinned := h.gh.Push("acme/required", "pinned", "")
	h.gh.SetCommitStatus(pinned, "lint", "success")
	h.gh.SetCommitStatus(pinned, "build", "success")
	d = h.deployRef("pinned", "acme/required")
	h.expectWaiting(d, "build")
	h.gh.AddCheck(pinned, github.CheckRun{Name: "build", App: "github-actions"})
	h.expectEnd(d, "success", "")

	h.gh.AddRepository("acme/all")
	sha = h.gh.Push("acme/all", "main", "")
	h.gh.SetCommitStatus(sha, "codecov/patch", "failure")
	h.gh.AddCheckRun(sha, "build", "completed", "skipped")
	h.expectEnd(h.deployAs("alice", "acme/all", "success"), "success", "")

	// The status of a deploy job that failed does not keep its commit from being deployed again.
	sha = h.gh.Push("acme/all", "main", "")
	h.gh.AddCheckRun(sha, "build", "completed", "success")
	failed := h.deployAs("alice", "acme/all", "forever")
	p := h.waitPipeline(failed)
	h.finish(p, "failed")
	h.expectEnd(failed, "failure", "")
	h.gh.AddCommitStatus(sha, github.CommitStatus{
		Context:   "ci/circleci: deploy",
		State:     "failure",
		TargetURL: fmt.Sprintf("https://app.circleci.com/pipelines/github/acme/all/%d/workflows/1/jobs/1", p.Number),
	})
	h.expectEnd(h.deployAs("alice", "acme/all", "success"), "success", "")
}

func checkAfter(h *harness) {
	h.expectEnd(h.deployAs("alice", "acme/after", "success"), "error", "has not succeeded in staging")
	staging := h.create("acme/after", github.NewDeployment{ // needs nothing before it
		Environment: "Staging",
		Payload:     payload("forever"),
	})
	p := h.waitPipeline(staging)
	d := h.deployAs("alice", "acme/after", "success")
	h.expectWaiting(d, "to succeed in staging")
	h.finish(p, "success")
	h.expectEnd(staging, "success", "")
	h.expectEnd(d, "success", "")
}

func checkConcurrency(h *harness) {
	running := h.deployAs("alice", "acme/replace", "forever")
	p := h.waitPipeline(running)
	older := h.deployAs("alice", "acme/replace", "success")
	h.expectWaiting(older, fmt.Sprint("deployment ", running.ID))
	newer := h.deployAs("alice", "acme/replace", "success")
	h.expectEnd(older, "error", fmt.Sprint("superseded by #", newer.ID))
	h.finish(p, "success")
	h.expectEnd(newer, "success", "")

	running = h.deployAs("alice", "acme/cancel", "forever")
	h.waitPipeline(running)
	newer = h.deployAs("alice", "acme/cancel", "success")
	h.expectEnd(running, "error", fmt.Sprint("Canceled: superseded by #", newer.ID))
	h.expectEnd(newer, "success", "")
	h.expectRanInOrder([]github.Deployment{running, newer})

	running = h.deployAs("alice", "acme/reject", "forever")
	p = h.waitPipeline(running)
	h.expectEnd(h.deployAs("alice", "acme/reject", "success"),
		"error", fmt.Sprintf("deployment %d of the same environment has not finished", running.ID))
	h.finish(p, "success")
}

func checkFreeze(h *harness) {
	h.expectEnd(h.deployAs("alice", "acme/shut", "success"), "error", "holidays")
}

func checkApprovals(h *harness) {
	d := h.deployAs("alice", "acme/approved", "success")
	h.expectWaiting(d, "approval", "carol", "acme/leads")
	approve := fmt.Sprintf("/deployments/%d/approve", d.ID)
	for _, login := range []string{"alice", "mallory", "pending-paul"} {
		h.expectAPI("POST", approve, chatToken, h.actorBody(login), 403, "not_an_approver")
	}

	h.expectAPI("GET", fmt.Sprintf("/deployments/%d/explain", d.ID), apiToken, "", 200, `"code":"approvals_missing"`)
	h.expectAPI("POST", approve, chatToken, h.actorBody("dave"), 200, `"decision":"allow"`)
	h.expectEnd(d, "success", "")

	d = h.deployAs("alice", "acme/approved", "success")
	h.expectWaiting(d, "approval")
	approve = fmt.Sprintf("/deployments/%d/approve", d.ID)
	h.expectAPI("POST", approve, managerToken, "{}", 200, `"decision":"allow"`)
	h.expectEnd(d, "success", "")
	h.expectAPI("POST", approve, managerToken, "{}", 409, "not_waiting")
}

func checkForce(h *harness) {
	deployForced := func(login, payload string) github.Deployment {
		return h.create("acme/forced", github.NewDeployment{
			Environment: "production",
			Payload:     json.RawMessage(payload),
			Creator:     login,
		})
	}

	const forced = `{"scenario":"success","seraph_force":"the site is down"}`
	d := deployForced("alice", forced)
	h.expectEnd(d, "success", "(forced by alice: the site is down)")
	if detail := h.apiDetail(d); !strings.Contains(detail, `"forced":{"by":{"id":`) {
		h.t.Errorf("deployment: got %s, want who forced it", detail)
	}

	h.expectEnd(deployForced("bob", forced), "error", "bob is not allowed to force a deployment to production")
	h.expectEnd(deployForced("mallory", forced), "error", "mallory is not allowed to deploy")
	h.expectEnd(deployForced("alice", `{"seraph_force":true}`), "error", "seraph_force needs a reason")

	d = h.deployAs("bob", "acme/forced", "success")
	h.expectWaiting(d, "build")
	force := fmt.Sprintf("/deployments/%d/force", d.ID)
	h.expectAPI("POST", force, managerToken, `{"reason":"fire"}`, 403, "admin")
	h.expectAPI("POST", force, adminToken, `{}`, 422, "reason")
	h.expectAPI("POST", force, adminToken, `{"reason":"fire\u0007"}`, 422, "reason_not_plain")
	h.expectAPI("POST", force, adminToken, `{"reason":"fire"}`, 202, "")
	h.expectEnd(d, "success", "(forced by token root: fire)")

	d = h.deployAs("alice", "acme/unforced", "success")
	h.expectWaiting(d, "build")
	force = fmt.Sprintf("/deployments/%d/force", d.ID)
	h.expectAPI("POST", force, adminToken, `{"reason":"fire"}`, 403, "nobody is allowed to force")
	h.gh.AddCheckRun(d.SHA, "build", "completed", "success")
	h.expectEnd(d, "success", "")
}

func checkMaxWait(h *harness) {
	h.expectEnd(h.deployAs("alice", "acme/maxwait", "success"), "error", "waited 3s for")
}

// TestRules_FreezeEnds checks that a deployment waits for the end of a freeze. On a slow machine a freeze
// can be over before the deployment is there; then the test tries a longer one.
func TestRules_FreezeEnds(t *testing.T) {
	t.Parallel()
	for freeze := 6 * time.Second; !waitsForFreezeEnd(t, freeze); freeze *= 2 {
		if freeze > 40*time.Second {
			t.Fatal("got no deployment before the end of a freeze")
		}
	}
}

// waitsForFreezeEnd deploys during a freeze that ends after left. It returns false if the deployment came
// too late to wait.
func waitsForFreezeEnd(t *testing.T, left time.Duration) bool {
	t.Helper()
	end := time.Now().Add(left)
	freeze := fmt.Sprintf("\nfreeze: [{from: 2020-01-01 00:00, to: %q, message: moving day}]\n",
		end.Format(time.RFC3339Nano))
	h := newHarness(t, setup{routes: wildcardRoutes + freeze}).start()
	d := h.deployAs("alice", "acme/frozen", "success")
	s := h.waitStatus(d, "queued", "success")
	if s.State == "queued" && !strings.Contains(s.Description, "moving day") {
		t.Errorf("status: got %q, want moving day in it", s.Description)
	}

	h.expectEnd(d, "success", "")
	if time.Now().Before(end) {
		t.Error("got the end of the deployment before the end of the freeze")
	}

	return s.State == "queued"
}

// TestCancel_WaitingAndRunning checks that a waiting deployment ends at once when it is canceled, and a
// running one when CircleCI shows that its pipeline has ended.
func TestCancel_WaitingAndRunning(t *testing.T) {
	t.Parallel()
	h := newHarnessWithRules(t)
	running := h.deployAs("alice", "acme/api", "forever")
	h.waitPipeline(running) // before the webhook of the next one can come
	waiting := h.deployAs("alice", "acme/api", "success")
	h.waitDelivery(waiting)
	cancel := func(d github.Deployment, code int) {
		path := fmt.Sprintf("/deployments/%d/cancel", d.ID)
		h.expectAPI("POST", path, managerToken, `{"reason":"never mind"}`, code, "")
	}

	cancel(waiting, 202)
	h.expectEnd(waiting, "error", "Canceled by token manager: never mind")
	cancel(running, 202)
	h.expectEnd(running, "error", "Canceled by token manager: never mind")
	h.expectCanceled(running)
	cancel(running, 409)
	h.expectEnd(h.deployAs("alice", "acme/api", "success"), "success", "")
}
