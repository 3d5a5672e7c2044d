package policy

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var (
	bobInSRE = Known(Membership{
		Login:      "bob",
		Permission: Known(PermissionRead),
		Teams:      map[string]Fact[bool]{"acme/sre": Known(true)},
	})
	bobOutsideSRE = Known(Membership{
		Login:      "bob",
		Permission: Known(PermissionRead),
		Teams:      map[string]Fact[bool]{"acme/sre": Known(false)},
	})
	bobForces   = combine(allowForce(Subjects{Teams: []string{"acme/sre"}}), forcedBy(bob), forcerFacts(bobInSRE))
	frozenNow   = frozenBy(Freeze{From: noon.Add(-time.Hour), To: noon.Add(time.Hour)})
	failedBuild = requireChecks(Checks{Set: ChecksAll}, checkRun("build", "", CheckRed, 1))
)

var forceCases = []verdictCase{
	{name: "nothing to override", given: bobForces, want: "allow"},
	{name: "red checks", given: combine(failedBuild, bobForces), want: "allow | forced"},
	{
		name:  "pending checks",
		given: combine(requireChecks(Checks{Set: ChecksAll}), bobForces),
		want:  "allow | forced",
	},
	{
		name:  "unknown checks",
		given: combine(failedBuild, bobForces, func(s *scenario) { s.facts.Checks = Unknown[[]Check]("503") }),
		want:  "allow | forced",
	},
	{name: "freeze", given: combine(frozenNow, bobForces), want: "allow | forced"},
	{
		name:  "freeze in reject mode",
		given: combine(frozenBy(Freeze{From: noon, To: noon.Add(1), Mode: ModeReject}), bobForces),
		want:  "allow | forced",
	},
	{
		name:  "others' locks and the own",
		given: combine(withLocks(lockBy(3, alice, ""), lockBy(1, carol, ""), lockBy(2, dave, "")), bobForces),
		want:  "allow | forced | passes [1 2 3]",
	},
	{
		name:  "lock in reject mode",
		given: combine(withLocks(lockBy(1, carol, "")), whenLocked(ModeReject), bobForces),
		want:  "allow | forced | passes [1]",
	},
	{
		name:  "unknown locks",
		given: combine(bobForces, func(s *scenario) { s.facts.Locks = Unknown[[]Lock]("x") }),
		want:  "allow | forced",
	},
	{
		name:  "older commit",
		given: combine(requireAhead(Known(oldCommit), Known(ComparisonBehind)), bobForces),
		want:  "allow | forced",
	},
	{
		name:  "missing in staging",
		given: combine(requireAfter("staging"), priorResult("staging", PriorNone), bobForces),
		want:  "allow | forced",
	},
	{
		name: "all forcible rules",
		given: combine(
			failedBuild,
			frozenNow,
			withLocks(lockBy(1, carol, "")),
			requireAfter("staging"),
			requireAhead(Known(oldCommit), Known(ComparisonDiverged)),
			bobForces,
		),
		want: "allow | forced | passes [1]",
	},
	{
		name:  "cannot override allow",
		given: combine(restrictTo(Subjects{Users: []string{"bob"}}), bobForces),
		want:  aliceNotAllowed,
	},
	{
		name:  "cannot override an unknown team",
		given: combine(restrictTo(Subjects{Teams: []string{"acme/dba"}}), bobForces),
		want:  "wait unknown: alice's membership in acme/dba, which could not be read",
	},
	{
		name:  "cannot override refs",
		given: combine(allowedRefs("release/*"), bobForces),
		want:  "reject ref_not_allowed: main may not be deployed to production (allowed: release/*)",
	},
	{
		name:  "cannot override approvals",
		given: combine(bobForces, requireApprovals(Approvals{Count: 1, Users: []string{"carol"}})),
		want:  "wait approvals_missing: 1 approval from carol",
	},
	{
		name:  "cannot override the queue",
		given: combine(bobForces, withQueue(Queue{Holder: 6})),
		want:  "wait in_line: deployment 6 of the same environment",
	},
	{
		name:  "cannot override superseded",
		given: combine(bobForces, withQueue(Queue{NewerStarted: 9})),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "cannot override a queue that rejects",
		given: combine(bobForces, withConcurrency(ConcurrencyReject), withQueue(Queue{Holder: 6})),
		want:  "reject busy: deployment 6 of the same environment has not finished",
	},
	{
		name:  "forcer not allowed",
		given: combine(failedBuild, bobForces, forcerFacts(bobOutsideSRE)),
		want:  "reject checks_failed: check \"build\" failed",
	},
	{
		name:  "forcer not allowed, nothing to override",
		given: combine(bobForces, forcerFacts(bobOutsideSRE)),
		want:  "reject force_not_allowed: bob is not allowed to force a deployment to production",
	},
	{
		name:  "no force rule",
		given: combine(frozenNow, forcedBy(bob), forcerFacts(bobInSRE)),
		want:  "reject force_not_allowed: nobody is allowed to force a deployment to production",
	},
	{
		name:  "no force rule, token",
		given: combine(frozenNow, forcedBy(token)),
		want:  "reject force_not_allowed: nobody is allowed to force a deployment to production",
	},
	{
		name:  "forcer unknown",
		given: combine(frozenNow, bobForces, forcerFacts(Unknown[Membership]("503"))),
		want:  "wait frozen: the freeze to end (Wed 13:00 UTC)",
	},
	{
		name:  "forcer unknown, nothing to override",
		given: combine(bobForces, forcerFacts(Unknown[Membership]("503"))),
		want:  "wait unknown: bob's GitHub account, which could not be read (503)",
	},
	{
		name:  "forcer unknown, lock",
		given: combine(withLocks(lockBy(1, carol, "x")), bobForces, forcerFacts(Unknown[Membership]("503"))),
		want:  "wait locked: carol's lock on production: x",
	},
	{
		name:  "token",
		given: combine(frozenNow, allowForce(Subjects{Users: []string{"carol"}}), forcedBy(token)),
		want:  "allow | forced",
	},
	{
		name:  "app",
		given: combine(frozenNow, allowForce(Subjects{Apps: []string{"my-hubot"}}), forcedBy(hubot)),
		want:  "allow | forced",
	},
	{
		name:  "other app",
		given: combine(allowForce(Subjects{Apps: []string{"other"}}), forcedBy(hubot)),
		want:  "reject force_not_allowed: my-hubot is not allowed to force a deployment to production",
	},
	{
		name:  "no actor",
		given: combine(frozenNow, allowForce(Subjects{Users: []string{"bob"}}), forcedBy(deployment.Actor{})),
		want:  "reject force_not_allowed: somebody unknown is not allowed to force a deployment to production",
	},
	{
		name:  "the requester",
		given: combine(frozenNow, allowForce(Subjects{Users: []string{"alice"}}), forcedBy(alice)),
		want:  "allow | forced",
	},
	{
		name: "the requester, who may only deploy",
		given: combine(
			restrictTo(Subjects{Users: []string{"alice"}}),
			allowForce(Subjects{Users: []string{"bob"}}),
			forcedBy(alice),
		),
		want: "reject force_not_allowed: alice is not allowed to force a deployment to production",
	},
}

func TestEvaluate_Force(t *testing.T) { runVerdictCases(t, forceCases) }

func TestEvaluate_ForcedOutcomeKeepsReason(t *testing.T) {
	v := scenarioWith(failedBuild, bobForces).evaluate()
	for _, o := range v.Outcomes {
		if o.Rule != RuleChecks {
			if o.Forced {
				t.Errorf("outcome of %s is forced: %+v", o.Rule, o)
			}
			continue
		}

		if !o.Forced || o.Decision != DecisionAllow {
			t.Errorf("got %+v, want a forced outcome that allows", o)
		}
		if o.Code != CodeChecksFailed || o.Message != `check "build" failed` {
			t.Errorf("got %+v, want the code and the message of the failed check", o)
		}
	}
}
