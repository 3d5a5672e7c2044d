package policy

import (
	"testing"
	"time"
)

const week = 168 * time.Hour

var maxWaitCases = []verdictCase{
	{
		name:  "default not exceeded",
		given: combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(week)),
		want:  "wait locked: carol's lock on production: x",
	},
	{
		name:  "default exceeded",
		given: combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(week+1)),
		want:  "reject waited_too_long: waited 168h for carol's lock on production: x",
	},
	{
		name:  "configured exceeded",
		given: combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(91*time.Minute), withMaxWait(90*time.Minute)),
		want:  "reject waited_too_long: waited 1h30m for carol's lock on production: x",
	},
	{
		name:  "configured not exceeded",
		given: combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(89*time.Minute), withMaxWait(90*time.Minute)),
		want:  "wait locked: carol's lock on production: x",
	},
	{
		name:  "waiting for a fact",
		given: combine(acceptedAgo(week+1), func(s *scenario) { s.facts.Locks = Unknown[[]Lock]("rows") }),
		want:  "reject waited_too_long: waited 168h for the locks, which could not be read (rows)",
	},
	{name: "nothing to wait for", given: acceptedAgo(week + 1), want: "allow"},
	{
		name:  "waiting in the queue",
		given: combine(withQueue(Queue{Holder: 6}), acceptedAgo(week+1)),
		want:  "wait in_line: deployment 6 of the same environment",
	},
	{
		name:  "waiting in the queue and for a lock",
		given: combine(withQueue(Queue{Holder: 6}), withLocks(lockBy(1, carol, "x")), acceptedAgo(week+1)),
		want:  "reject waited_too_long: waited 168h for carol's lock on production: x",
	},
	{
		name:  "rejected by another rule",
		given: combine(withLocks(lockBy(1, carol, "x")), allowedRefs("y"), acceptedAgo(week+1)),
		want:  mainNotAllowed + "y)",
	},
	{
		name:  "question",
		given: combine(withLocks(lockBy(1, carol, "x")), asQuestion),
		want:  "wait locked: carol's lock on production: x",
	},
	{
		name:  "forced",
		given: combine(withLocks(lockBy(1, carol, "x")), bobForces, acceptedAgo(week+1)),
		want:  "allow | forced | passes [1]",
	},
}

func TestEvaluate_MaxWait(t *testing.T) { runVerdictCases(t, maxWaitCases) }
