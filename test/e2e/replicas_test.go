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

// newReplicas starts two programs on one PostgreSQL database. GitHub and CircleCI send their
// webhooks to the first.
func newReplicas(t *testing.T) (first, second *world) {
	first = newWorld(t, setup{env: map[string]string{"DATABASE_URL": pgtest.Database(t)}}).start()
	second = first.in(t)
	second.addr = freeAddr(t)
	second.env = maps.Clone(first.env)
	second.env["ADDR"] = second.addr
	second.start()
	t.Cleanup(func() {
		for _, w := range []*world{first, second} {
			if !w.over() {
				w.stop()
			}
		}
	})

	return first, second
}

// One replica dies with its hands full: the other one carries everything on, and nothing runs
// twice.
func TestReplicaDies(t *testing.T) {
	t.Parallel()
	w, second := newReplicas(t)
	running := w.deploy("acme/api", "production", "forever")
	p := w.pipeline(running)
	waiting := w.deploy("acme/api", "production", "success")
	w.waitStatus(running, "in_progress")
	w.waitLog("deployment accepted", number(waiting))
	g := w.ciFaults.block(circleci.OpTrigger, "", true)
	triggering := w.deploy("acme/web", "production", "success")
	g.wait(t)
	w.kill()
	died := time.Now()
	w.finish(p, "failed")
	second.ends(running, "failure", "")
	second.ends(waiting, "success", "")
	second.ends(triggering, "success", "")
	t.Logf("all that the dead one had in its hands had ended after %v", time.Since(died).Round(time.Millisecond))
}

// A delivery that reaches both replicas at once is one deployment.
func TestDeliveryToBothReplicas(t *testing.T) {
	t.Parallel()
	w, second := newReplicas(t)
	w.gh.AddRepository("acme/api")
	w.gh.Hooks().Next("deployment", lose, 5)
	for _, environment := range []string{"a", "b", "c", "d", "e"} {
		d := w.deploy("acme/api", environment, "success")
		body := w.gh.EventBody(d.ID)
		header := signed("deployment", body)
		codes := make([]int, 2)
		var both sync.WaitGroup
		for i, one := range []*world{w, second} {
			both.Go(func() { codes[i], _ = one.send(http.MethodPost, "/webhooks/github", body, header) })
		}

		both.Wait()
		if slices.Sort(codes); !slices.Equal(codes, []int{http.StatusOK, http.StatusAccepted}) {
			t.Errorf("%s: %v", environment, codes)
		}

		w.ends(d, "success", "")
	}
}
