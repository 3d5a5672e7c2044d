package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// claim asks as the first step of a job does and returns the answer's code.
func (w *world) claim(key, pipeline string) int {
	w.t.Helper()
	body := fmt.Appendf(nil, `{"key":%q,"pipeline":%q}`, key, pipeline)
	code, _ := w.send(http.MethodPost, "/webhooks/claim", body, http.Header{"Content-Type": {"application/json"}})
	return code
}

func (w *world) claims(what, key, pipeline string, want int) {
	w.t.Helper()
	if got := w.claim(key, pipeline); got != want {
		w.t.Errorf("%s: %d, want %d", what, got, want)
	}
}

// The first pipeline that presents the key is the deployment's, even before CircleCI has answered
// the trigger. Every other must stop.
func TestClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{env: map[string]string{"CIRCLECI_TIMEOUT": "10s"}}).start()
	g := w.ciFaults.block(circleci.OpTrigger, "", true)
	d := w.deploy("acme/api", "production", "forever")
	g.wait(t)
	p := w.pipeline(d)
	key := fmt.Sprint(p.Parameters[circleci.KeyParameter])
	w.claims("an unknown key", uuid.NewString(), p.ID, 404)
	w.claims("no key", "", p.ID, 400)
	w.claims("the first pipeline", key, p.ID, 200)
	w.claims("the same one again", key, p.ID, 200)
	w.claims("a second pipeline", key, uuid.NewString(), 409)
	close(g.open)
	w.waitStatus(d, "in_progress")
	w.claims("the same one after the answer", key, p.ID, 200)
	w.claims("a second pipeline after the answer", key, uuid.NewString(), 409)
	w.finish(p, "success")
	w.ends(d, "success", "")
	w.claims("another pipeline after the end", key, uuid.NewString(), 409)
}

// A deployment that ended without a pipeline is claimed by nobody: CircleCI refused it, so a job
// that has its key is a mistake.
func TestClaimAfterRefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	w.ends(w.deploy("acme/api", "production", "blocked"), "error", "New work is blocked")
	key := fmt.Sprint(w.ci.Triggers()[0].Parameters[circleci.KeyParameter])
	w.claims("a pipeline", key, uuid.NewString(), 409)
}

// With jobs that claim, each pipeline of the deployments that ran has got as far as deploying.
func TestJobsThatClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{claims: true}).start()
	first, second := w.deploy("acme/api", "production", "success"), w.deploy("acme/api", "staging", "fail")
	w.ends(first, "success", "")
	w.ends(second, "failure", "Workflow deploy failed")
	if n := len(w.ci.Deployed()); n != 2 {
		t.Errorf("%d pipelines deployed, want 2", n)
	}
}
