// Package engine takes deployments from step to step. A step loads a row, asks what its state
// calls for (the rules, GitHub, CircleCI), lets package deployment compute the change, and saves it.
//
// The queue of work is in memory and says only which rows to look at. When a row is due stands in
// the row itself. The store calls Enqueue for rows that become due, and a reconcile loop queues all
// overdue rows when it starts and every 5 s. So a queue that was lost with its process delays its
// work by seconds; on PostgreSQL, what the process was working on waits until its leases end: 25 s, and
// during a trigger 25 s longer than the call may take (45 s by default).
//
// Several replicas may work on one PostgreSQL database. They do not talk to each other: PostgreSQL
// divides the work. A row's lease keeps the other replicas from it while one works on it, the row's
// version rejects a write that is based on an older state, and one lock per environment lets one
// replica at a time decide what may start there.
package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/queue"
)

// Options configure an engine. Every field is required, except where it says otherwise.
type Options struct {
	Machine deployment.Machine

	// The store.
	Rows        Rows
	DueRows     DueRows
	Deployments Deployments
	Requests    Requests
	Pipelines   Pipelines
	Retention   Retention
	Database    Database

	// CircleCI.
	Starter  Starter
	Poller   Poller
	Failures Failures
	Searcher Searcher

	GitHub    GitHub
	Gate      Gate
	LockTasks LockTasks
	Sender    Sender
	Creator   Creator // nil: nothing is created at GitHub

	// Readmit takes in a deployment that GitHub shows, in place of one whose event was forged; nil: it is left to
	// recovery.
	Readmit func(ctx context.Context, shown deployment.Request) error

	Retain         time.Duration // how long bodies and finished deployments are kept; 0: for ever
	ReadsPerSecond int           // limit for reads of CircleCI; 0: none
	Workers        int           // steps at once; 0: 256
	Observe        Observe       // may be empty
	Log            zerolog.Logger
	Now            func() time.Time
}

// Sender writes the statuses of a deployment that GitHub does not have yet.
type Sender interface {
	Send(ctx context.Context, row int64)
}

// Creator takes one step with a request for a deployment that this service is to create at GitHub.
type Creator interface {
	Create(ctx context.Context, row int64)
}

// Observe gets what metrics count. Every field may be nil.
type Observe struct {
	Ended       func(state deployment.State)
	Triggered   func(sinceAccepted time.Duration)
	Unconfirmed func(outcome string)
}

// defaultWorkers is how many steps run at once. Most of them wait for the network.
const defaultWorkers = 256

// Engine advances deployments. Create it with New, feed it with Enqueue.
type Engine struct {
	Options
	tasks     *queue.Work[deployment.Task]
	reads     *queue.Fair
	durations durations
	round     atomic.Pointer[round] // the reconcile loop's newest one; nil before Start
	pauses    pauses
	trust     trust
	loops     sync.WaitGroup
	cancel    context.CancelFunc // ends the loops

	lostPause time.Duration // lostPause, in tests less
}

// New creates an engine. Nothing runs before Start.
func New(o Options) *Engine {
	e := &Engine{Options: o, cancel: func() {}, lostPause: lostPause}
	if o.Workers == 0 {
		e.Workers = defaultWorkers
	}

	e.tasks = queue.NewWork(e.Workers, e.work)
	e.reads = queue.NewFair(o.ReadsPerSecond, o.Now, func(row int64) {
		e.Enqueue(deployment.Task{
			Kind: deployment.TaskAdvance,
			Row:  row,
		})
	})

	return e
}

// Start begins to work on queued rows, and queues all overdue rows, at once and periodically.
func (e *Engine) Start() {
	now := e.Now()
	e.trust.reset(now)
	e.round.Store(&round{ended: now}) // the first round has as long as any other
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	e.tasks.Open()
	e.every(ctx, reconcileEvery, e.reconcile)
	e.every(ctx, pruneEvery, e.prune)
}

// Stop begins no new steps, waits for running ones until ctx ends, then cancels them and waits for
// their return. What is unfinished goes on at the next start.
func (e *Engine) Stop(ctx context.Context) {
	e.cancel()
	e.reads.Close()
	e.tasks.Close(ctx)
	e.loops.Wait()
}

// Enqueue queues rows that may be due. It never blocks.
func (e *Engine) Enqueue(tasks ...deployment.Task) { e.tasks.Add(tasks...) }

// every calls f at once and then periodically until ctx ends.
func (e *Engine) every(ctx context.Context, period time.Duration, f func(context.Context)) {
	e.loops.Go(func() {
		ticker := time.NewTicker(period)
		defer ticker.Stop()

		for {
			f(ctx)

			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
}

// work does a queued task.
func (e *Engine) work(ctx context.Context, t deployment.Task) {
	defer e.recoverPanic(ctx, t)

	switch t.Kind {
	case deployment.TaskAdvance:
		e.advance(ctx, t.Row)
	case deployment.TaskReport:
		e.Sender.Send(ctx, t.Row)
	case deployment.TaskCreate:
		if e.Creator != nil {
			e.Creator.Create(ctx, t.Row)
		}
	}
}
