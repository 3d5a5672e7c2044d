package deployment

import (
	"slices"
	"testing"
	"time"
)

func TestMachine_TriesUnknownRefsAgain(t *testing.T) {
	notFound := TriggerRefused{Status: 400, Message: "Branch not found", RefNotFound: true}
	for name, tt := range map[string]struct {
		ref        string
		wantKinds  []RefKind
		wantPauses []time.Duration
	}{
		"bare name: a branch and a tag by turns": {
			ref:        "main",
			wantKinds:  []RefKind{RefBranch, RefTag, RefBranch, RefTag, RefBranch, RefTag},
			wantPauses: []time.Duration{0, 5 * time.Second, 0, 20 * time.Second, 0},
		},
		"branch": {
			ref:        "refs/heads/main",
			wantKinds:  []RefKind{RefBranch, RefBranch, RefBranch},
			wantPauses: []time.Duration{5 * time.Second, 20 * time.Second},
		},
		"tag": {
			ref:        "refs/tags/v1",
			wantKinds:  []RefKind{RefTag, RefTag, RefTag},
			wantPauses: []time.Duration{5 * time.Second, 20 * time.Second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newWaiting()
			d.Target.Ref, d.Project.ID = ParseRef(tt.ref), "uuid"

			var pauses []time.Duration
			for d.State.Open() {
				d, _ = applyAll(t, d, t0, Start{}, notFound)
				if d.State.Open() {
					pauses = append(pauses, d.Due.Sub(t0))
				}
			}

			var kinds []RefKind
			for _, a := range d.Attempts {
				kinds = append(kinds, a.Ref.Kind)
			}

			if !slices.Equal(kinds, tt.wantKinds) {
				t.Errorf("got attempts %v, want %v", kinds, tt.wantKinds)
			}
			if !slices.Equal(pauses, tt.wantPauses) {
				t.Errorf("got pauses %v, want %v", pauses, tt.wantPauses)
			}
			if d.State != Errored {
				t.Errorf("got %s, want %s", d.State, Errored)
			}
		})
	}
}

func TestMachine_StartTimeout(t *testing.T) {
	notSent := TriggerNotSent{Cause: "dial"}
	d, _ := applyAll(t, newWaiting(), t0, notSent)
	d, _ = applyAll(t, d, t0.Add(16*time.Minute), notSent)
	if d.State != Errored {
		t.Errorf("got %s, want %s", d.State, Errored)
	}
	if want := "could not be started within 15m0s: dial"; d.Reason != want {
		t.Errorf("got reason %q, want %q", d.Reason, want)
	}
}

// A deployment ends at once if CircleCI asks for a longer pause than is left of the start timeout.
func TestMachine_RetryAfterBeyondStartTimeout(t *testing.T) {
	d, _ := applyAll(t, newWaiting(), t0, resolved, start, TriggerNotSent{Cause: "429", After: 6 * time.Hour})
	if d.State != Errored {
		t.Errorf("got %s, want %s", d.State, Errored)
	}

	want := "CircleCI asks to wait 6h0m0s, longer than what is left of the start timeout of 15m0s: 429"
	if d.Reason != want {
		t.Errorf("got reason %q, want %q", d.Reason, want)
	}
}
