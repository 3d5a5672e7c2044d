package bench

import (
	"testing"
	"time"
)

// BenchmarkDeploymentCPU reports the CPU time that the service needs for one deployment, from its
// webhook to its final status: 400 deployments at 40 a second, each of a project of its own, with
// CircleCI's webhooks.
func BenchmarkDeploymentCPU(b *testing.B) { onBoth(b, deploymentCPU) }

func deploymentCPU(b *testing.B, in database) {
	const deployments, perSecond = 400, 40

	b.ReportMetric(0, "ns/op") // says nothing here
	for range b.N {
		w := newWorld(b, in)
		w.start(b)
		<-time.After(justStarted)

		before := w.cpu(b)
		w.deploy(b, deployments, perSecond)
		used := w.cpu(b) - before

		b.ReportMetric(1000*used.Seconds()/deployments, "cpu-ms/deployment")
		w.stop(b)
	}
}

// BenchmarkIdleCPU reports the share of a core that the service uses while nothing happens, over
// 30 s, after 5 s of rest.
func BenchmarkIdleCPU(b *testing.B) {
	const rest = 30 * time.Second

	b.ReportMetric(0, "ns/op") // says nothing here
	for range b.N {
		w := newWorld(b, sqlite)
		w.start(b)
		<-time.After(5 * time.Second)

		before := w.cpu(b)
		<-time.After(rest)
		used := w.cpu(b) - before

		b.ReportMetric(100*used.Seconds()/rest.Seconds(), "%-of-a-core")
		b.ReportMetric(w.memory(b, "VmRSS"), "RSS-MB")
		w.stop(b)
	}
}
