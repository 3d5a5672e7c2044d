package bench

import (
	"testing"
	"time"
)

// triggerDelay is the time that CircleCI takes to answer a trigger.
const triggerDelay = 300 * time.Millisecond

// startPeriod is the age up to which the program asks GitHub whether a deployment was handled before the
// program started. Benchmarks wait for it to pass.
const startPeriod = 3 * time.Second

// BenchmarkAcceptUnderLoad sends 500 deliveries a second for 10 s, in as many environments and 500
// projects, while the workers trigger and report the previous ones. Pipelines do not end, and are polled
// within the default limit. The duration of a delivery counts from the moment it was due.
func BenchmarkAcceptUnderLoad(b *testing.B) { onBoth(b, acceptUnderLoad) }

func acceptUnderLoad(b *testing.B, in database) {
	const perSecond, n = 500, 5000

	b.ReportMetric(0, "ns/op") // has no meaning here
	for range b.N {
		h := newHarness(b, in, "SERAPH_CIRCLECI_READS_PER_SECOND=20")
		h.recorder.triggerDelay = triggerDelay
		h.keepPipelinesRunning(b, 500)
		h.start(b)
		<-time.After(startPeriod)
		deliveries := h.prepare(b, n, 500)

		before := h.usage(b)
		r := send(b, h.addr, deliveries, 128, perSecond)
		used := h.usage(b).since(before)

		refused := n - r.accepted()
		pending := n - h.recorder.triggerCount()
		p50, p99, most := percentile(r.durations, 0.5), percentile(r.durations, 0.99), percentile(r.durations, 1)
		b.ReportMetric(p50, "p50-ms")
		b.ReportMetric(p99, "p99-ms")
		b.ReportMetric(most, "max-ms")
		b.ReportMetric(float64(refused), "refused")
		b.Logf("500/s for %v under load: p50 %.1f ms, p99 %.1f ms (bar 25: %s), max %.1f ms",
			r.total.Round(time.Millisecond), p50, p99, verdict(p99 <= 25), most)
		b.Logf("refused %d (bar 0: %s), %d not triggered yet", refused, verdict(refused == 0), pending)
		b.Log(used)
		h.stop(b)
	}
}

// BenchmarkBurst sends 5,000 deployments in as many environments and 250 projects at once, and waits
// until all are triggered. Triggers of one project run one at a time, so CircleCI's 300 ms alone add up
// to 6 s.
func BenchmarkBurst(b *testing.B) { onBoth(b, burst) }

func burst(b *testing.B, in database) {
	const n = 5000

	b.ReportMetric(0, "ns/op") // has no meaning here
	for range b.N {
		h := newHarness(b, in, "SERAPH_CIRCLECI_READS_PER_SECOND=20")
		h.recorder.triggerDelay = triggerDelay
		deliveries := h.prepare(b, n, 250)
		h.keepPipelinesRunning(b, 250)
		h.start(b)
		<-time.After(startPeriod) // recovery lists at the start, and would find some at GitHub before their webhooks

		before, began := h.usage(b), time.Now()
		r := send(b, h.addr, deliveries, 64, 0)
		all := h.recorder.waitTriggers(n)
		total := time.Since(began)
		used := h.usage(b).since(before)

		refused := n - r.accepted()
		b.ReportMetric(r.total.Seconds(), "accepted-s")
		b.ReportMetric(total.Seconds(), "triggered-s")
		b.ReportMetric(float64(refused), "refused")
		b.Logf("burst of %d: accepted in %.1f s, refused %d (bar 0: %s), %d triggered in %.1f s (bar 30: %s)",
			n, r.total.Seconds(), refused, verdict(refused == 0),
			h.recorder.triggerCount(), total.Seconds(), verdict(all && total <= 30*time.Second))
		b.Log(used)
		h.stop(b)
	}
}

// keepPipelinesRunning makes the pipelines of these projects run until they are ended.
func (h *harness) keepPipelinesRunning(b *testing.B, projects int) {
	b.Helper()
	for i := range projects {
		if err := h.circleci.SetDefault("gh/"+repository(i), "forever"); err != nil {
			b.Fatal(err)
		}
	}
}
