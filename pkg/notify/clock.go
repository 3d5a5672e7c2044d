package notify

import (
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const (
	// longestWait is longer than a message waits for anything but a change of its deployment. A stored time that is
	// further ahead was written by a clock that has been set back since.
	longestWait = 10 * time.Minute
	// findBack is how far back a post is looked for if such a clock wrote its time.
	findBack = 24 * time.Hour
)

// withClock returns a message without the times that only a clock which was ahead can have written. A call of unknown
// outcome then counts as made just now, so that its effect is waited for, and is looked for as one of the last day.
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

// isFar says whether a time is so far ahead that only a clock which was ahead can have written it.
func isFar(at, now time.Time) bool { return at.Sub(now) > longestWait }

// waitsFor says whether a message has to wait until a moment. It does not if isFar.
func waitsFor(at, now time.Time) bool { return now.Before(at) && !isFar(at, now) }
