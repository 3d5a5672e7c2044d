package bench

import (
	"testing"
	"time"
)

// BenchmarkCrash kills the program while 100 deployments run and starts it again at once. It measures
// the time from the kill to the first call to GitHub or CircleCI, to the first poll of a pipeline, and
// to /readyz 200.
func BenchmarkCrash(b *testing.B) {
	h := newHarness(b, sqlite, "SERAPH_POLL_MIN=1s", "SERAPH_POLL_MAX=1s")
	h.keepPipelinesRunning(b, 100)
	h.start(b)
	h.openDeployments(b, 100, 100)

	var ready, call, poll, working []time.Duration
	for range 5 * b.N {
		<-time.After(time.Second) // so that polls are due, as in production
		killed := h.kill(b)
		h.recorder.reset() // forget calls that were in progress at the kill
		h.start(b)

		readyAfter := time.Since(killed)
		if !h.recorder.wait(func() bool { return !h.recorder.firstRead.IsZero() }) {
			b.Fatal("got no poll after the crash, want one")
		}
		callAfter := h.recorder.firstCall.Sub(killed)

		ready = append(ready, readyAfter)
		call = append(call, callAfter)
		poll = append(poll, h.recorder.firstRead.Sub(killed))
		working = append(working, max(readyAfter, callAfter))
	}

	h.stop(b)
	reportTimes(b, working)
	most := percentile(working, 1)
	b.Logf("from kill -9: ready p50 %.0f ms; first call p50 %.0f ms; first poll p50 %.0f ms, max %.0f ms",
		percentile(ready, 0.5), percentile(call, 0.5), percentile(poll, 0.5), percentile(poll, 1))
	b.Logf("from kill -9 to working: p50 %.0f ms, max %.0f ms (bar 2000: %s)",
		percentile(working, 0.5), most, verdict(most <= 2000))
}
