package deployment

import (
	"errors"
	"testing"
	"time"
)

var (
	asked    = HoldAsked{By: alice, Workflow: "deploy", Job: "go-live"}
	approved = HoldApproved{By: alice, Workflow: "deploy", Job: "go-live"}
)

// newHeld returns a deployment whose workflow has waited for an approval since t0.
func newHeld(t *testing.T) Deployment {
	t.Helper()
	d, _ := applyAll(t, newRunning(t), t0, polled("created", workflow("deploy", "on_hold")))
	if d.State != Held {
		t.Fatalf("got %s, want held", d.State)
	}
	return d
}

// GitHub and the timeline name the person, and the next poll does not take it back while CircleCI still
// shows the workflow on hold.
func TestHold_ApproverIsNamed(t *testing.T) {
	const want = "CircleCI pipeline 9 is running, approved in CircleCI by alice through Seraph"
	d := newHeld(t)
	later := t0.Add(time.Minute)

	d, changes := applyOne(t, d, later, asked)
	if len(changes.Reports) != 0 || len(changes.Timeline) != 1 ||
		changes.Timeline[0].Detail != "alice approves job go-live of workflow deploy" {
		t.Errorf("asked: got %+v, want a line of the timeline and no report", changes)
	}

	d, changes = applyOne(t, d, later, approved)
	if len(changes.Reports) != 1 || changes.Reports[0].State != GitHubInProgress ||
		changes.Reports[0].Description != want {
		t.Errorf("approved: got reports %+v, want in_progress %q", changes.Reports, want)
	}
	if d.State != Held || !d.Due.Equal(later) {
		t.Errorf("got %s due %v, want held until the poll that is due now", d.State, d.Due)
	}

	d, reports := applyAll(t, d, later.Add(time.Second), polled("created", workflow("deploy", "on_hold")))
	if len(reports) != 0 || d.State != Held {
		t.Errorf("CircleCI is late: got %s and reports %+v, want held and none", d.State, reports)
	}

	d, reports = applyAll(t, d, later.Add(2*time.Second), polled("created", workflow("deploy", "running")))
	if len(reports) != 0 || d.State != Running {
		t.Errorf("running: got %s and reports %+v, want running and no other report", d.State, reports)
	}

	d, reports = applyAll(t, d, later.Add(time.Minute), polled("created", workflow("deploy", "success")))
	if d.State != Succeeded || len(reports) != 1 || reports[0].Description != "Deployed" {
		t.Errorf("end: got %s with %+v, want succeeded", d.State, reports)
	}

	approval := HoldApproval{At: later, By: alice, Workflow: "deploy", Job: "go-live"}
	if got := d.HoldApprovals; len(got) != 1 || got[0] != approval {
		t.Errorf("got approvals %+v, want %+v", got, approval)
	}
}

// A workflow that CircleCI goes on to show on hold waits for another approval.
func TestHold_NextHoldIsReported(t *testing.T) {
	d, _ := applyAll(t, newHeld(t), t0.Add(time.Minute), approved)
	d, reports := applyAll(t, d, t0.Add(time.Minute+approvalSettles), polled("created", workflow("deploy", "on_hold")))
	if d.State != Held || len(reports) != 1 || reports[0].Description != "Waiting for approval in CircleCI" {
		t.Errorf("got %s with %+v, want held and reported", d.State, reports)
	}
}

// While another job waits, the deployment is held as before.
func TestHold_MoreWait(t *testing.T) {
	e := approved
	e.MoreWait = true
	d, reports := applyAll(t, newHeld(t), t0.Add(time.Minute), e, polled("created", workflow("deploy", "on_hold")))
	if d.State != Held || len(reports) != 0 {
		t.Errorf("got %s with %+v, want held and nothing new", d.State, reports)
	}
}

func TestHold_OutsideOfARun(t *testing.T) {
	if _, _, err := machine.Apply(newWaiting(), asked, t0); err == nil {
		t.Error("waiting: got no error")
	}

	ended, _ := applyAll(t, newHeld(t), t0, polled("created", workflow("deploy", "success")))
	if _, _, err := machine.Apply(ended, asked, t0); err == nil {
		t.Error("ended: got no error")
	}

	d, changes := applyOne(t, ended, t0, approved)
	if d.State != Succeeded || len(d.HoldApprovals) != 1 || len(changes.Timeline) != 1 || len(changes.Reports) != 0 {
		t.Errorf("ended before the record: got %s, %+v, want the approval noted", d.State, changes)
	}
	if len(ended.HoldApprovals) != 0 {
		t.Error("the deployment that was passed in has changed")
	}
}

// Somebody may ask to cancel while somebody else approves: the first one counts.
func TestHold_BeingCanceled(t *testing.T) {
	d, _ := applyAll(t, newHeld(t), t0, CancelRequested{By: alice})

	_, _, err := Machine{}.Apply(d, asked, t0)
	if _, refused := errors.AsType[*InvalidTransitionError](err); !refused {
		t.Errorf("got %v, want the approval refused", err)
	}
}
