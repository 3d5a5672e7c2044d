package chaos

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// settings are what a run is made of. The defaults keep `go test ./...` quick; `make chaos` asks for the whole.
type settings struct {
	seed        uint64
	deployments int
	killing     time.Duration // how long the process is killed and the calls fail
	failing     float64       // part of all calls that go wrong
	large       bool          // the whole, of minutes, with every trouble
}

func readSettings(t *testing.T) settings {
	t.Helper()
	s := settings{seed: rand.Uint64N(1_000_000), deployments: 25, killing: 5 * time.Second, failing: 0.2}
	read(t, "SERAPH_CHAOS_SEED", func(v string) (err error) { s.seed, err = strconv.ParseUint(v, 10, 64); return err })
	read(t, "SERAPH_CHAOS_DEPLOYMENTS", func(v string) (err error) { s.deployments, err = strconv.Atoi(v); return err })
	read(t, "SERAPH_CHAOS_DURATION", func(v string) (err error) { s.killing, err = time.ParseDuration(v); return err })
	s.large = s.killing >= time.Minute
	t.Logf("SERAPH_CHAOS_SEED=%d SERAPH_CHAOS_DEPLOYMENTS=%d SERAPH_CHAOS_DURATION=%s", s.seed, s.deployments, s.killing)
	return s
}

func read(t *testing.T, name string, parse func(string) error) {
	t.Helper()
	if v := os.Getenv(name); v != "" {
		if err := parse(v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// dice are the run's own; the simulators throw theirs from the same seed. Two runs of one seed are alike, not the same: the clock plays too.
func (s settings) dice(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(s.seed, stream)) }

// pause waits for d, or until the test ends.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
