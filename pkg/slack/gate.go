package slack

import (
	"sync"
	"time"
)

// gate remembers which methods Slack has asked not to call for a while. Slack limits each method of an app in a
// workspace by itself, and posts by channel, too.
type gate struct {
	now func() time.Time

	mu    sync.Mutex
	until map[gateKey]time.Time
}

// gateKey is what Slack has limited. what is empty for the whole method.
type gateKey struct{ method, what string }

// maxGates is for how many keys the gate remembers times that have passed.
const maxGates = 256

func newGate(now func() time.Time) *gate { return &gate{now: now, until: map[gateKey]time.Time{}} }

// wait returns for how long a method must not be called; 0: it may be called.
func (g *gate) wait(method, what string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, g.until[gateKey{method, what}].Sub(g.now()))
}

// close keeps a method from being called for some time. It never shortens a time that is running.
func (g *gate) close(method, what string, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()

	now := g.now()
	if len(g.until) >= maxGates {
		for k, until := range g.until {
			if !until.After(now) {
				delete(g.until, k)
			}
		}
	}

	k := gateKey{method, what}
	if until := now.Add(wait); until.After(g.until[k]) {
		g.until[k] = until
	}
}
