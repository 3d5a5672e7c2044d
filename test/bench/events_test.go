package bench

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// benchTokens are as many as 500 streams need: one token may have half of them.
var benchTokens = []string{"bench-api-token-0123456789-0123456789", "other-api-token-0123456789-0123456789"}

// BenchmarkEvents measures 500 streams of events: the memory that they take, the time from the creation of a
// deployment at GitHub, before its webhook is sent, until each stream has shown it, and how long the service
// takes to stop with all of them open.
func BenchmarkEvents(b *testing.B) { onBoth(b, streamEvents) }

func streamEvents(b *testing.B, in database) {
	const streams, deployments, perSecond = 500, 40, 2

	for range b.N {
		h := newHarness(b, in, "SERAPH_API_TOKENS=bench:read:"+benchTokens[0]+",other:read:"+benchTokens[1])
		h.start(b)
		h.deploy(b, deployments, perSecond) // the same load without streams
		before := h.memory(b, "VmRSS")

		seen := &displays{at: map[int64][]time.Time{}}
		var readers sync.WaitGroup
		for i := range streams {
			lines := h.openStream(b, benchTokens[i%len(benchTokens)])
			readers.Go(func() { seen.read(lines) })
		}
		opened := h.memory(b, "VmRSS")
		h.deploy(b, deployments, perSecond)
		used := h.memory(b, "VmRSS")

		began := time.Now()
		h.stop(b)
		stopped := time.Since(began)
		readers.Wait()

		var times []time.Duration
		for _, d := range h.github.Deployments() {
			for _, at := range seen.at[d.ID] {
				times = append(times, at.Sub(d.At))
			}
		}
		reportTimes(b, times)
		b.ReportMetric(used-before, "RSS-MB-more")
		b.Logf("%d events; from the deployment to the screens: p99 %.1f ms, slowest %.1f ms (bar 150: %s)",
			len(times), percentile(times, 0.99), percentile(times, 1), verdict(percentile(times, 1) <= 150))
		b.Logf("%d streams: RSS %.1f MB, %+.1f when opened, %+.1f after %d deployments (bar 25: %s); stopped in %s",
			streams, before, opened-before, used-before, deployments, verdict(used-before <= 25), stopped.Round(time.Millisecond))
	}
}

// openStream begins to stream events, and returns the lines when the first ones have come.
func (h *harness) openStream(b *testing.B, token string) *bufio.Scanner {
	b.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+h.addr+"/api/v1/events", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("open stream: got %v, %v, want 200", response, err)
	}
	b.Cleanup(func() { _ = response.Body.Close() })

	lines := bufio.NewScanner(response.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "id:") {
	}
	return lines
}

// displays are the times at which streams showed a deployment for the first time.
type displays struct {
	mu sync.Mutex
	at map[int64][]time.Time
}

// read reads a stream to its end.
func (a *displays) read(lines *bufio.Scanner) {
	shown := map[int64]bool{}
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}

		now := time.Now()
		var event struct{ ID int64 }
		if json.Unmarshal([]byte(data), &event) != nil || shown[event.ID] {
			continue
		}

		shown[event.ID] = true
		a.mu.Lock()
		a.at[event.ID] = append(a.at[event.ID], now)
		a.mu.Unlock()
	}
}
