package e2e

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/pgtest"
	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// newReplicas starts two replicas on one PostgreSQL database. GitHub and CircleCI send their webhooks to
// the first one.
func newReplicas(t *testing.T) (first, second *harness) {
	t.Helper()
	first = newHarness(t, setup{env: map[string]string{"DATABASE_URL": pgtest.Database(t)}}).start()
	second = first.withT(t)
	second.addr = freeAddr(t)
	second.env = maps.Clone(first.env)
	second.env["ADDR"] = second.addr
	second.start()
	t.Cleanup(func() {
		for _, h := range []*harness{first, second} {
			if !h.hasExited() {
				h.stop()
			}
		}
	})

	return first, second
}

// TestReplicas_OneDies checks that when a replica is killed in the middle of its work, the other one
// continues all of it, and nothing runs twice.
func TestReplicas_OneDies(t *testing.T) {
	t.Parallel()
	h, second := newReplicas(t)
	running := h.deploy("acme/api", "production", "forever")
	p := h.waitPipeline(running)
	waiting := h.deploy("acme/api", "production", "success")
	h.waitStatus(running, "in_progress")
	h.waitLog("deployment accepted", logID(waiting))
	trigger := h.ciFaults.block(circleci.OpTrigger, "", true)
	triggering := h.deploy("acme/web", "production", "success")
	trigger.wait(t)

	h.kill()
	killed := time.Now()
	h.finish(p, "failed")
	second.expectEnd(running, "failure", "")
	second.expectEnd(waiting, "success", "")
	second.expectEnd(triggering, "success", "")
	t.Logf("all deployments of the killed replica ended after %v", time.Since(killed).Round(time.Millisecond))
}

// TestReplicas_SameDelivery checks that a webhook that reaches both replicas at once makes one deployment.
func TestReplicas_SameDelivery(t *testing.T) {
	t.Parallel()
	h, second := newReplicas(t)
	h.withoutRecovery()
	h.gh.AddRepository("acme/api")
	h.gh.Hooks().Next("deployment", lostWebhook, 5)
	for _, environment := range []string{"a", "b", "c", "d", "e"} {
		d := h.deploy("acme/api", environment, "success")
		body := h.gh.EventBody(d.ID)
		header := signed("deployment", body)

		codes := make([]int, 2)
		var both sync.WaitGroup
		for i, replica := range []*harness{h, second} {
			both.Go(func() { codes[i], _ = replica.send(http.MethodPost, "/webhooks/github", body, header) })
		}

		both.Wait()
		slices.Sort(codes)
		if want := []int{http.StatusOK, http.StatusAccepted}; !slices.Equal(codes, want) {
			t.Errorf("%s: got %v, want %v", environment, codes, want)
		}

		h.expectEnd(d, "success", "")
	}
}
