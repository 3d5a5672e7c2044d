package slack

import (
	"sync"
	"time"
)

// gate remembers which methods Slack has asked not to call for a while. Slack limits each method of an app in a
// workspace by itself, and posts in each channel by themselves (docs.slack.dev, "Rate limits").
type gate struct {
	now func() time.Time

	mu    sync.Mutex
	until map[gateKey]time.Time
}

// gateKey is what Slack has limited: a method in one channel, or with an empty channel in the whole workspace.
type gateKey struct{ method, channel string }

// maxGates is how many keys there may be before close removes those whose wait is over.
const maxGates = 256

func newGate(now func() time.Time) *gate { return &gate{now: now, until: map[gateKey]time.Time{}} }

// wait returns for how long a method must not be called; 0: it may be called.
func (g *gate) wait(method, channel string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, g.until[gateKey{method, channel}].Sub(g.now()))
}

// close keeps a method from being called for some time. A longer wait that is running stays.
func (g *gate) close(method, channel string, wait time.Duration) {
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

	k := gateKey{method, channel}
	if until := now.Add(wait); until.After(g.until[k]) {
		g.until[k] = until
	}
}
