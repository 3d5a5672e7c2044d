package deployment

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A cancel ends a waiting deployment at once, and a running one when CircleCI shows that its
// workflows have ended. A workflow that succeeded or failed before the cancel took effect decides.
func TestMachine_Cancel(t *testing.T) {
	cancel := CancelRequested{By: alice, Reason: "wrong commit"}
	poll := func(status string) Event { return polled("created", workflow("deploy", status)) }
	for name, tt := range map[string]struct {
		waiting    bool // else it runs
		events     []Event
		lastAfter  time.Duration // when the last event comes
		wantState  State
		wantReason string
		wantSlot   bool
	}{
		"waiting": {
			waiting:    true,
			events:     []Event{cancel},
			wantState:  Canceled,
			wantReason: "Canceled by alice: wrong commit",
		},
		"waiting, canceled by a rule": {
			waiting:    true,
			events:     []Event{CancelRequested{Reason: "superseded by #43"}},
			wantState:  Canceled,
			wantReason: "Canceled: superseded by #43",
		},
		"running, its workflow still runs": {
			events:    []Event{cancel, poll("running")},
			wantState: Running,
			wantSlot:  true,
		},
		"running, its workflow is canceled": {
			events:     []Event{cancel, poll("running"), poll("canceled")},
			wantState:  Canceled,
			wantReason: "Canceled by alice: wrong commit",
		},
		"running, it succeeded before": {
			events:     []Event{cancel, poll("success")},
			wantState:  Succeeded,
			wantReason: "Deployed",
		},
		"running, it failed before": {
			events:     []Event{cancel, poll("failed")},
			wantState:  Failed,
			wantReason: "Workflow deploy failed",
		},
		"held": {
			events:     []Event{poll("on_hold"), cancel, poll("on_hold"), poll("canceled")},
			wantState:  Canceled,
			wantReason: "Canceled by alice: wrong commit",
		},
		"CircleCI never cancels": {
			events:     []Event{cancel, poll("running")},
			lastAfter:  stopGrace,
			wantState:  Canceled,
			wantReason: "Canceled by alice: wrong commit",
		},
		"CircleCI never answers": {
			events:     []Event{cancel, PollFailed{Cause: "503"}},
			lastAfter:  stopGrace,
			wantState:  Canceled,
			wantReason: "Canceled by alice: wrong commit",
		},
		"requested twice": {
			events:     []Event{cancel, CancelRequested{By: Actor{ID: 2, Login: "bob"}}, poll("canceled")},
			wantState:  Canceled,
			wantReason: "Canceled by alice: wrong commit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newWaiting()
			if !tt.waiting {
				d = newRunning(t)
			}

			last := len(tt.events) - 1
			d, _ = applyAll(t, d, t0, tt.events[:last]...)
			d, _ = applyAll(t, d, t0.Add(tt.lastAfter), tt.events[last])

			if d.State != tt.wantState || d.Reason != tt.wantReason {
				t.Errorf("got %s %q, want %s %q", d.State, d.Reason, tt.wantState, tt.wantReason)
			}
			if got := d.HoldsSlot(); got != tt.wantSlot {
				t.Errorf("got slot held %v, want %v", got, tt.wantSlot)
			}
		})
	}
}

// A cancel that comes while the trigger is in flight waits for the answer, and is carried out at the
// first poll.
func TestMachine_CancelWhileTriggering(t *testing.T) {
	d, _ := applyAll(t, newWaiting(), t0, resolved, start, CancelRequested{By: alice})
	if d.State != Triggering {
		t.Fatalf("got %s, want %s", d.State, Triggering)
	}

	t.Run("answered", func(t *testing.T) {
		d, _ := applyAll(t, d, t0, triggered)
		if d.State != Running {
			t.Errorf("got %s, want %s", d.State, Running)
		}
		if !d.StepDue.Equal(t0) {
			t.Errorf("got the first poll at %s, want it at once, at %s", d.StepDue, t0)
		}
	})

	t.Run("absent", func(t *testing.T) {
		d, _ := applyAll(t, d, t0, TriggerUnknown{Cause: "reset"}, LookupAbsent{}, CancelRequested{By: alice})
		if d.State != Canceled {
			t.Errorf("got %s, want %s", d.State, Canceled)
		}
		if d.DuplicateUntil.IsZero() {
			t.Error("got no watch for the pipeline, which may still come")
		}
	})
}

