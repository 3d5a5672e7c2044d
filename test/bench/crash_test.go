package bench

import (
	"testing"
	"time"
)

// BenchmarkCrash kills the program while 100 deployments run, starts it again at once, and measures
// from the kill to the first call that it makes, to the first look at a pipeline, and to /readyz
// 200.
func BenchmarkCrash(b *testing.B) {
	w := newWorld(b, sqlite, "SERAPH_POLL_MIN=1s", "SERAPH_POLL_MAX=1s")
	w.keepRunning(b, 100)
	w.start(b)
	w.open(b, 100, 100)
	var ready, call, look, work []time.Duration
	for range 5 * b.N {
		<-time.After(time.Second) // so that looks are due, as they are in life
		w.watch.forget()
		killed := w.kill(b)
		w.watch.forget() // what it was doing when it was killed
		w.start(b)
		ready = append(ready, time.Since(killed))
		if !w.watch.until(func() bool { return !w.watch.ciCall.IsZero() }) {
			b.Fatal("nothing was looked at after the crash")
		}

		call = append(call, w.watch.anyCall.Sub(killed))
		look = append(look, w.watch.ciCall.Sub(killed))
		work = append(work, max(ready[len(ready)-1], call[len(call)-1]))
	}

	w.stop(b)
	show(b, work)
	most := share(work, 1)
	b.Logf(
		"from kill -9 to ready: p50 %.0f ms; to the first call: p50 %.0f ms; to the first look at a pipeline: p50 %.0f ms, max %.0f ms",
		share(ready, 0.5),
		share(call, 0.5),
		share(look, 0.5),
		share(look, 1),
	)

	b.Logf(
		"from kill -9 to working: p50 %.0f ms, max %.0f ms (bar 2000: %s)",
		share(work, 0.5),
		most,
		verdict(most <= 2000),
	)
}
