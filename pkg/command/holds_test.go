package command

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// The jobs of a pipeline.
func hold(workflow, name, status string) deployment.HoldJob {
	return deployment.HoldJob{
		WorkflowID: workflow,
		Workflow:   workflow,
		Name:       name,
		Request:    workflow + name,
		Status:     status,
	}
}

var (
	plan    = hold("deploy", "check-plan", "on_hold")
	live    = hold("deploy", "go-live", "on_hold")
	liveToo = hold("docs", "go-live", "on_hold")
	past    = hold("deploy", "check-plan", "success")
	again   = deployment.HoldJob{WorkflowID: "rerun", Workflow: "deploy", Name: "go-live", Request: "r2", Status: "on_hold"}
	future  = hold("deploy", "go-live", "blocked")
)

func TestApproveHold(t *testing.T) {
	done := deployment.HoldOutcome{Kind: deployment.HoldDone}
	for _, tt := range []struct {
		name     string
		state    deployment.State // empty: held
		cancel   *deployment.Cancel
		before   []deployment.HoldApproval
		refused  string
		unknown  bool
		jobs     []deployment.HoldJob
		jobsErr  error
		engine   error
		job      string
		outcome  deployment.HoldOutcome // zero: done
		effect   bool
		want     string
		approved string // the job that CircleCI was asked to approve; empty: it was not asked
		more     bool
	}{
		{name: "the only one", jobs: []deployment.HoldJob{live}, want: "done", approved: "deploy/go-live"},
		{
			name:     "in a workflow that runs",
			state:    deployment.Running,
			jobs:     []deployment.HoldJob{past, live},
			want:     "done",
			approved: "deploy/go-live",
		},
		{
			name:     "one of two by name",
			jobs:     []deployment.HoldJob{plan, live},
			job:      "check-plan",
			want:     "done",
			approved: "deploy/check-plan",
			more:     true,
		},
		{
			name: "two and no name",
			jobs: []deployment.HoldJob{plan, live},
			want: "conflict several_held: several jobs wait for an approval: name one of check-plan, go-live",
		},
		{
			name: "two of one name",
			jobs: []deployment.HoldJob{live, liveToo},
			job:  "go-live",
			want: "conflict several_held: several jobs wait for an approval: name one of deploy/go-live, docs/go-live",
		},
		{
			name:     "with its workflow",
			jobs:     []deployment.HoldJob{live, liveToo},
			job:      "docs/go-live",
			want:     "done",
			approved: "docs/go-live",
			more:     true,
		},
		{
			name: "another name",
			jobs: []deployment.HoldJob{plan, future},
			job:  "go\nlive",
			want: `conflict not_held: no job "go live" waits for an approval in CircleCI: name one of check-plan`,
		},
		{
			name: "one whose turn has not come",
			jobs: []deployment.HoldJob{plan, future},
			job:  "go-live",
			want: `conflict not_held: no job "go-live" waits for an approval in CircleCI: name one of check-plan`,
		},
		{name: "none", want: "conflict not_held: no job waits for an approval in CircleCI"},
		{name: "approved already", jobs: []deployment.HoldJob{past}, want: "done"},
		{name: "approved already, by name", jobs: []deployment.HoldJob{past, live}, job: "check-plan", want: "done"},
		{
			name:   "approved here, and ended since",
			state:  deployment.Succeeded,
			before: []deployment.HoldApproval{{Workflow: "deploy", Job: "go-live", By: bob}},
			job:    "go-live",
			want:   "done",
		},
		{
			name:     "approved here, and waiting again in a workflow that runs again",
			before:   []deployment.HoldApproval{{Workflow: "deploy", Job: "go-live", By: bob}},
			jobs:     []deployment.HoldJob{hold("deploy", "go-live", "success"), again},
			job:      "go-live",
			want:     "done",
			approved: "deploy/go-live",
		},
		{
			name:   "being canceled",
			state:  deployment.Running,
			cancel: &deployment.Cancel{By: bob},
			jobs:   []deployment.HoldJob{live},
			want:   "conflict being_canceled: the deployment is being canceled: none of its jobs can be approved",
		},
		{
			name:  "ended",
			state: deployment.Succeeded,
			jobs:  []deployment.HoldJob{live},
			want:  "conflict not_held: the deployment has succeeded: only a job of a running or held one can be approved",
		},
		{
			name:  "waiting",
			state: deployment.Waiting,
			jobs:  []deployment.HoldJob{live},
			want:  "conflict not_held: the deployment still waits: only a job of a running or held one can be approved",
		},
		{
			name:    "not allowed",
			refused: "alice is not allowed to approve",
			jobs:    []deployment.HoldJob{live},
			want:    "forbidden not_allowed: alice is not allowed to approve",
		},
		{
			name:    "not allowed, and approved already",
			refused: "alice is not allowed to approve",
			before:  []deployment.HoldApproval{{Workflow: "deploy", Job: "go-live", By: bob}},
			job:     "go-live",
			want:    "forbidden not_allowed: alice is not allowed to approve",
		},
		{
			name:    "GitHub away",
			refused: "cannot tell",
			unknown: true,
			jobs:    []deployment.HoldJob{live},
			want:    "unavailable unavailable: cannot tell",
		},
		{
			name:    "CircleCI away",
			jobsErr: errors.New("CircleCI jobs: answer 503"),
			want:    "unavailable unavailable: CircleCI jobs: answer 503; ask again, which does no harm",
		},
		{
			name:   "ended meanwhile",
			jobs:   []deployment.HoldJob{live},
			engine: &deployment.InvalidTransitionError{State: deployment.Canceled, Event: "hold_asked"},
			want:   "conflict too_late: the deployment was canceled: it is too late for that",
		},
		{
			name:     "CircleCI refuses",
			jobs:     []deployment.HoldJob{live},
			outcome:  deployment.HoldOutcome{Kind: deployment.HoldRefused, Cause: "not on hold"},
			want:     "conflict circleci_refused: CircleCI did not take the approval: not on hold",
			approved: "deploy/go-live",
		},
		{
			name:    "token has no right",
			jobs:    []deployment.HoldJob{live},
			outcome: deployment.HoldOutcome{Kind: deployment.HoldDenied, Cause: "answer 403"},
			want: "conflict circleci_refused: CircleCI does not let this service approve: " +
				"check the rights of SERAPH_CIRCLECI_TOKEN's user (answer 403)",
			approved: "deploy/go-live",
		},
		{
			name:     "somebody else was faster",
			jobs:     []deployment.HoldJob{live},
			outcome:  deployment.HoldOutcome{Kind: deployment.HoldRefused, Cause: "not on hold"},
			effect:   true,
			want:     "done",
			approved: "deploy/go-live",
		},
		{
			name:     "answer lost after its effect",
			jobs:     []deployment.HoldJob{live},
			outcome:  deployment.HoldOutcome{Kind: deployment.HoldUnknown, Cause: "CircleCI did not answer"},
			effect:   true,
			want:     "done",
			approved: "deploy/go-live",
		},
		{
			name:     "answer lost before its effect",
			jobs:     []deployment.HoldJob{live},
			outcome:  deployment.HoldOutcome{Kind: deployment.HoldUnknown, Cause: "CircleCI did not answer"},
			want:     "unavailable unavailable: CircleCI did not answer; ask again, which does no harm",
			approved: "deploy/go-live",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, f := newTestService()
			d := &f.deployments.deployment
			d.State, d.Cancel, d.HoldApprovals = tt.state, tt.cancel, tt.before
			if tt.state == "" {
				d.State = deployment.Held
			}
			d.Pipeline = &deployment.Pipeline{ID: "p1"}
			f.gate.refused, f.gate.unknown, f.engine.err = tt.refused, tt.unknown, tt.engine
			f.holds.jobs, f.holds.err = slices.Clone(tt.jobs), tt.jobsErr
			f.holds.outcome, f.holds.effect = tt.outcome, tt.effect
			if tt.outcome.Kind == "" {
				f.holds.outcome = done
			}

			_, err := s.ApproveHold(t.Context(), Caller{By: alice}, 5, tt.job)
			if got := outcome(err); got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}

			var want []string
			if tt.approved != "" {
				want = []string{tt.approved}
			}
			if !slices.Equal(f.holds.approved, want) {
				t.Errorf("got approved %v, want %v", f.holds.approved, want)
			}
			if tt.approved == "" || tt.want != "done" {
				return
			}

			wantHoldRecorded(t, f.engine, tt.approved, tt.more)
		})
	}
}

