package notify

import (
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const (
	// longestWait is longer than a message waits for anything but its deployment. A stored time that is further ahead
	// was written by a clock that has been set back since.
	longestWait = 10 * time.Minute
	// findBack is how far back a post is looked for whose time is not known.
	findBack = 24 * time.Hour
)

// withClock returns a message as it counts at a moment: with no time that only a clock which was ahead can have written.
// A call of unknown outcome then counts as just made, so that its effect is waited for, but as one that may have been
// made long ago where it is looked for.
func withClock(m deployment.Message, now time.Time) deployment.Message {
	if isFar(m.RetryAt, now) {
		m.RetryAt = time.Time{}
	}
	if isFar(m.CalledAt, now) {
		m.CalledAt = now
	}
	if isFar(m.FailedAt, now) {
		m.FailedAt = now
	}

	m.Parts = slices.Clone(m.Parts)
	for i, p := range m.Parts {
		if p.Call == nil || !isFar(p.Call.Deadline, now) {
			continue
		}

		c := *p.Call
		c.At, c.Deadline = now.Add(-findBack), now.Add(sendWithin+callTimeout)
		c.SendBefore = c.Deadline
		if !c.Returned.IsZero() {
			c.Returned = now
		}
		m.Parts[i].Call = &c
	}

	return m
}

// isFar says whether a moment until which a message waits is so far ahead that a clock which was ahead has made it.
func isFar(at, now time.Time) bool { return at.Sub(now) > longestWait }
