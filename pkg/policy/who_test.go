package policy

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const aliceNotAllowed = "reject not_allowed: alice is none of those who may deploy to production"

var allowCases = []verdictCase{
	{"no rules at all", unchanged, "allow"},
	{"no rules, nobody, nothing asked", combine(requestedBy(deployment.Actor{}), requesterUnknown("")), "allow"},
	{"a login", restrictTo(Subjects{Users: []string{"alice"}}), "allow"},
	{"a login in another case", restrictTo(Subjects{Users: []string{"ALICE"}}), "allow"},
	{"another login", restrictTo(Subjects{Users: []string{"bob"}}), aliceNotAllowed},
	{"renamed since: the new name counts", combine(restrictTo(Subjects{
		Users: []string{"alicia"},
	}), requesterLogin("alicia")), "allow"},
	{"renamed since: somebody else has the old name", combine(restrictTo(Subjects{
		Users: []string{"alice"},
	}), requesterLogin("alicia")),
		"reject not_allowed: alicia is none of those who may deploy to production"},
	{"an id", restrictTo(Subjects{Users: []string{"id:1"}}), "allow"},
	{"an id, and GitHub is away", combine(restrictTo(Subjects{Users: []string{"id:1"}}), requesterUnknown("503")), "allow"},
	{"another id", restrictTo(Subjects{Users: []string{"id:11"}}), aliceNotAllowed},
	{"another id, and GitHub is away", combine(restrictTo(Subjects{Users: []string{"id:11"}}), requesterUnknown("503")), aliceNotAllowed},
	{"a login that looks like an id", combine(restrictTo(Subjects{Users: []string{"id:9"}}), requesterLogin("id:9")),
		"reject not_allowed: id:9 is none of those who may deploy to production"},
	{"a login, and GitHub is away", combine(restrictTo(Subjects{Users: []string{"alice"}}), requesterUnknown("503")),
		"wait unknown: an answer about alice: who they are (503)"},
	{"in the team", combine(restrictTo(Subjects{Teams: []string{"acme/sre"}}), requesterTeam("acme/sre", Known(true))), "allow"},
	{"in the team, in another case", combine(restrictTo(Subjects{
		Teams: []string{"Acme/SRE"},
	}), requesterTeam("acme/sre", Known(true))), "allow"},
	{"not in the team", restrictTo(Subjects{Teams: []string{"acme/sre"}}), aliceNotAllowed},
	{"a team that cannot be seen", combine(restrictTo(Subjects{
		Teams: []string{"acme/sre"},
	}), requesterTeam("acme/sre", Unknown[bool]("403"))),
		"wait unknown: an answer about alice: the team acme/sre (403)"},
	{"a team that was not asked about", restrictTo(Subjects{
		Teams: []string{"acme/dba"},
	}), "wait unknown: an answer about alice: the team acme/dba"},
	{"one team unknown, in another one", combine(restrictTo(Subjects{
		Teams: []string{"acme/dba", "acme/sre"},
	}), requesterTeam("acme/sre", Known(true))), "allow"},
	{"one team unknown, not in another one", restrictTo(Subjects{Teams: []string{"acme/dba", "acme/sre"}}),
		"wait unknown: an answer about alice: the team acme/dba"},
	{"a team unknown, but named", restrictTo(Subjects{Users: []string{"alice"}, Teams: []string{"acme/dba"}}), "allow"},
	{"not in the list, but in the team", combine(restrictTo(Subjects{
		Users: []string{"bob"},
		Teams: []string{"acme/sre"},
	}), requesterTeam("acme/sre", Known(true))), "allow"},
	{"permission is enough", restrictTo(Subjects{Permission: PermissionWrite}), "allow"},
	{"permission is more than enough", combine(restrictTo(Subjects{
		Permission: PermissionWrite,
	}), requesterPermission(Known(PermissionAdmin))), "allow"},
	{"permission is too small", restrictTo(Subjects{Permission: PermissionMaintain}),
		"reject not_allowed: alice needs maintain permission to deploy to production, and has write"},
	{"triage is less than write", combine(restrictTo(Subjects{
		Permission: PermissionWrite,
	}), requesterPermission(Known(PermissionTriage))),
		"reject not_allowed: alice needs write permission to deploy to production, and has triage"},
	{"a permission of another name", combine(restrictTo(Subjects{
		Permission: PermissionWrite,
	}), requesterPermission(Known(Permission("owner")))),
		"reject not_allowed: alice needs write permission to deploy to production, and has owner"},
	{"a floor of another name", restrictTo(Subjects{Permission: "owner"}),
		"reject not_allowed: alice needs owner permission to deploy to production, and has write"},
	{"permission unknown", combine(restrictTo(Subjects{
		Permission: PermissionWrite,
	}), requesterPermission(Unknown[Permission]("timeout"))),
		"wait unknown: an answer about alice: their permission (timeout)"},
	{"permission of a stranger", combine(restrictTo(Subjects{
		Permission: PermissionWrite,
	}), requesterUnknown("503")), "wait unknown: an answer about alice: who they are (503)"},
	{"listed, but permission is too small", restrictTo(Subjects{Users: []string{"alice"}, Permission: PermissionAdmin}),
		"reject not_allowed: alice needs admin permission to deploy to production, and has write"},
	{"listed by id, permission unknown", combine(restrictTo(Subjects{
		Users:      []string{"id:1"},
		Permission: PermissionWrite,
	}), requesterPermission(Unknown[Permission]("x"))),
		"wait unknown: an answer about alice: their permission (x)"},
	{"not listed, permission unknown", combine(restrictTo(Subjects{
		Users:      []string{"bob"},
		Permission: PermissionWrite,
	}), requesterPermission(Unknown[Permission]("x"))), aliceNotAllowed},
	{"team unknown, permission too small", restrictTo(Subjects{
		Teams:      []string{"acme/dba"},
		Permission: PermissionAdmin,
	}),
		"reject not_allowed: alice needs admin permission to deploy to production, and has write"},
	{"team unknown, permission enough", restrictTo(Subjects{Teams: []string{"acme/dba"}, Permission: PermissionWrite}),
		"wait unknown: an answer about alice: the team acme/dba"},
	{"not listed, permission enough", restrictTo(Subjects{
		Users:      []string{"bob"},
		Permission: PermissionWrite,
	}), aliceNotAllowed},
	{"an app", combine(restrictTo(Subjects{Apps: []string{"my-hubot"}}), requestedBy(hubot)), "allow"},
	{"an app by its bot's login", combine(restrictTo(Subjects{Apps: []string{"My-Hubot[bot]"}}), requestedBy(hubot)), "allow"},
	{"an app needs no permission", combine(restrictTo(Subjects{
		Apps:       []string{"my-hubot"},
		Permission: PermissionAdmin,
	}), requestedBy(hubot), requesterUnknown("")), "allow"},
	{"another app", combine(restrictTo(Subjects{Apps: []string{"other"}}), requestedBy(hubot)),
		"reject not_allowed: my-hubot is none of those who may deploy to production"},
	{
		"an app, where everybody may",
		combine(restrictTo(Subjects{}), requestedBy(hubot)),
		"reject not_allowed: my-hubot is none of those who may deploy to production",
	},
	{"an app by its id", combine(restrictTo(Subjects{Users: []string{"id:90"}}), requestedBy(hubot)),
		"reject not_allowed: my-hubot is none of those who may deploy to production"},
	{"a person, where only apps may", restrictTo(Subjects{Apps: []string{"alice"}}), aliceNotAllowed},
	{"everybody", restrictTo(Subjects{}), "allow"},
	{"nobody", combine(restrictTo(Subjects{}), requestedBy(deployment.Actor{})),
		"reject not_allowed: the deployment names no requester, and not everybody may deploy to production"},
	{"a name without an id", combine(restrictTo(Subjects{Users: []string{"alice"}}), requestedBy(deployment.Actor{Login: "alice"})),
		"reject not_allowed: the deployment names no requester, and not everybody may deploy to production"},
	{"a token", combine(restrictTo(Subjects{
		Users: []string{"ops"},
	}), requestedBy(token)), "reject not_allowed: the API token ops is none of those who may deploy to production"},
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
	{"nothing to pass", bobForces, "allow"},
	{"red checks", combine(failedBuild, bobForces), "allow | forced"},
	{"pending checks", combine(requireChecks(Checks{Set: ChecksAll}), bobForces), "allow | forced"},
	{
		"unknown checks",
		combine(failedBuild, bobForces, func(s *scenario) { s.facts.Checks = Unknown[[]Check]("503") }),
		"allow | forced",
	},
	{"a freeze", combine(frozenNow, bobForces), "allow | forced"},
	{"a freeze that rejects", combine(frozenBy(Freeze{
		From: noon,
		To:   noon.Add(1),
		Mode: RejectMode,
	}), bobForces), "allow | forced"},
	{
		"locks, and the requester's own",
		combine(withLocks(lockBy(3, alice, ""), lockBy(1, carol, ""), lockBy(2, dave, "")), bobForces),
		"allow | forced | passes [1 2 3]",
	},
	{
		"a lock that rejects",
		combine(withLocks(lockBy(1, carol, "")), whenLocked(RejectMode), bobForces),
		"allow | forced | passes [1]",
	},
	{"unknown locks", combine(bobForces, func(s *scenario) { s.facts.Locks = Unknown[[]Lock]("x") }), "allow | forced"},
	{"an older commit", combine(requireAhead(Known(oldCommit), Known(Behind)), bobForces), "allow | forced"},
	{"not in staging first", combine(requireAfter("staging"), priorResult("staging", PriorNone), bobForces), "allow | forced"},
	{
		"everything at once",
		combine(
			failedBuild,
			frozenNow,
			withLocks(lockBy(1, carol, "")),
			requireAfter("staging"),
			requireAhead(Known(oldCommit), Known(Diverged)),
			bobForces,
		),
		"allow | forced | passes [1]",
	},
	{"not who may deploy", combine(restrictTo(Subjects{Users: []string{"bob"}}), bobForces), aliceNotAllowed},
	{"not who may deploy, perhaps", combine(restrictTo(Subjects{
		Teams: []string{"acme/dba"},
	}), bobForces), "wait unknown: an answer about alice: the team acme/dba"},
	{
		"not the ref",
		combine(allowedRefs("release/*"), bobForces),
		"reject ref_not_allowed: main may not be deployed to production: only release/* may",
	},
	{"not approvals", combine(bobForces, requireApprovals(Approvals{
		Count: 1,
		Users: []string{"carol"},
	})), "wait approvals_missing: 1 of 1 approvals (carol)"},
	{"not the line", combine(bobForces, withQueue(Queue{Holder: 6})), "wait in_line: deployment 6 of the same environment"},
	{"not a newer one that started", combine(bobForces, withQueue(Queue{Started: 9})), "reject superseded: superseded by #9"},
	{"not where the line rejects", combine(bobForces, withConcurrency(ConcurrencyReject), withQueue(Queue{
		Holder: 6,
	})), "reject busy: deployment 6 of the same environment is first"},
	{"somebody who may not", combine(failedBuild, bobForces, forcerFacts(bobOutsideSRE)), "reject checks_failed: check \"build\" failed"},
	{
		"somebody who may not, and nothing to pass",
		combine(bobForces, forcerFacts(bobOutsideSRE)),
		"reject force_not_allowed: bob may not force a deployment to production",
	},
	{
		"nobody may",
		combine(frozenNow, forcedBy(bob), forcerFacts(bobInSRE)),
		"reject force_not_allowed: the rules of production let nobody force a deployment",
	},
	{
		"nobody may, not even a token",
		combine(frozenNow, forcedBy(token)),
		"reject force_not_allowed: the rules of production let nobody force a deployment",
	},
	{"somebody unknown", combine(frozenNow, bobForces, forcerFacts(Unknown[Membership]("503"))),
		"wait frozen: the freeze to end (Wed 13:00 UTC)"},
	{"somebody unknown, and nothing to pass", combine(bobForces, forcerFacts(Unknown[Membership]("503"))),
		"wait unknown: an answer about bob, who forces it: who they are (503)"},
	{"somebody unknown passes no lock", combine(withLocks(lockBy(1, carol, "x")), bobForces, forcerFacts(Unknown[Membership]("503"))),
		"wait locked: carol's lock on production: x"},
	{"a token that the door let in", combine(frozenNow, allowForce(Subjects{
		Users: []string{"carol"},
	}), forcedBy(token)), "allow | forced"},
	{"an app", combine(frozenNow, allowForce(Subjects{Apps: []string{"my-hubot"}}), forcedBy(hubot)), "allow | forced"},
	{"another app", combine(allowForce(Subjects{Apps: []string{"other"}}), forcedBy(hubot)),
		"reject force_not_allowed: my-hubot may not force a deployment to production"},
	{"nobody known", combine(frozenNow, allowForce(Subjects{Users: []string{"bob"}}), forcedBy(deployment.Actor{})),
		"reject force_not_allowed: nobody known may not force a deployment to production"},
	{"the requester, by the requester's standing", combine(frozenNow, allowForce(Subjects{
		Users: []string{"alice"},
	}), forcedBy(alice)), "allow | forced"},
	{"the requester, who may deploy and not force", combine(restrictTo(Subjects{
		Users: []string{"alice"},
	}), allowForce(Subjects{
		Users: []string{"bob"},
	}), forcedBy(alice)),
		"reject force_not_allowed: alice may not force a deployment to production"},
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
