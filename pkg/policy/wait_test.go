package policy

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var (
	weekend  = Freeze{Cron: "0 18 * * FRI", Duration: 62 * time.Hour, Zone: "Europe/Berlin", Message: "weekend"}
	night    = Freeze{Cron: "0 20 * * *", Duration: 12 * time.Hour, Zone: "Europe/Berlin"}
	party    = Freeze{From: noon, To: noon.Add(2 * time.Hour), Message: "launch"}
	meeting  = Freeze{From: noon.Add(-time.Hour), To: noon.Add(time.Hour), Mode: RejectMode, Message: "all hands"}
	holidays = Freeze{From: noon.Add(-time.Hour), To: noon.Add(20 * 24 * time.Hour), Zone: "Europe/Berlin"}
)

var freezeRulings = []ruling{
	{"once: not yet", freezes(Freeze{From: noon.Add(1), To: noon.Add(2)}), "allow"},
	{"once: it begins", freezes(party), `wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`},
	{"once: its last moment", freezes(Freeze{
		From: noon.Add(-2),
		To:   noon.Add(1),
	}), "wait frozen: the freeze to end (Wed 12:00 UTC) | until 25 Nov 12:00"},
	{"once: it has ended", freezes(Freeze{From: noon.Add(-1), To: noon}), "allow"},
	{"once: for weeks", freezes(holidays), "wait frozen: the freeze to end (15 Dec 13:00 CET) | until 15 Dec 12:00"},
	{"once: into the next year", freezes(Freeze{
		From: noon,
		To:   noon.AddDate(1, 0, 0),
	}), "wait frozen: the freeze to end (25 Nov 2027 12:00 UTC) | until 25 Nov 12:00"},
	{"again: not now", freezes(weekend), "allow"},
	{"again: before it begins", all(freezes(weekend), at("2026-11-27T16:59:59Z")), "allow"},
	{
		"again: it begins",
		all(freezes(weekend), at("2026-11-27T17:00:00Z")),
		`wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{
		"again: in the middle",
		all(freezes(weekend), at("2026-11-29T12:34:56Z")),
		`wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{
		"again: its last second",
		all(freezes(weekend), at("2026-11-30T06:59:59Z")),
		`wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`,
	},
	{"again: it has ended", all(freezes(weekend), at("2026-11-30T07:00:00Z")), "allow"},
	{
		"over the end of summer time",
		all(freezes(weekend), at("2026-10-24T12:00:00Z")),
		`wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 26 Oct 07:00`,
	},
	{
		"over the end of winter time",
		all(freezes(weekend), at("2026-03-28T12:00:00Z")),
		`wait frozen: the freeze "weekend" to end (Mon 08:00 CEST) | until 30 Mar 06:00`,
	},
	{"no zone is UTC", all(freezes(Freeze{
		Cron:     "0 12 * * *",
		Duration: time.Hour,
	})), "wait frozen: the freeze to end (Wed 13:00 UTC) | until 25 Nov 13:00"},
	{"rejects", freezes(meeting), `reject frozen: the freeze "all hands" holds until Wed 13:00 UTC`},
	{"two: the one that ends last speaks", freezes(party, Freeze{From: noon, To: noon.Add(time.Hour)}),
		`wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`},
	{"two: in the other order", freezes(Freeze{From: noon, To: noon.Add(time.Hour)}, party),
		`wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`},
	{"two: one rejects", freezes(party, meeting), `reject frozen: the freeze "all hands" holds until Wed 14:00 UTC`},
	{
		"two: one rejects, and is not now",
		all(freezes(weekend, party)),
		`wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`,
	},
	{"one follows on another", freezes(party, Freeze{From: noon.Add(2 * time.Hour), To: noon.Add(5 * time.Hour)}),
		`wait frozen: the freeze "launch" to end (Wed 17:00 UTC) | until 25 Nov 17:00`},
	{"one follows after a gap", freezes(party, Freeze{From: noon.Add(2*time.Hour + 1), To: noon.Add(5 * time.Hour)}),
		`wait frozen: the freeze "launch" to end (Wed 14:00 UTC) | until 25 Nov 14:00`},
	{"nights join weekends", all(freezes(weekend, night), at("2026-11-27T17:00:00Z")),
		`wait frozen: the freeze "weekend" to end (Mon 08:00 CET) | until 30 Nov 07:00`},
	{"windows that overlap", all(freezes(Freeze{Cron: "0 12,13,14 * * *", Duration: 90 * time.Minute})),
		"wait frozen: the freeze to end (Wed 15:30 UTC) | until 25 Nov 15:30"},
	{"a cron that cannot be read", freezes(Freeze{Cron: "x", Duration: time.Hour, Message: "odd"}),
		`wait unknown: an answer about the freeze "odd" (expected exactly 5 fields, found 1: [x])`},
	{"a zone that is none", freezes(Freeze{Cron: "0 0 * * *", Duration: time.Hour, Zone: "Mars/Base"}),
		`wait unknown: an answer about the freeze ("Mars/Base" is no time zone, such as Europe/Berlin)`},
}

func TestFreeze(t *testing.T) { judged(t, freezeRulings) }

var lockRulings = []ruling{
	{"the requester's own", locks(lock(1, alice, "testing")), "allow | passes [1]"},
	{"the requester's own, renamed since", all(locks(lock(1, deployment.Actor{
		ID:    1,
		Login: "old",
	}, "")), login("alicia")), "allow | passes [1]"},
	{"of the same name, and another id", locks(lock(1, deployment.Actor{ID: 11, Login: "alice"}, "testing")),
		"wait locked: alice's lock on production: testing"},
	{"somebody else's", locks(lock(1, carol, "testing")), "wait locked: carol's lock on production: testing"},
	{
		"it ends",
		locks(lock(1, carol, "testing").until(time.Hour)),
		"wait locked: carol's lock on production: testing | until 25 Nov 13:00",
	},
	{"it has ended", locks(lock(1, carol, "testing").until(0)), "allow"},
	{
		"its last moment",
		locks(lock(1, carol, "testing").until(1)),
		"wait locked: carol's lock on production: testing | until 25 Nov 12:00",
	},
	{
		"the oldest speaks",
		locks(lock(2, dave, "later"), lock(1, carol, "testing")),
		"wait locked: carol's lock on production: testing (and 1 more)",
	},
	{"the last end counts", locks(lock(1, carol, "x").until(time.Hour), lock(2, dave, "").until(2*time.Hour)),
		"wait locked: carol's lock on production: x (and 1 more) | until 25 Nov 14:00"},
	{
		"one has no end",
		locks(lock(1, carol, "x").until(time.Hour), lock(2, dave, "")),
		"wait locked: carol's lock on production: x (and 1 more)",
	},
	{
		"one's own beside another",
		locks(lock(1, alice, ""), lock(2, dave, "mine")),
		"wait locked: dave's lock on production: mine | passes [1]",
	},
	{
		"rejects",
		all(locks(lock(1, carol, "testing")), lockedMode(RejectMode)),
		"reject locked: production is locked by carol: testing",
	},
	{
		"waits, as it says",
		all(locks(lock(1, carol, "testing")), lockedMode(WaitMode)),
		"wait locked: carol's lock on production: testing",
	},
	{"of every environment", locks(Lock{
		ID:           1,
		RepositoryID: 5,
		Owner:        carol,
		Reason:       "x",
	}), "wait locked: carol's lock on every environment: x"},
	{"of every repository", locks(Lock{ID: 1, Environment: "production", Owner: carol, Reason: "x"}),
		"wait locked: carol's lock on production of every repository: x"},
	{"of everything", all(locks(Lock{ID: 1, Owner: carol, Reason: "x"}), lockedMode(RejectMode)),
		"reject locked: every environment of every repository is locked by carol: x"},
	{"of an app, by the app", all(by(hubot), locks(lock(1, hubot, ""))), "allow | passes [1]"},
	{"of a token, by the token", all(by(token), locks(lock(1, token, ""))), "allow | passes [1]"},
	{
		"of nobody, by nobody",
		all(by(deployment.Actor{}), locks(lock(1, deployment.Actor{}, "x"))),
		"wait locked: nobody known's lock on production: x",
	},
	{
		"unknown",
		func(s *scene) { s.f.Locks = Unknown[[]Lock]("rows") },
		"wait unknown: an answer about the locks (rows)",
	},
}

func TestLocks(t *testing.T) { judged(t, lockRulings) }

var lineRulings = []ruling{
	{"nobody else", line(Queue{}), "allow"},
	{"one holds it", line(Queue{Holder: 6}), "wait in_line: deployment 6 of the same environment"},
	{"one comes first", line(Queue{
		Before: []int64{5},
	}), "wait in_line: deployment 5 of the same environment, which came first"},
	{"third", line(Queue{
		Holder: 4,
		Before: []int64{5},
	}), "wait in_line: deployment 4 of the same environment (position 3)"},
	{"third, and none runs", line(Queue{
		Before: []int64{4, 5},
	}), "wait in_line: deployment 4 of the same environment, which came first (position 3)"},
	{"fourth", line(Queue{
		Holder: 3,
		Before: []int64{4, 5},
	}), "wait in_line: deployment 3 of the same environment (position 4)"},
	{"queue, as it says", all(how(ConcurrencyQueue), line(Queue{
		Holder: 6,
	})), "wait in_line: deployment 6 of the same environment"},
	{"a newer one does not count in a queue", line(Queue{Newer: 9}), "allow"},
	{"a newer one has started", line(Queue{Started: 9}), "reject superseded: superseded by #9"},
	{"a newer one has started, and another one runs", line(Queue{
		Started: 9,
		Holder:  9,
	}), "reject superseded: superseded by #9"},
	{"replace: a newer one", all(how(ConcurrencyReplace), line(Queue{
		Newer: 9,
	})), "reject superseded: superseded by #9"},
	{"replace: a newer one, before the line", all(how(ConcurrencyReplace), line(Queue{
		Newer:  9,
		Holder: 6,
	})), "reject superseded: superseded by #9"},
	{"replace: one holds it", all(how(ConcurrencyReplace), line(Queue{
		Holder: 6,
	})), "wait in_line: deployment 6 of the same environment"},
	{"replace: older ones wait", all(how(ConcurrencyReplace), line(Queue{
		Before: []int64{5},
	})), "wait in_line: deployment 5 of the same environment, which came first"},
	{"cancel: a newer one", all(how(ConcurrencyCancel), line(Queue{Newer: 9})), "reject superseded: superseded by #9"},
	{"cancel: one holds it", all(how(ConcurrencyCancel), line(Queue{
		Holder: 6,
	})), "wait canceling: deployment 6 to be canceled | cancels 6"},
	{"cancel: older ones wait", all(how(ConcurrencyCancel), line(Queue{
		Before: []int64{5},
	})), "wait in_line: deployment 5 of the same environment, which came first"},
	{"cancel: a question cancels nothing", all(how(ConcurrencyCancel), question, line(Queue{
		Holder: 6,
	})), "wait canceling: deployment 6 to be canceled"},
	{"cancel: not before the checks", all(how(ConcurrencyCancel), line(Queue{
		Holder: 6,
	}), checks(every)), "wait checks_pending: the first check of a1b2c3d"},
	{"cancel: not before the approvals", all(how(ConcurrencyCancel), line(Queue{
		Holder: 6,
	}), approvals(Approvals{
		Count: 1,
		Users: []string{"bob"},
	})),
		"wait approvals_missing: 1 of 1 approvals (bob)"},
	{"cancel: not what is rejected", all(how(ConcurrencyCancel), line(Queue{Holder: 6}), refs("x")), notMain + "x may"},
	{"cancel: by force", all(how(ConcurrencyCancel), line(Queue{
		Holder: 6,
	}), redBuild, forcing), "wait canceling: deployment 6 to be canceled | forced | cancels 6"},
	{"reject: one holds it", all(how(ConcurrencyReject), line(Queue{
		Holder: 6,
	})), "reject busy: deployment 6 of the same environment is first"},
	{"reject: older ones wait", all(how(ConcurrencyReject), line(Queue{
		Before: []int64{5},
	})), "reject busy: deployment 5 of the same environment is first"},
	{"reject: nobody else", all(how(ConcurrencyReject), line(Queue{Newer: 9})), "allow"},
	{
		"unknown",
		func(s *scene) { s.f.Queue = Unknown[Queue]("rows") },
		"wait unknown: an answer about what else goes there (rows)",
	},
	{"in line for ever", all(line(Queue{
		Holder: 6,
	}), accepted(1000*time.Hour)), "wait in_line: deployment 6 of the same environment"},
}

func TestConcurrency(t *testing.T) { judged(t, lineRulings) }

const week = 168 * time.Hour

var patienceRulings = []ruling{
	{"a week", all(locks(lock(1, carol, "x")), accepted(week)), "wait locked: carol's lock on production: x"},
	{
		"a week and more",
		all(locks(lock(1, carol, "x")), accepted(week+1)),
		"reject waited_too_long: waited 168h for carol's lock on production: x",
	},
	{"its own time", all(locks(lock(1, carol, "x")), accepted(91*time.Minute), maxWait(90*time.Minute)),
		"reject waited_too_long: waited 1h30m for carol's lock on production: x"},
	{"its own time is not over", all(locks(lock(1, carol, "x")), accepted(89*time.Minute), maxWait(90*time.Minute)),
		"wait locked: carol's lock on production: x"},
	{
		"for a fact",
		all(accepted(week+1), func(s *scene) { s.f.Locks = Unknown[[]Lock]("rows") }),
		"reject waited_too_long: waited 168h for an answer about the locks (rows)",
	},
	{"nothing to wait for", accepted(week + 1), "allow"},
	{"for its turn", all(line(Queue{
		Holder: 6,
	}), accepted(week+1)), "wait in_line: deployment 6 of the same environment"},
	{"for its turn and more", all(line(Queue{Holder: 6}), locks(lock(1, carol, "x")), accepted(week+1)),
		"reject waited_too_long: waited 168h for carol's lock on production: x"},
	{"rejected by another rule", all(locks(lock(1, carol, "x")), refs("y"), accepted(week+1)), notMain + "y may"},
	{"in a question", all(locks(lock(1, carol, "x")), question), "wait locked: carol's lock on production: x"},
	{"passed by force", all(locks(lock(1, carol, "x")), forcing, accepted(week+1)), "allow | forced | passes [1]"},
}

func TestMaxWait(t *testing.T) { judged(t, patienceRulings) }
