package github

import (
	"sync"
	"time"
)

// paceWindow is the minute of "writes per minute", and a second for what is on its way.
const paceWindow = 61 * time.Second

// pace holds the writes of one account to so many in any minute (GitHub limits content creation to about 80). A token bucket would let twice
// as many through in its first minute.
type pace struct {
	most int // 0: no bound

	mu   sync.Mutex
	sent []time.Time // within the window, oldest first
}

// take counts a write in, or says how long it must wait. A quarter of the minute's writes is kept for ends.
func (p *pace) take(now time.Time, end bool) time.Duration {
	if p.most <= 0 {
		return 0
	}
	allowed := p.most
	if !end {
		allowed -= p.most / 4
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.sent) > 0 && now.Sub(p.sent[0]) >= paceWindow {
		p.sent = p.sent[1:]
	}
	if len(p.sent) < allowed {
		p.sent = append(p.sent, now)
		return 0
	}
	return p.sent[len(p.sent)-allowed].Add(paceWindow).Sub(now)
}
