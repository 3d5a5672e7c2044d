package deployment

import (
	"testing"
	"time"
)

// The rows are what CircleCI is known to show (API v2 reference and guides: states of workflows,
// dynamic configuration, automatic reruns).
func TestFoldPipeline(t *testing.T) {
	refused := progress("errored")
	refused.Pipeline.Errors = []string{"Unexpected argument(s): x", "second"}

	for name, tt := range map[string]struct {
		progress Progress
		kind     FoldKind
		state    State // empty: not compared
	}{
		"config error": {
			progress: refused,
			kind:     FoldEnded,
			state:    Errored,
		},
		"config error with workflows": {
			progress: progress("errored", workflow("a", "success")),
			kind:     FoldEnded,
			state:    Errored,
		},
		"refused while its setup runs": {
			progress: progress("errored", workflow("s", "running", setupWorkflow)),
			kind:     FoldEnded,
			state:    Errored,
		},
		"list still empty": {
			progress: progress("pending"),
			kind:     FoldQuiet,
		},
		"no workflow matched": {
			progress: progress("created"),
			kind:     FoldQuiet,
		},
		"success": {
			progress: progress("created", workflow("a", "success")),
			kind:     FoldEnded,
			state:    Succeeded,
		},
		"running": {
			progress: progress("created", workflow("a", "running")),
			kind:     FoldActive,
		},
		"queued for a serial group": {
			progress: progress("created", workflow("a", "queued")),
			kind:     FoldActive,
		},
		"failing still runs": {
			progress: progress("created", workflow("a", "failing")),
			kind:     FoldActive,
		},
		"status null": {
			progress: progress("created", workflow("a", "")),
			kind:     FoldActive,
		},
		"status unheard of": {
			progress: progress("created", workflow("a", "paused-by-moon")),
			kind:     FoldActive,
		},
		"on hold": {
			progress: progress("created", workflow("a", "on_hold")),
			kind:     FoldHeld,
		},
		"on hold while another runs": {
			progress: progress("created", workflow("a", "on_hold"), workflow("b", "running")),
			kind:     FoldActive,
		},
		"on hold while another failed": {
			progress: progress("created", workflow("a", "on_hold"), workflow("b", "failed")),
			kind:     FoldHeld,
		},
		"failed": {
			progress: progress("created", workflow("a", "failed")),
			kind:     FoldEnded,
			state:    Failed,
		},
		"error": {
			progress: progress("created", workflow("a", "error")),
			kind:     FoldEnded,
			state:    Failed,
		},
		"canceled": {
			progress: progress("created", workflow("a", "canceled")),
			kind:     FoldEnded,
			state:    Canceled,
		},
		"unauthorized": {
			progress: progress("created", workflow("a", "unauthorized")),
			kind:     FoldEnded,
			state:    Errored,
		},
		"not run": {
			progress: progress("created", workflow("a", "not_run")),
			kind:     FoldEnded,
			state:    Errored,
		},
		"not run beside success": {
			progress: progress("created", workflow("a", "not_run"), workflow("b", "success")),
			kind:     FoldEnded,
			state:    Succeeded,
		},
		"not run after success": {
			progress: progress("created", workflow("b", "success"), workflow("c", "not_run")),
			kind:     FoldEnded,
			state:    Succeeded,
		},
		"failed beside success": {
			progress: progress("created", workflow("a", "success"), workflow("b", "failed")),
			kind:     FoldEnded,
			state:    Failed,
		},
		"failed while another runs": {
			progress: progress("created", workflow("a", "failed"), workflow("b", "running")),
			kind:     FoldActive,
		},
		"failed beats canceled": {
			progress: progress("created", workflow("a", "canceled"), workflow("b", "failed")),
			kind:     FoldEnded,
			state:    Failed,
		},
		"failed beats unauthorized": {
			progress: progress("created", workflow("a", "unauthorized"), workflow("b", "failed")),
			kind:     FoldEnded,
			state:    Failed,
		},
		"unauthorized beats canceled": {
			progress: progress("created", workflow("a", "unauthorized"), workflow("b", "canceled")),
			kind:     FoldEnded,
			state:    Errored,
		},
		"canceled beats success": {
			progress: progress("created", workflow("a", "success"), workflow("b", "canceled")),
			kind:     FoldEnded,
			state:    Canceled,
		},
		"rerun of a failed one succeeds": {
			progress: progress(
				"created",
				workflow("a", "failed"),
				workflow("a", "success", createdAfter(time.Minute)),
			),
			kind:  FoldEnded,
			state: Succeeded,
		},
		"rerun listed before the old one": {
			progress: progress(
				"created",
				workflow("a", "success", createdAfter(time.Minute)),
				workflow("a", "failed"),
			),
			kind:  FoldEnded,
			state: Succeeded,
		},
		"rerun of a good one fails": {
			progress: progress(
				"created",
				workflow("a", "success"),
				workflow("a", "failed", createdAfter(time.Minute)),
			),
			kind:  FoldEnded,
			state: Failed,
		},
		"rerun runs": {
			progress: progress(
				"created",
				workflow("a", "failed"),
				workflow("a", "running", createdAfter(time.Minute)),
			),
			kind: FoldActive,
		},
		"setup runs": {
			progress: progress("setup", workflow("s", "running", setupWorkflow)),
			kind:     FoldActive,
		},
		"setup done, continuation to come": {
			progress: progress("setup", workflow("s", "success", setupWorkflow)),
			kind:     FoldQuiet,
		},
		"setup done, continuation runs": {
			progress: progress(
				"created",
				workflow("s", "success", setupWorkflow),
				workflow("a", "running"),
			),
			kind: FoldActive,
		},
		"setup done, continuation succeeds": {
			progress: progress(
				"created",
				workflow("s", "success", setupWorkflow),
				workflow("a", "success"),
			),
			kind:  FoldEnded,
			state: Succeeded,
		},
		"setup failed": {
			progress: progress("setup", workflow("s", "failed", setupWorkflow)),
			kind:     FoldEnded,
			state:    Failed,
		},
		"setup held": {
			progress: progress("setup", workflow("s", "on_hold", setupWorkflow)),
			kind:     FoldHeld,
		},
		"setup canceled": {
			progress: progress("setup", workflow("s", "canceled", setupWorkflow)),
			kind:     FoldEnded,
			state:    Canceled,
		},
		"setup and workflow share a name": {
			progress: progress("created", workflow("a", "success", setupWorkflow), workflow("a", "failed")),
			kind:     FoldEnded,
			state:    Failed,
		},
		"auto-rerun announced": {
			progress: progress("created", workflow("a", "failed", autoRerun(0, 2))),
			kind:     FoldQuiet,
			state:    Failed,
		},
		"auto-rerun used up": {
			progress: progress("created", workflow("a", "failed", autoRerun(2, 2))),
			kind:     FoldEnded,
			state:    Failed,
		},
		"auto-rerun after a cancel": {
			progress: progress("created", workflow("a", "canceled", autoRerun(0, 2))),
			kind:     FoldEnded,
			state:    Canceled,
		},
		"auto-rerun runs": {
			progress: progress(
				"created",
				workflow("a", "failed", autoRerun(0, 2)),
				workflow("a", "running", autoRerun(1, 2), createdAfter(time.Second)),
			),
			kind: FoldActive,
		},
		"auto-rerun succeeded": {
			progress: progress(
				"created",
				workflow("a", "failed", autoRerun(0, 2)),
				workflow("a", "success", autoRerun(1, 2), createdAfter(time.Second)),
			),
			kind:  FoldEnded,
			state: Succeeded,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := FoldPipeline(tt.progress)
			if got.Kind != tt.kind || tt.state != "" && got.State != tt.state {
				t.Errorf("got %+v, want %s %s", got, tt.kind, tt.state)
			}
		})

		// A poll of the workflows alone must say the same while one of them is busy, and must not count
		// as busy otherwise.
		t.Run(name+", workflows alone", func(t *testing.T) {
			refused := tt.progress.Pipeline.State == pipelineErrored
			alone := Progress{Workflows: tt.progress.Workflows}
			wantBusy := tt.kind == FoldActive || tt.kind == FoldHeld || refused && len(ActiveWorkflows(tt.progress)) > 0
			if got := alone.Busy(); got != wantBusy {
				t.Errorf("got busy %v, want %v", got, wantBusy)
			}

			got, want := FoldPipeline(alone), FoldPipeline(tt.progress)
			if wantBusy && !refused && got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestMachine_QuietPipelineEndsAfterTheGrace(t *testing.T) {
	for name, tt := range map[string]struct {
		poll      Polled
		wantState State
		wantSlot  bool
	}{
		"no workflow": {
			poll:      polled("created"),
			wantState: Errored,
		},
		"configuration still pending": {
			poll:      polled("pending"),
			wantState: Errored,
			wantSlot:  true,
		},
		"setup workflow without continuation": {
			poll:      polled("created", workflow("s", "success", setupWorkflow)),
			wantState: Errored,
		},
		"announced rerun that does not come": {
			poll:      polled("created", workflow("a", "failed", autoRerun(0, 1))),
			wantState: Failed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := applyAll(t, newRunning(t), t0, tt.poll)
			d, _ = applyAll(t, d, t0.Add(machine.WorkflowGrace-time.Second), tt.poll)
			if d.State != Running {
				t.Fatalf("got %s before the grace was over, want %s", d.State, Running)
			}

			d, _ = applyAll(t, d, t0.Add(machine.WorkflowGrace), tt.poll)
			if d.State != tt.wantState {
				t.Errorf("got %s, want %s", d.State, tt.wantState)
			}
			if got := d.HoldsSlot(); got != tt.wantSlot {
				t.Errorf("got slot held %v, want %v", got, tt.wantSlot)
			}
		})
	}
}