// Once somebody has asked to cancel, the claim of a job is noted as refused. A pipeline that becomes known only by its
// claim is adopted, so that its workflows can be canceled.
func TestMachine_ClaimWhileBeingCanceled(t *testing.T) {
	cancel := CancelRequested{By: alice}
	claim := Claimed{PipelineID: "p1"}
	failed := polled("created", workflow("deploy", "failed"))

	for _, tt := range []struct {
		name       string
		events     []Event // before the claim
		then       Event   // after it
		want       State
		wantReason string
	}{
		{
			name:       "running, and the job fails",
			events:     []Event{resolved, start, triggered, cancel},
			then:       failed,
			want:       Canceled,
			wantReason: "Canceled by alice",
		},
		{
			name:       "claimed before",
			events:     []Event{resolved, start, claim, triggered, cancel},
			then:       failed,
			want:       Canceled,
			wantReason: "Canceled by alice",
		},
		{
			name:       "while the trigger is in flight",
			events:     []Event{resolved, start, cancel},
			then:       failed,
			want:       Canceled,
			wantReason: "Canceled by alice",
		},
		{
			name:       "while the trigger is looked up",
			events:     []Event{resolved, start, cancel, TriggerUnknown{Cause: "reset"}},
			then:       failed,
			want:       Canceled,
			wantReason: "Canceled by alice",
		},
		{
			name:       "after a look-up that found nothing",
			events:     []Event{resolved, start, cancel, TriggerUnknown{Cause: "reset"}, LookupAbsent{}},
			then:       failed,
			want:       Canceled,
			wantReason: "Canceled by alice",
		},
		{
			name:       "it had succeeded before",
			events:     []Event{resolved, start, triggered, cancel},
			then:       polled("created", workflow("deploy", "success")),
			want:       Succeeded,
			wantReason: "Deployed",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, _ := applyAll(t, newWaiting(), t0, tt.events...)
			claimed, changes, err := machine.Apply(d, claim, t0)
			if err != nil {
				t.Fatal(err)
			}
			if d.Cancel.StoppedJob || !claimed.Cancel.StoppedJob || len(changes.Timeline) == 0 {
				t.Errorf("got %+v, %+v, want the refusal noted", claimed.Cancel, changes.Timeline)
			}
			if _, changes, err = machine.Apply(claimed, claim, t0); err != nil || len(changes.Timeline) > 0 {
				t.Errorf("got %+v, %v for the same claim again, want nothing noted", changes.Timeline, err)
			}

			d, _ = applyAll(t, claimed, t0, tt.then)
			if d.State != tt.want || d.Reason != tt.wantReason {
				t.Errorf("got %s %q, want %s %q", d.State, d.Reason, tt.want, tt.wantReason)
			}
		})
	}
}

// Every description of a deployment that bypassed a rule says so.
func TestMachine_ForceIsShown(t *testing.T) {
	d, _ := applyAll(t, newWaiting(), t0, ForceRequested{Force: Force{By: alice, Reason: "the site is down"}}, resolved)
	const note = "(forced by alice: the site is down) "

	t.Run("needed", func(t *testing.T) {
		forced := Start{SendBefore: t0.Add(SendWindow), Forced: true}
		d, reports := applyAll(t, d, t0, forced, triggered, polled("created", workflow("deploy", "success")))
		if !d.Forced {
			t.Error("got not forced, want forced")
		}
		if len(reports) != 2 {
			t.Fatalf("got %d reports, want 2: %+v", len(reports), reports)
		}

		for _, report := range reports {
			if !strings.HasPrefix(report.Description, note) {
				t.Errorf("got description %q, want it to begin with %q", report.Description, note)
			}
		}
	})

	t.Run("long names", func(t *testing.T) {
		d := d
		d.Force = &Force{By: alice, Reason: strings.Repeat("r", 200)}
		forced := Start{SendBefore: t0.Add(SendWindow), Forced: true}
		failed := polled("created", workflow(strings.Repeat("w", 300), "failed"))
		_, reports := applyAll(t, d, t0, forced, triggered, failed)

		got, want := reports[len(reports)-1].Description, "(forced by alice: "+strings.Repeat("r", 59)+"…) "
		if !strings.HasPrefix(got, want) || !strings.Contains(got, "www") {
			t.Errorf("got description %q, want it to begin with %q and to name the workflow", got, want)
		}
	})

	t.Run("not needed", func(t *testing.T) {
		d, reports := applyAll(t, d, t0, start, triggered)
		if d.Forced {
			t.Error("got forced, want not forced")
		}
		if got, want := reports[0].Description, "CircleCI pipeline 9 is running"; got != want {
			t.Errorf("got description %q, want %q", got, want)
		}
	})
}

// Only a deployment that locks or unlocks is done without a pipeline.
func TestMachine_Done(t *testing.T) {
	t.Run("deploys", func(t *testing.T) {
		_, _, err := machine.Apply(newWaiting(), Done{Reason: "Locked"}, t0)
		var invalid *InvalidTransitionError
		if !errors.As(err, &invalid) {
			t.Errorf("got %v, want an InvalidTransitionError", err)
		}
	})

	t.Run("locks", func(t *testing.T) {
		d := newWaiting()
		d.Target.LockTask = TaskLock
		d, reports := applyAll(t, d, t0, Done{Reason: "Locked"})
		if d.State != Succeeded {
			t.Errorf("got %s, want %s", d.State, Succeeded)
		}
		if len(reports) != 1 || reports[0].State != GitHubSuccess {
			t.Errorf("got reports %+v, want one of %s", reports, GitHubSuccess)
		}
	})
}