// wantHoldRecorded fails unless alice's approval is in the audit, was noted before CircleCI was called, and
// after it.
func wantHoldRecorded(t *testing.T, e *fakeEngine, job string, more bool) {
	t.Helper()
	if len(e.events) != 1 || e.events[0].Kind != deployment.AuditHold || e.events[0].Actor != alice {
		t.Errorf("got audit %+v, want alice's approval", e.events)
	}
	if len(e.holds) != 2 {
		t.Fatalf("got events %+v, want two", e.holds)
	}

	asked, _ := e.holds[0].(deployment.HoldAsked)
	approved, _ := e.holds[1].(deployment.HoldApproved)
	if asked.By != alice || asked.Workflow+"/"+asked.Job != job {
		t.Errorf("got %+v, want alice to ask for %s", asked, job)
	}
	if approved.By != alice || approved.Workflow+"/"+approved.Job != job || approved.MoreWait != more {
		t.Errorf("got %+v, want %s approved by alice, more wait: %t", approved, job, more)
	}
}

// An approval that is under way is recorded also where its caller has gone.
func TestApproveHold_CallerGone(t *testing.T) {
	s, f := newTestService()
	f.deployments.deployment.State = deployment.Held
	f.deployments.deployment.Pipeline = &deployment.Pipeline{ID: "p1"}
	f.holds.jobs = []deployment.HoldJob{live}
	f.holds.outcome = deployment.HoldOutcome{Kind: deployment.HoldDone}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.ApproveHold(ctx, Caller{By: alice}, 5, ""); err != nil || len(f.engine.holds) != 2 {
		t.Errorf("got %v with %d events, want both", err, len(f.engine.holds))
	}
}
