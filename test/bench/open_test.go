package bench

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// BenchmarkOpen keeps deployments running, with the default budget of reads, and shows for half a
// minute what they cost, while two new ones a second come in. BENCH_LONG=5m (any duration) does so
// for longer.
func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprintf("open=%d", n), func(b *testing.B) { open(b, n) })
	}
}

func open(b *testing.B, n int) {
	lasts, err := time.ParseDuration(cmp.Or(os.Getenv("BENCH_LONG"), "30s"))
	if err != nil {
		b.Fatal(err)
	}

	b.ReportMetric(0, "ns/op") // says nothing here
	for range b.N {
		w := newWorld(b, sqlite, "SERAPH_CIRCLECI_READS_PER_SECOND=20")
		w.keepRunning(b, 250)
		w.start(b)
		const perSecond = 2
		more := perSecond * int(lasts.Seconds())
		first := max(n-more, n/2) // the new ones stay open too: with the last one there are n
		w.open(b, first, 250)
		newer := w.orders(b, more, 250)
		before := w.usage(b)
		memory := w.sample(b, lasts)
		v := fire(b, w.addr, newer, 16, perSecond)
		w.watch.triggers(first + more)
		after := w.usage(b)
		w.showOpen(b, n, <-memory, after.since(before), w.untilTriggered(newer, v))
		w.showLooks(b, n, before.at, after.at)
		w.stop(b)
	}
}

// open makes deployments that run, as fast as they can be made.
func (w *world) open(b *testing.B, n, repositories int) {
	b.Helper()
	v := fire(b, w.addr, w.orders(b, n, repositories), 64, 0)
	if got := v.accepted(); got != n || !w.watch.triggers(n) {
		b.Fatalf("of %d deployments %d were accepted and %d triggered", n, got, w.watch.count())
	}
	if !w.watch.until(func() bool { return w.github.Writes() >= n }) { // in_progress
		b.Fatalf("GitHub was told of %d of %d deployments", w.github.Writes(), n)
	}
}

// sample gives the memory in MB, once a second.
func (w *world) sample(b *testing.B, lasts time.Duration) <-chan []float64 {
	samples := make(chan []float64, 1)
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		var all []float64
		for range int(lasts.Seconds()) {
			<-tick.C
			all = append(all, w.memory(b, "VmRSS"))
		}

		samples <- all
	}()

	return samples
}

// untilTriggered is from the moment each webhook was due to its trigger.
func (w *world) untilTriggered(shots []shot, v volley) []time.Duration {
	var times []time.Duration
	for i, s := range shots {
		at := w.watch.triggeredAt(s.deployment)
		if at.IsZero() {
			at = time.Now() // at least
		}

		times = append(times, at.Sub(v.sent[i]))
	}

	return times
}

func (w *world) showOpen(b *testing.B, n int, memory []float64, u used, times []time.Duration) {
	var sum float64
	for _, mb := range memory {
		sum += mb
	}

	mean, most := sum/float64(len(memory)), slices.Max(memory)
	p50, p99 := share(times, 0.5), share(times, 0.99)
	b.ReportMetric(mean, "RSS-MB")
	b.ReportMetric(most, "max-RSS-MB")
	b.ReportMetric(u.server, "%-of-a-core")
	b.ReportMetric(p99, "trigger-p99-ms")
	b.Logf("%d open for %d s: RSS %.0f MB, at most %.0f (bar 150: %s), %.1f %% of a core (bar 15: %s)",
		n, len(memory), mean, most, verdict(most <= 150), u.server, verdict(u.server <= 15))
	b.Logf("%d open: new ones triggered after p50 %.1f ms, p99 %.1f ms (bar 250: %s)", n, p50, p99, verdict(p99 <= 250))
	b.Log(u)
}

// showLooks says how long deployments go without a look: how long each has gone so far, and what
// the rate of looks comes to in the long run.
func (w *world) showLooks(b *testing.B, n int, from, to time.Time) {
	pipelines := w.circleci.Pipelines()
	looks, seen, gaps := w.watch.looks(pipelines, from, to)
	rate := float64(looks) / to.Sub(from).Seconds()
	round := max(time.Duration(float64(len(pipelines))/max(rate, 0.001)*float64(time.Second)), slices.Max(gaps))
	b.ReportMetric(rate, "looks/s")
	b.ReportMetric(round.Minutes(), "unseen-min")
	b.Logf(
		"%d open: %.1f looks/s at %d pipelines; so far p50 %.0f s and at most %.0f s without one; at this rate a round takes %v (bar 17m: %s)",
		n,
		rate,
		seen,
		share(gaps, 0.5)/1000,
		share(gaps, 1)/1000,
		round.Round(time.Second),
		verdict(round <= 17*time.Minute),
	)
}
