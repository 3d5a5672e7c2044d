package bench

import (
	"testing"
	"time"
)

// BenchmarkDeploymentCPU reports the CPU time of one deployment, from its webhook to its final status:
// 400 deployments at 40 a second, each in a project of its own, with CircleCI's webhooks.
func BenchmarkDeploymentCPU(b *testing.B) { onBoth(b, deploymentCPU) }

func deploymentCPU(b *testing.B, in database) {
	const deployments, perSecond = 400, 40

	b.ReportMetric(0, "ns/op") // has no meaning here
	for range b.N {
		h := newHarness(b, in)
		h.start(b)
		<-time.After(startPeriod)

		before := h.cpu(b)
		h.deploy(b, deployments, perSecond)
		used := h.cpu(b) - before

		b.ReportMetric(1000*used.Seconds()/deployments, "cpu-ms/deployment")
		h.stop(b)
	}
}

// BenchmarkIdleCPU reports the CPU and the memory of an idle service over 30 s, beginning 5 s after its
// start.
func BenchmarkIdleCPU(b *testing.B) {
	const period = 30 * time.Second

	b.ReportMetric(0, "ns/op") // has no meaning here
	for range b.N {
		h := newHarness(b, sqlite)
		h.start(b)
		<-time.After(5 * time.Second)

		before := h.cpu(b)
		<-time.After(period)
		used := h.cpu(b) - before

		core, rss := 100*used.Seconds()/period.Seconds(), h.memory(b, "VmRSS")
		b.ReportMetric(core, "%-of-a-core")
		b.ReportMetric(rss, "RSS-MB")
		b.Logf("idle: %.2f %% of a core (bar 0.1: %s), RSS %.1f MB (bar 27: %s)",
			core, verdict(core <= 0.1), rss, verdict(rss <= 27))
		h.stop(b)
	}
}
