package deployment

import (
	"testing"
	"time"
)

func TestMachine_HeldTimeIsNotRunningTime(t *testing.T) {
	running := polled("created", workflow("build", "running"))
	held := polled("created", workflow("build", "on_hold"))
	canceled := polled("created", workflow("build", "canceled"))

	d, _ := applyAll(t, newRunning(t), t0.Add(30*time.Minute), running, held)
	d, _ = applyAll(t, d, t0.Add(20*time.Hour), running)
	if d.State != Running {
		t.Fatalf("got %s after 30 min of running and a long hold, want %s", d.State, Running)
	}

	d, reports := applyAll(t, d, t0.Add(20*time.Hour+31*time.Minute), running)
	if d.State != Failed || !d.HoldsSlot() {
		t.Fatalf("got %s, slot held %v after 61 min of running, want %s with the slot", d.State, d.HoldsSlot(), Failed)
	}
	if got := reports[0].State; got != GitHubFailure {
		t.Errorf("got report %s, want %s", got, GitHubFailure)
	}

	d, _ = applyAll(t, d, t0.Add(20*time.Hour+32*time.Minute), canceled)
	if d.State != Failed || d.HoldsSlot() {
		t.Errorf("got %s, slot held %v after the workflows, want %s without the slot", d.State, d.HoldsSlot(), Failed)
	}
}

// A cancel that CircleCI never confirms does not keep the environment for ever.
func TestMachine_HoldTimeout(t *testing.T) {
	held := polled("created", workflow("build", "on_hold"))
	d, _ := applyAll(t, newRunning(t), t0, held)
	d, reports := applyAll(t, d, t0.Add(25*time.Hour), held)
	if d.State != Canceled {
		t.Fatalf("got %s, want %s", d.State, Canceled)
	}
	if got := reports[0].State; got != GitHubError {
		t.Errorf("got report %s, want %s", got, GitHubError)
	}
	if got, want := reports[0].Description, "Canceled: not approved within 24h0m0s"; got != want {
		t.Errorf("got description %q, want %q", got, want)
	}

	d, _ = applyAll(t, d, t0.Add(25*time.Hour+16*time.Minute), held)
	if d.HoldsSlot() {
		t.Error("got the slot held 16 min after the cancel, want it free")
	}
}

func TestMachine_RevisionMoved(t *testing.T) {
	moved := polled("created", workflow("build", "running"))
	moved.Progress.Pipeline.Revision = otherSHA

	t.Run("strict", func(t *testing.T) {
		d, reports := applyAll(t, newRunning(t), t0, moved)
		if d.State != Errored || d.StoppingSince.IsZero() {
			t.Errorf("got %s, stopping since %v, want %s and its workflows canceled", d.State, d.StoppingSince, Errored)
		}
		if got, want := reports[0].Description, "main moved: wanted a1b2c3d, got 0f0f0f0"; got != want {
			t.Errorf("got description %q, want %q", got, want)
		}
	})

	t.Run("note", func(t *testing.T) {
		d := newRunning(t)
		d.Target.Revision = RevisionNote
		if d, _ = applyAll(t, d, t0, moved); d.State != Running {
			t.Errorf("got %s, want %s", d.State, Running)
		}
	})
}

func TestMachine_RerunAfterFailure(t *testing.T) {
	failed := workflow("build", "failed")
	succeeds := polled("created", failed, workflow("build", "success", createdAfter(time.Hour)))
	for name, tt := range map[string]struct {
		poll  Polled
		after time.Duration
		want  State
	}{
		"succeeds within a day": {
			poll:  succeeds,
			after: 23 * time.Hour,
			want:  Succeeded,
		},
		"succeeds after a day": {
			poll:  succeeds,
			after: 25 * time.Hour,
			want:  Failed,
		},
		"succeeds after a newer deployment has started": {
			poll:  Polled{Progress: succeeds.Progress, NewerStarted: true},
			after: time.Hour,
			want:  Failed,
		},
		"fails again": {
			poll:  polled("created", failed),
			after: time.Hour,
			want:  Failed,
		},
		"still runs": {
			poll:  polled("created", failed, workflow("build", "running", createdAfter(time.Hour))),
			after: time.Hour,
			want:  Failed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := applyAll(t, newRunning(t), t0, polled("created", failed))
			d, _ = applyAll(t, d, t0.Add(tt.after), tt.poll)
			if d.State != tt.want {
				t.Errorf("got %s, want %s", d.State, tt.want)
			}
		})
	}
}

