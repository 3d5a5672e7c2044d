package command

import (
	"testing"
	"time"
)

// TestRecently checks that a thing is new again when its time has passed, and that what comes beyond the bound is taken
// for new until something is forgotten.
func TestRecently(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	r := NewRecently[int](func() time.Time { return now }, time.Minute)

	if r.Has(1) || !r.First(1) || r.First(1) || !r.Has(1) {
		t.Error("got a thing that is not new once, want it new once")
	}
	for i := range maxRecent {
		r.First(i)
	}
	for range 2 {
		if !r.First(maxRecent) {
			t.Error("got a thing beyond the bound remembered, want it new each time")
		}
	}

	now = now.Add(time.Minute)
	if r.Has(1) || !r.First(maxRecent) || r.First(maxRecent) {
		t.Error("got nothing new a minute later, want what was remembered forgotten")
	}
}
