package policy

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var (
	weekend  = Freeze{Cron: "0 18 * * FRI", Duration: 62 * time.Hour, Zone: "Europe/Berlin", Message: "weekend"}
	night    = Freeze{Cron: "0 20 * * *", Duration: 12 * time.Hour, Zone: "Europe/Berlin"}
	launch   = Freeze{From: noon, To: noon.Add(2 * time.Hour), Message: "launch"}
	meeting  = Freeze{From: noon.Add(-time.Hour), To: noon.Add(time.Hour), Mode: RejectMode, Message: "all hands"}
	holidays = Freeze{From: noon.Add(-time.Hour), To: noon.Add(20 * 24 * time.Hour), Zone: "Europe/Berlin"}
)

var freezeCases = []verdictCase{
	{name: "once: not yet", given: frozenBy(Freeze{From: noon.Add(1), To: noon.Add(2)}), want: "allow"},
	{
		name:  "once: it begins",
		given: frozenBy(launch),
		want:  `wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`,
	},
	{
		name:  "once: its last moment",
		given: frozenBy(Freeze{From: noon.Add(-2), To: noon.Add(1)}),
		want:  "wait frozen: the freeze to end (Wed 12:00 UTC) | until 25 Nov 12:00",
	},
	{name: "once: it has ended", given: frozenBy(Freeze{From: noon.Add(-1), To: noon}), want: "allow"},
	{
		name:  "once: for weeks",
		given: frozenBy(holidays),
		want:  "wait frozen: the freeze to end (15 Dec 13:00 CET) | until 15 Dec 12:00",
	},
	{
		name:  "once: into the next year",
		given: frozenBy(Freeze{From: noon, To: noon.AddDate(1, 0, 0)}),
		want:  "wait frozen: the freeze to end (25 Nov 2027 12:00 UTC) | until 25 Nov 12:00",
	},
	{name: "again: not now", given: frozenBy(weekend), want: "allow"},
	{
		name:  "again: before it begins",
		given: combine(frozenBy(weekend), atTime("2026-11-27T16:59:59Z")),
		want:  "allow",
	},
	{
		name:  "again: it begins",
		given: combine(frozenBy(weekend), atTime("2026-11-27T17:00:00Z")),
		want:  `wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{
		name:  "again: in the middle",
		given: combine(frozenBy(weekend), atTime("2026-11-29T12:34:56Z")),
		want:  `wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{
		name:  "again: its last second",
		given: combine(frozenBy(weekend), atTime("2026-11-30T06:59:59Z")),
		want:  `wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{
		name:  "again: it has ended",
		given: combine(frozenBy(weekend), atTime("2026-11-30T07:00:00Z")),
		want:  "allow",
	},
	{
		name:  "over the end of summer time",
		given: combine(frozenBy(weekend), atTime("2026-10-24T12:00:00Z")),
		want:  `wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 26 Oct 07:00`,
	},
	{
		name:  "over the end of winter time",
		given: combine(frozenBy(weekend), atTime("2026-03-28T12:00:00Z")),
		want:  `wait frozen: the freeze "weekend" to end (Mon 08:00 CEST) | until 30 Mar 06:00`,
	},
	{
		name:  "no zone is UTC",
		given: combine(frozenBy(Freeze{Cron: "0 12 * * *", Duration: time.Hour})),
		want:  "wait frozen: the freeze to end (Wed 13:00 UTC) | until 25 Nov 13:00",
	},
	{
		name:  "rejects",
		given: frozenBy(meeting),
		want:  `reject frozen: the freeze "all hands" lasts until Wed 13:00 UTC`,
	},
	{
		name:  "two: the one that ends last speaks",
		given: frozenBy(launch, Freeze{From: noon, To: noon.Add(time.Hour)}),
		want:  `wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`,
	},
	{
		name:  "two: in the other order",
		given: frozenBy(Freeze{From: noon, To: noon.Add(time.Hour)}, launch),
		want:  `wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`,
	},
	{
		name:  "two: one rejects",
		given: frozenBy(launch, meeting),
		want:  `reject frozen: the freeze "all hands" lasts until Wed 14:00 UTC`,
	},
	{
		name:  "two: one rejects, and is not now",
		given: combine(frozenBy(weekend, launch)),
		want:  `wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`,
	},
	{
		name:  "one follows on another",
		given: frozenBy(launch, Freeze{From: noon.Add(2 * time.Hour), To: noon.Add(5 * time.Hour)}),
		want:  `wait frozen: the freeze "launch" to end (Wed 17:00 UTC) | until 25 Nov 17:00`,
	},
	{
		name:  "one follows after a gap",
		given: frozenBy(launch, Freeze{From: noon.Add(2*time.Hour + 1), To: noon.Add(5 * time.Hour)}),
		want:  `wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`,
	},
	{
		name:  "nights join weekends",
		given: combine(frozenBy(weekend, night), atTime("2026-11-27T17:00:00Z")),
		want:  `wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{
		name:  "windows that overlap",
		given: combine(frozenBy(Freeze{Cron: "0 12,13,14 * * *", Duration: 90 * time.Minute})),
		want:  "wait frozen: the freeze to end (Wed 15:30 UTC) | until 25 Nov 15:30",
	},
	{
		name:  "a cron that cannot be read",
		given: frozenBy(Freeze{Cron: "x", Duration: time.Hour, Message: "odd"}),
		want:  `wait unknown: the freeze "odd", which could not be read (expected exactly 5 fields, found 1: [x])`,
	},
	{
		name:  "a zone that is none",
		given: frozenBy(Freeze{Cron: "0 0 * * *", Duration: time.Hour, Zone: "Mars/Base"}),
		want:  `wait unknown: the freeze, which could not be read ("Mars/Base" is no time zone, such as Europe/Berlin)`,
	},
}

func TestFreeze(t *testing.T) { runVerdictCases(t, freezeCases) }

var lockCases = []verdictCase{
	{name: "the requester's own", given: withLocks(lockBy(1, alice, "testing")), want: "allow | passes [1]"},
	{
		name:  "the requester's own, renamed since",
		given: combine(withLocks(lockBy(1, deployment.Actor{ID: 1, Login: "old"}, "")), requesterLogin("alicia")),
		want:  "allow | passes [1]",
	},
	{
		name:  "of the same name, and another id",
		given: withLocks(lockBy(1, deployment.Actor{ID: 11, Login: "alice"}, "testing")),
		want:  "wait locked: alice's lock on production: testing",
	},
	{
		name:  "somebody else's",
		given: withLocks(lockBy(1, carol, "testing")),
		want:  "wait locked: carol's lock on production: testing",
	},
	{
		name:  "it ends",
		given: withLocks(lockBy(1, carol, "testing").until(time.Hour)),
		want:  "wait locked: carol's lock on production: testing | until 25 Nov 13:00",
	},
	{name: "it has ended", given: withLocks(lockBy(1, carol, "testing").until(0)), want: "allow"},
	{
		name:  "its last moment",
		given: withLocks(lockBy(1, carol, "testing").until(1)),
		want:  "wait locked: carol's lock on production: testing | until 25 Nov 12:00",
	},
	{
		name:  "the oldest speaks",
		given: withLocks(lockBy(2, dave, "later"), lockBy(1, carol, "testing")),
		want:  "wait locked: carol's lock on production: testing (and 1 more)",
	},
	{
		name:  "the last end counts",
		given: withLocks(lockBy(1, carol, "x").until(time.Hour), lockBy(2, dave, "").until(2*time.Hour)),
		want:  "wait locked: carol's lock on production: x (and 1 more) | until 25 Nov 14:00",
	},
	{
		name:  "one has no end",
		given: withLocks(lockBy(1, carol, "x").until(time.Hour), lockBy(2, dave, "")),
		want:  "wait locked: carol's lock on production: x (and 1 more)",
	},
	{
		name:  "one's own beside another",
		given: withLocks(lockBy(1, alice, ""), lockBy(2, dave, "mine")),
		want:  "wait locked: dave's lock on production: mine | passes [1]",
	},
	{
		name:  "rejects",
		given: combine(withLocks(lockBy(1, carol, "testing")), whenLocked(RejectMode)),
		want:  "reject locked: production is locked by carol: testing",
	},
	{
		name:  "waits, as it says",
		given: combine(withLocks(lockBy(1, carol, "testing")), whenLocked(WaitMode)),
		want:  "wait locked: carol's lock on production: testing",
	},
	{
		name:  "of every environment",
		given: withLocks(Lock{ID: 1, RepositoryID: 5, Owner: carol, Reason: "x"}),
		want:  "wait locked: carol's lock on every environment: x",
	},
	{
		name:  "of every repository",
		given: withLocks(Lock{ID: 1, Environment: "production", Owner: carol, Reason: "x"}),
		want:  "wait locked: carol's lock on production of every repository: x",
	},
	{
		name:  "of everything",
		given: combine(withLocks(Lock{ID: 1, Owner: carol, Reason: "x"}), whenLocked(RejectMode)),
		want:  "reject locked: every environment of every repository is locked by carol: x",
	},
	{
		name:  "of an app, by the app",
		given: combine(requestedBy(hubot), withLocks(lockBy(1, hubot, ""))),
		want:  "allow | passes [1]",
	},
	{
		name:  "of a token, by the token",
		given: combine(requestedBy(token), withLocks(lockBy(1, token, ""))),
		want:  "allow | passes [1]",
	},
	{
		name:  "of nobody, by nobody",
		given: combine(requestedBy(deployment.Actor{}), withLocks(lockBy(1, deployment.Actor{}, "x"))),
		want:  "wait locked: nobody known's lock on production: x",
	},
	{
		name:  "unknown",
		given: func(s *scenario) { s.facts.Locks = Unknown[[]Lock]("rows") },
		want:  "wait unknown: the locks, which could not be read (rows)",
	},
}

func TestLocks(t *testing.T) { runVerdictCases(t, lockCases) }

var concurrencyCases = []verdictCase{
	{name: "nobody else", given: withQueue(Queue{}), want: "allow"},
	{
		name:  "one holds it",
		given: withQueue(Queue{Holder: 6}),
		want:  "wait in_line: deployment 6 of the same environment",
	},
	{
		name:  "one comes first",
		given: withQueue(Queue{Before: []int64{5}}),
		want:  "wait in_line: deployment 5 of the same environment, which came first",
	},
	{
		name:  "third",
		given: withQueue(Queue{Holder: 4, Before: []int64{5}}),
		want:  "wait in_line: deployment 4 of the same environment (position 3)",
	},
	{
		name:  "third, and none runs",
		given: withQueue(Queue{Before: []int64{4, 5}}),
		want:  "wait in_line: deployment 4 of the same environment, which came first (position 3)",
	},
	{
		name:  "fourth",
		given: withQueue(Queue{Holder: 3, Before: []int64{4, 5}}),
		want:  "wait in_line: deployment 3 of the same environment (position 4)",
	},
	{
		name:  "queue, as it says",
		given: combine(withConcurrency(ConcurrencyQueue), withQueue(Queue{Holder: 6})),
		want:  "wait in_line: deployment 6 of the same environment",
	},
	{name: "a newer one does not count in a queue", given: withQueue(Queue{Newer: 9}), want: "allow"},
	{
		name:  "a newer one has started",
		given: withQueue(Queue{Started: 9}),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "a newer one has started, and another one runs",
		given: withQueue(Queue{Started: 9, Holder: 9}),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "replace: a newer one",
		given: combine(withConcurrency(ConcurrencyReplace), withQueue(Queue{Newer: 9})),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "replace: a newer one, before the line",
		given: combine(withConcurrency(ConcurrencyReplace), withQueue(Queue{Newer: 9, Holder: 6})),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "replace: one holds it",
		given: combine(withConcurrency(ConcurrencyReplace), withQueue(Queue{Holder: 6})),
		want:  "wait in_line: deployment 6 of the same environment",
	},
	{
		name:  "replace: older ones wait",
		given: combine(withConcurrency(ConcurrencyReplace), withQueue(Queue{Before: []int64{5}})),
		want:  "wait in_line: deployment 5 of the same environment, which came first",
	},
	{
		name:  "cancel: a newer one",
		given: combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{Newer: 9})),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "cancel: one holds it",
		given: combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{Holder: 6})),
		want:  "wait canceling: deployment 6 to be canceled | cancels 6",
	},
	{
		name:  "cancel: older ones wait",
		given: combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{Before: []int64{5}})),
		want:  "wait in_line: deployment 5 of the same environment, which came first",
	},
	{
		name:  "cancel: a question cancels nothing",
		given: combine(withConcurrency(ConcurrencyCancel), asQuestion, withQueue(Queue{Holder: 6})),
		want:  "wait canceling: deployment 6 to be canceled",
	},
	{
		name:  "cancel: not before the checks",
		given: combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{Holder: 6}), requireChecks(allChecks)),
		want:  "wait checks_pending: the first check of a1b2c3d",
	},
	{
		name: "cancel: not before the approvals",
		given: combine(
			withConcurrency(ConcurrencyCancel),
			withQueue(Queue{Holder: 6}),
			requireApprovals(Approvals{Count: 1, Users: []string{"bob"}}),
		),
		want: "wait approvals_missing: 1 approval from bob",
	},
	{
		name:  "cancel: not what is rejected",
		given: combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{Holder: 6}), allowedRefs("x")),
		want:  mainNotAllowed + "x)",
	},
	{
		name:  "cancel: by force",
		given: combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{Holder: 6}), failedBuild, bobForces),
		want:  "wait canceling: deployment 6 to be canceled | forced | cancels 6",
	},
	{
		name:  "reject: one holds it",
		given: combine(withConcurrency(ConcurrencyReject), withQueue(Queue{Holder: 6})),
		want:  "reject busy: deployment 6 of the same environment has not finished",
	},
	{
		name:  "reject: older ones wait",
		given: combine(withConcurrency(ConcurrencyReject), withQueue(Queue{Before: []int64{5}})),
		want:  "reject busy: deployment 5 of the same environment has not finished",
	},
	{
		name:  "reject: nobody else",
		given: combine(withConcurrency(ConcurrencyReject), withQueue(Queue{Newer: 9})),
		want:  "allow",
	},
	{
		name:  "unknown",
		given: func(s *scenario) { s.facts.Queue = Unknown[Queue]("rows") },
		want:  "wait unknown: the queue of production, which could not be read (rows)",
	},
	{
		name:  "in line for ever",
		given: combine(withQueue(Queue{Holder: 6}), acceptedAgo(1000*time.Hour)),
		want:  "wait in_line: deployment 6 of the same environment",
	},
}

