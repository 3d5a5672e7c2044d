package policy

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const aliceNotAllowed = "reject not_allowed: alice is not allowed to deploy to production"

var allowCases = []verdictCase{
	{name: "no rules at all", given: unchanged, want: "allow"},
	{
		name:  "no rules, nobody, nothing asked",
		given: combine(requestedBy(deployment.Actor{}), requesterUnknown("")),
		want:  "allow",
	},
	{name: "a login", given: restrictTo(Subjects{Users: []string{"alice"}}), want: "allow"},
	{name: "a login in another case", given: restrictTo(Subjects{Users: []string{"ALICE"}}), want: "allow"},
	{name: "another login", given: restrictTo(Subjects{Users: []string{"bob"}}), want: aliceNotAllowed},
	{
		name:  "renamed since: the new name counts",
		given: combine(restrictTo(Subjects{Users: []string{"alicia"}}), requesterLogin("alicia")),
		want:  "allow",
	},
	{
		name:  "renamed since: somebody else has the old name",
		given: combine(restrictTo(Subjects{Users: []string{"alice"}}), requesterLogin("alicia")),
		want:  "reject not_allowed: alicia is not allowed to deploy to production",
	},
	{name: "an id", given: restrictTo(Subjects{Users: []string{"id:1"}}), want: "allow"},
	{
		name:  "an id, and GitHub is away",
		given: combine(restrictTo(Subjects{Users: []string{"id:1"}}), requesterUnknown("503")),
		want:  "allow",
	},
	{name: "another id", given: restrictTo(Subjects{Users: []string{"id:11"}}), want: aliceNotAllowed},
	{
		name:  "another id, and GitHub is away",
		given: combine(restrictTo(Subjects{Users: []string{"id:11"}}), requesterUnknown("503")),
		want:  aliceNotAllowed,
	},
	{
		name:  "a login that looks like an id",
		given: combine(restrictTo(Subjects{Users: []string{"id:9"}}), requesterLogin("id:9")),
		want:  "reject not_allowed: id:9 is not allowed to deploy to production",
	},
	{
		name:  "a login, and GitHub is away",
		given: combine(restrictTo(Subjects{Users: []string{"alice"}}), requesterUnknown("503")),
		want:  "wait unknown: alice's GitHub account, which could not be read (503)",
	},
	{
		name:  "in the team",
		given: combine(restrictTo(Subjects{Teams: []string{"acme/sre"}}), requesterTeam("acme/sre", Known(true))),
		want:  "allow",
	},
	{
		name:  "in the team, in another case",
		given: combine(restrictTo(Subjects{Teams: []string{"Acme/SRE"}}), requesterTeam("acme/sre", Known(true))),
		want:  "allow",
	},
	{name: "not in the team", given: restrictTo(Subjects{Teams: []string{"acme/sre"}}), want: aliceNotAllowed},
	{
		name: "a team that cannot be seen",
		given: combine(
			restrictTo(Subjects{Teams: []string{"acme/sre"}}),
			requesterTeam("acme/sre", Unknown[bool]("403")),
		),
		want: "wait unknown: alice's membership in acme/sre, which could not be read (403)",
	},
	{
		name:  "a team that was not asked about",
		given: restrictTo(Subjects{Teams: []string{"acme/dba"}}),
		want:  "wait unknown: alice's membership in acme/dba, which could not be read",
	},
	{
		name: "one team unknown, in another one",
		given: combine(
			restrictTo(Subjects{Teams: []string{"acme/dba", "acme/sre"}}),
			requesterTeam("acme/sre", Known(true)),
		),
		want: "allow",
	},
	{
		name:  "one team unknown, not in another one",
		given: restrictTo(Subjects{Teams: []string{"acme/dba", "acme/sre"}}),
		want:  "wait unknown: alice's membership in acme/dba, which could not be read",
	},
	{
		name:  "a team unknown, but named",
		given: restrictTo(Subjects{Users: []string{"alice"}, Teams: []string{"acme/dba"}}),
		want:  "allow",
	},
	{
		name: "not in the list, but in the team",
		given: combine(
			restrictTo(Subjects{Users: []string{"bob"}, Teams: []string{"acme/sre"}}),
			requesterTeam("acme/sre", Known(true)),
		),
		want: "allow",
	},
	{name: "permission is enough", given: restrictTo(Subjects{Permission: PermissionWrite}), want: "allow"},
	{
		name: "permission is more than enough",
		given: combine(
			restrictTo(Subjects{Permission: PermissionWrite}),
			requesterPermission(Known(PermissionAdmin)),
		),
		want: "allow",
	},
	{
		name:  "permission is too small",
		given: restrictTo(Subjects{Permission: PermissionMaintain}),
		want:  "reject not_allowed: alice needs maintain permission to deploy to production, but has write",
	},
	{
		name: "triage is less than write",
		given: combine(
			restrictTo(Subjects{Permission: PermissionWrite}),
			requesterPermission(Known(PermissionTriage)),
		),
		want: "reject not_allowed: alice needs write permission to deploy to production, but has triage",
	},
	{
		name: "a permission of another name",
		given: combine(
			restrictTo(Subjects{Permission: PermissionWrite}),
			requesterPermission(Known(Permission("owner"))),
		),
		want: "reject not_allowed: alice needs write permission to deploy to production, but has owner",
	},
	{
		name:  "a floor of another name",
		given: restrictTo(Subjects{Permission: "owner"}),
		want:  "reject not_allowed: alice needs owner permission to deploy to production, but has write",
	},
	{
		name: "permission unknown",
		given: combine(
			restrictTo(Subjects{Permission: PermissionWrite}),
			requesterPermission(Unknown[Permission]("timeout")),
		),
		want: "wait unknown: alice's permission, which could not be read (timeout)",
	},
	{
		name:  "permission of a stranger",
		given: combine(restrictTo(Subjects{Permission: PermissionWrite}), requesterUnknown("503")),
		want:  "wait unknown: alice's GitHub account, which could not be read (503)",
	},
	{
		name:  "listed, but permission is too small",
		given: restrictTo(Subjects{Users: []string{"alice"}, Permission: PermissionAdmin}),
		want:  "reject not_allowed: alice needs admin permission to deploy to production, but has write",
	},
	{
		name: "listed by id, permission unknown",
		given: combine(
			restrictTo(Subjects{Users: []string{"id:1"}, Permission: PermissionWrite}),
			requesterPermission(Unknown[Permission]("x")),
		),
		want: "wait unknown: alice's permission, which could not be read (x)",
	},
	{
		name: "not listed, permission unknown",
		given: combine(
			restrictTo(Subjects{Users: []string{"bob"}, Permission: PermissionWrite}),
			requesterPermission(Unknown[Permission]("x")),
		),
		want: aliceNotAllowed,
	},
	{
		name:  "team unknown, permission too small",
		given: restrictTo(Subjects{Teams: []string{"acme/dba"}, Permission: PermissionAdmin}),
		want:  "reject not_allowed: alice needs admin permission to deploy to production, but has write",
	},
	{
		name:  "team unknown, permission enough",
		given: restrictTo(Subjects{Teams: []string{"acme/dba"}, Permission: PermissionWrite}),
		want:  "wait unknown: alice's membership in acme/dba, which could not be read",
	},
	{
		name:  "not listed, permission enough",
		given: restrictTo(Subjects{Users: []string{"bob"}, Permission: PermissionWrite}),
		want:  aliceNotAllowed,
	},
	{
		name:  "an app",
		given: combine(restrictTo(Subjects{Apps: []string{"my-hubot"}}), requestedBy(hubot)),
		want:  "allow",
	},
	{
		name:  "an app by its bot's login",
		given: combine(restrictTo(Subjects{Apps: []string{"My-Hubot[bot]"}}), requestedBy(hubot)),
		want:  "allow",
	},
	{
		name: "an app needs no permission",
		given: combine(
			restrictTo(Subjects{Apps: []string{"my-hubot"}, Permission: PermissionAdmin}),
			requestedBy(hubot),
			requesterUnknown(""),
		),
		want: "allow",
	},
	{
		name:  "another app",
		given: combine(restrictTo(Subjects{Apps: []string{"other"}}), requestedBy(hubot)),
		want:  "reject not_allowed: my-hubot is not allowed to deploy to production",
	},
	{
		name:  "an app, where everybody may",
		given: combine(restrictTo(Subjects{}), requestedBy(hubot)),
		want:  "reject not_allowed: my-hubot is not allowed to deploy to production",
	},
	{
		name:  "an app by its id",
		given: combine(restrictTo(Subjects{Users: []string{"id:90"}}), requestedBy(hubot)),
		want:  "reject not_allowed: my-hubot is not allowed to deploy to production",
	},
	{
		name:  "a person, where only apps may",
		given: restrictTo(Subjects{Apps: []string{"alice"}}),
		want:  aliceNotAllowed,
	},
	{name: "everybody", given: restrictTo(Subjects{}), want: "allow"},
	{
		name:  "nobody",
		given: combine(restrictTo(Subjects{}), requestedBy(deployment.Actor{})),
		want:  "reject not_allowed: a deployment to production needs a known requester",
	},
	{
		name: "a name without an id",
		given: combine(
			restrictTo(Subjects{Users: []string{"alice"}}),
			requestedBy(deployment.Actor{Login: "alice"}),
		),
		want: "reject not_allowed: a deployment to production needs a known requester",
	},
	{
		name:  "a token",
		given: combine(restrictTo(Subjects{Users: []string{"ops"}}), requestedBy(token)),
		want:  "reject not_allowed: the API token ops is not allowed to deploy to production",
	},
}

