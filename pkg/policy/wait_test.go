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
	{"once: not yet", frozenBy(Freeze{From: noon.Add(1), To: noon.Add(2)}), "allow"},
	{"once: it begins", frozenBy(launch), `wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`},
	{"once: its last moment", frozenBy(Freeze{
		From: noon.Add(-2),
		To:   noon.Add(1),
	}), "wait frozen: the freeze to end (Wed 12:00 UTC) | until 25 Nov 12:00"},
	{"once: it has ended", frozenBy(Freeze{From: noon.Add(-1), To: noon}), "allow"},
	{"once: for weeks", frozenBy(holidays), "wait frozen: the freeze to end (15 Dec 13:00 CET) | until 15 Dec 12:00"},
	{"once: into the next year", frozenBy(Freeze{
		From: noon,
		To:   noon.AddDate(1, 0, 0),
	}), "wait frozen: the freeze to end (25 Nov 2027 12:00 UTC) | until 25 Nov 12:00"},
	{"again: not now", frozenBy(weekend), "allow"},
	{"again: before it begins", combine(frozenBy(weekend), atTime("2026-11-27T16:59:59Z")), "allow"},
	{
		"again: it begins",
		combine(frozenBy(weekend), atTime("2026-11-27T17:00:00Z")),
		`wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{
		"again: in the middle",
		combine(frozenBy(weekend), atTime("2026-11-29T12:34:56Z")),
		`wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{
		"again: its last second",
		combine(frozenBy(weekend), atTime("2026-11-30T06:59:59Z")),
		`wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{"again: it has ended", combine(frozenBy(weekend), atTime("2026-11-30T07:00:00Z")), "allow"},
	{
		"over the end of summer time",
		combine(frozenBy(weekend), atTime("2026-10-24T12:00:00Z")),
		`wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 26 Oct 07:00`,
	},
	{
		"over the end of winter time",
		combine(frozenBy(weekend), atTime("2026-03-28T12:00:00Z")),
		`wait frozen: the freeze "weekend" to end (Mon 08:00 CEST) | until 30 Mar 06:00`,
	},
	{"no zone is UTC", combine(frozenBy(Freeze{
		Cron:     "0 12 * * *",
		Duration: time.Hour,
	})), "wait frozen: the freeze to end (Wed 13:00 UTC) | until 25 Nov 13:00"},
	{"rejects", frozenBy(meeting), `reject frozen: the freeze "all hands" holds until Wed 13:00 UTC`},
	{"two: the one that ends last speaks", frozenBy(launch, Freeze{From: noon, To: noon.Add(time.Hour)}),
		`wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`},
	{"two: in the other order", frozenBy(Freeze{From: noon, To: noon.Add(time.Hour)}, launch),
		`wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`},
	{"two: one rejects", frozenBy(launch, meeting), `reject frozen: the freeze "all hands" holds until Wed 14:00 UTC`},
	{
		"two: one rejects, and is not now",
		combine(frozenBy(weekend, launch)),
		`wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`,
	},
	{"one follows on another", frozenBy(launch, Freeze{From: noon.Add(2 * time.Hour), To: noon.Add(5 * time.Hour)}),
		`wait frozen: the freeze "launch" to end (Wed 17:00 UTC) | until 25 Nov 17:00`},
	{"one follows after a gap", frozenBy(launch, Freeze{From: noon.Add(2*time.Hour + 1), To: noon.Add(5 * time.Hour)}),
		`wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`},
	{"nights join weekends", combine(frozenBy(weekend, night), atTime("2026-11-27T17:00:00Z")),
		`wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`},
	{"windows that overlap", combine(frozenBy(Freeze{Cron: "0 12,13,14 * * *", Duration: 90 * time.Minute})),
		"wait frozen: the freeze to end (Wed 15:30 UTC) | until 25 Nov 15:30"},
	{"a cron that cannot be read", frozenBy(Freeze{Cron: "x", Duration: time.Hour, Message: "odd"}),
		`wait unknown: an answer about the freeze "odd" (expected exactly 5 fields, found 1: [x])`},
	{"a zone that is none", frozenBy(Freeze{Cron: "0 0 * * *", Duration: time.Hour, Zone: "Mars/Base"}),
		`wait unknown: an answer about the freeze ("Mars/Base" is no time zone, such as Europe/Berlin)`},
}

func TestFreeze(t *testing.T) { runVerdictCases(t, freezeCases) }

var lockCases = []verdictCase{
	{"the requester's own", withLocks(lockBy(1, alice, "testing")), "allow | passes [1]"},
	{"the requester's own, renamed since", combine(withLocks(lockBy(1, deployment.Actor{
		ID:    1,
		Login: "old",
	}, "")), requesterLogin("alicia")), "allow | passes [1]"},
	{"of the same name, and another id", withLocks(lockBy(1, deployment.Actor{ID: 11, Login: "alice"}, "testing")),
		"wait locked: alice's lock on production: testing"},
	{"somebody else's", withLocks(lockBy(1, carol, "testing")), "wait locked: carol's lock on production: testing"},
	{
		"it ends",
		withLocks(lockBy(1, carol, "testing").until(time.Hour)),
		"wait locked: carol's lock on production: testing | until 25 Nov 13:00",
	},
	{"it has ended", withLocks(lockBy(1, carol, "testing").until(0)), "allow"},
	{
		"its last moment",
		withLocks(lockBy(1, carol, "testing").until(1)),
		"wait locked: carol's lock on production: testing | until 25 Nov 12:00",
	},
	{
		"the oldest speaks",
		withLocks(lockBy(2, dave, "later"), lockBy(1, carol, "testing")),
		"wait locked: carol's lock on production: testing (and 1 more)",
	},
	{"the last end counts", withLocks(lockBy(1, carol, "x").until(time.Hour), lockBy(2, dave, "").until(2*time.Hour)),
		"wait locked: carol's lock on production: x (and 1 more) | until 25 Nov 14:00"},
	{
		"one has no end",
		withLocks(lockBy(1, carol, "x").until(time.Hour), lockBy(2, dave, "")),
		"wait locked: carol's lock on production: x (and 1 more)",
	},
	{
		"one's own beside another",
		withLocks(lockBy(1, alice, ""), lockBy(2, dave, "mine")),
		"wait locked: dave's lock on production: mine | passes [1]",
	},
	{
		"rejects",
		combine(withLocks(lockBy(1, carol, "testing")), whenLocked(RejectMode)),
		"reject locked: production is locked by carol: testing",
	},
	{
		"waits, as it says",
		combine(withLocks(lockBy(1, carol, "testing")), whenLocked(WaitMode)),
		"wait locked: carol's lock on production: testing",
	},
	{"of every environment", withLocks(Lock{
		ID:           1,
		RepositoryID: 5,
		Owner:        carol,
		Reason:       "x",
	}), "wait locked: carol's lock on every environment: x"},
	{"of every repository", withLocks(Lock{ID: 1, Environment: "production", Owner: carol, Reason: "x"}),
		"wait locked: carol's lock on production of every repository: x"},
	{"of everything", combine(withLocks(Lock{ID: 1, Owner: carol, Reason: "x"}), whenLocked(RejectMode)),
		"reject locked: every environment of every repository is locked by carol: x"},
	{"of an app, by the app", combine(requestedBy(hubot), withLocks(lockBy(1, hubot, ""))), "allow | passes [1]"},
	{"of a token, by the token", combine(requestedBy(token), withLocks(lockBy(1, token, ""))), "allow | passes [1]"},
	{
		"of nobody, by nobody",
		combine(requestedBy(deployment.Actor{}), withLocks(lockBy(1, deployment.Actor{}, "x"))),
		"wait locked: nobody known's lock on production: x",
	},
	{
		"unknown",
		func(s *scenario) { s.facts.Locks = Unknown[[]Lock]("rows") },
		"wait unknown: an answer about the locks (rows)",
	},
}

func TestLocks(t *testing.T) { runVerdictCases(t, lockCases) }

var concurrencyCases = []verdictCase{
	{"nobody else", withQueue(Queue{}), "allow"},
	{"one holds it", withQueue(Queue{Holder: 6}), "wait in_line: deployment 6 of the same environment"},
	{"one comes first", withQueue(Queue{
		Before: []int64{5},
	}), "wait in_line: deployment 5 of the same environment, which came first"},
	{"third", withQueue(Queue{
		Holder: 4,
		Before: []int64{5},
	}), "wait in_line: deployment 4 of the same environment (position 3)"},
	{"third, and none runs", withQueue(Queue{
		Before: []int64{4, 5},
	}), "wait in_line: deployment 4 of the same environment, which came first (position 3)"},
	{"fourth", withQueue(Queue{
		Holder: 3,
		Before: []int64{4, 5},
	}), "wait in_line: deployment 3 of the same environment (position 4)"},
	{"queue, as it says", combine(withConcurrency(ConcurrencyQueue), withQueue(Queue{
		Holder: 6,
	})), "wait in_line: deployment 6 of the same environment"},
	{"a newer one does not count in a queue", withQueue(Queue{Newer: 9}), "allow"},
	{"a newer one has started", withQueue(Queue{Started: 9}), "reject superseded: superseded by #9"},
	{"a newer one has started, and another one runs", withQueue(Queue{
		Started: 9,
		Holder:  9,
	}), "reject superseded: superseded by #9"},
	{"replace: a newer one", combine(withConcurrency(ConcurrencyReplace), withQueue(Queue{
		Newer: 9,
	})), "reject superseded: superseded by #9"},
	{"replace: a newer one, before the line", combine(withConcurrency(ConcurrencyReplace), withQueue(Queue{
		Newer:  9,
		Holder: 6,
	})), "reject superseded: superseded by #9"},
	{"replace: one holds it", combine(withConcurrency(ConcurrencyReplace), withQueue(Queue{
		Holder: 6,
	})), "wait in_line: deployment 6 of the same environment"},
	{"replace: older ones wait", combine(withConcurrency(ConcurrencyReplace), withQueue(Queue{
		Before: []int64{5},
	})), "wait in_line: deployment 5 of the same environment, which came first"},
	{"cancel: a newer one", combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{Newer: 9})), "reject superseded: superseded by #9"},
	{"cancel: one holds it", combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{
		Holder: 6,
	})), "wait canceling: deployment 6 to be canceled | cancels 6"},
	{"cancel: older ones wait", combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{
		Before: []int64{5},
	})), "wait in_line: deployment 5 of the same environment, which came first"},
	{"cancel: a question cancels nothing", combine(withConcurrency(ConcurrencyCancel), asQuestion, withQueue(Queue{
		Holder: 6,
	})), "wait canceling: deployment 6 to be canceled"},
	{"cancel: not before the checks", combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{
		Holder: 6,
	}), requireChecks(allChecks)), "wait checks_pending: the first check of a1b2c3d"},
	{"cancel: not before the approvals", combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{
		Holder: 6,
	}), requireApprovals(Approvals{
		Count: 1,
		Users: []string{"bob"},
	})),
		"wait approvals_missing: 1 of 1 approvals (bob)"},
	{"cancel: not what is rejected", combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{Holder: 6}), allowedRefs("x")), mainNotAllowed + "x may"},
	{"cancel: by force", combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{
		Holder: 6,
	}), failedBuild, bobForces), "wait canceling: deployment 6 to be canceled | forced | cancels 6"},
	{"reject: one holds it", combine(withConcurrency(ConcurrencyReject), withQueue(Queue{
		Holder: 6,
	})), "reject busy: deployment 6 of the same environment is first"},
	{"reject: older ones wait", combine(withConcurrency(ConcurrencyReject), withQueue(Queue{
		Before: []int64{5},
	})), "reject busy: deployment 5 of the same environment is first"},
	{"reject: nobody else", combine(withConcurrency(ConcurrencyReject), withQueue(Queue{Newer: 9})), "allow"},
	{
		"unknown",
		func(s *scenario) { s.facts.Queue = Unknown[Queue]("rows") },
		"wait unknown: an answer about what else goes there (rows)",
	},
	{"in line for ever", combine(withQueue(Queue{
		Holder: 6,
	}), acceptedAgo(1000*time.Hour)), "wait in_line: deployment 6 of the same environment"},
}

func TestConcurrency(t *testing.T) { runVerdictCases(t, concurrencyCases) }

const week = 168 * time.Hour

var maxWaitCases = []verdictCase{
	{"a week", combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(week)), "wait locked: carol's lock on production: x"},
	{
		"a week and more",
		combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(week+1)),
		"reject waited_too_long: waited 168h for carol's lock on production: x",
	},
	{"its own time", combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(91*time.Minute), withMaxWait(90*time.Minute)),
		"reject waited_too_long: waited 1h30m for carol's lock on production: x"},
	{"its own time is not over", combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(89*time.Minute), withMaxWait(90*time.Minute)),
		"wait locked: carol's lock on production: x"},
	{
		"for a fact",
		combine(acceptedAgo(week+1), func(s *scenario) { s.facts.Locks = Unknown[[]Lock]("rows") }),
		"reject waited_too_long: waited 168h for an answer about the locks (rows)",
	},
	{"nothing to wait for", acceptedAgo(week + 1), "allow"},
	{"for its turn", combine(withQueue(Queue{
		Holder: 6,
	}), acceptedAgo(week+1)), "wait in_line: deployment 6 of the same environment"},
	{"for its turn and more", combine(withQueue(Queue{Holder: 6}), withLocks(lockBy(1, carol, "x")), acceptedAgo(week+1)),
		"reject waited_too_long: waited 168h for carol's lock on production: x"},
	{"rejected by another rule", combine(withLocks(lockBy(1, carol, "x")), allowedRefs("y"), acceptedAgo(week+1)), mainNotAllowed + "y may"},
	{"in a question", combine(withLocks(lockBy(1, carol, "x")), asQuestion), "wait locked: carol's lock on production: x"},
	{"passed by force", combine(withLocks(lockBy(1, carol, "x")), bobForces, acceptedAgo(week+1)), "allow | forced | passes [1]"},
}

func TestMaxWait(t *testing.T) { runVerdictCases(t, maxWaitCases) }
