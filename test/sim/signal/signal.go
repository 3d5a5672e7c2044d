// Package signal lets a test wait until something has happened, without polling and without
// sleeping.
package signal

import (
	"context"
	"sync"
)

// Broadcaster wakes all waiters at each Broadcast. The zero value is ready to use.
type Broadcaster struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next Broadcast; nil until somebody waits
}

// Next returns a channel that the next Broadcast closes.
func (b *Broadcaster) Next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

// Broadcast wakes everybody who waits at this moment.
func (b *Broadcaster) Broadcast() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// Wait calls done at the start and after each Broadcast, and returns nil as soon as it is true.
// When ctx ends first, Wait returns its cause.
func (b *Broadcaster) Wait(ctx context.Context, done func() bool) error {
	for {
		next := b.Next() // taken before done is called, so that no Broadcast is missed
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
