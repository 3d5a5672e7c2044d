package bench

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/pgtest"
)

// maxCPU is the bar for the CPU time of one delivery, as a multiple of the floor's.
const maxCPU = 2.2

const (
	rounds   = 5
	perRound = 3000
	warmUp   = 1000 // more than there are workers
)

// BenchmarkAccept compares how fast webhooks are accepted with the floor. All targets receive the same
// events, one after the other, in each round, and a ratio is the median of the rounds: a busy machine
// slows all of them down. The floor is measured twice, which shows how exact a ratio is.
//
// Seraph's workers are idle: CircleCI never answers the request for a project, and during the warm-up
// all 256 workers start to wait for that answer. From then on a delivery is accepted and queued in
// memory, and nothing else happens.
func BenchmarkAccept(b *testing.B) {
	for _, c := range []struct {
		connections int
		minRate     float64 // bar: share of the floor's rate
	}{
		{connections: 16, minRate: 0.45},
		{connections: 64, minRate: 0.5},
	} {
		b.Run(fmt.Sprintf("connections=%d", c.connections), func(b *testing.B) { accept(b, c.connections, c.minRate) })
	}
}

func accept(b *testing.B, connections int, minRate float64) {
	b.ReportMetric(0, "ns/op") // has no meaning here

	source := newHarness(b, sqlite)
	targets := []*target{
		{name: "floor", process: newFloor(b)},
		{name: "floor-again", process: newFloor(b)},
		{name: "sqlite", process: newIdleService(b, sqlite)},
	}
	if _, ok := pgtest.Server(); ok {
		targets = append(targets, &target{name: "postgres", process: newIdleService(b, postgres)})
	}

	first := source.prepare(b, warmUp, 250)
	b.Logf("%d rounds of %d events of %.1f KB", rounds, perRound, float64(len(first[0].request))/1000)
	for _, t := range targets {
		t.start(b)
		send(b, t.addr, first, connections, 0)
	}
	reportIdle(b, targets)

	for range rounds * b.N {
		runRound(b, targets, source.prepare(b, perRound, 250), connections)
	}

	for _, t := range targets {
		t.report(b, targets[0], minRate)
		t.kill(b) // the waiting workers would delay a stop
	}
}

// newIdleService returns Seraph with workers that are all waiting for CircleCI.
func newIdleService(b *testing.B, in database) *process {
	h := newHarness(b, in, "SERAPH_CIRCLECI_TIMEOUT=15m")
	h.recorder.blockProjects = true
	return h.process
}

// reportIdle logs the CPU that the targets use while they receive nothing.
func reportIdle(b *testing.B, targets []*target) {
	before := make([]usage, len(targets))
	for i, t := range targets {
		before[i] = t.usage(b)
	}

	<-time.After(2 * time.Second)

	var shares []string
	for i, t := range targets {
		shares = append(shares, fmt.Sprintf("%s %.1f %%", t.name, t.usage(b).since(before[i]).server))
	}
	b.Logf("idle, share of a core: %s", strings.Join(shares, ", "))
}

// runRound sends the same deliveries to all targets. The floors take the least time, so they run twice,
// before and after sqlite, to be measured under the same load of the machine.
func runRound(b *testing.B, targets []*target, deliveries []delivery, connections int) {
	total, runs := make([]time.Duration, len(targets)), make([]int, len(targets))
	for _, i := range []int{0, 1, 2, 1, 0, 3} {
		if i >= len(targets) { // no PostgreSQL
			continue
		}

		total[i] += targets[i].send(b, deliveries, connections)
		runs[i]++
	}

	for i, t := range targets {
		t.perSecond = append(t.perSecond, float64(runs[i]*len(deliveries))/total[i].Seconds())
	}
}

// target is a server that accepts webhooks, with its measurements.
type target struct {
	name string
	*process
	perSecond []float64 // by round
	cpuTime   time.Duration
	durations []time.Duration
}

// send sends deliveries and returns how long all of them took.
func (t *target) send(b *testing.B, deliveries []delivery, connections int) time.Duration {
	before := t.cpu(b)
	r := send(b, t.addr, deliveries, connections, 0)
	t.cpuTime += t.cpu(b) - before
	t.durations = append(t.durations, r.durations...)

	if got := r.accepted(); got != len(deliveries) {
		b.Errorf("%s: got %d accepted, want %d", t.name, got, len(deliveries))
	}

	return r.total
}

func (t *target) report(b *testing.B, floor *target, minRate float64) {
	ratios := make([]float64, len(t.perSecond))
	for i, n := range t.perSecond {
		ratios[i] = n / floor.perSecond[i]
	}

	rate := median(ratios)
	cpuEach := t.cpuTime / time.Duration(len(t.durations))
	cpu := float64(cpuEach) / float64(max(floor.cpuTime/time.Duration(len(floor.durations)), 1))

	b.ReportMetric(median(t.perSecond), t.name+"/s")
	if t != floor {
		b.ReportMetric(rate, t.name+"/floor")
		b.ReportMetric(cpu, t.name+"-cpu/floor")
	}

	line := fmt.Sprintf(
		"%s: %.0f/s, %v CPU each, p50 %.2f ms, p99 %.2f ms; relative to the floor: rate %.2f, CPU %.2f",
		t.name, median(t.perSecond), cpuEach.Round(time.Microsecond),
		percentile(t.durations, 0.5), percentile(t.durations, 0.99), rate, cpu,
	)

	switch t.name {
	case "floor":
	case "floor-again":
		line += fmt.Sprintf(" (bar 0.9 to 1.1: %s)", verdict(rate >= 0.9 && rate <= 1.1))
	default:
		line += fmt.Sprintf(" (bars: rate ≥ %v %s, CPU ≤ %v %s)",
			minRate, verdict(rate >= minRate), maxCPU, verdict(cpu <= maxCPU))
	}

	b.Log(line)
}

func median(numbers []float64) float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	return sorted[len(sorted)/2]
}
