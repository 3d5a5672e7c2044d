package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// The databases that the program runs on: one process with an SQLite file, or two replicas with
// PostgreSQL.
const (
	sqlite   = "sqlite"
	postgres = "postgres"
)

// defaultSeed is the seed without SERAPH_CHAOS_SEED.
const defaultSeed = 1

// settings describe a run.
type settings struct {
	seed        uint64
	database    string
	deployments int
	faultPeriod time.Duration // how long processes are killed and calls fail
	failureRate float64       // share of the calls that fail
	size
}

// size has the settings that differ between the small and the large run.
type size struct {
	large            bool
	projects         int           // besides the one that two repositories share
	keyless          int           // more projects, whose routes send no key
	ruled            int           // more projects, whose routes have rules
	unrelated        int           // unrelated pipelines that are started at once
	killInterval     interval      // between two kills
	incidentInterval interval      // between two incidents
	frozen           time.Duration // from SIGSTOP to SIGCONT
	frozenLong       time.Duration // the same for a replica that loses its leases
	vendorOutage     interval      // how long GitHub or CircleCI is down
	databaseOutage   time.Duration
	listLag          time.Duration
	lateEffects      []time.Duration // how long after it an unanswered trigger takes effect
	maxWait          time.Duration   // until every deployment must have ended
	env              []string
}

var small = size{
	projects:         3,
	keyless:          1,
	ruled:            3,
	unrelated:        2,
	killInterval:     interval{300 * time.Millisecond, 1500 * time.Millisecond},
	incidentInterval: interval{200 * time.Millisecond, 600 * time.Millisecond},
	frozen:           time.Second,
	vendorOutage:     interval{300 * time.Millisecond, time.Second},
	databaseOutage:   time.Second,
	listLag:          500 * time.Millisecond,
	lateEffects:      []time.Duration{time.Second, 2 * time.Second},
	maxWait:          3 * time.Minute,
	env: []string{
		"SERAPH_LOOKUP_GRACE=3s",
		"SERAPH_CIRCLECI_TIMEOUT=3s",
		"SERAPH_POLL_MIN=200ms",
		"SERAPH_POLL_MAX=1s",
	},
}

// large keeps SERAPH_LOOKUP_GRACE at its default, so that late effects come within it. It has many
// projects, so that others go on while one waits for that time.
var large = size{
	large:            true,
	projects:         36,
	keyless:          6,
	ruled:            6,
	unrelated:        4,
	killInterval:     interval{2 * time.Second, 10 * time.Second},
	incidentInterval: interval{2 * time.Second, 5 * time.Second},
	frozen:           10 * time.Second,
	frozenLong:       2 * time.Minute,
	vendorOutage:     interval{10 * time.Second, 20 * time.Second},
	databaseOutage:   3 * time.Second,
	listLag:          20 * time.Second,
	lateEffects:      []time.Duration{5 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute},
	maxWait:          6 * time.Minute,
	env:              []string{"SERAPH_POLL_MIN=500ms", "SERAPH_POLL_MAX=3s"},
}

// databases returns those to run on: the one that SERAPH_CHAOS_DATABASE names; otherwise both in the
// small run, and SQLite in the large one.
func databases(t *testing.T) []string {
	t.Helper()
	switch name := os.Getenv("SERAPH_CHAOS_DATABASE"); {
	case name == sqlite || name == postgres:
		return []string{name}
	case name != "":
		t.Fatalf("SERAPH_CHAOS_DATABASE: got %q, want %s or %s", name, sqlite, postgres)
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
		seed:        defaultSeed,
		database:    database,
		deployments: 25,
		faultPeriod: 5 * time.Second,
		failureRate: 0.2,
		size:        small,
	}
	if wantsLarge() {
		s.deployments, s.faultPeriod, s.size = 500, 150*time.Second, large
	}

	readVariable(t, "SERAPH_CHAOS_SEED", &s.seed, parseSeed)
	readVariable(t, "SERAPH_CHAOS_DEPLOYMENTS", &s.deployments, strconv.Atoi)
	readVariable(t, "SERAPH_CHAOS_DURATION", &s.faultPeriod, time.ParseDuration)
	t.Log(s)

	return s
}

func parseSeed(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) }

// readVariable parses an environment variable, unless it is empty.
func readVariable[T any](t *testing.T, name string, value *T, parse func(string) (T, error)) {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return
	}

	parsed, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	*value = parsed
}

// String returns the variables that repeat the run.
func (s settings) String() string {
	out := fmt.Sprintf("SERAPH_CHAOS_SEED=%d SERAPH_CHAOS_DATABASE=%s", s.seed, s.database)
	if s.large {
		out += fmt.Sprintf(" SERAPH_CHAOS_DEPLOYMENTS=%d SERAPH_CHAOS_DURATION=%s", s.deployments, s.faultPeriod)
	}
	return out
}

// The streams of random numbers. Each part of a run has its own, so that it is independent of what the
// others draw.
const (
	streamKill = iota
	streamIncident
	streamClock
	streamDeployment = 100    // and up: one for each deployment
	streamBurst      = 10_000 // and up: one for each deployment of a burst

	streamClient   = 100_000 // and up: one for each order
	streamRollback = 200_000 // the same

	lostIndex   = 5_000 // index of the first deployment that a standby does not learn of
	warmUpIndex = 9_000 // index of the first deployment on a route with rules
)

// rng returns the random numbers of a stream. The simulators draw from the same seed. Two runs of one seed
// are similar but not identical, because time has an influence too.
func (s settings) rng(stream int) *rand.Rand { return rand.New(rand.NewPCG(s.seed, uint64(stream))) }

// interval is a range of durations.
type interval struct{ min, max time.Duration }

// pick draws a duration from the range.
func (i interval) pick(rng *rand.Rand) time.Duration {
	return i.min + time.Duration(rng.Int64N(int64(i.max-i.min)+1))
}
