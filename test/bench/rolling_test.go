package bench

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkRollingRestart sends 50 deliveries a second for 15 s through a balancer to two replicas
// on PostgreSQL, which are restarted one after the other, twice each. The balancer asks /readyz
// every 100 ms and repeats nothing.
func BenchmarkRollingRestart(b *testing.B) {
	b.ReportMetric(0, "ns/op") // says nothing here
	for range b.N {
		const perSecond, n = 50, 750
		w := newWorld(b, postgres, "SERAPH_SHUTDOWN_DELAY=1s")
		second := newProcess(b, w.command...)
		second.env = append(w.env[:len(w.env):len(w.env)], "SERAPH_ADDR="+second.addr)
		replicas := []*process{w.process, second}
		shots := w.orders(b, n, 50)
		for _, r := range replicas {
			r.start(b)
		}

		front := newBalancer(b, replicas)
		fired := make(chan volley)
		go func() { fired <- fire(b, front, shots, 16, perSecond) }()
		for i := range 4 {
			<-time.After(time.Second)
			replicas[i%2].stop(b)
			replicas[i%2].start(b)
		}

		v := <-fired
		refused := 0
		for _, code := range v.status {
			if code/100 != 2 { // 200: a replica that started had found it in GitHub's list already
				refused++
			}
		}

		all := w.watch.triggers(n)
		b.ReportMetric(float64(refused), "refused")
		b.ReportMetric(share(v.took, 0.99), "p99-ms")
		b.Logf(
			"50/s through a rolling restart: refused %d of %d (bar 0: %s), all triggered: %v",
			refused,
			n,
			verdict(refused == 0),
			all,
		)

		for _, r := range replicas {
			r.stop(b)
		}
	}
}

// newBalancer spreads requests over the replicas that say they are ready, and gives its address.
func newBalancer(b *testing.B, replicas []*process) string {
	b.Helper()
	ready := make([]atomic.Bool, len(replicas))
	proxies := make([]http.Handler, len(replicas))
	for i, r := range replicas {
		target := &url.URL{Scheme: "http", Host: r.addr}
		proxies[i] = httputil.NewSingleHostReverseProxy(target)
	}

	look := func() {
		for i, r := range replicas {
			ready[i].Store(r.ready())
		}
	}

	look()
	var turn atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first := int(turn.Add(1))
		for i := range replicas {
			if at := (first + i) % len(replicas); ready[at].Load() {
				proxies[at].ServeHTTP(w, r)
				return
			}
		}

		http.Error(w, "nobody is ready", http.StatusBadGateway)
	}))

	done, tick := make(chan struct{}), time.NewTicker(100*time.Millisecond)
	go func() {
		for {
			select {
			case <-tick.C:
				look()
			case <-done:
				return
			}
		}
	}()

	b.Cleanup(func() { tick.Stop(); close(done); server.Close() })
	return strings.TrimPrefix(server.URL, "http://")
}
