package chaos

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// restoration is when an old backup came back, and what it cannot know of. The zero value is a run
// without.
type restoration struct {
	putBack          func()
	copied, down, up time.Time
	forgotten        map[int64]bool // deployments that came in after the copy was made, of which GitHub has a status
	rolledBack       map[int64]bool // those that the copy knows, and that GitHub heard of since
}

// backUp copies the database while all goes on.
func (w *world) backUp(t *testing.T, _ *rand.Rand) {
	w.hush.Lock() // a start that fails for the copy's sake is nobody's fault
	defer w.hush.Unlock()
	w.restored.copied = time.Now()
	w.restored.putBack = w.copyDatabase(t)
}

// restore puts the copy in the place of the live database.
//
// What a restored Seraph must not do is to run anything twice, and all it can go by are GitHub's
// statuses (deploy/docs/operate.md). So the processes go down at a moment when GitHub has heard of
// every pipeline there is. In another moment a deployment that is neither in the backup nor has a
// status would be taken for a new one.
func (w *world) restore(t *testing.T, _ *rand.Rand) {
	w.hush.Lock()
	defer w.hush.Unlock()
	w.plans[atGitHub].Clear("")
	for range 90 {
		if w.settled() && w.swap(t) {
			break
		}

		pause(t.Context(), 500*time.Millisecond)
	}

	if w.restored.up.IsZero() {
		t.Error("there was no moment to restore the backup: some pipeline always ran that GitHub had not heard of")
	}

	w.again.Store(true)
	w.misbehave()
	if !w.onSQLite() {
		w.oversleep(t)
	}
}

// swap takes the processes down and puts the backup in, if the moment still is good.
func (w *world) swap(t *testing.T) bool {
	release := w.hold()
	defer release()
	down := time.Now()
	pause(t.Context(), slowest+time.Second) // what was under way may take effect without its caller
	if !w.settled() {
		return false
	}

	w.restored.putBack()
	w.restored.down, w.restored.up = down, time.Now()
	w.restored.forgotten, w.restored.rolledBack = map[int64]bool{}, map[int64]bool{}
	for _, e := range w.gather(t) {
		since := slices.IndexFunc(e.Statuses, func(s status) bool { return !s.At.Before(w.restored.copied) })
		switch {
		case since < 0: // GitHub heard nothing new
		case since == 0 && !e.acceptedBefore(w.restored.copied):
			w.restored.forgotten[e.ID] = true
		default:
			w.restored.rolledBack[e.ID] = true
		}
	}

	t.Logf(
		"%s restored a backup that is %s old: it forgot %d deployments, and what happened to %d others",
		clock(
			w.restored.up,
		),
		w.restored.up.Sub(w.restored.copied).Round(time.Millisecond),
		len(w.restored.forgotten),
		len(w.restored.rolledBack),
	)

	return true
}

// settled says whether GitHub has heard of every pipeline, and none runs.
func (w *world) settled() bool {
	heard := map[string]time.Time{}
	for _, d := range w.github.Deployments() {
		if list := told(d); len(list) > 0 {
			heard[number(d.ID)] = list[len(list)-1].At
		}
	}

	return !slices.ContainsFunc(w.circleci.Pipelines(), func(p circleci.Pipeline) bool {
		id, ours := p.Parameters["deployment_id"].(string)
		began := w.real(p.CreatedAt)
		return ours && (time.Since(began) < longestStory || heard[id].Before(began))
	})
}

// longestStory is how long a pipeline runs at most.
const longestStory = 3 * time.Second

// forgot says whether a restored database cannot know of a deployment. GitHub has a status of it,
// so recovery leaves it alone, and what GitHub has heard is all it hears.
func (r restoration) forgot(id int64) bool { return r.forgotten[id] }

// behind says whether GitHub has heard more of a deployment than the restored database knows.
func (r restoration) behind(id int64) bool { return r.forgotten[id] || r.rolledBack[id] }
