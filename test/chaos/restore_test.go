package chaos

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// longestPipeline is the longest that a pipeline runs.
const longestPipeline = 3 * time.Second

// restoration describes the restore of an old backup: when it was, and what the backup does not contain.
// The zero value is a run without a restore.
type restoration struct {
	putBack          func()
	copied, down, up time.Time
	forgotten        map[int64]bool // deployments that came after the backup and have a status at GitHub
	rolledBack       map[int64]bool // deployments of the backup whose status at GitHub is newer
}

// takeBackup copies the database while everything runs.
func (h *harness) takeBackup(t *testing.T, _ *rand.Rand) {
	h.quiet.Lock() // a start may fail while the database is copied, which is no violation
	defer h.quiet.Unlock()
	h.restored.copied = time.Now()
	h.restored.putBack = h.copyDatabase(t)
}

// restore replaces the live database with the backup.
//
// A restored Seraph must not run anything twice, and all it can rely on are GitHub's statuses
// (deploy/docs/operate.md). So the processes go down at a moment when GitHub has a status for every
// pipeline. At another moment a deployment that is neither in the backup nor has a status would be
// taken for a new one.
func (h *harness) restore(t *testing.T, _ *rand.Rand) {
	h.quiet.Lock()
	defer h.quiet.Unlock()

	h.plans[atGitHub].Clear("")
	for range 90 {
		if h.allReported() && h.replaceDatabase(t) {
			break
		}

		pause(t.Context(), 500*time.Millisecond)
	}

	if h.restored.up.IsZero() {
		t.Error("got no moment to restore the backup, want one in which GitHub has a status for every pipeline")
	}

	h.restoreDone.Store(true)
	h.startCallFaults()
	if !h.onSQLite() {
		h.freezePastLease(t)
	}
}

// replaceDatabase stops the processes and restores the backup, unless a pipeline was started meanwhile.
func (h *harness) replaceDatabase(t *testing.T) bool {
	release := h.keepDown()
	defer release()

	down := time.Now()
	pause(t.Context(), maxDelay+time.Second) // calls in progress may take effect without their caller
	if !h.allReported() {
		return false
	}

	h.restored.putBack()
	h.restored.down, h.restored.up = down, time.Now()
	h.restored.forgotten, h.restored.rolledBack = map[int64]bool{}, map[int64]bool{}
	for _, e := range h.collect(t) {
		since := slices.IndexFunc(e.Statuses, func(s status) bool { return !s.At.Before(h.restored.copied) })
		switch {
		case since < 0: // no newer status
		case since == 0 && !e.acceptedBefore(h.restored.copied):
			h.restored.forgotten[e.ID] = true
		default:
			h.restored.rolledBack[e.ID] = true
		}
	}

	age := h.restored.up.Sub(h.restored.copied).Round(time.Millisecond)
	t.Logf("%s restored a backup of %s ago: it does not contain %d deployments and the progress of %d others",
		formatTime(h.restored.up), age, len(h.restored.forgotten), len(h.restored.rolledBack))
	return true
}

// allReported reports whether GitHub has a status for every pipeline, and none runs.
func (h *harness) allReported() bool {
	reported := map[string]time.Time{}
	for _, d := range h.github.Deployments() {
		if list := ownStatuses(d); len(list) > 0 {
			reported[formatID(d.ID)] = list[len(list)-1].At
		}
	}

	return !slices.ContainsFunc(h.circleci.Pipelines(), func(p circleci.Pipeline) bool {
		id, ours := p.Parameters["deployment_id"].(string)
		began := h.localTime(p.CreatedAt)
		return ours && (time.Since(began) < longestPipeline || reported[id].Before(began))
	})
}

// isOutdated reports whether GitHub has a newer status of a deployment than the restored database.
func (r restoration) isOutdated(id int64) bool { return r.forgotten[id] || r.rolledBack[id] }

// alreadyHandled reports whether a deployment that waits in the restored database was correctly left
// alone, because GitHub has a status of it (deploy/docs/failures.md, "an old backup is restored").
func (r restoration) alreadyHandled(e *evidence) bool {
	return r.isOutdated(e.ID) && e.last().At.After(r.up) && e.last().State == "error" &&
		strings.HasPrefix(e.last().Description, "already handled: GitHub has a status") &&
		!slices.ContainsFunc(e.pipelines, func(p circleci.Pipeline) bool { return p.CreatedAt.After(r.down) })
}

// unchangedSinceRestore reports whether a deployment that the backup does not contain still has the
// status it had at the restore. GitHub has a status of it, so recovery leaves it alone.
func (h *harness) unchangedSinceRestore(e *evidence) bool {
	return h.restored.forgotten[e.ID] && !ended(e.Deployment) && !e.last().At.After(h.restored.up)
}
