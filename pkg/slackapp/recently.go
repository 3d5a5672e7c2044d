package slackapp

import (
	"maps"
	"sync"
	"time"
)

// recently remembers what was done within a time, up to a number of things. It is safe for concurrent use.
type recently struct {
	now    func() time.Time
	within time.Duration

	mu   sync.Mutex
	done map[string]time.Time
}

// maxRecent is how many things are remembered. What comes beyond it is taken for new.
const maxRecent = 10_000

func newRecently(now func() time.Time, within time.Duration) *recently {
	return &recently{now: now, within: within, done: map[string]time.Time{}}
}

// first says whether something was not done within the time, and remembers it.
func (r *recently) first(what string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()

	now := r.now()
	if at, ok := r.done[what]; ok && now.Sub(at) < r.within {
		return false
	}
	if len(r.done) >= maxRecent {
		maps.DeleteFunc(r.done, func(_ string, at time.Time) bool { return now.Sub(at) >= r.within })
	}
	if len(r.done) < maxRecent {
		r.done[what] = now
	}
	return true
}

// has says whether something was done within the time.
func (r *recently) has(what string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()

	at, ok := r.done[what]
	return ok && r.now().Sub(at) < r.within
}
