package command

import (
	"testing"
	"time"
)

// TestPersonLimits_Forget checks that the limits of people who have not asked for some time are dropped.
func TestPersonLimits_Forget(t *testing.T) {
	var l PersonLimits[int64]
	now := time.Unix(0, 0)
	for id := range int64(3 * manyPersons) {
		now = now.Add(time.Second)
		l.Of(id, now).AllowN(now, 1)
	}

	if got := len(l.persons); got > manyPersons {
		t.Errorf("got the limits of %d people kept, want at most %d", got, manyPersons)
	}
}
