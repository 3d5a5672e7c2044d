package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// expectClaim claims a key for a pipeline, as the first step of a job does, and checks the status of the
// answer.
func (h *harness) expectClaim(who, key, pipeline string, want int) {
	h.t.Helper()
	if got := h.claim(key, pipeline); got != want {
		h.t.Errorf("claim of %s: got %d, want %d", who, got, want)
	}
}

// claim claims a key for a pipeline and returns the status of the answer.
func (h *harness) claim(key, pipeline string) int {
	h.t.Helper()
	body := fmt.Appendf(nil, `{"key":%q,"pipeline":%q}`, key, pipeline)
	code, _ := h.send(http.MethodPost, "/webhooks/claim", body, http.Header{"Content-Type": {"application/json"}})
	return code
}

// TestClaim_FirstPipelineOnly checks that the first pipeline that presents the key gets the deployment,
// even before CircleCI has answered the trigger, and that every other pipeline must stop.
func TestClaim_FirstPipelineOnly(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{env: map[string]string{"CIRCLECI_TIMEOUT": "1m"}}).start()
	trigger := h.ciFaults.block(circleci.OpTrigger, "", true)
	d := h.deploy("acme/api", "production", "forever")
	trigger.wait(t)
	p := h.waitPipeline(d)
	key := fmt.Sprint(p.Parameters[circleci.KeyParameter])

	h.expectClaim("an unknown key", uuid.NewString(), p.ID, 404)
	h.expectClaim("no key", "", p.ID, 400)
	h.expectClaim("the first pipeline", key, p.ID, 200)
	h.expectClaim("the first pipeline again", key, p.ID, 200)
	h.expectClaim("a second pipeline", key, uuid.NewString(), 409)

	close(trigger.release)
	h.waitStatus(d, "in_progress")
	h.expectClaim("the first pipeline after the answer", key, p.ID, 200)
	h.expectClaim("a second pipeline after the answer", key, uuid.NewString(), 409)

	h.finish(p, "success")
	h.expectEnd(d, "success", "")
	h.expectClaim("another pipeline after the end", key, uuid.NewString(), 409)
}

// Once somebody has asked to cancel, no job may go on, whether or not its pipeline has claimed before: CircleCI may
// take long to stop it, or not answer.
func TestClaim_BeingCanceled(t *testing.T) {
	t.Parallel()
	env := map[string]string{"API_TOKENS": apiTokens, "CIRCLECI_TIMEOUT": "10s"}

	t.Run("before the answer to the trigger", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, setup{env: env}).start()
		trigger := h.ciFaults.block(circleci.OpTrigger, "", true)
		d := h.deploy("acme/api", "production", "forever")
		trigger.wait(t)
		p := h.waitPipeline(d)

		h.expectAPI("POST", fmt.Sprintf("/deployments/%d/cancel", d.ID), managerToken, `{}`, 202, "")
		h.expectClaim("its pipeline", fmt.Sprint(p.Parameters[circleci.KeyParameter]), p.ID, 409)
		close(trigger.release)
		h.expectEnd(d, "error", "Canceled")
	})

	t.Run("while CircleCI does not stop it", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, setup{env: env}).start()
		d := h.deploy("acme/api", "production", "forever")
		h.waitStatus(d, "in_progress")
		p := h.waitPipeline(d)
		key := fmt.Sprint(p.Parameters[circleci.KeyParameter])
		h.expectClaim("its pipeline", key, p.ID, 200)

		cancel := h.ciFaults.block(circleci.OpCancel, "", false)
		h.expectAPI("POST", fmt.Sprintf("/deployments/%d/cancel", d.ID), managerToken, `{}`, 202, "")
		h.expectClaim("its next job", key, p.ID, 409)
		cancel.wait(t)
		h.finish(p, "failed") // the job stops
		close(cancel.release)
		h.expectEnd(d, "error", "Canceled")
	})
}

// TestClaim_RefusedTrigger checks that no pipeline can claim a deployment that ended without one:
// CircleCI refused the trigger, so a job with its key is a mistake.
func TestClaim_RefusedTrigger(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	h.expectEnd(h.deploy("acme/api", "production", "blocked"), "error", "New work is blocked")
	key := fmt.Sprint(h.ci.Triggers()[0].Parameters[circleci.KeyParameter])
	h.expectClaim("a pipeline", key, uuid.NewString(), 409)
}

// TestClaim_ByJobs checks that with jobs that claim, each pipeline of the deployments that ran got as far
// as its deploy step.
func TestClaim_ByJobs(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{claims: true}).start()
	first, second := h.deploy("acme/api", "production", "success"), h.deploy("acme/api", "staging", "fail")
	h.expectEnd(first, "success", "")
	h.expectEnd(second, "failure", "Workflow deploy failed")
	if got := len(h.ci.Deployed()); got != 2 {
		t.Errorf("pipelines that deployed: got %d, want 2", got)
	}
}
