package policy

import (
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var longFreeze = Freeze{From: noon.Add(-time.Hour), To: noon.Add(3 * time.Hour)}

// combinedCases configure several rules. The strictest outcome decides, and the first of those is
// shown.
var combinedCases = []verdictCase{
	{
		name: "all rules met",
		given: combine(
			restrictTo(Subjects{Users: []string{"alice"}}),
			allowedRefs("main"),
			requireAhead(Known(oldCommit), Known(ComparisonAhead)),
			requireChecks(allChecks, checkRun("b", "", CheckGreen, 1)),
			requireAfter("dev"),
			priorResult("dev", PriorSucceeded),
			frozenBy(weekend),
			requireApprovals(oneApproval, approvalBy(bob)),
		),
		want: "allow",
	},
	{
		name:  "wait, then reject",
		given: combine(requireChecks(allChecks), allowedRefs("x")),
		want:  mainNotAllowed + "x)",
	},
	{
		name:  "reject, then wait",
		given: combine(requireChecks(allChecks, checkRun("b", "", CheckRed, 1)), withLocks(lockBy(1, carol, "x"))),
		want:  `reject checks_failed: check "b" failed`,
	},
	{
		name:  "first wait is shown",
		given: combine(requireChecks(allChecks), withLocks(lockBy(1, carol, "x"))),
		want:  "wait checks_pending: the first check of a1b2c3d",
	},
	{
		name:  "first reject is shown",
		given: combine(restrictTo(Subjects{Users: []string{"bob"}}), allowedRefs("x")),
		want:  aliceNotAllowed,
	},
	{
		name: "unknown fact waits",
		given: combine(
			restrictTo(Subjects{Users: []string{"alice"}}),
			requesterUnknown("503"),
			allowedRefs("main"),
		),
		want: "wait unknown: alice's GitHub account, which could not be read (503)",
	},
	{
		name:  "unknown fact, then reject",
		given: combine(restrictTo(Subjects{Users: []string{"alice"}}), requesterUnknown("503"), allowedRefs("x")),
		want:  mainNotAllowed + "x)",
	},
	{
		name:  "latest of two ends",
		given: combine(frozenBy(longFreeze), withLocks(lockBy(1, carol, "x").until(time.Hour))),
		want:  "wait frozen: the freeze to end (Wed 15:00 UTC) | until 25 Nov 15:00",
	},
	{
		name:  "one without an end",
		given: combine(frozenBy(longFreeze), withLocks(lockBy(1, carol, "x"))),
		want:  "wait frozen: the freeze to end (Wed 15:00 UTC)",
	},
	{
		name:  "frozen and in the queue",
		given: combine(frozenBy(longFreeze), withQueue(Queue{Holder: 6})),
		want:  "wait frozen: the freeze to end (Wed 15:00 UTC)",
	},
	{
		name:  "reject has no end",
		given: combine(frozenBy(longFreeze), allowedRefs("x")),
		want:  mainNotAllowed + "x)",
	},
	{
		name:  "superseded while checks are pending",
		given: combine(withQueue(Queue{NewerStarted: 9}), requireChecks(allChecks)),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "lock, then approvals",
		given: combine(withLocks(lockBy(1, carol, "x")), requireApprovals(twoApprovals, approvalBy(bob))),
		want:  "wait locked: carol's lock on production: x",
	},
	{
		name:  "approvals, then queue",
		given: combine(requireApprovals(oneApproval), withQueue(Queue{Holder: 6})),
		want:  needsOneApproval,
	},
}

func TestEvaluate_SeveralRules(t *testing.T) { runVerdictCases(t, combinedCases) }

// allCases returns the cases of all tables.
func allCases() []verdictCase {
	return slices.Concat(
		allowCases,
		refCases,
		aheadCases,
		checkCases,
		checkSourceCases,
		afterCases,
		freezeCases,
		lockCases,
		approvalCases,
		concurrencyCases,
		forceCases,
		maxWaitCases,
		combinedCases,
	)
}

// TestEvaluate_MessagesFitIntoStatus checks that the message of every outcome fits into the
// description of a GitHub status after "Waiting for ".
func TestEvaluate_MessagesFitIntoStatus(t *testing.T) {
	cases := allCases()
	if len(cases) < 150 {
		t.Errorf("got %d cases, want at least 150", len(cases))
	}

	for _, c := range cases {
		for _, o := range scenarioWith(c.given).evaluate().Outcomes {
			text := "Waiting for " + o.Message
			if n := utf8.RuneCountInString(text); n > deployment.MaxDescription {
				t.Errorf("%s: got %d characters, want at most %d: %s", c.name, n, deployment.MaxDescription, text)
			}
		}
	}
}

func TestEvaluateLocal(t *testing.T) {
	// Rules that need GitHub, none of which is met.
	remote := combine(
		restrictTo(Subjects{Users: []string{"bob"}}),
		allowedRefs("x"),
		failedBuild,
		requireAfter("dev"),
		requireAhead(Unknown[string](""), Known(ComparisonBehind)),
	)

	for _, c := range []verdictCase{
		{name: "only rules that need GitHub", given: remote, want: "allow"},
		{
			name:  "freeze",
			given: combine(remote, frozenNow),
			want:  "wait frozen: the freeze to end (Wed 13:00 UTC) | until 25 Nov 13:00",
		},
		{
			name:  "lock",
			given: combine(remote, withLocks(lockBy(1, carol, "x"))),
			want:  "wait locked: carol's lock on production: x",
		},
		{
			name:  "approved, bound to all rules",
			given: combine(remote, requireApprovals(oneApproval, approvalBy(bob))),
			want:  "allow",
		},
		{
			name:  "not approved",
			given: combine(remote, requireApprovals(oneApproval)),
			want:  needsOneApproval,
		},
		{
			name:  "queue",
			given: combine(remote, withQueue(Queue{Holder: 6})),
			want:  "wait in_line: deployment 6 of the same environment",
		},
		{
			name:  "running one to cancel",
			given: combine(remote, withConcurrency(ConcurrencyCancel), withQueue(Queue{Holder: 6})),
			want:  "allow",
		},
		{
			name:  "forced by anybody",
			given: combine(frozenNow, withLocks(lockBy(1, carol, "x")), forcedBy(dave)),
			want:  "allow | forced | passes [1]",
		},
		{
			name:  "force does not override approvals",
			given: combine(bobForces, requireApprovals(oneApproval)),
			want:  needsOneApproval,
		},
		{
			name:  "waited too long",
			given: combine(withLocks(lockBy(1, carol, "x")), acceptedAgo(week+1)),
			want:  "reject waited_too_long: waited 168h for carol's lock on production: x",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := scenarioWith(c.given)
			local := Facts{Locks: s.facts.Locks, Approvals: s.facts.Approvals, Queue: s.facts.Queue}
			if got := summarize(s.policy.EvaluateLocal(s.request, local, s.now)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestEvaluate_WhoCouldHelp(t *testing.T) {
	sreMayForce := allowForce(Subjects{Teams: []string{"acme/sre"}})
	for _, c := range []struct {
		name  string
		given change
		want  string
	}{
		{
			name:  "allow",
			given: restrictTo(Subjects{Users: []string{"bob", "carol"}}),
			want:  "bob, carol",
		},
		{
			name:  "permission",
			given: restrictTo(Subjects{Permission: PermissionAdmin}),
			want:  "anyone with admin permission",
		},
		{
			name:  "failed checks",
			given: combine(failedBuild, sreMayForce),
			want:  "a rerun and a new deployment, or acme/sre by force",
		},
		{
			name:  "pending checks",
			given: combine(requireChecks(allChecks), sreMayForce),
			want:  "acme/sre, by force",
		},
		{
			name:  "pending checks, nobody may force",
			given: requireChecks(allChecks),
			want:  "",
		},
		{
			name:  "after",
			given: combine(requireAfter("dev"), priorResult("dev", PriorNone)),
			want:  "a deployment to dev",
		},
		{
			name:  "freeze",
			given: combine(frozenNow, sreMayForce),
			want:  "acme/sre, by force",
		},
		{
			name:  "freeze, everybody may force",
			given: combine(frozenNow, allowForce(Subjects{})),
			want:  "everybody, by force",
		},
		{
			name:  "lock",
			given: withLocks(lockBy(1, carol, "x")),
			want:  "carol, or an admin",
		},
		{
			name:  "approvals",
			given: requireApprovals(twoApprovals),
			want:  "bob, acme/sre",
		},
		{
			name:  "force",
			given: combine(sreMayForce, forcedBy(bob), forcerFacts(bobOutsideSRE)),
			want:  "acme/sre",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := scenarioWith(c.given).evaluate().Deciding().Who; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestEvaluate_ForcedRollback checks that a rollback in an emergency is possible: force overrides
// freezes, locks, failed checks and older commits, and still needs somebody else's approval.
// (GitPloy blocks a rollback by a freeze and by a lock.)
func TestEvaluate_ForcedRollback(t *testing.T) {
	rollback := combine(
		frozenBy(weekend, launch),
		withLocks(lockBy(1, carol, "investigating")),
		requireAhead(Known(oldCommit), Known(ComparisonBehind)),
		failedBuild,
		bobForces,
	)

	runVerdictCases(t, []verdictCase{
		{
			name:  "without approvals",
			given: rollback,
			want:  "allow | forced | passes [1]",
		},
		{
			name:  "approval missing",
			given: combine(rollback, requireApprovals(oneApproval)),
			want:  needsOneApproval + " | forced | passes [1]",
		},
	})
}
