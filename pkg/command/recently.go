package command

import (
	"maps"
	"sync"
	"time"
)

// Recently remembers what was done within a time, up to a number of things. K names a thing. It is safe for concurrent
// use.
type Recently[K comparable] struct {
	now    func() time.Time
	within time.Duration

	mu   sync.Mutex
	done map[K]time.Time
}

// maxRecent is how many things are remembered. What comes beyond it is taken for new.
const maxRecent = 10_000

// NewRecently makes a Recently that remembers nothing yet.
func NewRecently[K comparable](now func() time.Time, within time.Duration) *Recently[K] {
	return &Recently[K]{now: now, within: within, done: map[K]time.Time{}}
}

// First says whether something was not done within the time, and remembers it.
func (r *Recently[K]) First(what K) bool {
	r.mu.Lock()
	defer r.mu.Unlock()

	now := r.now()
	if at, ok := r.done[what]; ok && now.Sub(at) < r.within {
		return false
	}
	if len(r.done) >= maxRecent {
		maps.DeleteFunc(r.done, func(_ K, at time.Time) bool { return now.Sub(at) >= r.within })
	}
	if len(r.done) < maxRecent {
		r.done[what] = now
	}
	return true
}

// Has says whether something was done within the time.
func (r *Recently[K]) Has(what K) bool {
	r.mu.Lock()
	defer r.mu.Unlock()

	at, ok := r.done[what]
	return ok && r.now().Sub(at) < r.within
}