func TestAllow(t *testing.T) { runVerdictCases(t, allowCases) }

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
	failedBuild = requireChecks(Checks{Set: ChecksAll}, checkRun("build", "", Red, 1))
)

var forceCases = []verdictCase{
	{name: "nothing to pass", given: bobForces, want: "allow"},
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
	{name: "a freeze", given: combine(frozenNow, bobForces), want: "allow | forced"},
	{
		name:  "a freeze that rejects",
		given: combine(frozenBy(Freeze{From: noon, To: noon.Add(1), Mode: RejectMode}), bobForces),
		want:  "allow | forced",
	},
	{
		name:  "locks, and the requester's own",
		given: combine(withLocks(lockBy(3, alice, ""), lockBy(1, carol, ""), lockBy(2, dave, "")), bobForces),
		want:  "allow | forced | passes [1 2 3]",
	},
	{
		name:  "a lock that rejects",
		given: combine(withLocks(lockBy(1, carol, "")), whenLocked(RejectMode), bobForces),
		want:  "allow | forced | passes [1]",
	},
	{
		name:  "unknown locks",
		given: combine(bobForces, func(s *scenario) { s.facts.Locks = Unknown[[]Lock]("x") }),
		want:  "allow | forced",
	},
	{
		name:  "an older commit",
		given: combine(requireAhead(Known(oldCommit), Known(Behind)), bobForces),
		want:  "allow | forced",
	},
	{
		name:  "not in staging first",
		given: combine(requireAfter("staging"), priorResult("staging", PriorNone), bobForces),
		want:  "allow | forced",
	},
	{
		name: "everything at once",
		given: combine(
			failedBuild,
			frozenNow,
			withLocks(lockBy(1, carol, "")),
			requireAfter("staging"),
			requireAhead(Known(oldCommit), Known(Diverged)),
			bobForces,
		),
		want: "allow | forced | passes [1]",
	},
	{
		name:  "not who may deploy",
		given: combine(restrictTo(Subjects{Users: []string{"bob"}}), bobForces),
		want:  aliceNotAllowed,
	},
	{
		name:  "not who may deploy, perhaps",
		given: combine(restrictTo(Subjects{Teams: []string{"acme/dba"}}), bobForces),
		want:  "wait unknown: alice's membership in acme/dba, which could not be read",
	},
	{
		name:  "not the ref",
		given: combine(allowedRefs("release/*"), bobForces),
		want:  "reject ref_not_allowed: main may not be deployed to production (allowed: release/*)",
	},
	{
		name:  "not approvals",
		given: combine(bobForces, requireApprovals(Approvals{Count: 1, Users: []string{"carol"}})),
		want:  "wait approvals_missing: 1 approval from carol",
	},
	{
		name:  "not the line",
		given: combine(bobForces, withQueue(Queue{Holder: 6})),
		want:  "wait in_line: deployment 6 of the same environment",
	},
	{
		name:  "not a newer one that started",
		given: combine(bobForces, withQueue(Queue{Started: 9})),
		want:  "reject superseded: superseded by #9",
	},
	{
		name:  "not where the line rejects",
		given: combine(bobForces, withConcurrency(ConcurrencyReject), withQueue(Queue{Holder: 6})),
		want:  "reject busy: deployment 6 of the same environment has not finished",
	},
	{
		name:  "somebody who may not",
		given: combine(failedBuild, bobForces, forcerFacts(bobOutsideSRE)),
		want:  "reject checks_failed: check \"build\" failed",
	},
	{
		name:  "somebody who may not, and nothing to pass",
		given: combine(bobForces, forcerFacts(bobOutsideSRE)),
		want:  "reject force_not_allowed: bob is not allowed to force a deployment to production",
	},
	{
		name:  "nobody may",
		given: combine(frozenNow, forcedBy(bob), forcerFacts(bobInSRE)),
		want:  "reject force_not_allowed: nobody is allowed to force a deployment to production",
	},
	{
		name:  "nobody may, not even a token",
		given: combine(frozenNow, forcedBy(token)),
		want:  "reject force_not_allowed: nobody is allowed to force a deployment to production",
	},
	{
		name:  "somebody unknown",
		given: combine(frozenNow, bobForces, forcerFacts(Unknown[Membership]("503"))),
		want:  "wait frozen: the freeze to end (Wed 13:00 UTC)",
	},
	{
		name:  "somebody unknown, and nothing to pass",
		given: combine(bobForces, forcerFacts(Unknown[Membership]("503"))),
		want:  "wait unknown: bob's GitHub account, which could not be read (503)",
	},
	{
		name:  "somebody unknown passes no lock",
		given: combine(withLocks(lockBy(1, carol, "x")), bobForces, forcerFacts(Unknown[Membership]("503"))),
		want:  "wait locked: carol's lock on production: x",
	},
	{
		name:  "a token that the door let in",
		given: combine(frozenNow, allowForce(Subjects{Users: []string{"carol"}}), forcedBy(token)),
		want:  "allow | forced",
	},
	{
		name:  "an app",
		given: combine(frozenNow, allowForce(Subjects{Apps: []string{"my-hubot"}}), forcedBy(hubot)),
		want:  "allow | forced",
	},
	{
		name:  "another app",
		given: combine(allowForce(Subjects{Apps: []string{"other"}}), forcedBy(hubot)),
		want:  "reject force_not_allowed: my-hubot is not allowed to force a deployment to production",
	},
	{
		name:  "nobody known",
		given: combine(frozenNow, allowForce(Subjects{Users: []string{"bob"}}), forcedBy(deployment.Actor{})),
		want:  "reject force_not_allowed: somebody unknown is not allowed to force a deployment to production",
	},
	{
		name:  "the requester, by the requester's standing",
		given: combine(frozenNow, allowForce(Subjects{Users: []string{"alice"}}), forcedBy(alice)),
		want:  "allow | forced",
	},
	{
		name: "the requester, who may deploy and not force",
		given: combine(
			restrictTo(Subjects{Users: []string{"alice"}}),
			allowForce(Subjects{Users: []string{"bob"}}),
			forcedBy(alice),
		),
		want: "reject force_not_allowed: alice is not allowed to force a deployment to production",
	},
}

func TestForce(t *testing.T) { runVerdictCases(t, forceCases) }

func TestForcedOutcomeKeepsWhatWasPassed(t *testing.T) {
	v := scenarioWith(failedBuild, bobForces).evaluate()
	for _, o := range v.Outcomes {
		if o.Rule == RuleChecks &&
			(!o.Forced || o.Decision != DecisionAllow || o.Code != CodeChecksFailed || o.Message != `check "build" failed`) {
			t.Errorf("%+v", o)
		}
		if o.Rule != RuleChecks && o.Forced {
			t.Errorf("%+v", o)
		}
	}
}
