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

// restoration describes how an older copy took the place of the database, from a backup or as a standby:
// when it was, and what the copy does not contain.
type restoration struct {
	copied, down, up time.Time
	forgotten        map[int64]bool // deployments that came after the backup and have a status at GitHub
	rolledBack       map[int64]bool // deployments of the backup whose status at GitHub is newer
}

// takeBackup copies the database while everything runs.
func (h *harness) takeBackup(t *testing.T, _ *rand.Rand) {
	h.quiet.Lock() // a start may fail while the database is copied, which is no violation
	defer h.quiet.Unlock()
	h.backup = &restoration{copied: time.Now()}
	h.putBackup = h.copyDatabase(t)
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
	h.keepDown()() // what a standby has lost has no status until recovery lists it, which it does at a start

	for range 90 {
		if h.allReported() && h.replaceDatabase(t) {
			break
		}

		pause(t.Context(), 500*time.Millisecond)
	}

	if h.backup.up.IsZero() {
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

	h.putBackup()
	r := h.backup
	r.down, r.up = down, time.Now()
	h.classify(t, r)

	age := r.up.Sub(r.copied).Round(time.Millisecond)
	t.Logf("%s restored a backup of %s ago: it does not contain %d deployments and the progress of %d others",
		formatTime(r.up), age, len(r.forgotten), len(r.rolledBack))
	return true
}

// classify notes what the copy does not contain.
func (h *harness) classify(t *testing.T, r *restoration) {
	t.Helper()
	r.forgotten, r.rolledBack = map[int64]bool{}, map[int64]bool{}
	for _, e := range h.collect(t) {
		since := slices.IndexFunc(e.Statuses, func(s status) bool { return !s.At.Before(r.copied) })
		switch {
		case since < 0: // no newer status
		case since == 0 && !e.acceptedBefore(r.copied):
			r.forgotten[e.ID] = true
		default:
			r.rolledBack[e.ID] = true
		}
	}

	h.restored = append(h.restored, r)
}

// allReported reports whether GitHub has a status for every pipeline, and none runs.
func (h *harness) allReported() bool {
	reported := h.lastStatuses()
	return !slices.ContainsFunc(h.circleci.Pipelines(), func(p circleci.Pipeline) bool {
		id, ours := p.Parameters["deployment_id"].(string)
		began := h.localTime(p.CreatedAt)
		return ours && (time.Since(began) < longestPipeline || reported[id].Before(began))
	})
}

// lastStatuses returns when GitHub got the last status of each deployment.
func (h *harness) lastStatuses() map[string]time.Time {
	reported := map[string]time.Time{}
	for _, d := range h.github.Deployments() {
		if list := ownStatuses(d); len(list) > 0 {
			reported[formatID(d.ID)] = list[len(list)-1].At
		}
	}
	return reported
}

// restorations are those of a run, the oldest first.
type restorations []*restoration

// forgot reports whether a copy did not contain a deployment that GitHub has a status of.
func (all restorations) forgot(id int64) bool {
	return slices.ContainsFunc(all, func(r *restoration) bool { return r.forgotten[id] })
}

// isBetween reports whether a copy that does not know all of a deployment took over between two moments.
func (all restorations) isBetween(id int64, before, after time.Time) bool {
	return slices.ContainsFunc(all, func(r *restoration) bool {
		return r.isOutdated(id) && before.Before(r.up) && after.After(r.up)
	})
}

// lost reports whether a copy that took over later does not contain all that was stored of a deployment at a moment.
func (all restorations) lost(id int64, at time.Time) bool {
	return slices.ContainsFunc(all, func(r *restoration) bool {
		return r.isOutdated(id) && at.After(r.copied) && at.Before(r.up)
	})
}

// forgottenCount returns how many deployments the copies did not contain.
func (all restorations) forgottenCount() int {
	n := 0
	for _, r := range all {
		n += len(r.forgotten)
	}
	return n
}

// isOutdated reports whether GitHub has a newer status of a deployment than the restored database.
func (r *restoration) isOutdated(id int64) bool { return r.forgotten[id] || r.rolledBack[id] }

// alreadyHandled reports whether a deployment that waits in the restored database was correctly left
// alone, because GitHub has a status of it (deploy/docs/failures.md, "an old backup is restored").
func (all restorations) alreadyHandled(e *evidence) bool {
	return slices.ContainsFunc(all, func(r *restoration) bool {
		return r.isOutdated(e.ID) && e.last().At.After(r.up) && e.last().State == "error" &&
			strings.HasPrefix(e.last().Description, "already handled: GitHub has a status") &&
			!slices.ContainsFunc(e.pipelines, func(p circleci.Pipeline) bool { return p.CreatedAt.After(r.down) })
	})
}

// unchangedSinceRestore reports whether a deployment that the backup does not contain still has the
// status it had at the restore. GitHub has a status of it, so recovery leaves it alone.
func (h *harness) unchangedSinceRestore(e *evidence) bool {
	return slices.ContainsFunc(h.restored, func(r *restoration) bool {
		return r.forgotten[e.ID] && !ended(e.Deployment) && !e.last().At.After(r.up)
	})
}
