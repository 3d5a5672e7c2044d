package chaos

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

// judge compares what happened with what was promised.
func (w *world) judge(t *testing.T) {
	all := w.gather(t)
	for _, e := range all {
		if faults := w.faults(e, all); len(faults) > 0 {
			t.Errorf(
				"deployment %d (%s %s): %s\n%s",
				e.ID,
				e.Repository,
				e.Environment,
				strings.Join(faults, "; "),
				w.story(e),
			)
		}
	}

	for key, ids := range w.circleci.ByParameter("seraph_key") {
		if len(ids) > 1 {
			t.Errorf("key %s ran %d times: %v", key, len(ids), ids)
		}
	}

	w.judgeSlots(t, all)
	w.judgeDoubts(t, all)
	w.judgeExits(t)
	for _, v := range append(w.github.Violations(), w.circleci.Violations()...) {
		t.Errorf("violation: %s", v)
	}

	for _, id := range w.strange {
		if p, _ := w.circleci.Pipeline(id); slices.ContainsFunc(
			p.Workflows,
			func(f circleci.Workflow) bool { return f.Status == "canceled" },
		) {
			t.Errorf("the stranger's pipeline %s was canceled", id)
		}
	}

	w.summarize(t, all)
}

// faults are the promises that were broken to one deployment.
func (w *world) faults(e *evidence, all []*evidence) []string {
	faults := append(w.outOfOrder(e), e.misled()...)
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if len(e.pipelines) > 1 {
		fault("ran %d times", len(e.pipelines))
	}

	switch {
	case w.left(e), w.restored.handled(e), e.overtaken(all), e.doubted():
		return faults // it rightly has no end, or one that is not its pipeline's
	case len(e.Statuses) == 0 && !e.accepted.IsZero():
		fault("accepted and lost")
	case len(e.Statuses) == 0:
		fault("not accepted, and never found in GitHub's list")
	case !ended(e.Deployment):
		fault("has not ended")
	case len(e.pipelines) == 0:
		fault("ended, and never ran")
	case e.last().State != stories[e.pipelines[0].Scenario]:
		fault(
			"its pipeline's story is %s, so it should end with %s",
			e.pipelines[0].Scenario,
			stories[e.pipelines[0].Scenario],
		)
	}

	return faults
}

// outOfOrder are the statuses that go back, or repeat the one before. A restored database does not
// know what GitHub heard since the copy was made: for such a deployment the order begins anew.
func (w *world) outOfOrder(e *evidence) []string {
	var faults []string
	for i := 1; i < len(e.Statuses); i++ {
		before, s := e.Statuses[i-1], e.Statuses[i]
		if up := w.restored.up; w.restored.behind(e.ID) && before.At.Before(up) && s.At.After(up) {
			continue
		}
		if rank[s.State] < rank[before.State] || rank[before.State] == 3 {
			faults = append(faults, fmt.Sprintf("%s after %s", s.State, before.State))
		}
		if rank[s.State] > 1 && s.State == before.State && s.Description == before.Description &&
			s.LogURL == before.LogURL {
			faults = append(faults, s.State+" told twice")
		}
	}

	return faults
}

// misled are the links that lead to another deployment's pipeline.
func (e *evidence) misled() []string {
	var faults []string
	for _, s := range e.Statuses {
		own := func(p circleci.Pipeline) bool {
			return strings.HasSuffix(s.LogURL, fmt.Sprintf("%s/%d", p.Project, p.Number))
		}
		if s.State == "in_progress" && !slices.ContainsFunc(e.pipelines, own) {
			faults = append(faults, "in_progress links to "+s.LogURL)
		}
	}

	return faults
}

// overtaken says whether a deployment that came to light late was rightly rejected: a newer one of
// its environment had started.
func (e *evidence) overtaken(all []*evidence) bool {
	if len(e.pipelines) > 0 || !strings.HasPrefix(e.last().Description, "superseded by #") {
		return false
	}
	return slices.ContainsFunc(all, func(o *evidence) bool {
		return o.slot() == e.slot() && o.ID > e.ID && e.last().Description == fmt.Sprintf("superseded by #%d", o.ID) &&
			len(o.calls) > 0 && o.calls[0].at.Before(e.last().At)
	})
}

// handled says whether a deployment that the restored database believed to wait was rightly let
// alone, because GitHub knew better (deploy/docs/failures.md, "an old
// backup is restored").
func (r restoration) handled(e *evidence) bool {
	return r.behind(e.ID) && e.last().At.After(r.up) && e.last().State == "error" &&
		strings.HasPrefix(e.last().Description, "already handled: GitHub has a status") &&
		!slices.ContainsFunc(e.pipelines, func(p circleci.Pipeline) bool { return p.CreatedAt.After(r.down) })
}

