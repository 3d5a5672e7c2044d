// Package queue holds the in-memory queues of the service: Work hands each key to one worker at a
// time, and Fair lets many keys share a limited rate of calls. Nothing in them is durable; what they
// hold can be read again from the database.
package queue

import (
	"context"
	"sync"
)

// Work is a deduplicating work queue. At most limit workers run at once, and keys are worked in the
// order in which they were added. A key that is added again while it waits is worked once; a key
// that is added while a worker has it is worked once more afterwards. Two workers of this process
// therefore never have the same key.
type Work[K comparable] struct {
	limit int
	do    func(context.Context, K)

	mu      sync.Mutex
	waiting []K
	states  map[K]keyState // of keys that wait or are being worked
	workers int
	closed  bool
	idle    chan struct{} // closed when the last worker has returned after Close
	ctx     context.Context
	cancel  context.CancelFunc
}

// keyState is the state of a key in the queue.
type keyState int

const (
	queued keyState = iota + 1
	working
	dirty // being worked, and added again meanwhile
)

// NewWork creates a queue whose workers call do. It takes no keys before Open.
func NewWork[K comparable](limit int, do func(context.Context, K)) *Work[K] {
	w := &Work[K]{
		limit:  limit,
		do:     do,
		states: map[K]keyState{},
		closed: true,
		idle:   make(chan struct{}),
	}

	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// Open lets the queue take keys.
func (w *Work[K]) Open() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = false
}

// Add queues keys. It never blocks. Keys that are added before Open or after Close are dropped:
// their rows stay due in the database.
func (w *Work[K]) Add(keys ...K) {
	w.mu.Lock()
	defer w.mu.Unlock()

	if w.closed {
		return
	}

	for _, k := range keys {
		switch w.states[k] {
		case queued, dirty:
		case working:
			w.states[k] = dirty
		default:
			w.push(k)
		}
	}
}

// push appends a key and starts a worker if there may be one more.
func (w *Work[K]) push(k K) {
	w.states[k] = queued
	w.waiting = append(w.waiting, k)

	if w.workers < w.limit {
		w.workers++
		go w.loop()
	}
}

func (w *Work[K]) loop() {
	for {
		k, ok := w.next()
		if !ok {
			return
		}

		w.do(w.ctx, k)
		w.done(k)
	}
}

// next returns the first key; false: the worker has nothing left to do.
func (w *Work[K]) next() (K, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()

	if w.closed || len(w.waiting) == 0 {
		w.workers--
		if w.closed && w.workers == 0 {
			close(w.idle)
		}

		var none K
		return none, false
	}

	k := w.waiting[0]
	w.waiting = w.waiting[1:]
	w.states[k] = working
	return k, true
}

func (w *Work[K]) done(k K) {
	w.mu.Lock()
	defer w.mu.Unlock()

	again := w.states[k] == dirty
	delete(w.states, k)
	if again && !w.closed {
		w.states[k] = queued
		w.waiting = append(w.waiting, k)
	}
}

// Close takes no more keys and waits until the workers have returned. They may finish until ctx
// ends; then their context is canceled.
func (w *Work[K]) Close(ctx context.Context) {
	w.mu.Lock()
	first := !w.closed
	w.closed = true
	none := w.workers == 0
	if first && none {
		close(w.idle)
	}
	w.mu.Unlock()

	if !none {
		select {
		case <-w.idle:
		case <-ctx.Done():
			w.cancel()
			<-w.idle
		}
	}

	w.cancel()
}