func TestConcurrency(t *testing.T) { runVerdictCases(t, concurrencyCases) }

const week = 168 * time.Hour

var maxWaitCases = []verdictCase{
	{
		name:  "a week",
		given: combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(week)),
		want:  "wait locked: carol's lock on production: x",
	},
	{
		name:  "a week and more",
		given: combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(week+1)),
		want:  "reject waited_too_long: waited 168h for carol's lock on production: x",
	},
	{
		name:  "its own time",
		given: combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(91*time.Minute), withMaxWait(90*time.Minute)),
		want:  "reject waited_too_long: waited 1h30m for carol's lock on production: x",
	},
	{
		name:  "its own time is not over",
		given: combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(89*time.Minute), withMaxWait(90*time.Minute)),
		want:  "wait locked: carol's lock on production: x",
	},
	{
		name:  "for a fact",
		given: combine(acceptedAgo(week+1), func(s *scenario) { s.facts.Locks = Unknown[[]Lock]("rows") }),
		want:  "reject waited_too_long: waited 168h for the locks, which could not be read (rows)",
	},
	{name: "nothing to wait for", given: acceptedAgo(week + 1), want: "allow"},
	{
		name:  "for its turn",
		given: combine(withQueue(Queue{Holder: 6}), acceptedAgo(week+1)),
		want:  "wait in_line: deployment 6 of the same environment",
	},
	{
		name:  "for its turn and more",
		given: combine(withQueue(Queue{Holder: 6}), withLocks(lockBy(1, carol, "x")), acceptedAgo(week+1)),
		want:  "reject waited_too_long: waited 168h for carol's lock on production: x",
	},
	{
		name:  "rejected by another rule",
		given: combine(withLocks(lockBy(1, carol, "x")), allowedRefs("y"), acceptedAgo(week+1)),
		want:  mainNotAllowed + "y)",
	},
	{
		name:  "in a question",
		given: combine(withLocks(lockBy(1, carol, "x")), asQuestion),
		want:  "wait locked: carol's lock on production: x",
	},
	{
		name:  "passed by force",
		given: combine(withLocks(lockBy(1, carol, "x")), bobForces, acceptedAgo(week+1)),
		want:  "allow | forced | passes [1]",
	},
}

func TestMaxWait(t *testing.T) { runVerdictCases(t, maxWaitCases) }