// left says whether a deployment stands where the restore found it.
func (w *world) left(e *evidence) bool {
	return w.restored.forgot(e.ID) && !ended(e.Deployment) && !e.last().At.After(w.restored.up)
}

// doubted says whether a deployment was given up because nothing tells whether CircleCI started it.
// Only a route without a key may.
func (e *evidence) doubted() bool {
	return withoutKey(e.Repository) && strings.Contains(e.last().Description, "may have started it")
}

// judgeDoubts holds that without a key, too, what CircleCI had started is nearly always found:
// doubt about a pipeline that is there comes with at most 2 % of the triggers that were not
// answered well. That there is none cannot be proven without a key, so other doubt is right.
func (w *world) judgeDoubts(t *testing.T, all []*evidence) {
	faulted, there, none := 0, 0, 0
	for _, e := range all {
		if !withoutKey(e.Repository) {
			continue
		}

		for _, c := range e.calls {
			if c.answer != 201 {
				faulted++
			}
		}

		switch {
		case e.doubted() && len(e.pipelines) > 0:
			there++
		case e.doubted():
			none++
		}
	}

	t.Logf(
		"without a key: %d triggers not answered well; doubt about %d pipelines that are there and %d that are not",
		faulted,
		there,
		none,
	)

	if there*50 > faulted {
		t.Errorf("doubt about %d pipelines that are there, more than 2 %% of %d triggers", there, faulted)
	}
}

// run is one pipeline in its environment.
type run struct {
	*evidence
	began, end time.Time
}

// runs are all pipelines by environment, oldest first.
func runs(all []*evidence) map[string][]run {
	slots := map[string][]run{}
	for _, e := range all {
		for _, p := range e.pipelines {
			r := run{e, p.CreatedAt, p.CreatedAt}
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

// judgeSlots holds that no environment had two pipelines at a time, and none of them after a newer
// deployment's. A restored database does not know that a forgotten one ran, so it cannot hold back
// an older one that comes to light later; nothing ran at the restore itself.
func (w *world) judgeSlots(t *testing.T, all []*evidence) {
	for slot, list := range runs(all) {
		for i := 1; i < len(list); i++ {
			before, after := list[i-1], list[i]
			stories := func() string { return w.story(before.evidence) + w.story(after.evidence) }
			if after.began.Before(before.end) {
				t.Errorf("%s: deployments %d and %d ran at the same time\n%s", slot, before.ID, after.ID, stories())
			}
			if after.ID < before.ID && !(w.restored.forgot(before.ID) && after.began.After(w.restored.up)) {
				t.Errorf("%s: deployment %d ran after %d\n%s", slot, after.ID, before.ID, stories())
			}
		}
	}
}

// judgeExits holds that no process ended by itself, unless it had no database to start with.
func (w *world) judgeExits(t *testing.T) {
	for _, p := range w.processes {
		p.mu.Lock()
		for _, e := range p.exits {
			if e.code != 0 && !w.explains(e) {
				t.Errorf(
					"%s ran from %s to %s and ended with %d:\n%s",
					p.name,
					clock(e.began),
					clock(e.ended),
					e.code,
					tail(p.logged(), 30),
				)
			}
		}

		p.mu.Unlock()
	}
}

// summarize says what the run was made of.
func (w *world) summarize(t *testing.T, all []*evidence) {
	accepted, superseded, handled, left, never := 0, 0, 0, 0, 0
	for _, e := range all {
		for count, is := range map[*int]bool{
			&accepted: !e.accepted.IsZero(), &superseded: e.overtaken(all), &handled: w.restored.handled(e),
			&left: w.left(e), &never: w.left(e) && len(e.pipelines) == 0,
		} {
			if is {
				*count++
			}
		}
	}

	t.Logf(
		"%d deployments, %d accepted by webhook, %d superseded; restored: %d handled already, %d left as they stood, of which %d never ran",
		len(all),
		accepted,
		superseded,
		handled,
		left,
		never,
	)

	t.Logf(
		"%d triggers, %d pipelines, %d of strangers; %d calls to GitHub, %d to CircleCI; %d starts without a database, %d times a full disk",
		len(
			w.tally.all(),
		),
		len(w.circleci.Pipelines()),
		len(w.strange),
		sum(w.github.Calls()),
		sum(w.circleci.Calls()),
		w.failedStarts(),
		w.mentions(
			"disk is full",
		)+w.mentions(
			"read-only transaction",
		),
	)
}

func (w *world) failedStarts() int {
	n := 0
	for _, p := range w.processes {
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
