package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// TestCrash_DuringBurst kills the program while many webhooks come in at once. It checks that each
// deployment whose webhook was answered runs once, and that each other one is accepted when GitHub
// delivers its webhook again.
func TestCrash_DuringBurst(t *testing.T) {
	const n = 200
	h := newHarness(t, setup{}).start()
	h.gh.Hooks().Next("deployment", lostWebhook, n)
	var all []github.Deployment
	for i := range n {
		all = append(all, h.deploy(fmt.Sprintf("acme/r%d", i%20), fmt.Sprintf("review-%d", i), "success"))
	}

	accepted := h.deliverAndKill(all, n*2/3)
	h.kill()
	t.Logf("%d of %d were accepted before the kill", len(accepted), n)
	h.start()

	for _, d := range all {
		answer := h.deliver("deployment", h.gh.EventBody(d.ID))
		if want := "200 duplicate"; accepted[d.ID] && answer != want {
			t.Errorf("second webhook of the accepted deployment %d: got %q, want %q", d.ID, answer, want)
		}
	}

	for _, d := range all {
		h.expectEnd(d, "success", "")
		if got := len(h.pipelines(d)); got != 1 {
			t.Errorf("pipelines of deployment %d: got %d, want 1", d.ID, got)
		}
	}
}

// deliverAndKill delivers the webhooks of all deployments at once, kills the program after a number of
// answers, and returns the deployments that were accepted.
func (h *harness) deliverAndKill(all []github.Deployment, answers int64) map[int64]bool {
	var mu sync.Mutex
	accepted := map[int64]bool{}

	var answered atomic.Int64
	var sending sync.WaitGroup
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: len(all)}}
	for _, d := range all {
		body := h.gh.EventBody(d.ID)
		r, err := http.NewRequest(http.MethodPost, "http://"+h.addr+"/webhooks/github", bytes.NewReader(body))
		if err != nil {
			h.t.Fatal(err)
		}

		r.Header = signed("deployment", body)
		sending.Go(func() {
			answer, err := client.Do(r)
			if err != nil {
				return // the program was killed
			}

			answer.Body.Close() // not read
			if answer.StatusCode == http.StatusAccepted {
				mu.Lock()
				accepted[d.ID] = true
				mu.Unlock()
			}

			if answered.Add(1) == answers {
				h.kill()
			}
		})
	}

	sending.Wait()
	return accepted
}
