package chaos

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// How many deployments a standby does not learn of, and how often a moment for the fail-over is looked for.
const (
	lostDeployments = 6
	standbyTries    = 90
)

// failOver replaces the database by a copy that is some seconds older, while the processes go on. To them
// it is a standby that took over without the last commits.
//
// As after the restore of a backup, nothing may run twice, and GitHub's statuses are all that Seraph can
// rely on. So the database goes down at a moment when GitHub has a status for every pipeline.
func (h *harness) failOver(t *testing.T, _ *rand.Rand) {
	h.quiet.Lock()
	defer h.quiet.Unlock()

	h.stopCallFaults() // a lost answer would leave a pipeline without a status for minutes
	defer h.startCallFaults()
	for try := range standbyTries {
		if h.everyPipelineReported() && h.replaceByStandby(t, try) {
			return
		}
		pause(t.Context(), time.Second)
	}

	t.Error("got no moment for a fail-over, want one in which GitHub has a status for every pipeline")
}

// replaceByStandby copies the database, lets the cluster work on, and then puts the copy in the place of
// the database, unless GitHub lacks the status of a pipeline.
func (h *harness) replaceByStandby(t *testing.T, try int) bool {
	r := &restoration{copied: time.Now()}
	putBack := h.copyDatabase(t)

	for i := range lostDeployments {
		h.deploy(t, lostIndex+try*lostDeployments+i)
	}
	pause(t.Context(), time.Second)

	end := h.beginOutage()
	defer end()
	allow := h.refuseConnections(t)
	r.down = time.Now()
	pause(t.Context(), maxDelay+time.Second) // calls in progress may take effect without being recorded
	if !h.everyPipelineReported() {
		allow()
		return false
	}

	putBack()
	r.up = time.Now()
	h.classify(t, r)
	t.Logf("%s a standby took over that lacks %s: it does not know %d deployments and the progress of %d others",
		formatTime(r.up), r.down.Sub(r.copied).Round(time.Millisecond), len(r.forgotten), len(r.rolledBack))
	return true
}

// everyPipelineReported reports whether GitHub has a status for every pipeline.
func (h *harness) everyPipelineReported() bool {
	reported := h.lastStatuses()
	return !slices.ContainsFunc(h.circleci.Pipelines(), func(p circleci.Pipeline) bool {
		id, ours := p.Parameters["deployment_id"].(string)
		return ours && reported[id].Before(h.localTime(p.CreatedAt))
	})
}
