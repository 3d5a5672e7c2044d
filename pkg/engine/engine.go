// Package engine carries deployments on: it is the only place where effects happen. Every step
// loads a row, asks the world one question, lets package deployment decide what the answer means,
// and commits the result. Nothing is kept in memory that a crash may not take.
//
// The queue of work is in memory and says only which rows to look at. When a row is due stands in
// the row itself. The store rings for rows that become due, and a reconcile loop queues all overdue
// rows when it starts and every 5 s. So a queue that was lost with its process delays its work by
// seconds; on PostgreSQL, what the process was working on waits until its leases end, 25 s at most.
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

// Options are what an engine is built from. All fields but Observe and Watched are required.
type Options struct {
	Machine        deployment.Machine
	Store          Store
	CircleCI       CircleCI
	GitHub         GitHub
	Gate           Gate
	Locks          Locks
	Reports        Reports
	Retention      time.Duration // how long bodies and finished deployments are kept; 0: for ever
	ReadsPerSecond int           // budget for reading CircleCI; 0: none
	Workers        int           // steps at once; 0: 256
	Observe        Observe
	Log            zerolog.Logger
	Now            func() time.Time
}

// Observe receives what metrics count. Every field may be nil.
type Observe struct {
	Ended       func(state deployment.State)
	Triggered   func(sinceAccepted time.Duration)
	Unconfirmed func(outcome string)
}

// Periods of the engine's own clocks.
const (
	reconcileEvery = 5 * time.Second
	reconcileStale = 30 * time.Second // without a completed round for so long, the queue is not ready
	overdueMost    = 20_000
	pruneEvery     = time.Hour
	leaseHold      = 45 * time.Second // after a crash another replica takes over
	guardAfter     = 10 * time.Minute // a row this old is checked against GitHub's statuses before its trigger
	guardPause     = 15 * time.Second
	guardFor       = 24 * time.Hour  // then it is not waited for any longer
	guardSlack     = 2 * time.Second // GitHub's time has whole seconds, and its clock may be ahead of ours
	lateArrival    = time.Minute     // so is one that was this old when it came in
)

// Engine advances deployments. Create it with New, feed it with Enqueue.
type Engine struct {
	Options
	tasks     *queue.Work[deployment.Task]
	reads     *queue.Fair
	durations durations
	startedAt time.Time
	round     atomic.Pointer[round] // the reconcile loop's newest one; nil before Start
	pauses    pauses
	verified  sync.Map // row -> time of the look at GitHub's statuses
	loops     sync.WaitGroup
	quit      context.CancelFunc
}

// New builds an engine; nothing runs before Start.
func New(o Options) *Engine {
	e := &Engine{Options: o, quit: func() {}}
	if o.Workers == 0 {
		e.Workers = 256
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

// Start begins to answer alarms, and rings for everything that is overdue at once and periodically.
func (e *Engine) Start() {
	e.startedAt = e.Now()
	e.round.Store(&round{ended: e.startedAt}) // the first round has as long as any other
	ctx, cancel := context.WithCancel(context.Background())
	e.quit = cancel
	e.tasks.Open()
	e.every(ctx, reconcileEvery, e.reconcile)
	e.every(ctx, pruneEvery, e.prune)
}

// Stop takes no new alarms, waits for running steps until ctx ends, then cancels them and waits for
// their return. What is unfinished is carried on at the next start.
func (e *Engine) Stop(ctx context.Context) {
	e.quit()
	e.reads.Close()
	e.tasks.Close(ctx)
	e.loops.Wait()
}

// Enqueue says that rows may be due. It never blocks.
func (e *Engine) Enqueue(tasks ...deployment.Task) { e.tasks.Add(tasks...) }

// every runs f now and then periodically until ctx ends.
func (e *Engine) every(ctx context.Context, period time.Duration, f func(context.Context)) {
	e.loops.Go(func() {
		tick := time.NewTicker(period)
		defer tick.Stop()
		for {
			f(ctx)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

func (e *Engine) work(ctx context.Context, a deployment.Task) {
	switch a.Kind {
	case deployment.TaskAdvance:
		e.advance(ctx, a.Row)
	case deployment.TaskReport:
		e.Reports.Send(ctx, a.Row)
	}
}

// acquireLease takes on what one process does for all. A stop does not cut it short: what was taken
// without our knowing would be nobody's until it runs out.
func (e *Engine) acquireLease(ctx context.Context, name string) (note string, mine bool, err error) {
	return e.Store.AcquireLease(context.WithoutCancel(ctx), name, leaseHold)
}

// renewLease holds on to a duty while it is being done.
func (e *Engine) renewLease(ctx context.Context, name string) {
	if err := e.Store.RenewLease(ctx, name, leaseHold); err != nil && ctx.Err() == nil {
		e.Log.Warn().Err(err).Str("duty", name).Msg("a duty cannot be held; another replica may do it as well")
	}
}
