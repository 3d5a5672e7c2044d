package engine

import (
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// authPause is how long triggers are paused after an answer that may mean a bad token.
const authPause = time.Minute

// longestPause is longer than any pause. What seems longer began before the clock was set back.
const longestPause = 2 * time.Minute

// pauses remembers until when the triggers of a project are held back; project "" stands for all.
type pauses struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// pause holds the triggers of a project back until a time, or longer if a longer pause was set before.
func (p *pauses) pause(project string, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.until == nil {
		p.until = map[string]time.Time{}
	}
	if until.After(p.until[project]) {
		p.until[project] = until
	}
}

// left is how long the triggers of a project are still held back; not positive: they are not.
func (p *pauses) left(project string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()

	latest := now.Add(longestPause)
	for _, name := range []string{project, ""} {
		if p.until[name].After(latest) {
			p.until[name] = latest
		}
	}

	return max(p.until[project].Sub(now), p.until[""].Sub(now))
}

// pauseAfterAuthError pauses triggers after an answer that may mean a bad token: all of them after a
// 401, else those of the project.
func (e *Engine) pauseAfterAuthError(projectID string, answer deployment.Event) {
	refused, ok := answer.(deployment.TriggerRefused)
	if !ok || !refused.AuthDoubt {
		return
	}

	if refused.Status == 401 {
		projectID = ""
	} else if projectID == "" {
		return
	}

	e.pauses.pause(projectID, e.Now().Add(authPause))
}
