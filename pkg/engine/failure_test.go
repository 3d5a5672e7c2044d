package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// oneStep shows one failing step, or does not answer while err is set.
type oneStep struct {
	calls int
	err   error
	saw   func() // called before the answer
}

func (s *oneStep) FailingStep(_ context.Context, w deployment.Workflow) (deployment.StepOutput, error) {
	s.calls++
	if s.saw != nil {
		s.saw()
	}
	return deployment.StepOutput{Workflow: w.Name, Job: "ship", Step: "Push", Output: "denied\n"}, s.err
}

// failing returns a deployment whose pipeline has failed at CircleCI.
func (e *testEngine) failing(t *testing.T, showLogs bool) deployment.Deployment {
	t.Helper()
	e.Poller = &onePipeline{status: "failed"}
	show := func(d *deployment.Deployment) { d.Target.ShowLogs = showLogs }
	return e.accept(t, 1, show, resolved, e.startEvent(), triggered("p1"))
}

// The failing step is read after the end was stored with its report.
func TestFindFailure_AfterTheEnd(t *testing.T) {
	e, circleci := newTestEngine(t), &oneStep{}
	e.Failures = circleci
	d := e.failing(t, true)
	circleci.saw = func() {
		reports, err := e.db.Reports(t.Context(), d.Row)
		if err != nil || len(reports) == 0 || !reports[len(reports)-1].Final {
			t.Errorf("got reports %+v (%v), want the final one stored before CircleCI is asked", reports, err)
		}
	}

	d = e.run(t, d.Row, 5*time.Second)
	if d.State != deployment.Failed || d.Failure == nil || d.Failure.Job != "ship" || d.Failure.Lines[0] != "denied" {
		t.Errorf("got %s with %+v, want failed with the step", d.State, d.Failure)
	}

	e.run(t, d.Row, 10*time.Minute)
	if circleci.calls != 1 {
		t.Errorf("got %d reads, want 1", circleci.calls)
	}
}

// Where CircleCI does not answer, later polls try again for a while. The end stands.
func TestFindFailure_TriedAgain(t *testing.T) {
	e, circleci := newTestEngine(t), &oneStep{err: errors.New("503")}
	e.Failures = circleci
	d := e.failing(t, true)
	if d = e.run(t, d.Row, 5*time.Second); d.State != deployment.Failed || d.Failure != nil {
		t.Fatalf("got %s with %+v, want failed without a step", d.State, d.Failure)
	}

	circleci.err = nil
	if d = e.run(t, d.Row, 2*time.Minute); d.Failure == nil || circleci.calls != 2 {
		t.Errorf("got %+v after %d reads, want the step after two", d.Failure, circleci.calls)
	}
}

func TestFindFailure_GivenUp(t *testing.T) {
	e, circleci := newTestEngine(t), &oneStep{err: errors.New("503")}
	e.Failures = circleci
	d := e.run(t, e.failing(t, true).Row, 11*time.Minute)
	calls := circleci.calls
	circleci.err = nil

	if d = e.run(t, d.Row, time.Hour); d.Failure != nil || circleci.calls != calls {
		t.Errorf("got %+v after %d reads, want none after %d", d.Failure, circleci.calls, calls)
	}
}

// A route without logs costs no read.
func TestFindFailure_NotShown(t *testing.T) {
	e, circleci := newTestEngine(t), &oneStep{}
	e.Failures = circleci
	d := e.run(t, e.failing(t, false).Row, time.Minute)
	if d.State != deployment.Failed || circleci.calls != 0 {
		t.Errorf("got %s after %d reads, want failed after none", d.State, circleci.calls)
	}
}
