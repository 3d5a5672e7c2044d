package chaos

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// verify compares what the simulators saw with what Seraph promises.
func (h *harness) verify(t *testing.T) {
	all := h.collect(t)
	for _, e := range all {
		if broken := h.violations(e, all); len(broken) > 0 {
			t.Errorf("deployment %d (%s %s): %s\n%s",
				e.ID, e.Repository, e.Environment, strings.Join(broken, "; "), h.describe(e))
		}
	}

	for key, ids := range h.circleci.ByParameter("seraph_key") {
		if len(ids) > 1 {
			t.Errorf("key %s: got %d pipelines, want 1: %v", key, len(ids), ids)
		}
	}

	h.verifySlots(t, all)
	h.verifyJudged(t, all)
	h.verifyForged(t)
	h.verifyInconclusive(t, all)
	h.verifyExits(t)

	for _, v := range append(h.github.Violations(), h.circleci.Violations()...) {
		t.Errorf("the simulator reports a violation: %s", v)
	}

	canceled := func(f circleci.Workflow) bool { return f.Status == "canceled" }
	for _, id := range h.unrelatedIDs {
		if p, _ := h.circleci.Pipeline(id); slices.ContainsFunc(p.Workflows, canceled) {
			t.Errorf("the unrelated pipeline %s was canceled", id)
		}
	}

	h.summarize(t, all)
}

// violations returns the promises that were broken for one deployment.
func (h *harness) violations(e *evidence, all []*evidence) []string {
	if e.Environment == unrouted {
		return nil // verifyForged
	}

	broken := append(h.outOfOrder(e), e.wrongLinks()...)
	add := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	if len(e.pipelines) > 1 {
		add("got %d pipelines, want 1", len(e.pipelines))
	}

	switch {
	case strings.HasPrefix(e.last().Description, "duplicate of #"):
		return broken // another deployment of the same order runs
	case h.unchangedSinceRestore(e), h.restored.alreadyHandled(e), h.superseded(e, all), e.inconclusive():
		return broken // correctly has no final status, or one that is not its pipeline's
	case len(e.Statuses) == 0 && !e.accepted.IsZero():
		add("accepted and lost")
	case len(e.Statuses) == 0:
		add("not accepted, and never found in GitHub's list")
	case !ended(e.Deployment):
		add("has not ended")
	case h.judged.mustNotRun(e.ID):
		broken = append(broken, h.wronglyRan(e)...)
	case e.movedBeforeTrigger(h):
		return broken
	case len(e.pipelines) == 0 && e.scenario() == "odd-refusal" && e.last().State == "error":
		return broken // CircleCI refused it
	case len(e.pipelines) == 0 && e.inDoubt():
		return broken // verifyInconclusive bounds how many there are
	case len(e.pipelines) == 0:
		add("ended without a pipeline")
	case e.last().State != finalStates[e.pipelines[0].Scenario]:
		scenario := e.pipelines[0].Scenario
		add("got final state %s, want %s for scenario %s", e.last().State, finalStates[scenario], scenario)
	}

	return broken
}

// outOfOrder returns the statuses of a lower rank than the previous one, and those that repeat the
// previous one. A restored database does not know what GitHub received after the backup, so for such a
// deployment the order begins again after the restore.
func (h *harness) outOfOrder(e *evidence) []string {
	var broken []string
	for i := 1; i < len(e.Statuses); i++ {
		before, s := e.Statuses[i-1], e.Statuses[i]
		if h.restored.isBetween(e.ID, before.At, s.At) {
			continue
		}

		if rank[s.State] < rank[before.State] || rank[before.State] == 3 {
			broken = append(broken, fmt.Sprintf("%s after %s", s.State, before.State))
		}

		same := s.State == before.State && s.Description == before.Description && s.LogURL == before.LogURL
		if rank[s.State] > 1 && same {
			broken = append(broken, s.State+" written twice")
		}
	}

	return broken
}