// After its end, a job of the own pipeline may claim only where its result would still count: after a success, and
// after a failure while a rerun can make it one.
func TestMachine_ClaimAfterTheEnd(t *testing.T) {
	failed := polled("created", workflow("build", "failed"))
	canceled := polled("created", workflow("build", "canceled"))
	otherCommit := polled("created", workflow("build", "running"))
	otherCommit.Progress.Pipeline.Revision = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	stopped := polled("created", workflow("build", "canceled"))
	stopped.Progress.Pipeline.Revision = otherCommit.Progress.Pipeline.Revision
	own := Claimed{PipelineID: "p1"}

	for _, tt := range []struct {
		name   string
		events []Event
		claim  Claimed
		after  time.Duration
		want   State
		refuse bool
	}{
		{
			name:   "succeeded",
			events: []Event{polled("created", workflow("build", "success"))},
			claim:  own,
			want:   Succeeded,
		},
		{name: "failed", events: []Event{failed}, claim: own, after: 23 * time.Hour, want: Failed},
		{name: "failed a day ago", events: []Event{failed}, claim: own, after: 25 * time.Hour, want: Failed, refuse: true},
		{
			name:   "failed, and a newer one has started",
			events: []Event{failed},
			claim:  Claimed{PipelineID: "p1", NewerStarted: true},
			want:   Failed,
			refuse: true,
		},
		{name: "canceled", events: []Event{canceled}, claim: own, want: Canceled, refuse: true},
		{
			name:   "failed before a cancel took effect",
			events: []Event{CancelRequested{By: alice}, failed},
			claim:  own,
			want:   Failed,
			refuse: true,
		},
		{
			name:   "succeeded before a cancel took effect",
			events: []Event{CancelRequested{By: alice}, polled("created", workflow("build", "success"))},
			claim:  own,
			want:   Succeeded,
		},
		{
			name:   "another commit, and its workflows have ended",
			events: []Event{otherCommit, stopped},
			claim:  own,
			want:   Errored,
			refuse: true,
		},
		{
			name:   "failed, another pipeline",
			events: []Event{failed},
			claim:  Claimed{PipelineID: "p2"},
			want:   Failed,
			refuse: true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newRunning(t)
			d.Target.Revision = RevisionStrict
			d, _ = applyAll(t, d, t0, tt.events...)
			if d.State != tt.want || !d.StoppingSince.IsZero() {
				t.Fatalf("got %s, stopping since %v, want %s and nothing to stop", d.State, d.StoppingSince, tt.want)
			}

			_, _, err := machine.Apply(d, tt.claim, t0.Add(tt.after))
			if got := err != nil; got != tt.refuse {
				t.Errorf("refused: got %v (%v), want %v", got, err, tt.refuse)
			}
		})
	}
}

// While the workflows of a deployment that took too long are being canceled, none of its jobs may claim.
func TestMachine_ClaimWhileBeingStopped(t *testing.T) {
	running := polled("created", workflow("build", "running"))
	d := newRunning(t)
	d, _ = applyAll(t, d, t0.Add(d.Target.Timeout), running)
	if d.State != Failed || d.StoppingSince.IsZero() {
		t.Fatalf("got %s, stopping since %v, want it failed and being stopped", d.State, d.StoppingSince)
	}

	if _, _, err := machine.Apply(d, Claimed{PipelineID: "p1"}, d.EndedAt.Add(time.Second)); err == nil {
		t.Error("got a claim taken while the workflows are being canceled")
	}
}

// A rerun that succeeds in the last minutes of the day is seen by a poll at its end.
func TestMachine_LastPollForARerun(t *testing.T) {
	failed := workflow("build", "failed")
	d, _ := applyAll(t, newRunning(t), t0, polled("created", failed))
	d, _ = applyAll(t, d, t0.Add(23*time.Hour+50*time.Minute), polled("created", failed))
	if !d.Due.Equal(d.RerunUntil) {
		t.Fatalf("got the last poll at %s, want it at %s", d.Due, d.RerunUntil)
	}

	rerun := workflow("build", "success", createdAfter(23*time.Hour+55*time.Minute))
	d, _ = applyAll(t, d, d.Due, polled("created", failed, rerun))
	if d.State != Succeeded {
		t.Errorf("got %s, want %s", d.State, Succeeded)
	}
}

// One 404 after a cancel proves nothing, because CircleCI also answers it to a bad token. The slot
// stays taken until the workflows have ended, CircleCI has answered 404 for a while, or stopGrace is
// over, whatever Retry-After asks for.
func TestMachine_StopIsNotCutShort(t *testing.T) {
	running := polled("created", workflow("deploy", "running"))
	stopped := t0.Add(2 * time.Hour)
	d, _ := applyAll(t, newRunning(t), t0.Add(time.Second), running)
	d, _ = applyAll(t, d, stopped, running)

	d, _ = applyAll(t, d, stopped.Add(time.Second), PollFailed{Cause: "404", Gone: true})
	if !d.HoldsSlot() || d.RerunUntil.IsZero() {
		t.Fatalf("got slot held %v, rerun until %v after one 404, want both", d.HoldsSlot(), d.RerunUntil)
	}

	limited := PollFailed{Cause: "429", After: 6 * time.Hour}
	d, _ = applyAll(t, d, stopped.Add(2*time.Second), limited)
	if got := d.Due.Sub(stopped); got > stopGrace {
		t.Fatalf("got the next poll %s after the stop, want at most %s", got, stopGrace)
	}

	d, _ = applyAll(t, d, d.Due, limited)
	if d.HoldsSlot() {
		t.Error("got the slot held after the grace, want it free")
	}
}
