package github

import (
	"sync"
	"time"
)

// pace holds the writes of one account to so many in any minute, and about six times as many in any
// hour: GitHub limits content creation to 80 a minute and 500 an hour ("Rate limits for the REST
// API", secondary limits). A token bucket would let twice as many through in its first minute.
type pace struct {
	most int // a minute; 0: no bound

	mu   sync.Mutex
	sent []time.Time // within the hour, oldest first
	held time.Time   // GitHub wants no writes before
}

// The windows are longer than their names by a second, and a minute, for what is on its way.
const (
	paceWindow = 61 * time.Second
	paceHour   = 61 * time.Minute
)

// take counts a write in, or says how long it must wait. A quarter of each window's writes is kept
// for ends.
func (p *pace) take(now time.Time, end bool) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := p.held.Sub(now)
	if p.most > 0 {
		for len(p.sent) > 0 && now.Sub(p.sent[0]) >= paceHour {
			p.sent = p.sent[1:]
		}

		wait = max(wait, p.wait(now, paceWindow, p.most, end), p.wait(now, paceHour, p.most*25/4, end))
	}

	if wait > 0 {
		return wait
	}
	if p.most > 0 {
		p.sent = append(p.sent, now)
	}

	return 0
}

// wait is how long until a window has room.
func (p *pace) wait(now time.Time, window time.Duration, most int, end bool) time.Duration {
	if !end {
		most -= most / 4
	}
	if len(p.sent) < most {
		return 0
	}
	return p.sent[len(p.sent)-most].Add(window).Sub(now)
}

// holdMost is how long one refusal holds all writes back. The one that was refused waits as long as
// it was told.
const holdMost = time.Minute

// hold lets nothing be written for a while: GitHub has said so to one write, and means all.
func (p *pace) hold(now time.Time, long time.Duration) {
	long = min(long, holdMost)
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := now.Add(long); until.After(p.held) {
		p.held = until
	}
}
