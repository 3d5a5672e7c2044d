package bench

import (
	"os"
	"testing"
	"time"
)

// BenchmarkStart measures the time from the start of the process to /readyz 200, on a database that has
// deployments.
func BenchmarkStart(b *testing.B) {
	h := newHarness(b, sqlite)
	h.start(b)
	h.deploy(b, 50, 50)
	h.stop(b)

	var times []time.Duration
	for b.Loop() {
		times = append(times, h.start(b))
		h.stop(b)
	}

	reportTimes(b, times)
}

// BenchmarkIdle reports the memory of an idle service after 5 s, and the size of the stripped binary.
func BenchmarkIdle(b *testing.B) {
	h := newHarness(b, sqlite)
	for range b.N {
		h.start(b)
		<-time.After(5 * time.Second)
		b.ReportMetric(h.memory(b, "VmRSS"), "RSS-MB")
		h.stop(b)
	}

	info, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}

	megabytes := float64(info.Size()) / 1e6
	b.ReportMetric(0, "ns/op") // has no meaning here
	b.ReportMetric(megabytes, "binary-MB")
	b.Logf("stripped binary: %.1f MB (bar 33: %s)", megabytes, verdict(megabytes <= 33))
}
