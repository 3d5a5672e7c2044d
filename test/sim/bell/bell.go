// Package bell lets a test wait until something has happened, without polling and without sleeping.
package bell

import (
	"context"
	"sync"
)

// Bell wakes everybody who waits whenever it rings. The zero value is ready.
type Bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

// Next returns a channel that the next Ring closes.
func (b *Bell) Next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

// Ring wakes all who wait now.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}

// Wait returns nil as soon as done says true, asking it once at the start and after each ring; or
// the cause ctx ended with.
func (b *Bell) Wait(ctx context.Context, done func() bool) error {
	for {
		next := b.Next() // before done, so that no ring is missed
		if done() {
			return nil
		}

		select {
		case <-next:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
