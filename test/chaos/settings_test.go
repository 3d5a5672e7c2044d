package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// The databases that the program runs on: as one process on an SQLite file, as two replicas on
// PostgreSQL.
const (
	sqlite   = "sqlite"
	postgres = "postgres"
)

// settings are what a run is made of.
type settings struct {
	seed        uint64
	database    string
	deployments int
	rage        time.Duration // how long processes are killed and calls fail
	failing     float64       // part of all calls that go wrong
	size
}

// size is what differs between a run that `go test ./...` can bear and one that leaves nothing out.
type size struct {
	large        bool
	projects     int           // beside the one that two repositories share
	keyless      int           // more projects, whose routes send no key
	strangers    int           // how many pipelines a stranger triggers in one go
	kill         span          // between two kills
	trouble      span          // between two troubles
	frozen       time.Duration // SIGSTOP to SIGCONT
	frozenOnce   time.Duration // the same, of one replica while the other one goes on
	down         span          // how long a vendor is
	databaseDown time.Duration
	listLag      time.Duration
	late         []time.Duration // after how long a trigger nobody answered still takes effect
	patience     time.Duration   // until every deployment must have ended
	env          []string
}

var small = size{
	projects:     3,
	keyless:      1,
	strangers:    2,
	kill:         span{300 * time.Millisecond, 1500 * time.Millisecond},
	trouble:      span{200 * time.Millisecond, 600 * time.Millisecond},
	frozen:       time.Second,
	down:         span{300 * time.Millisecond, time.Second},
	databaseDown: time.Second,
	listLag:      500 * time.Millisecond,
	late:         []time.Duration{time.Second, 2 * time.Second},
	patience:     3 * time.Minute,
	env: []string{
		"SERAPH_LOOKUP_GRACE=3s",
		"SERAPH_CIRCLECI_TIMEOUT=3s",
		"SERAPH_POLL_MIN=200ms",
		"SERAPH_POLL_MAX=1s",
	},
}

// large leaves SERAPH_LOOKUP_GRACE at its default, so that what comes late comes within it. Its
// many projects let the others go on while one waits for that.
var large = size{
	large:        true,
	projects:     36,
	keyless:      6,
	strangers:    4,
	kill:         span{2 * time.Second, 10 * time.Second},
	trouble:      span{2 * time.Second, 5 * time.Second},
	frozen:       10 * time.Second,
	frozenOnce:   2 * time.Minute,
	down:         span{10 * time.Second, 20 * time.Second},
	databaseDown: 3 * time.Second,
	listLag:      20 * time.Second,
	late:         []time.Duration{5 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute},
	patience:     6 * time.Minute,
	env:          []string{"SERAPH_POLL_MIN=500ms", "SERAPH_POLL_MAX=3s"},
}

// databases are those to run on: the one that was asked for; else both of them in small, and SQLite
// in large.
func databases(t *testing.T) []string {
	t.Helper()
	switch asked := os.Getenv("SERAPH_CHAOS_DATABASE"); {
	case asked == sqlite || asked == postgres:
		return []string{asked}
	case asked != "":
		t.Fatalf("SERAPH_CHAOS_DATABASE is %q; it can be %s or %s", asked, sqlite, postgres)
	case wantsLarge():
		return []string{sqlite}
	}

	return []string{sqlite, postgres}
}

func wantsLarge() bool {
	return os.Getenv("SERAPH_CHAOS_DEPLOYMENTS") != "" || os.Getenv("SERAPH_CHAOS_DURATION") != ""
}

func readSettings(t *testing.T, database string) settings {
	t.Helper()
	s := settings{
		seed:        rand.Uint64N(1_000_000),
		database:    database,
		deployments: 25,
		rage:        5 * time.Second,
		failing:     0.2,
		size:        small,
	}

	if wantsLarge() {
		s.deployments, s.rage, s.size = 500, 150*time.Second, large
	}

	read(t, "SERAPH_CHAOS_SEED", func(v string) (err error) { s.seed, err = strconv.ParseUint(v, 10, 64); return err })
	read(t, "SERAPH_CHAOS_DEPLOYMENTS", func(v string) (err error) { s.deployments, err = strconv.Atoi(v); return err })
	read(t, "SERAPH_CHAOS_DURATION", func(v string) (err error) { s.rage, err = time.ParseDuration(v); return err })
	t.Log(s)

	return s
}

// String is how to ask for the same run again.
func (s settings) String() string {
	out := fmt.Sprintf("SERAPH_CHAOS_SEED=%d SERAPH_CHAOS_DATABASE=%s", s.seed, s.database)
	if s.large {
		out += fmt.Sprintf(" SERAPH_CHAOS_DEPLOYMENTS=%d SERAPH_CHAOS_DURATION=%s", s.deployments, s.rage)
	}
	return out
}

func read(t *testing.T, name string, parse func(string) error) {
	t.Helper()
	if v := os.Getenv(name); v != "" {
		if err := parse(v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// The streams of dice. Each part of a run throws its own, so that one part's luck does not change
// another's.
const (
	diceKill = iota
	diceTrouble
	diceClock
	diceDeployment = 100 // and up: one for each
)

// dice are the run's own; the simulators throw theirs from the same seed. Two runs of one seed are
// alike, not the same: the clock plays too.
func (s settings) dice(stream int) *rand.Rand { return rand.New(rand.NewPCG(s.seed, uint64(stream))) }

// span is a shortest and a longest time.
type span struct{ least, most time.Duration }

// pick throws the dice for a time between the two.
func (s span) pick(dice *rand.Rand) time.Duration {
	return s.least + time.Duration(dice.Int64N(int64(s.most-s.least)+1))
}
