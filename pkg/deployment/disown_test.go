package deployment

import (
	"errors"
	"testing"
	"time"
)

// A forged deployment ends without a status at GitHub, where its id may be another deployment's.
func TestMachine_Disown(t *testing.T) {
	d, changes := applyOne(t, newWaiting(), t0.Add(time.Minute), Disown{Reason: "GitHub shows another deployment"})
	if d.State != Rejected || d.Reason != "GitHub shows another deployment" || !d.Due.IsZero() {
		t.Errorf("got %s %q, due %v, want it rejected and not due", d.State, d.Reason, d.Due)
	}
	if !d.EndedAt.Equal(t0.Add(time.Minute)) {
		t.Errorf("got the end %v, want %v", d.EndedAt, t0.Add(time.Minute))
	}
	if len(changes.Reports) != 0 || !changes.Disowned {
		t.Errorf("got %+v, want no report, and the id given up", changes)
	}
}

// What may run already keeps its id: the same deployment must not be taken in twice.
func TestMachine_DisownAfterTrigger(t *testing.T) {
	d, _ := applyAll(t, newWaiting(), t0, resolved, start, TriggerNotSent{Cause: "connection refused"})
	_, _, err := machine.Apply(d, Disown{Reason: "x"}, t0)
	var invalid *InvalidTransitionError
	if !errors.As(err, &invalid) {
		t.Errorf("got error %v, want an *InvalidTransitionError", err)
	}
}
