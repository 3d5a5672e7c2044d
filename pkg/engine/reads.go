package engine

import (
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/queue"
)

// mayRead reports whether a leased row may make so many reads of CircleCI now. If not, the row is
// queued again when its turn has come. Repositories take turns; a row that was woken before it was
// due goes first, and one near its expected end waits half as long.
func (e *Engine) mayRead(d deployment.Deployment, reads int) bool {
	return e.reads.Take(queue.Request{
		Key:    d.Row,
		Group:  d.Request.Repository.FullName(),
		Calls:  reads,
		Hints:  d.WakeCount,
		Urgent: d.Woken,
		Soon:   e.durations.near(d, e.Now()),
	})
}

// durations remembers how long the pipelines of each CircleCI project take.
type durations struct {
	mu        sync.Mutex
	byProject map[string]time.Duration
}

// record adds the duration of a deployment that has ended to its project's moving average.
func (m *durations) record(d deployment.Deployment) {
	if d.StartedAt.IsZero() || d.EndedAt.IsZero() {
		return
	}

	m.mu.Lock()
	defer m.mu.Unlock()

	if m.byProject == nil || len(m.byProject) > 10_000 {
		m.byProject = map[string]time.Duration{}
	}

	took := d.EndedAt.Sub(d.StartedAt)
	average := m.byProject[d.Project.ID]
	if average == 0 {
		average = took
	}

	m.byProject[d.Project.ID] = (3*average + took) / 4
}

// near reports whether a deployment has run for at least 80 % of its project's average duration.
func (m *durations) near(d deployment.Deployment, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()

	average := m.byProject[d.Project.ID]
	return average > 0 && !d.StartedAt.IsZero() && now.Sub(d.StartedAt) > average*8/10
}
