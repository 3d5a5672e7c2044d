package bench

import (
	"testing"
	"time"
)

// slowTrigger is what CircleCI takes to answer a trigger.
const slowTrigger = 300 * time.Millisecond

// justStarted is how long the program takes a deployment for one that may have been handled before
// it started, and asks GitHub.
const justStarted = 3 * time.Second

// BenchmarkAcceptUnderLoad offers 500 deliveries a second for 10 s, of as many environments, in 500
// projects, while the workers trigger and report what came before. Pipelines go on running, and are
// looked at with the default budget. A time counts from when the delivery was due.
func BenchmarkAcceptUnderLoad(b *testing.B) { onBoth(b, acceptUnderLoad) }

func acceptUnderLoad(b *testing.B, in database) {
	b.ReportMetric(0, "ns/op") // says nothing here
	for range b.N {
		const perSecond, n = 500, 5000
		w := newWorld(b, in, "SERAPH_CIRCLECI_READS_PER_SECOND=20")
		w.watch.slow = slowTrigger
		w.keepRunning(b, 500)
		w.start(b)
		<-time.After(justStarted)
		shots := w.orders(b, n, 500)
		before := w.usage(b)
		v := fire(b, w.addr, shots, 128, perSecond)
		used := w.usage(b).since(before)
		refused := n - v.accepted()
		behind := n - w.watch.count()
		p50, p99, most := share(v.took, 0.5), share(v.took, 0.99), share(v.took, 1)
		b.ReportMetric(p50, "p50-ms")
		b.ReportMetric(p99, "p99-ms")
		b.ReportMetric(most, "max-ms")
		b.ReportMetric(float64(refused), "refused")
		b.Logf(
			"500/s for %v under load: p50 %.1f ms, p99 %.1f ms (bar 25: %s), max %.1f ms; refused %d %v (bar 0: %s); %d not triggered yet",
			v.lasted.Round(
				time.Millisecond,
			),
			p50,
			p99,
			verdict(p99 <= 25),
			most,
			refused,
			v.refusals(),
			verdict(refused == 0),
			behind,
		)

		b.Log(used)
		w.stop(b)
	}
}

// BenchmarkBurst sends 5,000 deployments of as many environments in 250 projects at once, and waits
// until all are triggered. A project is triggered once at a time, so that CircleCI's 300 ms alone
// take 6 s.
func BenchmarkBurst(b *testing.B) { onBoth(b, burst) }

func burst(b *testing.B, in database) {
	b.ReportMetric(0, "ns/op") // says nothing here
	for range b.N {
		const n = 5000
		w := newWorld(b, in, "SERAPH_CIRCLECI_READS_PER_SECOND=20")
		w.watch.slow = slowTrigger
		shots := w.orders(b, n, 250)
		w.keepRunning(b, 250)
		w.start(b)
		<-time.After(justStarted) // recovery lists at the start, and would find some of them at GitHub before their webhooks
		before, began := w.usage(b), time.Now()
		v := fire(b, w.addr, shots, 64, 0)
		all := w.watch.triggers(n)
		lasted := time.Since(began)
		used := w.usage(b).since(before)
		refused := n - v.accepted()
		b.ReportMetric(v.lasted.Seconds(), "accepted-s")
		b.ReportMetric(lasted.Seconds(), "triggered-s")
		b.ReportMetric(float64(refused), "refused")
		b.Logf(
			"a burst of %d: accepted in %.1f s, refused %d %v (bar 0: %s), %d triggered in %.1f s (bar 30: %s)",
			n,
			v.lasted.Seconds(),
			refused,
			v.refusals(),
			verdict(refused == 0),
			w.watch.count(),
			lasted.Seconds(),
			verdict(all && lasted <= 30*time.Second),
		)

		b.Log(used)
		w.stop(b)
	}
}

// keepRunning makes pipelines run until somebody ends them.
func (w *world) keepRunning(b *testing.B, projects int) {
	b.Helper()
	for i := range projects {
		if err := w.circleci.SetDefault("gh/"+repository(i), "forever"); err != nil {
			b.Fatal(err)
		}
	}
}