// wrongLinks returns the links that lead to the pipeline of another deployment.
func (e *evidence) wrongLinks() []string {
	var broken []string
	for _, s := range e.Statuses {
		own := func(p circleci.Pipeline) bool {
			return strings.HasSuffix(s.LogURL, fmt.Sprintf("%s/%d", p.Project, p.Number))
		}
		if s.State == "in_progress" && !slices.ContainsFunc(e.pipelines, own) {
			broken = append(broken, "in_progress links to "+s.LogURL)
		}
	}

	return broken
}

// superseded reports whether a deployment that became known late was correctly rejected, because a newer
// one of its environment had started. Its trigger may come a little later, or never, if the process is
// killed in between. That it had started may also be among what a restored database does not contain.
func (h *harness) superseded(e *evidence, all []*evidence) bool {
	if len(e.pipelines) > 0 || !strings.HasPrefix(e.last().Description, "superseded by #") {
		return false
	}

	return slices.ContainsFunc(all, func(o *evidence) bool {
		return o.slot() == e.slot() && o.ID > e.ID && e.last().Description == fmt.Sprintf("superseded by #%d", o.ID) &&
			(len(o.calls) > 0 && o.calls[0].at.Before(e.last().At) || h.wasTriggering(o, e.last().At) ||
				h.restored.lost(o.ID, e.last().At))
	})
}

// wasTriggering reports whether the timeline of a deployment shows that its trigger began before a moment.
func (h *harness) wasTriggering(e *evidence, moment time.Time) bool {
	_, text := h.processes[0].get("/api/v1/deployments/"+formatID(e.ID), apiToken)
	type entry struct {
		At    time.Time
		Event string
	}
	var row struct{ Timeline []entry }

	return json.Unmarshal([]byte(text), &row) == nil && slices.ContainsFunc(row.Timeline, func(e entry) bool {
		return e.Event == "triggering" && e.At.Before(moment.Add(maxClockError))
	})
}

// inDoubt reports whether a deployment was given up because Seraph could not find out whether CircleCI
// had started it.
func (e *evidence) inDoubt() bool {
	return strings.Contains(e.last().Description, "may have started it")
}

// inconclusive reports whether a deployment without a key ended in doubt, whether or not it has a pipeline.
func (e *evidence) inconclusive() bool { return withoutKey(e.Repository) && e.inDoubt() }

// verifyInconclusive checks that without a key, too, Seraph nearly always finds what CircleCI had
// started: at most 2 % of the triggers without a good answer may end as inconclusive although there is a
// pipeline. Without a key nobody can prove that there is none, so the other inconclusive ends are right.
// With a key a deployment that has no pipeline ends so only where no pipeline of the project has shown its
// key yet, or two whose configuration did not compile may be its own: at most one in a hundred. Each is logged.
func (h *harness) verifyInconclusive(t *testing.T, all []*evidence) {
	failedCalls, withPipeline, withoutPipeline, withKey := 0, 0, 0, 0
	for _, e := range all {
		if !withoutKey(e.Repository) {
			if e.inDoubt() {
				withKey++
				t.Logf("in doubt with a key: deployment %d\n%s", e.ID, h.describe(e))
			}

			continue
		}

		for _, c := range e.calls {
			if c.status != 201 {
				failedCalls++
			}
		}

		switch {
		case e.inconclusive() && len(e.pipelines) > 0:
			withPipeline++
		case e.inconclusive():
			withoutPipeline++
		}
	}

	t.Logf("without a key: %d triggers without a good answer; inconclusive: %d with a pipeline, %d without",
		failedCalls, withPipeline, withoutPipeline)
	if withPipeline*50 > failedCalls {
		t.Errorf("inconclusive with a pipeline: got %d, want at most 2 %% of %d triggers", withPipeline, failedCalls)
	}

	t.Logf("with a key: %d inconclusive", withKey)
	if withKey > max(1, len(all)/100) {
		t.Errorf("inconclusive with a key: got %d, want at most 1 %% of %d deployments", withKey, len(all))
	}
}

