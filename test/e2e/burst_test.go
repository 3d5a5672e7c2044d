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

// When the power fails while many webhooks come in at once, each one that was answered runs once, and
// each one that was not is accepted when GitHub delivers it again.
func TestBurst_PowerFailure(t *testing.T) {
	const n = 200
	w := newWorld(t, setup{}).start()
	w.gh.Hooks().Next("deployment", lose, n)
	var all []github.Deployment
	for i := range n {
		all = append(all, w.deploy(fmt.Sprintf("acme/r%d", i%20), fmt.Sprintf("review-%d", i), "success"))
	}

	promised := w.rush(all, n*2/3)
	w.kill()
	t.Logf("%d of %d were accepted before the power failed", len(promised), n)
	w.start()
	for _, d := range all {
		answer := w.hook("deployment", w.gh.EventBody(d.ID))
		if want := "200 duplicate"; promised[d.ID] && answer != want {
			t.Errorf("deployment %d was promised, and answered %q when it came again", d.ID, answer)
		}
	}

	for _, d := range all {
		w.ends(d, "success", "")
		if got := len(w.pipelines(d)); got != 1 {
			t.Errorf("deployment %d has %d pipelines", d.ID, got)
		}
	}
}

// rush sends the webhooks of all at once, has the power fail when so many are answered, and says
// which were taken.
func (w *world) rush(all []github.Deployment, enough int64) map[int64]bool {
	var mu sync.Mutex
	var answered atomic.Int64
	var sending sync.WaitGroup
	promised := map[int64]bool{}
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: len(all)}}
	for _, d := range all {
		body := w.gh.EventBody(d.ID)
		r, err := http.NewRequest(http.MethodPost, "http://"+w.addr+"/webhooks/github", bytes.NewReader(body))
		if err != nil {
			w.t.Fatal(err)
		}

		r.Header = signed("deployment", body)
		sending.Go(func() {
			answer, err := client.Do(r)
			if err != nil {
				return // the power has failed
			}

			answer.Body.Close() // nothing of it is read
			if answer.StatusCode == http.StatusAccepted {
				mu.Lock()
				promised[d.ID] = true
				mu.Unlock()
			}

			if answered.Add(1) == enough {
				w.kill()
			}
		})
	}

	sending.Wait()
	return promised
}
