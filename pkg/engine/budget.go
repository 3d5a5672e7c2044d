package engine

import (
	"container/heap"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// budget shares out the reads of CircleCI. Nobody blocks a worker while it waits: a row that may
// not read yet stands in line and is rung for when its turn has come. Hinted rows go first; then
// repositories take turns, so that one with many pipelines does not starve the others, and rows
// near their expected end jump half the line.
type budget struct {
	limiter *rate.Limiter
	now     func() time.Time
	ring    func(row int64)

	mu      sync.Mutex
	line    line
	waiting map[int64]*ask
	granted map[int64]time.Time // turns that have come, until the row takes them
	spent   float64             // how far the turns have come, in reads
	next    map[string]float64  // where each repository's next turn is
	held    time.Time           // CircleCI wants no reads before
	timer   *time.Timer
	swept   time.Time
}

// ask is one row in line.
type ask struct {
	row    int64
	reads  int
	nudges int64 // when it joined; more since then are a hint
	hinted bool
	turn   float64
	index  int
}

// grantFor is how long a turn is kept for a row that does not come.
const grantFor = time.Minute

// newBudget shares perSecond reads; 0 means that there is no limit. ring is called for a row whose
// turn has come.
func newBudget(perSecond int, now func() time.Time, ring func(row int64)) *budget {
	b := &budget{
		limiter: rate.NewLimiter(rate.Inf, 1),
		now:     now,
		ring:    ring,
		waiting: map[int64]*ask{},
		granted: map[int64]time.Time{},
		next:    map[string]float64{},
	}

	if perSecond > 0 {
		b.limiter = rate.NewLimiter(rate.Limit(perSecond), max(perSecond, 8))
	}

	return b
}

// may says whether a row may make so many reads now. If not, it stands in line. nudges is how often
// it was nudged in its life.
func (b *budget) may(row int64, repository string, reads int, nudges int64, hinted, near bool) bool {
	b.mu.Lock()
	a := b.waiting[row]
	if a == nil && b.granted[row].IsZero() {
		a = b.join(row, repository, reads, near)
		a.nudges = nudges
	}
	if a != nil && (hinted || nudges > a.nudges) && !a.hinted {
		a.hinted = true
		heap.Fix(&b.line, a.index)
	}

	others := b.serve(row)
	_, mine := b.granted[row]
	delete(b.granted, row)
	b.mu.Unlock()
	for _, other := range others {
		b.ring(other)
	}

	return mine
}

// join puts a row behind its repository's others.
func (b *budget) join(row int64, repository string, reads int, near bool) *ask {
	turn := max(b.spent, b.next[repository])
	b.next[repository] = turn + float64(reads)
	if near {
		turn -= (turn - b.spent) / 2
	}

	a := &ask{row: row, reads: reads, turn: turn}
	b.waiting[row] = a
	heap.Push(&b.line, a)
	return a
}

// spend takes reads that are made whatever the budget says: those after them wait for longer.
func (b *budget) spend(reads int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limiter.ReserveN(b.now(), reads)
}

// serve grants turns as far as the budget goes, and comes back when it goes further. It returns
// whom to ring for, other than row.
func (b *budget) serve(row int64) (others []int64) {
	now := b.now()
	for len(b.line) > 0 {
		first := b.line[0]
		wait := b.held.Sub(now)
		if wait <= 0 && !b.limiter.AllowN(now, first.reads) {
			r := b.limiter.ReserveN(now, first.reads)
			wait = r.DelayFrom(now)
			r.CancelAt(now)
		}

		if wait > 0 {
			b.comeBack(wait)
			return others
		}

		heap.Pop(&b.line)
		delete(b.waiting, first.row)
		b.granted[first.row] = now
		b.spent = max(b.spent, first.turn)
		if first.row != row {
			others = append(others, first.row)
		}
	}

	b.spent, b.next = 0, map[string]float64{}
	b.sweep(now)
	return others
}

func (b *budget) comeBack(wait time.Duration) {
	if b.timer != nil {
		b.timer.Stop()
	}

	b.timer = time.AfterFunc(wait, func() {
		b.mu.Lock()
		others := b.serve(0)
		b.mu.Unlock()
		for _, other := range others {
			b.ring(other)
		}
	})
}

// sweep forgets turns whose rows have ended meanwhile.
func (b *budget) sweep(now time.Time) {
	if now.Sub(b.swept) < grantFor {
		return
	}

	b.swept = now
	for row, at := range b.granted {
		if now.Sub(at) > grantFor {
			delete(b.granted, row)
		}
	}
}

// hold lets nobody read for so long: CircleCI has said so.
func (b *budget) hold(long time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := b.now().Add(min(long, 5*time.Minute)); until.After(b.held) {
		b.held = until
	}
}

// inLine says whether a row waits for its turn.
func (b *budget) inLine(row int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting[row] != nil
}

// close rings for nobody any more.
func (b *budget) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.line, b.waiting = nil, map[int64]*ask{}
	if b.timer != nil {
		b.timer.Stop()
	}
}

// line is a heap: hinted rows first, then by turn.
type line []*ask

func (l line) Len() int { return len(l) }

func (l line) Less(i, j int) bool {
	if l[i].hinted != l[j].hinted {
		return l[i].hinted
	}
	return l[i].turn < l[j].turn
}

func (l line) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].index, l[j].index = i, j
}

// Push implements heap.Interface.
func (l *line) Push(x any) {
	a := x.(*ask)
	a.index = len(*l)
	*l = append(*l, a)
}

// Pop implements heap.Interface.
func (l *line) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}

// mayRead says whether a leased row may make so many reads now. If not, it is rung for when its
// turn has come.
func (e *Engine) mayRead(d deployment.Deployment, reads int) bool {
	return e.reads.may(
		d.Row,
		d.Request.Repository.FullName(),
		reads,
		d.WakeCount,
		e.hinted(d),
		e.durations.near(d, e.Now()),
	)
}

// hinted says whether a leased row was rung for before it was due.
func (e *Engine) hinted(d deployment.Deployment) bool { return d.Due.After(e.Now()) }

// durations remembers how long the pipelines of each project take.
type durations struct {
	mu  sync.Mutex
	all map[string]time.Duration
}

// took learns from a deployment that has ended.
func (m *durations) took(d deployment.Deployment) {
	if d.StartedAt.IsZero() || d.EndedAt.IsZero() {
		return
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil || len(m.all) > 10_000 {
		m.all = map[string]time.Duration{}
	}

	last, took := m.all[d.Project.ID], d.EndedAt.Sub(d.StartedAt)
	if last == 0 {
		last = took
	}

	m.all[d.Project.ID] = (3*last + took) / 4
}

// near says whether a deployment has run about as long as its project's usually do.
func (m *durations) near(d deployment.Deployment, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	usual := m.all[d.Project.ID]
	return usual > 0 && !d.StartedAt.IsZero() && now.Sub(d.StartedAt) > usual*8/10
}
