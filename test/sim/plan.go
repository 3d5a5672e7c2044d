// Package sim breaks the calls between a program and the vendors' simulators: answers that never
// come, come late, come in half, or come although nothing was done.
package sim

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Fault is one way for a call to go wrong. The zero value lets the call pass as it is.
type Fault struct {
	Status int           // answered in place of the call's own answer; 0: its own
	Body   string        // of that answer
	Header http.Header   // of that answer
	Delay  time.Duration // before anything else happens

	ResetBefore bool // the connection breaks and the call has no effect
	ResetAfter  bool // the call has its effect and the connection breaks
	AfterEffect bool // the call has its effect, yet Status is answered
	Truncate    bool // the call has its effect and half of the answer comes

	// LateEffect is how long after the answer the call has its effect. The answer is Status (504
	// when that is 0), or a reset when ResetBefore or ResetAfter is set.
	LateEffect time.Duration
}

// Plan says which calls go wrong and how. It is safe for concurrent use; Close it to cancel late
// effects.
type Plan struct {
	ctx  context.Context
	stop context.CancelFunc
	late sync.WaitGroup

	mu     sync.Mutex
	rng    *rand.Rand
	queues map[string][]Fault
	random map[string]randomFaults
}

type randomFaults struct {
	rate   float64
	faults []Fault
}

// NewPlan makes a plan without faults. The seed decides the dice of Random.
func NewPlan(seed uint64) *Plan {
	ctx, stop := context.WithCancel(context.Background())
	return &Plan{
		ctx:    ctx,
		stop:   stop,
		rng:    rand.New(rand.NewPCG(seed, 1)),
		queues: map[string][]Fault{},
		random: map[string]randomFaults{},
	}
}

// Next makes the next so many calls of an operation ("" for any) go wrong. Several calls of Next
// queue up.
func (p *Plan) Next(op string, f Fault, times int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range times {
		p.queues[op] = append(p.queues[op], f)
	}
}

// Random makes calls of an operation ("" for any that has no odds of its own) go wrong with
// probability rate, each time with one of the faults. A second Random for the same operation
// replaces the first.
func (p *Plan) Random(op string, rate float64, faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.random[op] = randomFaults{rate: rate, faults: faults}
}

// Clear forgets what is planned for an operation; "" forgets everything. Late effects under way
// still happen.
func (p *Plan) Clear(op string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if op == "" {
		clear(p.queues)
		clear(p.random)
		return
	}

	delete(p.queues, op)
	delete(p.random, op)
}

// Close cancels the late effects that have not begun and waits for those that have.
func (p *Plan) Close() {
	p.mu.Lock()
	p.stop()
	p.mu.Unlock()
	p.late.Wait()
}

// Wrap puts the plan before next, the handler of an operation.
func (p *Plan) Wrap(op string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault, ok := p.take(op)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		p.apply(fault, next, w, r)
	})
}

func (p *Plan) take(op string) (Fault, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range []string{op, ""} {
		if queue := p.queues[name]; len(queue) > 0 {
			p.queues[name] = queue[1:]
			return queue[0], true
		}
	}

	o, ok := p.random[op]
	if !ok {
		o = p.random[""]
	}
	if len(o.faults) == 0 || p.rng.Float64() >= o.rate {
		return Fault{}, false
	}

	return o.faults[p.rng.IntN(len(o.faults))], true
}
