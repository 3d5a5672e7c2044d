package deployment

import "time"

// Change says that a deployment has changed. Deployment is as it was when the change was read, so it may be
// newer than the change.
type Change struct {
	Position   int64 // rises from change to change, also over restarts
	Deployment Deployment
}

// ChangeCursor says which changes have been read. The zero value: none.
type ChangeCursor struct {
	Position int64 // of the newest change that was read

	// Missing are positions below that were not there yet: a transaction takes its positions before it
	// commits, and another one may commit first.
	Missing []MissingChange
}

// MissingChange is a position whose change may still be committed.
type MissingChange struct {
	Position int64
	Since    time.Time // when a larger position was taken
}

// Settled returns the largest position up to which no change can be missing. A reader that continues from there
// misses nothing, and may read some changes again.
func (c ChangeCursor) Settled() int64 {
	settled := c.Position
	for _, m := range c.Missing {
		settled = min(settled, m.Position-1)
	}
	return settled
}
