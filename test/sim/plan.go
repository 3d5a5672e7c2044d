// Package sim is what the simulated vendors share. Serve lets them answer at an address. A Plan makes calls fail:
// responses are lost, late or truncated, or do not match the effect of the call.
package sim

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Fault is one way in which a call fails. The zero value changes nothing.
type Fault struct {
	Status int           // status of the response; 0: the call's own response
	Body   string        // body of the response with Status
	Header http.Header   // header of the response with Status
	Delay  time.Duration // wait before anything else happens

	ResetBefore bool // the connection is reset and the call has no effect
	ResetAfter  bool // the call has its effect and the connection is reset
	AfterEffect bool // the call has its effect, but the response is Status
	Truncate    bool // the call has its effect and half of the response is sent

	// LateEffect is how long after the response the call has its effect. The response is Status
	// (504 when that is 0), or a reset when ResetBefore or ResetAfter is set.
	LateEffect time.Duration
}

// Plan decides which calls fail and how. It is safe for concurrent use. Close cancels late effects.
type Plan struct {
	ctx  context.Context
	stop context.CancelFunc
	late sync.WaitGroup

	mu     sync.Mutex
	rng    *rand.Rand
	queues map[string][]Fault
	random map[string]randomFaults
}

// randomFaults are what Random has set for one operation.
type randomFaults struct {
	rate   float64
	faults []Fault
}

// NewPlan returns a plan without faults. The seed is that of the random numbers that Random uses.
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

// Next makes the next calls of an operation ("" for any) fail, as many as times says. The faults of
// several calls of Next are used in order.
func (p *Plan) Next(op string, f Fault, times int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range times {
		p.queues[op] = append(p.queues[op], f)
	}
}

// Random makes calls of an operation fail with probability rate, each time with one of the faults.
// The operation "" stands for all operations without a setting of their own. A second call for the
// same operation replaces the first.
func (p *Plan) Random(op string, rate float64, faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.random[op] = randomFaults{rate: rate, faults: faults}
}

// Clear removes the planned faults of an operation, or of all operations for "". Late effects that
// are scheduled still happen.
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

// Close cancels the late effects that have not started and waits for those that have.
func (p *Plan) Close() {
	p.mu.Lock()
	p.stop()
	p.mu.Unlock()
	p.late.Wait()
}

// WaitLate waits until all late effects that are scheduled have happened. No call may be made meanwhile to
// which a fault with a late effect could apply.
func (p *Plan) WaitLate() {
	p.mu.Lock() // so that effects that were scheduled before are waited for
	late := &p.late
	p.mu.Unlock()
	late.Wait()
}

// Wrap returns a handler that applies the planned faults of an operation before it calls next.
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

// take removes and returns the fault of the next call of an operation: first what Next has queued,
// then what Random draws.
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
