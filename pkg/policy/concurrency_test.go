package policy

import (
	"testing"
	"time"
)

var concurrencyCases = []verdictCase{
	{name: "queue: empty", given: withQueue(Queue{}), want: "allow"},
	{
		name:  "queue: one running",
		given: withQueue(Queue{Holder: 6}),
		want:  "wait in_line: deployment 6 of the same environment",
	},
	{
		name:  "queue: one waiting before",
		given: withQueue(Queue{Before: []int64{5}}),
		want:  "wait in_line: deployment 5 of the same environment, which came first",
	},
	{
		name:  "queue: third",
		given: withQueue(Queue{Holder: 4, Before: []int64{5}}),
		want:  "wait in_line: deployment 4 of the same environment (position 3)",
	},
	{
		name:  "queue: third, none running",
		given: withQueue(Queue{Before: []int64{4, 5}}),
		want:  "wait in_line: deployment 4 of the same environment, which came first (position 3)",
	},
	{
		name:  "queue: fourth",
		given: withQueue(Queue{Holder: 3, Before: []int64{4, 5}}),
		want:  "wait in_line: deployment 3 of the same environment (position 4)",
	},
	{
		name:  "queue: configured",
		given: combine(withConcurrency(ConcurrencyQueue), withQueue(Queue{Holder: 6})),
		want:  "wait in_line: deployment 6 of the same environment",
	},
	{name: "queue: newer one waiting", given: withQueue(Queue{NewerAdmitted: 9}), want: "allow"},
	{
		name:  "queue: newer one started",
		given: withQueue(Queue{NewerStarted: 9}),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "queue: newer one running",
		given: withQueue(Queue{NewerStarted: 9, Holder: 9}),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "replace: newer one waiting",
		given: combine(withConcurrency(ConcurrencyReplace), withQueue(Queue{NewerAdmitted: 9})),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "replace: newer one waiting, one running",
		given: combine(withConcurrency(ConcurrencyReplace), withQueue(Queue{NewerAdmitted: 9, Holder: 6})),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "replace: one running",
		given: combine(withConcurrency(ConcurrencyReplace), withQueue(Queue{Holder: 6})),
		want:  "wait in_line: deployment 6 of the same environment",
	},
	{
		name:  "replace: older one waiting",
		given: combine(withConcurrency(ConcurrencyReplace), withQueue(Queue{Before: []int64{5}})),
		want:  "wait in_line: deployment 5 of the same environment, which came first",
	},
	{
		name:  "cancel: newer one waiting",
		given: combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{NewerAdmitted: 9})),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "cancel: one running",
		given: combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{Holder: 6})),
		want:  "wait canceling: deployment 6 to be canceled | cancels 6",
	},
	{
		name:  "cancel: older one waiting",
		given: combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{Before: []int64{5}})),
		want:  "wait in_line: deployment 5 of the same environment, which came first",
	},
	{
		name:  "cancel: question cancels nothing",
		given: combine(withConcurrency(ConcurrencyCancel), asQuestion, withQueue(Queue{Holder: 6})),
		want:  "wait canceling: deployment 6 to be canceled",
	},
	{
		name:  "cancel: not while checks are pending",
		given: combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{Holder: 6}), requireChecks(allChecks)),
		want:  "wait checks_pending: the first check of a1b2c3d",
	},
	{
		name: "cancel: not while approvals are missing",
		given: combine(
			withConcurrency(ConcurrencyCancel),
			withQueue(Queue{Holder: 6}),
			requireApprovals(Approvals{Count: 1, Users: []string{"bob"}}),
		),
		want: "wait approvals_missing: 1 approval from bob",
	},
	{
		name:  "cancel: not if rejected",
		given: combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{Holder: 6}), allowedRefs("x")),
		want:  mainNotAllowed + "x)",
	},
	{
		name:  "cancel: forced",
		given: combine(withConcurrency(ConcurrencyCancel), withQueue(Queue{Holder: 6}), failedBuild, bobForces),
		want:  "wait canceling: deployment 6 to be canceled | forced | cancels 6",
	},
	{
		name:  "reject: one running",
		given: combine(withConcurrency(ConcurrencyReject), withQueue(Queue{Holder: 6})),
		want:  "reject busy: deployment 6 of the same environment has not finished",
	},
	{
		name:  "reject: older one waiting",
		given: combine(withConcurrency(ConcurrencyReject), withQueue(Queue{Before: []int64{5}})),
		want:  "reject busy: deployment 5 of the same environment has not finished",
	},
	{
		name:  "reject: no other one comes first",
		given: combine(withConcurrency(ConcurrencyReject), withQueue(Queue{NewerAdmitted: 9})),
		want:  "allow",
	},
	{
		name:  "queue unknown",
		given: func(s *scenario) { s.facts.Queue = Unknown[Queue]("rows") },
		want:  "wait unknown: the queue of production, which could not be read (rows)",
	},
	{
		name:  "queue: no limit",
		given: combine(withQueue(Queue{Holder: 6}), acceptedAgo(1000*time.Hour)),
		want:  "wait in_line: deployment 6 of the same environment",
	},
}

func TestEvaluate_Concurrency(t *testing.T) { runVerdictCases(t, concurrencyCases) }
