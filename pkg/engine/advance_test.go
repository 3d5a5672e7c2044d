package engine

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// A deployment that is not first in the queue waits for its turn and for nothing else. GitHub, which
// does not answer here, is not asked.
func TestAdvance_QueuedDeploymentDoesNotAskGitHub(t *testing.T) {
	e := newTestEngine(t)
	e.running(t, 1)
	second := e.accept(t, 2, nil)

	d := e.run(t, second.Row, 40*time.Minute)
	if want := "deployment 1 of the same environment"; d.State != deployment.Waiting || d.BlockedBy != want {
		t.Errorf("got %s, waits for %q, want waiting for %q", d.State, d.BlockedBy, want)
	}
}

// A deployment whose problem was known at its acceptance ends at its first step. It does not wait
// for its turn behind the one that runs.
func TestAdvance_ProblemEndsBeforeItsTurn(t *testing.T) {
	const problem = "already handled"

	e := newTestEngine(t)
	e.running(t, 1)
	second := e.accept(t, 2, func(d *deployment.Deployment) { d.Problem = problem })

	d := e.run(t, second.Row, 5*time.Second)
	if d.State != deployment.Errored || d.Reason != problem {
		t.Errorf("got %s %q, want errored %q", d.State, d.Reason, problem)
	}
}

// A trigger of unknown outcome is looked up, even if an earlier attempt left a search for duplicates
// to do.
func TestAdvance_UnconfirmedIsLookedUp(t *testing.T) {
	e := newTestEngine(t)
	d := e.accept(
		t, 1, nil,
		resolved,
		e.startEvent(),
		deployment.TriggerUnknown{},
		deployment.LookupAbsent{},
		e.startEvent(),
		deployment.TriggerUnknown{},
		deployment.LookupFound{Pipeline: deployment.PipelineFacts{ID: "p1"}, By: deployment.ByWindow},
		deployment.PipelineReassigned{},
	)

	d = e.run(t, d.Row, time.Hour)
	if d.State == deployment.Unconfirmed {
		t.Errorf("after an hour and %d look-ups: got %s, want another state", d.Polls, d.State)
	}
}
