package queue

import (
	"container/heap"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Fair shares a limited rate of calls among many keys. No worker blocks while its key waits: the key
// is queued, and ready is called when its turn has come. Urgent keys go first. The others are
// ordered by group: groups take turns, so that one with many keys does not delay the rest.
type Fair struct {
	limiter *rate.Limiter
	now     func() time.Time
	ready   func(key int64)

	mu       sync.Mutex
	order    turnHeap
	waiting  map[int64]*waiter
	granted  map[int64]time.Time // turns that have come, until the key takes them
	position float64             // how far the turns have come, in calls
	next     map[string]float64  // position of each group's next turn
	held     time.Time           // no turn before
	timer    *time.Timer
	swept    time.Time
}

// Request asks for a turn.
type Request struct {
	Key    int64
	Group  string
	Calls  int   // how many calls are made in the turn
	Hints  int64 // wake count of the key; an increase while it waits makes it urgent
	Urgent bool
	Soon   bool // waits half as long as its place in the group gives
}

// waiter is a request that waits for its turn.
type waiter struct {
	Request
	turn  float64
	index int
}

// grantFor is how long a turn is kept for a key that does not take it.
const grantFor = time.Minute

// NewFair creates a queue that allows perSecond calls; 0: there is no limit. ready is called, without
// a lock held, for a key whose turn has come; Take then succeeds for it.
func NewFair(perSecond int, now func() time.Time, ready func(key int64)) *Fair {
	f := &Fair{
		limiter: rate.NewLimiter(rate.Inf, 1),
		now:     now,
		ready:   ready,
		waiting: map[int64]*waiter{},
		granted: map[int64]time.Time{},
		next:    map[string]float64{},
	}

	if perSecond > 0 {
		f.limiter = rate.NewLimiter(rate.Limit(perSecond), max(perSecond, 8))
	}

	return f
}

// Take reports whether a key may make its calls now. If not, it waits for its turn.
func (f *Fair) Take(r Request) bool {
	f.mu.Lock()

	w := f.waiting[r.Key]
	if w == nil && f.granted[r.Key].IsZero() {
		w = f.join(r)
	}
	if w != nil && !w.Urgent && (r.Urgent || r.Hints > w.Hints) {
		w.Urgent = true
		heap.Fix(&f.order, w.index)
	}

	others := f.serve(r.Key)
	_, mine := f.granted[r.Key]
	delete(f.granted, r.Key)
	f.mu.Unlock()

	for _, other := range others {
		f.ready(other)
	}

	return mine
}

// join queues a request behind the others of its group.
func (f *Fair) join(r Request) *waiter {
	turn := max(f.position, f.next[r.Group])
	f.next[r.Group] = turn + float64(r.Calls)
	if r.Soon {
		turn -= (turn - f.position) / 2
	}

	w := &waiter{Request: r, turn: turn}
	f.waiting[r.Key] = w
	heap.Push(&f.order, w)
	return w
}

// Spend counts calls that are made without a turn. Turns after them come later.
func (f *Fair) Spend(calls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limiter.ReserveN(f.now(), calls)
}

// serve grants turns as far as the rate allows, and sets a timer for the rest. It returns the keys
// whose turn has come, except key.
func (f *Fair) serve(key int64) (others []int64) {
	now := f.now()

	for len(f.order) > 0 {
		first := f.order[0]
		if latest := now.Add(longestHold); f.held.After(latest) {
			f.held = latest // the clock was set back
		}
		wait := f.held.Sub(now)
		if wait <= 0 && !f.limiter.AllowN(now, first.Calls) {
			r := f.limiter.ReserveN(now, first.Calls)
			wait = r.DelayFrom(now)
			r.CancelAt(now)
		}
		if wait > 0 {
			f.serveAfter(wait)
			return others
		}

		heap.Pop(&f.order)
		delete(f.waiting, first.Key)
		f.granted[first.Key] = now
		f.position = max(f.position, first.turn)
		if first.Key != key {
			others = append(others, first.Key)
		}
	}

	f.position, f.next = 0, map[string]float64{}
	f.sweep(now)
	return others
}

func (f *Fair) serveAfter(wait time.Duration) {
	if f.timer != nil {
		f.timer.Stop()
	}

	f.timer = time.AfterFunc(wait, func() {
		f.mu.Lock()
		keys := f.serve(0)
		f.mu.Unlock()

		for _, key := range keys {
			f.ready(key)
		}
	})
}

// sweep forgets turns that no key has taken.
func (f *Fair) sweep(now time.Time) {
	if now.Sub(f.swept) < grantFor {
		return
	}

	f.swept = now
	for key, at := range f.granted {
		if now.Sub(at) > grantFor {
			delete(f.granted, key)
		}
	}
}

// longestHold is how long no turn is granted at most.
const longestHold = 5 * time.Minute

// Hold grants no turn for a while, at most longestHold, because the called side wants no calls.
func (f *Fair) Hold(long time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()

	if until := f.now().Add(min(long, longestHold)); until.After(f.held) {
		f.held = until
	}
}

// Waits reports whether a key waits for its turn.
func (f *Fair) Waits(key int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waiting[key] != nil
}

// Close drops all requests; ready is not called for them any more.
func (f *Fair) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()

	f.order, f.waiting = nil, map[int64]*waiter{}
	if f.timer != nil {
		f.timer.Stop()
	}
}

// turnHeap implements heap.Interface: urgent requests first, then by turn.
type turnHeap []*waiter

func (h turnHeap) Len() int { return len(h) }

func (h turnHeap) Less(i, j int) bool {
	if h[i].Urgent != h[j].Urgent {
		return h[i].Urgent
	}
	return h[i].turn < h[j].turn
}

func (h turnHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *turnHeap) Push(x any) {
	w := x.(*waiter)
	w.index = len(*h)
	*h = append(*h, w)
}

// Pop implements heap.Interface.
func (h *turnHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