// run is one pipeline in its environment.
type run struct {
	*evidence
	began, end time.Time
}

// runs returns all pipelines by environment, oldest first.
func runs(all []*evidence) map[string][]run {
	slots := map[string][]run{}
	for _, e := range all {
		for _, p := range e.pipelines {
			r := run{evidence: e, began: p.CreatedAt, end: p.CreatedAt}
			for _, flow := range p.Workflows {
				if flow.StoppedAt.After(r.end) {
					r.end = flow.StoppedAt
				}
			}

			slots[e.slot()] = append(slots[e.slot()], r)
		}
	}

	for _, list := range slots {
		slices.SortFunc(list, func(a, b run) int { return a.began.Compare(b.began) })
	}

	return slots
}

// verifySlots checks that no environment had two pipelines at the same time, and none after one of a
// newer deployment. A restored database does not know that the newer one ran, so it cannot stop an older one
// that becomes known later. Nothing runs while a backup is restored; but what runs when a
// standby takes over, and began after its last commit, is not known to it either.
func (h *harness) verifySlots(t *testing.T, all []*evidence) {
	for slot, list := range runs(all) {
		for i := 1; i < len(list); i++ {
			before, after := list[i-1], list[i]
			both := func() string { return h.describe(before.evidence) + h.describe(after.evidence) }
			unknown := h.restored.isBetween(before.ID, before.began, after.began)
			if after.began.Before(before.end) && !unknown {
				t.Errorf("%s: deployments %d and %d ran at the same time\n%s", slot, before.ID, after.ID, both())
			}
			if after.ID < before.ID && !unknown {
				t.Errorf("%s: deployment %d ran after %d\n%s", slot, after.ID, before.ID, both())
			}
		}
	}
}

// verifyExits checks that no process ended by itself, except for lack of a database at its start.
func (h *harness) verifyExits(t *testing.T) {
	for _, p := range h.processes {
		p.mu.Lock()
		for _, e := range p.exits {
			if e.code != 0 && !h.causedByOutage(e) {
				t.Errorf("%s ran from %s to %s: got exit code %d, want 0:\n%s",
					p.name, formatTime(e.began), formatTime(e.ended), e.code, tail(p.readLog(), 30))
			}
		}

		p.mu.Unlock()
	}
}

// summarize logs what the run consisted of.
func (h *harness) summarize(t *testing.T, all []*evidence) {
	accepted, superseded, handled, unchanged, neverRan := 0, 0, 0, 0, 0
	for _, e := range all {
		if !e.accepted.IsZero() {
			accepted++
		}
		if h.superseded(e, all) {
			superseded++
		}
		if h.restored.alreadyHandled(e) {
			handled++
		}
		if h.unchangedSinceRestore(e) {
			unchanged++
			if len(e.pipelines) == 0 {
				neverRan++
			}
		}
	}

	diskFull := h.countLogLines("disk is full") + h.countLogLines("read-only transaction")
	t.Logf("%d deployments, %d accepted by webhook, %d superseded", len(all), accepted, superseded)
	t.Logf("restored: %d already handled, %d unchanged, of which %d never ran", handled, unchanged, neverRan)
	t.Logf("%d triggers, %d pipelines, %d of them unrelated; %d calls to GitHub, %d to CircleCI",
		len(h.triggers.all()), len(h.circleci.Pipelines()), len(h.unrelatedIDs),
		sum(h.github.Calls()), sum(h.circleci.Calls()))
	t.Logf("%d starts without a database, %d log lines about a full disk", h.failedStarts(), diskFull)
}

func (h *harness) failedStarts() int {
	n := 0
	for _, p := range h.processes {
		p.mu.Lock()
		n += len(slices.DeleteFunc(slices.Clone(p.exits), func(e exit) bool { return e.code == 0 }))
		p.mu.Unlock()
	}
	return n
}

func sum(calls map[string]int) int {
	total := 0
	for _, n := range calls {
		total += n
	}
	return total
}
