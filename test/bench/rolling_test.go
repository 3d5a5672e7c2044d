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

// BenchmarkRollingRestart sends 50 deliveries a second for 15 s through a load balancer to two replicas
// on PostgreSQL, which are restarted one after the other, twice each. The balancer asks /readyz every
// 100 ms and does not retry.
func BenchmarkRollingRestart(b *testing.B) {
	const perSecond, n = 50, 750

	b.ReportMetric(0, "ns/op") // has no meaning here
	for range b.N {
		h := newHarness(b, postgres, "SERAPH_SHUTDOWN_DELAY=1s")
		second := newProcess(b, h.command...)
		second.env = append(h.env[:len(h.env):len(h.env)], "SERAPH_ADDR="+second.addr)
		replicas := []*process{h.process, second}
		deliveries := h.prepare(b, n, 50)
		for _, r := range replicas {
			r.start(b)
		}

		balancer := newBalancer(b, replicas)
		sent := make(chan results)
		go func() { sent <- send(b, balancer, deliveries, 16, perSecond) }()
		for i := range 4 {
			<-time.After(time.Second)
			replicas[i%2].stop(b)
			replicas[i%2].start(b)
		}

		r := <-sent
		refused := 0
		for _, status := range r.status {
			if status/100 != 2 { // 200: recovery at the start of a replica had found the deployment before
				refused++
			}
		}

		all := h.recorder.waitTriggers(n)
		b.ReportMetric(float64(refused), "refused")
		b.ReportMetric(percentile(r.durations, 0.99), "p99-ms")
		b.Logf("50/s during a rolling restart: refused %d of %d (bar 0: %s), all triggered: %v",
			refused, n, verdict(refused == 0), all)
		for _, r := range replicas {
			r.stop(b)
		}
	}
}

// newBalancer distributes requests over the replicas that are ready, and returns its address.
func newBalancer(b *testing.B, replicas []*process) string {
	b.Helper()
	ready := make([]atomic.Bool, len(replicas))
	proxies := make([]http.Handler, len(replicas))
	for i, r := range replicas {
		proxies[i] = httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: r.addr})
	}

	checkReady := func() {
		for i, r := range replicas {
			ready[i].Store(r.ready())
		}
	}
	checkReady()

	var turn atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first := int(turn.Add(1))
		for i := range replicas {
			if at := (first + i) % len(replicas); ready[at].Load() {
				proxies[at].ServeHTTP(w, r)
				return
			}
		}

		http.Error(w, "no replica is ready", http.StatusBadGateway)
	}))

	done, tick := make(chan struct{}), time.NewTicker(100*time.Millisecond)
	go func() {
		for {
			select {
			case <-tick.C:
				checkReady()
			case <-done:
				return
			}
		}
	}()

	b.Cleanup(func() { tick.Stop(); close(done); server.Close() })
	return strings.TrimPrefix(server.URL, "http://")
}
