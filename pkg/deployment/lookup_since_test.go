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

// An attempt that lies in the future keeps nobody waiting until then, and what is said about it stays.
func TestDeployment_ForLookup_Deadline(t *testing.T) {
	m := Machine{TriggerTimeout: 15 * time.Second, LookupGrace: 2 * time.Minute}
	for _, tt := range []struct {
		name       string
		sendBefore time.Time
		want       time.Time
	}{
		{name: "in the past", sendBefore: t0.Add(-time.Minute), want: t0.Add(-time.Minute)},
		{name: "clocks of two replicas", sendBefore: t0.Add(8 * time.Second), want: t0.Add(8 * time.Second)},
		{name: "clock set back by a day", sendBefore: t0.Add(24 * time.Hour), want: t0.Add(SendWindow)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newWaiting()
			d.Attempts = []Attempt{{Number: 1, IntendedAt: t0, SendBefore: t0}, {Number: 2, SendBefore: tt.sendBefore}}

			got := d.ForLookup(t0)
			if want := tt.want.Add(m.TriggerTimeout + m.LookupGrace); !m.LookupDeadline(got).Equal(want) {
				t.Errorf("got deadline %s, want %s", m.LookupDeadline(got), want)
			}
			if !d.Attempts[1].SendBefore.Equal(tt.sendBefore) {
				t.Error("the deployment itself was changed")
			}
			if later := got.ForLookup(t0.Add(time.Hour)); !m.LookupDeadline(later).Equal(m.LookupDeadline(got)) {
				t.Errorf("got deadline %s an hour later, want it as before", m.LookupDeadline(later))
			}
		})
	}
}
