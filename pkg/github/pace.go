package github

import (
	"sync"
	"time"
)

// pace holds the writes of one account to so many in any minute, and about six times as many in any
// hour: GitHub limits content creation to 80 a minute and 500 an hour ("Rate limits for the REST
// API", secondary limits). A token bucket would let twice as many through in its first minute.
type pace struct {
	perMinute int // a minute; 0: no bound

	mu          sync.Mutex
	sent        []time.Time // within the hour, oldest first
	pausedUntil time.Time   // GitHub wants no writes before
}

// The windows are longer than their names by a second, and a minute, for what is on its way.
const (
	minuteWindow = 61 * time.Second
	hourWindow   = 61 * time.Minute
)

// reserve counts a write in, or says how long it must wait. A quarter of each window's writes is kept
// for ends.
func (p *pace) reserve(now time.Time, end bool) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := p.pausedUntil.Sub(now)
	if p.perMinute > 0 {
		for len(p.sent) > 0 && now.Sub(p.sent[0]) >= hourWindow {
			p.sent = p.sent[1:]
		}

		wait = max(wait, p.waitFor(now, minuteWindow, p.perMinute, end), p.waitFor(now, hourWindow, p.perMinute*25/4, end))
	}

	if wait > 0 {
		return wait
	}
	if p.perMinute > 0 {
		p.sent = append(p.sent, now)
	}

	return 0
}

// waitFor is how long until a window has room.
func (p *pace) waitFor(now time.Time, window time.Duration, most int, end bool) time.Duration {
	if !end {
		most -= most / 4
	}
	if len(p.sent) < most {
		return 0
	}
	return p.sent[len(p.sent)-most].Add(window).Sub(now)
}

// maxPause is how long one refusal holds all writes back. The one that was refused waits as long as
// it was told.
const maxPause = time.Minute

// pause lets nothing be written for a while: GitHub has said so to one write, and means all.
func (p *pace) pause(now time.Time, long time.Duration) {
	long = min(long, maxPause)
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := now.Add(long); until.After(p.pausedUntil) {
		p.pausedUntil = until
	}
}
