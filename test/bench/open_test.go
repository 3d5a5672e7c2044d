package bench

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// BenchmarkOpen keeps deployments running, polled within the default limit, and measures for half a
// minute what they cost, while two new ones a second come in. BENCH_LONG=5m (any duration) measures for
// longer.
func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprintf("open=%d", n), func(b *testing.B) { measureOpen(b, n) })
	}
}

func measureOpen(b *testing.B, n int) {
	const perSecond = 2

	period, err := time.ParseDuration(cmp.Or(os.Getenv("BENCH_LONG"), "30s"))
	if err != nil {
		b.Fatal(err)
	}

	b.ReportMetric(0, "ns/op") // has no meaning here
	for range b.N {
		h := newHarness(b, sqlite, "SERAPH_CIRCLECI_READS_PER_SECOND=20")
		h.keepPipelinesRunning(b, 250)
		h.start(b)

		more := perSecond * int(period.Seconds())
		first := max(n-more, n/2) // the new ones stay open too: with the last one there are n
		h.openDeployments(b, first, 250)
		newer := h.prepare(b, more, 250)

		before := h.usage(b)
		memory := h.sampleMemory(b, period)
		r := send(b, h.addr, newer, 16, perSecond)
		h.recorder.waitTriggers(first + more)
		after := h.usage(b)

		h.reportOpen(b, n, <-memory, after.since(before), h.untilTriggered(newer, r))
		h.reportPolls(b, n, before.at, after.at)
		h.stop(b)
	}
}

// openDeployments creates deployments whose pipelines run, as fast as possible.
func (h *harness) openDeployments(b *testing.B, n, repositories int) {
	b.Helper()
	r := send(b, h.addr, h.prepare(b, n, repositories), 64, 0)
	if got := r.accepted(); got != n || !h.recorder.waitTriggers(n) {
		b.Fatalf("got %d accepted and %d triggered, want %d", got, h.recorder.triggerCount(), n)
	}
	if !h.recorder.wait(func() bool { return h.github.Writes() >= n }) { // in_progress
		b.Fatalf("got %d statuses at GitHub, want %d", h.github.Writes(), n)
	}
}

// sampleMemory reads the memory once a second and returns all samples, in MB, on the channel.
func (h *harness) sampleMemory(b *testing.B, period time.Duration) <-chan []float64 {
	samples := make(chan []float64, 1)
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()

		var all []float64
		for range int(period.Seconds()) {
			<-tick.C
			all = append(all, h.memory(b, "VmRSS"))
		}

		samples <- all
	}()

	return samples
}

// untilTriggered returns the time from the moment each delivery was due to its trigger.
func (h *harness) untilTriggered(deliveries []delivery, r results) []time.Duration {
	var times []time.Duration
	for i, d := range deliveries {
		at := h.recorder.triggeredAt(d.deployment)
		if at.IsZero() {
			at = time.Now() // not triggered: at least until now
		}

		times = append(times, at.Sub(r.due[i]))
	}

	return times
}

func (h *harness) reportOpen(b *testing.B, n int, memory []float64, used usageShare, times []time.Duration) {
	var sum float64
	for _, mb := range memory {
		sum += mb
	}
	mean, most := sum/float64(len(memory)), slices.Max(memory)
	p50, p99 := percentile(times, 0.5), percentile(times, 0.99)

	b.ReportMetric(mean, "RSS-MB")
	b.ReportMetric(most, "max-RSS-MB")
	b.ReportMetric(used.server, "%-of-a-core")
	b.ReportMetric(p99, "trigger-p99-ms")
	b.Logf("%d open for %d s: RSS %.0f MB, at most %.0f (bar 150: %s), %.1f %% of a core (bar 15: %s)",
		n, len(memory), mean, most, verdict(most <= 150), used.server, verdict(used.server <= 15))
	b.Logf("%d open: new ones triggered after p50 %.1f ms, p99 %.1f ms (bar 250: %s)", n, p50, p99, verdict(p99 <= 250))
	b.Log(used)
}

// reportPolls logs how long deployments are not polled: the longest gap of each so far, and the length
// of one round over all of them at the measured rate.
func (h *harness) reportPolls(b *testing.B, n int, from, to time.Time) {
	pipelines := h.circleci.Pipelines()
	polls, polled, gaps := h.recorder.polls(pipelines, from, to)
	rate := float64(polls) / to.Sub(from).Seconds()
	atThisRate := time.Duration(float64(len(pipelines)) / max(rate, 0.001) * float64(time.Second))
	round := max(atThisRate, slices.Max(gaps))

	b.ReportMetric(rate, "polls/s")
	b.ReportMetric(round.Minutes(), "round-min")
	b.Logf("%d open: %.1f polls/s of %d pipelines; longest time without a poll so far p50 %.0f s, max %.0f s",
		n, rate, polled, percentile(gaps, 0.5)/1000, percentile(gaps, 1)/1000)
	b.Logf("%d open: at this rate one round takes %v (bar 17m: %s)",
		n, round.Round(time.Second), verdict(round <= 17*time.Minute))
}
