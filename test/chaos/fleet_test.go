package chaos

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/pgtest"
)

// fleet is the processes that share a database, one on SQLite and two on PostgreSQL, behind one address.
type fleet struct {
	processes []*process
	database  string // its URL
	front     *httptest.Server
	kills     int
	stops     int
	spared    atomic.Bool // the second process is left alone
}

func newFleet(t *testing.T, database string) *fleet {
	t.Helper()
	f := &fleet{database: "sqlite:" + filepath.Join(t.TempDir(), "seraph.db")}
	size := 1
	if database == "postgres" {
		f.database, size = pgtest.Database(t), 2
	}
	binary := build(t)
	for i := range size {
		f.processes = append(f.processes, newProcess(t, binary, fmt.Sprint("seraph-", i)))
	}
	f.front = httptest.NewServer(f.balance())
	t.Cleanup(f.front.Close)
	return f
}

// balance sends each request to one process after the other; one that is down answers 502, as a balancer does that has not noticed yet.
func (f *fleet) balance() http.Handler {
	var proxies []http.Handler
	for _, p := range f.processes {
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: p.addr})
		proxy.ErrorLog = log.New(io.Discard, "", 0)
		proxies = append(proxies, proxy)
	}
	var turn atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxies[int(turn.Add(1))%len(proxies)].ServeHTTP(w, r)
	})
}

func (f *fleet) onPostgres() bool { return len(f.processes) > 1 }

func (f *fleet) configure(env ...string) {
	for _, p := range f.processes {
		p.env = append([]string{"SERAPH_ADDR=" + p.addr, "SERAPH_DATABASE_URL=" + f.database, "SERAPH_PUBLIC_URL=" + f.front.URL}, env...)
	}
}

// wake starts what does not run and waits until all are ready.
func (f *fleet) wake(t *testing.T) {
	t.Helper()
	for _, p := range f.processes {
		if p.cmd == nil {
			p.start(t)
		}
	}
	for _, p := range f.processes {
		p.waitReady(t)
	}
}

func (f *fleet) choose(dice int) *process {
	if f.spared.Load() {
		return f.processes[0]
	}
	return f.processes[dice%len(f.processes)]
}

// killOne ends a process as a power cut does and starts it again.
func (f *fleet) killOne(t *testing.T, i int) {
	t.Helper()
	p := f.choose(i)
	p.kill(t)
	f.kills++
	p.start(t)
}

// freeze stops a process without its knowledge, and lets it go on after a while.
func (f *fleet) freeze(t *testing.T, i int, long time.Duration) {
	t.Helper()
	p := f.choose(i)
	f.stops++
	_ = p.cmd.Process.Signal(syscall.SIGSTOP) // one that has ended is found by kill
	pause(t, long)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
}

// about are the lines of all logs that name a deployment.
func (f *fleet) about(t *testing.T, deployment string) string {
	t.Helper()
	var b strings.Builder
	for _, p := range f.processes {
		b.WriteString(p.about(t, deployment))
	}
	return b.String()
}
