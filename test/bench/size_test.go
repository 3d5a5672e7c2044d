package bench

import (
	"os"
	"testing"
	"time"
)

// BenchmarkStart measures from the start of the process to /readyz 200, on a database that holds
// deployments.
func BenchmarkStart(b *testing.B) {
	w := newWorld(b, sqlite)
	w.start(b)
	w.deploy(b, 50, 50)
	w.stop(b)
	var times []time.Duration
	for b.Loop() {
		times = append(times, w.start(b))
		w.stop(b)
	}

	show(b, times)
}

// BenchmarkIdle reports the memory after 5 s of rest, and the size of the stripped binary.
func BenchmarkIdle(b *testing.B) {
	w := newWorld(b, sqlite)
	for range b.N {
		w.start(b)
		<-time.After(5 * time.Second)
		b.ReportMetric(w.memory(b, "VmRSS"), "RSS-MB")
		w.stop(b)
	}

	info, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}

	b.ReportMetric(0, "ns/op") // says nothing here
	b.ReportMetric(float64(info.Size())/1e6, "binary-MB")
}
