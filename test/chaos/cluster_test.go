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

// fleet is the processes that share a database, one on SQLite and two on PostgreSQL, behind one
// address.
type fleet struct {
	processes []*process
	url       string // of the database
	address   string // of the front
	disk      string // the folder of an SQLite file that can be filled; empty: none can
	asleep    sync.WaitGroup
	outages   []outage
}

// outage is a time in which the database could not be used.
type outage struct{ from, to time.Time }

func newFleet(t *testing.T, s settings) *fleet {
	t.Helper()
	f := &fleet{}
	size := 2
	if s.database == postgres {
		f.url = pgtest.Database(t)
	} else {
		size = 1
		folder := t.TempDir()
		if s.large {
			folder, f.disk = smallDisk(t, folder)
		}

		f.url = "sqlite:" + filepath.Join(folder, "seraph.db")
	}

	binary := build(t)
	for i := range size {
		f.processes = append(f.processes, newProcess(t, fmt.Sprint("seraph-", i), binary))
	}

	f.address = (&front{processes: f.processes}).listen(t)
	return f
}

func (f *fleet) onSQLite() bool { return strings.HasPrefix(f.url, "sqlite:") }

func (f *fleet) configure(env ...string) {
	for _, p := range f.processes {
		p.env = append(p.env, "SERAPH_DATABASE_URL="+f.url, "SERAPH_PUBLIC_URL="+f.address)
		p.env = append(p.env, env...)
	}
}

// start brings all processes up.
func (f *fleet) start(t *testing.T) {
	t.Helper()
	for _, p := range f.processes {
		p.start()
	}
	f.waitReady(t)
}

func (f *fleet) waitReady(t *testing.T) {
	t.Helper()
	for _, p := range f.processes {
		p.waitReady(t)
	}
}

// restart stops one process after the other as an operator does.
func (f *fleet) restart(t *testing.T) {
	t.Helper()
	for _, p := range f.processes {
		p.waitReady(t)
		p.stop()
		p.waitReady(t)
	}
}

// hold takes all processes down until the returned function is called.
func (f *fleet) hold() (release func()) {
	for _, p := range f.processes {
		p.hold()
	}
	return sync.OnceFunc(func() {
		for _, p := range f.processes {
			p.release()
		}
	})
}

// without notes that the database cannot be used from now until the returned function is called.
func (f *fleet) without() (again func()) {
	from := time.Now()
	return func() { f.outages = append(f.outages, outage{from, time.Now()}) }
}

// lockWait is how long a start waits at most for what an outage left behind.
const lockWait = 35 * time.Second

// explains says whether a process may have ended for want of its database: it cannot start without.
func (f *fleet) explains(e exit) bool {
	for _, o := range f.outages {
		if e.code == 1 && e.ended.After(o.from) && e.began.Before(o.to) && e.ended.Before(o.to.Add(lockWait)) {
			return true
		}
	}
	return false
}

func (f *fleet) kills() int {
	n := 0
	for _, p := range f.processes {
		p.mu.Lock()
		n += p.kills
		p.mu.Unlock()
	}
	return n
}

// sleep stops a process without its knowledge for so long, if it runs.
func (f *fleet) sleep(ctx context.Context, p *process, long time.Duration) {
	if p.freeze() {
		pause(ctx, long)
		p.thaw()
	}
}

// about are the lines of all logs that name a deployment.
func (f *fleet) about(deployment string) string {
	var b strings.Builder
	for _, p := range f.processes {
		b.WriteString(p.about(deployment))
	}
	return b.String()
}

// mentions counts the lines of all logs that have a text.
func (f *fleet) mentions(text string) int {
	n := 0
	for _, p := range f.processes {
		for line := range strings.Lines(p.logged()) {
			if strings.Contains(line, text) {
				n++
			}
		}
	}

	return n
}
