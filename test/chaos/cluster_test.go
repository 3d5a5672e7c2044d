package chaos

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/pgtest"
)

// cluster is the processes that share a database behind one proxy: one on SQLite, two on PostgreSQL.
type cluster struct {
	processes []*process
	url       string // of the database
	address   string // URL of the proxy
	disk      string // folder of the SQLite file, if its disk can be filled; else empty
	freezing  sync.WaitGroup
	outages   []outage
}

// outage is a period in which the database could not be used.
type outage struct{ from, to time.Time }

func newCluster(t *testing.T, s settings) *cluster {
	t.Helper()
	c := &cluster{}
	size := 2
	if s.database == postgres {
		c.url = pgtest.Database(t)
	} else {
		size = 1
		folder := t.TempDir()
		if s.large {
			c.disk = mountSmallDisk(t, folder)
		}

		c.url = "sqlite:" + filepath.Join(folder, "seraph.db")
	}

	var flags []string
	if s.large {
		flags = append(flags, "-overlay="+writeOverlay(t))
	}
	binary := build(t, flags...)
	for i := range size {
		p := newProcess(t, fmt.Sprint("seraph-", i), binary)
		if s.large {
			p.newClock(t)
		}
		c.processes = append(c.processes, p)
	}

	c.address = (&proxy{processes: c.processes}).listen(t)
	return c
}

func (c *cluster) onSQLite() bool { return strings.HasPrefix(c.url, "sqlite:") }

func (c *cluster) configure(env ...string) {
	for _, p := range c.processes {
		p.env = append(p.env, "SERAPH_DATABASE_URL="+c.url, "SERAPH_PUBLIC_URL="+c.address)
		p.env = append(p.env, env...)
	}
}

// start starts all processes and waits until they are ready.
func (c *cluster) start(t *testing.T) {
	t.Helper()
	for _, p := range c.processes {
		p.start()
	}
	for _, p := range c.processes {
		p.waitReady(t)
	}
}

// restart stops one process after the other as an operator does. Each starts again by itself.
func (c *cluster) restart(t *testing.T) {
	t.Helper()
	for _, p := range c.processes {
		p.waitReady(t)
		p.stop()
		p.waitReady(t)
	}
}

// keepDown kills all processes and keeps them down until release is called.
func (c *cluster) keepDown() (release func()) {
	for _, p := range c.processes {
		p.keepDown()
	}
	return sync.OnceFunc(func() {
		for _, p := range c.processes {
			p.allowStart()
		}
	})
}

// beginOutage records that the database cannot be used from now until end is called.
func (c *cluster) beginOutage() (end func()) {
	from := time.Now()
	return func() { c.outages = append(c.outages, outage{from, time.Now()}) }
}

// lockWait is the longest that a start waits for locks which an outage left behind.
const lockWait = 35 * time.Second

// causedByOutage reports whether a process may have ended because its database was unavailable at its
// start.
func (c *cluster) causedByOutage(e exit) bool {
	for _, o := range c.outages {
		if e.code == 1 && e.ended.After(o.from) && e.began.Before(o.to) && e.ended.Before(o.to.Add(lockWait)) {
			return true
		}
	}
	return false
}

func (c *cluster) kills() int {
	n := 0
	for _, p := range c.processes {
		p.mu.Lock()
		n += p.kills
		p.mu.Unlock()
	}
	return n
}

// freezeFor stops a process with SIGSTOP for a while, if it runs.
func (c *cluster) freezeFor(ctx context.Context, p *process, duration time.Duration) {
	if p.freeze() {
		pause(ctx, duration)
		p.thaw()
	}
}

// logLines returns the lines of all logs that name a deployment.
func (c *cluster) logLines(deployment string) string {
	var b strings.Builder
	for _, p := range c.processes {
		b.WriteString(p.logLines(deployment))
	}
	return b.String()
}

// countLogLines counts the lines of all logs that contain a text.
func (c *cluster) countLogLines(text string) int {
	n := 0
	for _, p := range c.processes {
		for line := range strings.Lines(p.readLog()) {
			if strings.Contains(line, text) {
				n++
			}
		}
	}

	return n
}
