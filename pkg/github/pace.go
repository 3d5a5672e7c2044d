package github

import (
	"errors"
	"sync"
	"time"
)

// pace bounds the writes of one account: perMinute in any minute, and 25/4 times as many in any
// hour. That is the ratio of GitHub's limits for requests that create content, 80 a minute and 500
// an hour (REST API, "Rate limits for the REST API", "About secondary rate limits"). A token bucket
// would not do: it lets twice its rate through in the first minute.
type pace struct {
	perMinute int // 0: no bound

	mu          sync.Mutex
	sent        []time.Time // writes of the last hour, oldest first; empty without a bound
	pausedUntil time.Time   // see pauseAfter
}

// The windows are longer than a minute and an hour, because a write reaches GitHub some time after
// it is counted here.
const (
	minuteWindow = 61 * time.Second
	hourWindow   = 61 * time.Minute
)

// maxPause bounds how long one rate limit holds all writes of an account back. The write that met
// the limit waits as long as GitHub said.
const maxPause = time.Minute

// reserve counts a write and returns 0, or returns how long the write has to wait and counts
// nothing. The last quarter of each window is reserved for final reports and rollbacks.
func (p *pace) reserve(now time.Time, final bool) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.trim(now)
	wait := p.pausedUntil.Sub(now)
	if p.perMinute > 0 {
		for len(p.sent) > 0 && now.Sub(p.sent[0]) >= hourWindow {
			p.sent = p.sent[1:]
		}

		wait = max(
			wait,
			p.waitFor(now, minuteWindow, p.perMinute, final),
			p.waitFor(now, hourWindow, p.perMinute*25/4, final),
		)
	}

	if wait > 0 {
		return wait
	}
	if p.perMinute > 0 {
		p.sent = append(p.sent, now)
	}

	return 0
}

// paused says whether a rate limit of GitHub holds all writes back.
func (p *pace) paused(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pausedUntil.After(now)
}

// trim moves what seems to be later than it can be back to now: the clock was set back since.
func (p *pace) trim(now time.Time) {
	if latest := now.Add(maxPause); p.pausedUntil.After(latest) {
		p.pausedUntil = latest
	}
	for i := len(p.sent) - 1; i >= 0 && p.sent[i].After(now); i-- {
		p.sent[i] = now
	}
}

// waitFor returns how long it takes until a window has room for a write; 0 or less if it has room
// now.
func (p *pace) waitFor(now time.Time, window time.Duration, limit int, final bool) time.Duration {
	if !final {
		limit -= limit / 4
	}
	if len(p.sent) < limit {
		return 0
	}
	return p.sent[len(p.sent)-limit].Add(window).Sub(now)
}

// pauseAfter holds all writes back for a while, at most maxPause, if a call of the account has met a rate
// limit. A longer pause that is running stays.
func (p *pace) pauseAfter(err error, now time.Time) {
	var failed *Error
	if !errors.As(err, &failed) || failed.Kind != KindLimited {
		return
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if until := now.Add(min(failed.RetryAfter, maxPause)); until.After(p.pausedUntil) {
		p.pausedUntil = until
	}
}
