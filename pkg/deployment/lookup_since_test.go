package deployment

import (
	"testing"
	"time"
)

// The time of an attempt that lies in the future says nothing about when CircleCI started its pipeline.
func TestDeployment_ForLookup(t *testing.T) {
	created := t0.Add(-20 * time.Minute)
	for _, tt := range []struct {
		name    string
		created time.Time
		intent  time.Time
		want    time.Time // without the lead
	}{
		{name: "attempt in the past", created: created, intent: t0.Add(-time.Second), want: t0.Add(-time.Second)},
		{name: "clocks of two replicas", created: created, intent: t0.Add(3 * time.Second), want: t0.Add(3 * time.Second)},
		{name: "attempt in the future", created: created, intent: t0.Add(time.Hour), want: created},
		{name: "it does not say when it was created", intent: t0.Add(time.Hour), want: t0.Add(-lookupUnknown)},
		{name: "made up time of creation", created: t0.Add(time.Hour), intent: t0.Add(time.Hour), want: t0.Add(-lookupUnknown)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newWaiting()
			d.Request.CreatedAt = tt.created
			d.Attempts = []Attempt{{Number: 1, IntendedAt: tt.intent}}

			d = d.ForLookup(t0)
			if got, want := d.LookupSince(0), tt.want.Add(-windowLead); !got.Equal(want) {
				t.Errorf("got %s, want %s", got, want)
			}
			if later := d.ForLookup(t0.Add(2 * time.Hour)); !later.LookupFrom.Equal(d.LookupFrom) {
				t.Errorf("got %s two hours later, want %s as before", later.LookupFrom, d.LookupFrom)
			}
		})
	}
}
