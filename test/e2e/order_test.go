package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// TestPipeline_CanceledOnOtherCommit checks that a pipeline on another commit than the deployment's is
// canceled where the route is strict, however long it would have run.
func TestPipeline_CanceledOnOtherCommit(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{routes: scenarioRoutes}).start()
	h.gh.AddRepository("acme/strict")
	h.gh.Push("acme/strict", "release", "")
	h.ci.SetBranch("gh/acme/strict", "release", strings.Repeat("ab", 20))
	d := h.create("acme/strict", github.NewDeployment{Ref: "release", Payload: payload("forever")})
	h.expectEnd(d, "error", "got abababa")
	h.expectCanceled(d)
}

// TestRerun_ReplacesFailure checks that a rerun that succeeds turns failure into success, unless a newer
// deployment of the environment has started.
func TestRerun_ReplacesFailure(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	newest, replaced := h.deploy("acme/api", "newest", "fail"), h.deploy("acme/api", "replaced", "fail")
	h.expectEnd(newest, "failure", "Workflow deploy failed")
	h.expectEnd(replaced, "failure", "Workflow deploy failed")
	newer := h.deploy("acme/api", "replaced", "forever")
	next := h.waitPipeline(newer)
	h.waitStatus(newer, "in_progress") // only now does Seraph know that it has started
	for _, d := range []github.Deployment{newest, replaced} {
		if err := h.ci.Rerun(h.waitPipeline(d).ID); err != nil {
			t.Fatal(err)
		}
	}

	if got, want := h.waitStatus(newest, "success").Description, "Deployed by a rerun"; got != want {
		t.Errorf("description: got %q, want %q", got, want)
	}

	h.waitCI("webhook about the second rerun", func() bool { return h.webhookAnswered(replaced, "success") })
	h.finish(next, "success")
	h.expectEnd(newer, "success", "Deployed")
	statuses := h.gh.Statuses(replaced.Repository, replaced.ID)
	if got := statuses[len(statuses)-1].State; got != "failure" {
		t.Errorf("rerun after a newer deployment: got state %s, want failure: %+v", got, statuses)
	}
}

// webhookAnswered reports whether Seraph has answered a webhook of CircleCI about a deployment's pipeline
// with this status.
func (h *harness) webhookAnswered(d github.Deployment, status string) bool {
	return slices.ContainsFunc(h.ci.Sent(), func(hook circleci.Hook) bool {
		return hook.PipelineID == h.pipelines(d)[0] && hook.Status == status && hook.StatusCode == 200
	})
}

// TestOrder_OneAtATime checks that deployments of one environment, whose name may differ in case, run one
// after the other in the order of GitHub's ids, though their webhooks come in another order.
func TestOrder_OneAtATime(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	first := h.deploy("acme/api", "production", "forever")
	running := h.waitPipeline(first)
	h.gh.Hooks().Reorder("deployment", 3)
	waiting := []github.Deployment{
		h.deploy("acme/api", "Production", "slow-success"),
		h.deploy("acme/api", "PRODUCTION", "slow-success"),
		h.deploy("acme/api", "production", "success"),
	}

	queued := h.waitStatus(waiting[0], "queued")
	if want := fmt.Sprintf("Waiting for deployment %d of the same environment", first.ID); queued.Description != want {
		t.Errorf("description: got %q, want %q", queued.Description, want)
	}
	if got := len(h.ci.Triggers()); got != 1 {
		t.Errorf("triggers while the first runs: got %d, want 1", got)
	}

	h.finish(running, "success")
	for _, d := range append(waiting, first) {
		h.expectEnd(d, "success", "Deployed")
	}

	h.expectRanInOrder(append([]github.Deployment{first}, waiting...))
}

// expectRanInOrder checks that the pipelines of deployments began in this order, each after the end of
// the previous one.
func (h *harness) expectRanInOrder(all []github.Deployment) {
	h.t.Helper()
	for i := range all[1:] {
		before, after := h.waitPipeline(all[i]), h.waitPipeline(all[i+1])
		if ended := before.Workflows[len(before.Workflows)-1].StoppedAt; after.CreatedAt.Before(ended) {
			h.t.Errorf("deployment %d: got a pipeline at %s, want it after the end of deployment %d at %s",
				all[i+1].ID, after.CreatedAt, all[i].ID, ended)
		}
	}
}

// TestOrder_NoStatusForShortWait checks that a wait of less than 2 s is not reported.
func TestOrder_NoStatusForShortWait(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	first := h.deployDelivered("acme/api", "production", "success")
	second := h.deployDelivered("acme/api", "production", "success")
	h.expectEnd(first, "success", "")
	h.expectEnd(second, "success", "")

	for _, d := range []github.Deployment{first, second} {
		statuses := h.gh.Statuses(d.Repository, d.ID)
		queued := slices.ContainsFunc(statuses, func(s github.Status) bool { return s.State == "queued" })
		if queued && statuses[0].At.Sub(d.At).Seconds() < 2 {
			t.Errorf("deployment %d: got a status for a short wait: %+v", d.ID, statuses)
		}
	}
}

// TestOrder_SlotKeptUntilCanceled checks that a timed-out pipeline keeps its environment until CircleCI
// shows that every workflow has ended.
func TestOrder_SlotKeptUntilCanceled(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{routes: scenarioRoutes}).start()
	first := h.deployDelivered("acme/short", "production", "cancel-slow")
	second := h.create("acme/short", github.NewDeployment{ // with a task whose route has no short timeout
		Environment: "production",
		Task:        "deploy:long",
		Payload:     payload("success"),
	})
	h.expectEnd(first, "failure", "Timed out")
	h.expectEnd(second, "success", "")
	h.expectRanInOrder([]github.Deployment{first, second})
}

// TestOrder_LateDeploymentSuperseded checks that a deployment whose webhook comes after a newer one has
// run does not put the older code back.
func TestOrder_LateDeploymentSuperseded(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).withoutRecovery().start()
	h.gh.Hooks().Next("deployment", lostWebhook, 1)
	older := h.deploy("acme/api", "production", "success")
	newer := h.deploy("acme/api", "production", "success")
	h.expectEnd(newer, "success", "")
	if err := h.gh.Hooks().Redeliver(h.waitDelivery(older).ID); err != nil {
		t.Fatal(err)
	}

	h.expectEnd(older, "error", fmt.Sprintf("superseded by #%d", newer.ID))
	if got := len(h.pipelines(older)); got != 0 {
		t.Errorf("pipelines of the older deployment: got %d, want 0", got)
	}
}
