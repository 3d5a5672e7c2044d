package deployment

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var alice = Actor{ID: 1, Login: "alice"}

// A cancel ends what waits at once, and what runs when CircleCI shows it; a workflow that had ended
// by itself first tells the truth.
func TestCancel(t *testing.T) {
	ask := CancelRequested{By: alice, Reason: "wrong commit"}
	look := func(status string) Event { return Polled{Progress: progress("created", wf("deploy", status))} }
	for name, c := range map[string]struct {
		from   Deployment
		events []Event
		after  time.Duration
		want   State
		reason string
		slot   bool
	}{
		"waiting": {fresh(), []Event{ask}, 0, Canceled, "Canceled by alice: wrong commit", false},
		"nobody known": {
			fresh(),
			[]Event{CancelRequested{Reason: "superseded by #43"}},
			0,
			Canceled,
			"Canceled: superseded by #43",
			false,
		},
		"running, not yet confirmed": {started(t), []Event{ask, look("running")}, 0, Running, "", true},
		"running, confirmed": {
			started(t),
			[]Event{ask, look("running"), look("canceled")},
			0,
			Canceled,
			"Canceled by alice: wrong commit",
			false,
		},
		"succeeded before it": {started(t), []Event{ask, look("success")}, 0, Succeeded, "Deployed", false},
		"failed before it": {
			started(t),
			[]Event{ask, look("failed")},
			0,
			Failed,
			"Workflow deploy failed",
			false,
		},
		"held": {
			started(t),
			[]Event{look("on_hold"), ask, look("on_hold"), look("canceled")},
			0,
			Canceled,
			"Canceled by alice: wrong commit",
			false,
		},
		"never confirmed": {
			started(t),
			[]Event{ask, look("running")},
			StopGrace,
			Canceled,
			"Canceled by alice: wrong commit",
			false,
		},
		"nobody to ask": {
			started(t),
			[]Event{ask, PollFailed{Cause: "503"}},
			StopGrace,
			Canceled,
			"Canceled by alice: wrong commit",
			false,
		},
		"asked twice": {
			started(t),
			[]Event{ask, CancelRequested{By: Actor{ID: 2, Login: "bob"}}, look("canceled")},
			0,
			Canceled,
			"Canceled by alice: wrong commit",
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, now := c.from, t0
			for i, e := range c.events {
				if i == len(c.events)-1 {
					now = now.Add(c.after)
				}

				next, _, err := rules.Apply(d, e, now)
				if err != nil {
					t.Fatal(err)
				}

				d = next
			}

			if d.State != c.want || d.Reason != c.reason || d.HoldsSlot() != c.slot {
				t.Errorf(
					"%s %q slot %v, want %s %q slot %v",
					d.State,
					d.Reason,
					d.HoldsSlot(),
					c.want,
					c.reason,
					c.slot,
				)
			}
		})
	}
}

// A cancel that comes while the trigger is in the air waits for the answer, and then is done at the
// first look.
func TestCancelInTheAir(t *testing.T) {
	d, _ := walk(t, fresh(), t0, Resolved{Project{"uuid", "gh/acme/api"}}, Start{
		SendBefore: t0.Add(SendWindow),
	}, CancelRequested{
		By: alice,
	})

	if d.State != Triggering {
		t.Fatalf("state %s while the trigger is in the air", d.State)
	}

	answered, _ := walk(t, d, t0, Triggered{PipelineFacts{ID: "p1", Number: 9}})
	if answered.State != Running || answered.LookDue.After(t0) {
		t.Errorf("state %s, next look %s: it must be looked at at once", answered.State, answered.LookDue)
	}

	lost, _ := walk(t, d, t0, TriggerUnknown{"reset"}, LookupAbsent{}, CancelRequested{By: alice})
	if lost.State != Canceled || lost.DuplicateUntil.IsZero() {
		t.Errorf("state %s, watched until %s: a late pipeline must be found", lost.State, lost.DuplicateUntil)
	}
}

// What was passed by force says so wherever GitHub shows it.
func TestForceIsShown(t *testing.T) {
	d, _ := walk(t, fresh(), t0, ForceRequested{Force{
		By:     alice,
		Reason: "the site is down",
	}}, Resolved{Project{"uuid", "gh/acme/api"}})

	needed, reports := walk(t, d, t0, Start{
		SendBefore: t0.Add(SendWindow),
		Forced:     true,
	}, Triggered{PipelineFacts{
		ID:     "p1",
		Number: 9,
	}},
		Polled{Progress: progress("created", wf("deploy", "success"))})

	if !needed.Forced || len(reports) != 2 {
		t.Fatalf("forced %v, reports %+v", needed.Forced, reports)
	}

	for _, r := range reports {
		if !strings.HasSuffix(r.Description, " (forced by alice: the site is down)") {
			t.Errorf("description %q does not say that it was forced", r.Description)
		}
	}

	free, reports := walk(t, d, t0, Start{
		SendBefore: t0.Add(SendWindow),
	}, Triggered{PipelineFacts{
		ID:     "p1",
		Number: 9,
	}})

	if free.Forced || strings.Contains(reports[0].Description, "forced") {
		t.Errorf("nothing had to be forced, and it says %q", reports[0].Description)
	}
}

// Only a request to lock or unlock is done without a pipeline.
func TestDone(t *testing.T) {
	var impossible *InvalidTransitionError
	if _, _, err := rules.Apply(fresh(), Done{"Locked"}, t0); !errors.As(err, &impossible) {
		t.Errorf("a deployment was done without a pipeline: %v", err)
	}

	d := fresh()
	d.Target.LockTask = TaskLock
	if d, reports := walk(t, d, t0, Done{"Locked"}); d.State != Succeeded || len(reports) != 1 ||
		reports[0].State != GitHubSuccess {
		t.Errorf("%s, %+v", d.State, reports)
	}
}
