package engine

import (
	"context"
	"sync"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// bell hands alarms to at most limit workers at once, first come first served. An alarm that rings
// while it waits is one alarm; one that rings while it is being worked is worked once more
// afterwards. So a row is never in two hands of this process.
type bell struct {
	limit int
	work  func(context.Context, deployment.Task)

	mu      sync.Mutex
	queue   []deployment.Task
	places  map[deployment.Task]place
	workers int
	closed  bool
	idle    chan struct{} // closed when the last worker has gone after close
	ctx     context.Context
	cancel  context.CancelFunc
}

// place says where an alarm is.
type place int

const (
	queued place = iota + 1
	working
	workingAndRung
)

func newBell(limit int, work func(context.Context, deployment.Task)) *bell {
	b := &bell{limit: limit, work: work, places: map[deployment.Task]place{}, idle: make(chan struct{}), closed: true}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

func (b *bell) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = false
}

func (b *bell) ring(alarms ...deployment.Task) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return // the rows stay due; the next start reads them
	}

	for _, a := range alarms {
		switch b.places[a] {
		case queued, workingAndRung:
		case working:
			b.places[a] = workingAndRung
		default:
			b.push(a)
		}
	}
}

func (b *bell) push(a deployment.Task) {
	b.places[a] = queued
	b.queue = append(b.queue, a)
	if b.workers < b.limit {
		b.workers++
		go b.loop()
	}
}

func (b *bell) loop() {
	for {
		a, ok := b.next()
		if !ok {
			return
		}
		b.work(b.ctx, a)
		b.done(a)
	}
}

func (b *bell) next() (deployment.Task, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.queue) == 0 {
		b.workers--
		if b.closed && b.workers == 0 {
			close(b.idle)
		}

		return deployment.Task{}, false
	}

	a := b.queue[0]
	b.queue = b.queue[1:]
	b.places[a] = working
	return a, true
}

func (b *bell) done(a deployment.Task) {
	b.mu.Lock()
	defer b.mu.Unlock()
	again := b.places[a] == workingAndRung
	delete(b.places, a)
	if again && !b.closed {
		b.places[a] = queued
		b.queue = append(b.queue, a)
	}
}

// close takes no more alarms and waits for the workers: until ctx ends they may finish, then their
// context is canceled.
func (b *bell) close(ctx context.Context) {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		if b.workers == 0 {
			close(b.idle)
		}
	} else if b.workers == 0 {
		b.mu.Unlock()
		b.cancel()
		return
	}

	b.mu.Unlock()
	select {
	case <-b.idle:
	case <-ctx.Done():
		b.cancel()
		<-b.idle
	}

	b.cancel()
}
