package engine

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// budget shares out the reads of CircleCI. Nobody blocks a worker while it waits: a row gets its turn, and is rung for when it has come. A part is
// kept for rows that a hint has made due, so that an end is seen soon however many pipelines are being polled.
type budget struct {
	polls  *rate.Limiter
	nudged *rate.Limiter

	mu    sync.Mutex
	turns map[int64]time.Time
}

// newBudget shares perSecond reads; 0 means that there is no limit.
func newBudget(perSecond int) *budget {
	b := &budget{polls: rate.NewLimiter(rate.Inf, 1), nudged: rate.NewLimiter(rate.Inf, 1), turns: map[int64]time.Time{}}
	if perSecond > 0 {
		r := rate.Limit(perSecond)
		b.polls, b.nudged = rate.NewLimiter(r*4/5, max(perSecond, 8)), rate.NewLimiter(r/5, max(perSecond, 8))
	}
	return b
}

// wait is how long a row must wait for n reads; 0: it may read now, and has spent them.
func (b *budget) wait(row int64, n int, hinted bool, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	turn, waits := b.turns[row]
	if waits && now.Before(turn) && !hinted {
		return turn.Sub(now)
	}
	if waits && !now.Before(turn) {
		delete(b.turns, row)
		return 0
	}
	if hinted && b.nudged.AllowN(now, n) {
		delete(b.turns, row)
		return 0
	}
	if waits {
		return turn.Sub(now)
	}
	delay := b.polls.ReserveN(now, n).DelayFrom(now)
	if delay > 0 {
		b.turns[row] = now.Add(delay)
	}
	return delay
}

// mayRead says whether a leased row may make n reads now. If not, it is rung for when its turn has come.
func (e *Engine) mayRead(d deployment.Deployment, n int) bool {
	now := e.Now()
	wait := e.reads.wait(d.Row, n, d.Due.After(now), now)
	if wait <= 0 {
		return true
	}
	time.AfterFunc(wait, func() { e.Ring(deployment.Alarm{Kind: deployment.AlarmAdvance, Row: d.Row}) })
	return false
}
