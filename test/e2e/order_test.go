package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

// A pipeline on another commit than the deployment's is canceled where the route is strict, however
// long it would have run.
func TestMovedPipelineIsCanceled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{routes: scenarioRoutes}).start()
	w.gh.AddRepository("acme/strict")
	w.gh.Push("acme/strict", "release", "")
	w.ci.SetBranch("gh/acme/strict", "release", strings.Repeat("ab", 20))
	d := w.create("acme/strict", github.NewDeployment{Ref: "release", Payload: payload("forever")})
	w.ends(d, "error", "got abababa")
	w.canceled(d)
}

// A rerun that succeeds turns failure into success, unless a newer deployment of the environment
// has started.
func TestLateRerun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	lucky, late := w.deploy("acme/api", "lucky", "fail"), w.deploy("acme/api", "late", "fail")
	w.ends(lucky, "failure", "Workflow deploy failed")
	w.ends(late, "failure", "Workflow deploy failed")
	newer := w.deploy("acme/api", "late", "forever")
	next := w.pipeline(newer)
	for _, d := range []github.Deployment{lucky, late} {
		if err := w.ci.Rerun(w.pipeline(d).ID); err != nil {
			t.Fatal(err)
		}
	}

	if s := w.waitStatus(lucky, "success"); s.Description != "Deployed by a rerun" {
		t.Errorf("description %q", s.Description)
	}

	w.waitCI("CircleCI's word of both reruns", func() bool { return w.heardOf(late, "success") })
	w.finish(next, "success")
	w.ends(newer, "success", "Deployed")
	if told := w.gh.Statuses(late.Repository, late.ID); told[len(told)-1].State != "failure" {
		t.Errorf("a rerun beside a newer deployment changed the end: %+v", told)
	}
}

// heardOf says whether a webhook of CircleCI about a deployment's pipeline with this status was
// answered.
func (w *world) heardOf(d github.Deployment, status string) bool {
	return slices.ContainsFunc(w.ci.Sent(), func(h circleci.Hook) bool {
		return h.PipelineID == w.pipelines(d)[0] && h.Status == status && h.StatusCode == 200
	})
}

// Deployments of one environment, in whatever letters, run one after the other in the order of
// GitHub's ids, though their webhooks come in another.
func TestOneAfterTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	first := w.deploy("acme/api", "production", "forever")
	running := w.pipeline(first)
	w.gh.Hooks().Reorder("deployment", 3)
	waiting := []github.Deployment{
		w.deploy(
			"acme/api",
			"Production",
			"slow-success",
		), w.deploy("acme/api", "PRODUCTION", "slow-success"), w.deploy("acme/api", "production", "success"),
	}

	queued := w.waitStatus(waiting[0], "queued")
	if want := fmt.Sprintf("Waiting for deployment %d of the same environment", first.ID); queued.Description != want {
		t.Errorf("description %q, want %q", queued.Description, want)
	}
	if count := len(w.ci.Triggers()); count != 1 {
		t.Errorf("%d triggers while the first runs", count)
	}

	w.finish(running, "success")
	for _, d := range append(waiting, first) {
		w.ends(d, "success", "Deployed")
	}

	w.ranInOrder(append([]github.Deployment{first}, waiting...))
}

// ranInOrder holds that the pipelines of deployments began in this order, each after the end of the
// one before.
func (w *world) ranInOrder(all []github.Deployment) {
	w.t.Helper()
	for i := range all[1:] {
		before, after := w.pipeline(all[i]), w.pipeline(all[i+1])
		if ended := before.Workflows[len(before.Workflows)-1].StoppedAt; after.CreatedAt.Before(ended) {
			w.t.Errorf(
				"the pipeline of deployment %d began at %s, before the end of %d's at %s",
				all[i+1].ID,
				after.CreatedAt,
				all[i].ID,
				ended,
			)
		}
	}
}

// A short wait is not worth a status.
func TestShortWaitIsSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	first, second := w.announce("acme/api", "production", "success"), w.announce("acme/api", "production", "success")
	w.ends(first, "success", "")
	w.ends(second, "success", "")
	for _, d := range []github.Deployment{first, second} {
		told := w.gh.Statuses(d.Repository, d.ID)
		if slices.ContainsFunc(told, func(s github.Status) bool { return s.State == "queued" }) &&
			told[0].At.Sub(d.At).Seconds() < 2 {
			t.Errorf("GitHub was told of a short wait: %+v", told)
		}
	}
}

// A timed-out pipeline keeps its environment until CircleCI shows that every workflow has ended.
func TestSlotIsKeptUntilCanceled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{routes: scenarioRoutes}).start()
	first, second := w.announce(
		"acme/short",
		"production",
		"cancel-slow",
	), w.announce(
		"acme/short",
		"production",
		"success",
	)

	w.ends(first, "failure", "Timed out")
	w.ends(second, "success", "")
	w.ranInOrder([]github.Deployment{first, second})
}

// GitHub tells some deployments twice: they run once.
func TestDeliveredTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	w.gh.Hooks().Next("deployment", hookshot.Treatment{Copies: 3}, 1)
	d := w.deploy("acme/api", "production", "success")
	w.ends(d, "success", "")
	count := map[string]int{}
	for _, delivery := range w.deliveries("deployment", 4) {
		count[result(t, delivery)]++
	}

	if count["202 accepted"] != 1 || count["200 duplicate"] != 3 {
		t.Errorf("answers %v, want one accepted and three duplicates", count)
	}
}

// announce makes a deployment and waits until its webhook was answered: GitHub keeps no order
// between webhooks, and the newer one first would supersede the older.
func (w *world) announce(repository, environment, story string) github.Deployment {
	w.t.Helper()
	answered := len(w.deliveries("deployment", 0))
	d := w.deploy(repository, environment, story)
	w.deliveries("deployment", answered+1)
	return d
}

// deliveries waits until so many webhooks of an event were answered.
func (w *world) deliveries(event string, n int) (found []hookshot.Delivery) {
	w.t.Helper()
	ctx, cancel := w.patience()
	defer cancel()
	err := w.gh.WaitDeliveries(ctx, func(all []hookshot.Delivery) bool {
		found = slices.DeleteFunc(slices.Clone(all), func(d hookshot.Delivery) bool { return d.Event != event })
		return len(found) >= n
	})

	if err != nil {
		w.t.Fatalf("%v for %d answers to %s; there are %d", err, n, event, len(found))
	}

	return found
}

// result is the answer to a webhook: code and word.
func result(t *testing.T, d hookshot.Delivery) string {
	t.Helper()
	var answer struct{ Result string }
	decode(t, d.Answer, &answer)
	return fmt.Sprint(d.StatusCode) + " " + answer.Result
}

// A deployment whose webhook comes after a newer one has run must not put the older code back.
func TestLateDeploymentIsSuperseded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	w.quiet() // the recovery of the start is over, which would find what is lost
	w.gh.Hooks().Next("deployment", lose, 1)
	older := w.deploy("acme/api", "production", "success")
	newer := w.deploy("acme/api", "production", "success")
	w.ends(newer, "success", "")
	if err := w.gh.Hooks().Redeliver(w.deliveries("deployment", 3)[1].ID); err != nil {
		t.Fatal(err)
	}

	w.ends(older, "error", fmt.Sprintf("superseded by #%d", newer.ID))
	if n := len(w.pipelines(older)); n != 0 {
		t.Errorf("%d pipelines of the older one", n)
	}
}
