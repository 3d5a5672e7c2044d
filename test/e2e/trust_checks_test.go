package e2e

import (
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// A branch that nobody protects is no way around the checks that the default branch requires, and where
// none are required nothing is allowed.
func TestTrust_RequiredChecksOfAnUnprotectedBranch(t *testing.T) {
	t.Parallel()
	h := trusting(t, "checks: required")
	evil := h.gh.Push("acme/api", "evil", "")
	h.gh.SetCommitStatus(evil, "build", "failure")
	h.gh.SetRequiredChecks("acme/api", "main", "build")
	h.start()

	d := h.create("acme/api", github.NewDeployment{Ref: "evil", Payload: payload("success"), Creator: "mallory"})
	h.expectEnd(d, "error", `check "build" failed`)
	h.wantNoPipeline(d)
}

// A deployment waits where GitHub requires no check at all.
func TestTrust_NothingIsRequired(t *testing.T) {
	t.Parallel()
	h := trusting(t, "checks: required")
	h.start()

	d := h.create("acme/api", github.NewDeployment{Payload: payload("success"), Creator: "mallory"})
	h.expectWaiting(d, "a required check", "name the checks in the route")
	h.unchecked[d.ID] = true // it waits for an hour
	h.wantNoPipeline(d)
}

// A required check that is bound to an app is met by that app only.
func TestTrust_RequiredCheckOfAnApp(t *testing.T) {
	t.Parallel()
	h := trusting(t, "checks: required")
	h.gh.SetRequiredChecks("acme/api", "main", "build")
	h.gh.PinRequiredCheck("acme/api", "main", "build", "github-actions")
	byPerson, byApp := h.gh.Push("acme/api", "person", ""), h.gh.Push("acme/api", "app", "")
	h.gh.AddCommitStatus(byPerson, github.CommitStatus{Context: "build", State: "success", Creator: "mallory"})
	h.gh.AddCheck(byApp, github.CheckRun{Name: "build", App: "github-actions"})
	h.start()

	d := h.create("acme/api", github.NewDeployment{Ref: "person", Environment: "review-1", Payload: payload("success")})
	h.expectWaiting(d, `check "build"`)
	h.unchecked[d.ID] = true // it waits for an hour
	h.wantNoPipeline(d)

	d = h.create("acme/api", github.NewDeployment{Ref: "app", Environment: "review-2", Payload: payload("success")})
	h.expectEnd(d, "success", "")
}

// A red check is not hidden by a green one of the same name that began later in another suite. A rerun in
// its own suite replaces it.
func TestTrust_RedCheckOfAnotherSuite(t *testing.T) {
	t.Parallel()
	h := trusting(t, "checks: [build]")
	red, rerun := h.gh.Push("acme/api", "red", ""), h.gh.Push("acme/api", "rerun", "")
	for _, sha := range []string{red, rerun} {
		first := h.gh.AddWorkflowRun(sha, github.WorkflowRun{Workflow: 1})
		second := h.gh.AddWorkflowRun(sha, github.WorkflowRun{Workflow: 2})
		run := github.CheckRun{Name: "build", App: "github-actions", Suite: first, Conclusion: "failure"}
		h.gh.AddCheck(sha, run)
		h.gh.AddCheck(sha, github.CheckRun{Name: "build", App: "github-actions", Suite: second})
		if sha == rerun {
			run.Conclusion = "success"
			h.gh.AddCheck(sha, run)
		}
	}
	h.start()

	d := h.create("acme/api", github.NewDeployment{Ref: "red", Environment: "review-1", Payload: payload("success")})
	h.expectEnd(d, "error", `check "build" failed`)
	h.wantNoPipeline(d)

	d = h.create("acme/api", github.NewDeployment{Ref: "rerun", Environment: "review-2", Payload: payload("success")})
	h.expectEnd(d, "success", "")
}
