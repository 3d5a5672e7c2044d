package bench

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/pgtest"
)

// BenchmarkAccept races the taking of webhooks against the floor. Everybody gets the same events in
// turn, round by round, and a ratio is the median of the rounds: the machine may be as busy as it
// likes, as long as it is so for all. The floor runs twice, to show what a ratio is worth.
//
// Seraph's workers are paused by a CircleCI that never answers the question for a project: the
// warm-up brings all 256 workers to stand in that question, and from then on a deployment is
// accepted, queued in memory behind them, and nothing more.
func BenchmarkAccept(b *testing.B) {
	for _, c := range []struct {
		connections int
		rate        float64 // the least part of the floor's
	}{{16, 0.45}, {64, 0.5}} {
		b.Run(fmt.Sprintf("connections=%d", c.connections), func(b *testing.B) { accept(b, c.connections, c.rate) })
	}
}

// mostCPU is how often the floor's CPU one delivery may take.
const mostCPU = 2.2

const (
	rounds   = 5
	perRound = 3000
	warmUp   = 1000 // more than there are workers
)

// racer is one of those who take webhooks, and what it needed for that.
type racer struct {
	name  string
	floor bool
	*process
	perSecond []float64 // by round
	used      time.Duration
	took      []time.Duration
}

func accept(b *testing.B, connections int, rate float64) {
	b.ReportMetric(0, "ns/op") // says nothing here
	source := newWorld(b, sqlite)
	racers := []*racer{
		{name: "floor", floor: true, process: newFloor(b)},
		{name: "floor-again", floor: true, process: newFloor(b)},
		{name: "sqlite", process: paused(b, sqlite)},
	}

	if _, ok := pgtest.Server(); ok {
		racers = append(racers, &racer{name: "postgres", process: paused(b, postgres)})
	}

	warm := source.orders(b, warmUp, 250)
	b.Logf("%d rounds of %d events of %.1f KB", rounds, perRound, float64(len(warm[0].request))/1000)
	for _, r := range racers {
		r.start(b)
		fire(b, r.addr, warm, connections, 0)
	}

	rest(b, racers)
	for range rounds * b.N {
		shots := source.orders(b, perRound, 250)
		heat(b, racers, shots, connections)
	}

	for _, r := range racers {
		r.report(b, racers[0], rate)
		r.kill(b) // those who are held would keep a stop waiting
	}
}

// rest shows that those who have nothing to take do nothing.
func rest(b *testing.B, racers []*racer) {
	before := make([]usage, len(racers))
	for i, r := range racers {
		before[i] = r.usage(b)
	}

	<-time.After(2 * time.Second)
	var lines []string
	for i, r := range racers {
		lines = append(lines, fmt.Sprintf("%s %.1f %%", r.name, r.usage(b).since(before[i]).server))
	}

	b.Logf("paused and asked nothing, they use of a core: %s", strings.Join(lines, ", "))
}

// paused is Seraph with nothing to do but to accept.
func paused(b *testing.B, in database) *process {
	w := newWorld(b, in, "SERAPH_CIRCLECI_TIMEOUT=15m")
	w.watch.hold = true
	return w.process
}

// heat is one round. The floors, who need the least time, run twice and around sqlite, so that both
// see the same machine.
func heat(b *testing.B, racers []*racer, shots []shot, connections int) {
	lasted, laps := make([]time.Duration, len(racers)), make([]int, len(racers))
	for _, i := range []int{0, 1, 2, 1, 0, 3} {
		if i < len(racers) { // there is a postgres
			lasted[i] += racers[i].race(b, shots, connections)
			laps[i]++
		}
	}

	for i, r := range racers {
		r.perSecond = append(r.perSecond, float64(laps[i]*len(shots))/lasted[i].Seconds())
	}
}

func (r *racer) race(b *testing.B, shots []shot, connections int) time.Duration {
	before := r.cpu(b)
	v := fire(b, r.addr, shots, connections, 0)
	r.used += r.cpu(b) - before
	r.took = append(r.took, v.took...)
	if got := v.accepted(); got != len(shots) {
		b.Errorf("%s accepted %d of %d", r.name, got, len(shots))
	}

	return v.lasted
}

func (r *racer) report(b *testing.B, floor *racer, rate float64) {
	ratios := make([]float64, len(r.perSecond))
	for i, n := range r.perSecond {
		ratios[i] = n / floor.perSecond[i]
	}

	speed := median(ratios)
	each := r.used / time.Duration(len(r.took))
	cpu := float64(each) / float64(max(floor.used/time.Duration(len(floor.took)), 1))
	b.ReportMetric(median(r.perSecond), r.name+"/s")
	if r != floor {
		b.ReportMetric(speed, r.name+"/floor")
		b.ReportMetric(cpu, r.name+"-cpu/floor")
	}

	line := fmt.Sprintf(
		"%s: %.0f/s, %v CPU each, p50 %.2f ms, p99 %.2f ms; of the floor: %.2f of the rate, %.2f times the CPU",
		r.name,
		median(r.perSecond),
		each.Round(time.Microsecond),
		share(r.took, 0.5),
		share(r.took, 0.99),
		speed,
		cpu,
	)

	switch r.name {
	case "floor":
	case "floor-again":
		line += fmt.Sprintf(" (bar 0.9 to 1.1: %s)", verdict(speed >= 0.9 && speed <= 1.1))
	default:
		line += fmt.Sprintf(" (bars %v: %s, %v: %s)", rate, verdict(speed >= rate), mostCPU, verdict(cpu <= mostCPU))
	}

	b.Log(line)
}

func median(numbers []float64) float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	return sorted[len(sorted)/2]
}
