package store

import (
	"context"
	"math"
	"sync"
	"time"
)

const (
	standBack = time.Second // how long the inbox waits for a crowd to go
	// how often the porter looks without being called: another replica may have left something
	rounds = 5 * time.Second
)

// porter makes deployments of what is in the inbox, once the crowd at the door has gone, or when it
// has stood back for long enough.
type porter struct {
	db       *DB
	crowd    crowd
	patience time.Duration
	pause    time.Duration // after a failure
	calls    chan struct{}
	cancel   context.CancelFunc
	ended    sync.WaitGroup
}

func newPorter(db *DB) *porter {
	return &porter{
		db:       db,
		crowd:    crowd{most: aCrowd},
		patience: standBack,
		pause:    time.Second,
		calls:    make(chan struct{}, 1),
	}
}

// called says that something was put into the inbox.
func (p *porter) called() {
	select {
	case p.calls <- struct{}{}:
	default:
	}
}

func (p *porter) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.called() // for what a crash left
	p.ended.Go(func() { p.run(ctx) })
}

func (p *porter) end() {
	if p.cancel != nil {
		p.cancel()
	}
	p.ended.Wait()
}

func (p *porter) run(ctx context.Context) {
	round := time.NewTicker(rounds)
	defer round.Stop()
	for idle := true; ; {
		select {
		case <-ctx.Done():
			return
		case <-p.calls:
		case <-round.C:
			if idle {
				p.sweep(ctx)
			}

			idle = true
		}

		if p.db.waitsInside(ctx) {
			p.carry(ctx)
			idle = false
		}
	}
}

// sweep tidies up in a round in which there was nothing to carry.
func (p *porter) sweep(ctx context.Context) {
	if err := p.db.forgetKeys(ctx); err != nil && ctx.Err() == nil {
		p.db.o.Log.Warn().Err(err).Msg("what was in the inbox could not be forgotten; tried again")
	}
}

// carry empties the inbox.
func (p *porter) carry(ctx context.Context) {
	began, carried, failed := time.Now(), 0, 0
	for more := true; more && ctx.Err() == nil; {
		if p.crowd.is() && time.Since(began) < p.patience {
			nap(ctx, 2*time.Millisecond)
			continue
		}

		n, others, err := p.db.bringIn(ctx)
		carried, more = carried+n, others || err != nil
		switch {
		case err != nil:
			failed++
			p.stumble(ctx, err, failed)
		case n == 0:
			nap(ctx, 5*time.Millisecond) // another replica makes them
		default:
			failed = 0
		}
	}

	p.db.o.Log.Info().
		Int("deliveries", carried).
		Dur("took", time.Since(began)).
		Msg("a crowd of deliveries was taken in")
}

// tries is how often a whole parcel is tried.
const tries = 3

// stumble waits after a failure, and in the end takes a parcel apart.
func (p *porter) stumble(ctx context.Context, err error, failed int) {
	if ctx.Err() != nil {
		return
	}

	p.db.o.Log.Warn().
		Err(err).
		Msg("deployments could not be made of deliveries that were accepted; they are kept, and tried again")
	if failed%tries == 0 {
		_ = p.db.bringOneByOne(ctx) // the next try tells
	}

	nap(ctx, p.pause)
}

// aCrowd is how many deliveries of about the last 50 ms are a crowd: so many are left where 1,200
// come in a second. A database that made deployments of all of them at once would keep the senders
// waiting. A throng, those who came while the commit before theirs was made, is one for a moment:
// more may be behind them.
const (
	aCrowd  = 60
	aThrong = 8
	fades   = 50 * time.Millisecond
	stays   = 10 * time.Millisecond
)

// crowd counts who came lately; the count fades.
type crowd struct {
	most  float64
	mu    sync.Mutex
	n     float64
	at    time.Time
	until time.Time // a throng is a crowd
}

// add counts who came together, and says whether there is a crowd now.
func (c *crowd) add(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.n, c.at = c.left(now)+float64(n), now
	if n >= aThrong {
		c.until = now.Add(stays)
	}
	return c.crowded(now)
}

func (c *crowd) is() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.crowded(time.Now())
}

func (c *crowd) crowded(now time.Time) bool { return c.left(now) > c.most || now.Before(c.until) }

// near says whether a sixth of a crowd is there: as many as come where 200 come in a second.
func (c *crowd) near() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left(time.Now()) > c.most/6
}

func (c *crowd) left(now time.Time) float64 {
	return c.n * math.Exp(-float64(now.Sub(c.at))/float64(fades))
}
