package policy

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const notAlice = "reject not_allowed: alice is none of those who may deploy to production"

var allowRulings = []ruling{
	{"no rules at all", nothing, "allow"},
	{"no rules, nobody, nothing asked", all(by(deployment.Actor{}), stranger("")), "allow"},
	{"a login", allowOnly(Subjects{Users: []string{"alice"}}), "allow"},
	{"a login in another case", allowOnly(Subjects{Users: []string{"ALICE"}}), "allow"},
	{"another login", allowOnly(Subjects{Users: []string{"bob"}}), notAlice},
	{"renamed since: the new name counts", all(allowOnly(Subjects{
		Users: []string{"alicia"},
	}), login("alicia")), "allow"},
	{"renamed since: somebody else has the old name", all(allowOnly(Subjects{
		Users: []string{"alice"},
	}), login("alicia")),
		"reject not_allowed: alicia is none of those who may deploy to production"},
	{"an id", allowOnly(Subjects{Users: []string{"id:1"}}), "allow"},
	{"an id, and GitHub is away", all(allowOnly(Subjects{Users: []string{"id:1"}}), stranger("503")), "allow"},
	{"another id", allowOnly(Subjects{Users: []string{"id:11"}}), notAlice},
	{"another id, and GitHub is away", all(allowOnly(Subjects{Users: []string{"id:11"}}), stranger("503")), notAlice},
	{"a login that looks like an id", all(allowOnly(Subjects{Users: []string{"id:9"}}), login("id:9")),
		"reject not_allowed: id:9 is none of those who may deploy to production"},
	{"a login, and GitHub is away", all(allowOnly(Subjects{Users: []string{"alice"}}), stranger("503")),
		"wait unknown: an answer about alice: who they are (503)"},
	{"in the team", all(allowOnly(Subjects{Teams: []string{"acme/sre"}}), team("acme/sre", Known(true))), "allow"},
	{"in the team, in another case", all(allowOnly(Subjects{
		Teams: []string{"Acme/SRE"},
	}), team("acme/sre", Known(true))), "allow"},
	{"not in the team", allowOnly(Subjects{Teams: []string{"acme/sre"}}), notAlice},
	{"a team that cannot be seen", all(allowOnly(Subjects{
		Teams: []string{"acme/sre"},
	}), team("acme/sre", Unknown[bool]("403"))),
		"wait unknown: an answer about alice: the team acme/sre (403)"},
	{"a team that was not asked about", allowOnly(Subjects{
		Teams: []string{"acme/dba"},
	}), "wait unknown: an answer about alice: the team acme/dba"},
	{"one team unknown, in another one", all(allowOnly(Subjects{
		Teams: []string{"acme/dba", "acme/sre"},
	}), team("acme/sre", Known(true))), "allow"},
	{"one team unknown, not in another one", allowOnly(Subjects{Teams: []string{"acme/dba", "acme/sre"}}),
		"wait unknown: an answer about alice: the team acme/dba"},
	{"a team unknown, but named", allowOnly(Subjects{Users: []string{"alice"}, Teams: []string{"acme/dba"}}), "allow"},
	{"not in the list, but in the team", all(allowOnly(Subjects{
		Users: []string{"bob"},
		Teams: []string{"acme/sre"},
	}), team("acme/sre", Known(true))), "allow"},
	{"permission is enough", allowOnly(Subjects{Permission: PermissionWrite}), "allow"},
	{"permission is more than enough", all(allowOnly(Subjects{
		Permission: PermissionWrite,
	}), permission(Known(PermissionAdmin))), "allow"},
	{"permission is too small", allowOnly(Subjects{Permission: PermissionMaintain}),
		"reject not_allowed: alice needs maintain permission to deploy to production, and has write"},
	{"triage is less than write", all(allowOnly(Subjects{
		Permission: PermissionWrite,
	}), permission(Known(PermissionTriage))),
		"reject not_allowed: alice needs write permission to deploy to production, and has triage"},
	{"a permission of another name", all(allowOnly(Subjects{
		Permission: PermissionWrite,
	}), permission(Known(Permission("owner")))),
		"reject not_allowed: alice needs write permission to deploy to production, and has owner"},
	{"a floor of another name", allowOnly(Subjects{Permission: "owner"}),
		"reject not_allowed: alice needs owner permission to deploy to production, and has write"},
	{"permission unknown", all(allowOnly(Subjects{
		Permission: PermissionWrite,
	}), permission(Unknown[Permission]("timeout"))),
		"wait unknown: an answer about alice: their permission (timeout)"},
	{"permission of a stranger", all(allowOnly(Subjects{
		Permission: PermissionWrite,
	}), stranger("503")), "wait unknown: an answer about alice: who they are (503)"},
	{"listed, but permission is too small", allowOnly(Subjects{Users: []string{"alice"}, Permission: PermissionAdmin}),
		"reject not_allowed: alice needs admin permission to deploy to production, and has write"},
	{"listed by id, permission unknown", all(allowOnly(Subjects{
		Users:      []string{"id:1"},
		Permission: PermissionWrite,
	}), permission(Unknown[Permission]("x"))),
		"wait unknown: an answer about alice: their permission (x)"},
	{"not listed, permission unknown", all(allowOnly(Subjects{
		Users:      []string{"bob"},
		Permission: PermissionWrite,
	}), permission(Unknown[Permission]("x"))), notAlice},
	{"team unknown, permission too small", allowOnly(Subjects{
		Teams:      []string{"acme/dba"},
		Permission: PermissionAdmin,
	}),
		"reject not_allowed: alice needs admin permission to deploy to production, and has write"},
	{"team unknown, permission enough", allowOnly(Subjects{Teams: []string{"acme/dba"}, Permission: PermissionWrite}),
		"wait unknown: an answer about alice: the team acme/dba"},
	{"not listed, permission enough", allowOnly(Subjects{
		Users:      []string{"bob"},
		Permission: PermissionWrite,
	}), notAlice},
	{"an app", all(allowOnly(Subjects{Apps: []string{"my-hubot"}}), by(hubot)), "allow"},
	{"an app by its bot's login", all(allowOnly(Subjects{Apps: []string{"My-Hubot[bot]"}}), by(hubot)), "allow"},
	{"an app needs no permission", all(allowOnly(Subjects{
		Apps:       []string{"my-hubot"},
		Permission: PermissionAdmin,
	}), by(hubot), stranger("")), "allow"},
	{"another app", all(allowOnly(Subjects{Apps: []string{"other"}}), by(hubot)),
		"reject not_allowed: my-hubot is none of those who may deploy to production"},
	{
		"an app, where everybody may",
		all(allowOnly(Subjects{}), by(hubot)),
		"reject not_allowed: my-hubot is none of those who may deploy to production",
	},
	{"an app by its id", all(allowOnly(Subjects{Users: []string{"id:90"}}), by(hubot)),
		"reject not_allowed: my-hubot is none of those who may deploy to production"},
	{"a person, where only apps may", allowOnly(Subjects{Apps: []string{"alice"}}), notAlice},
	{"everybody", allowOnly(Subjects{}), "allow"},
	{"nobody", all(allowOnly(Subjects{}), by(deployment.Actor{})),
		"reject not_allowed: the deployment names no requester, and not everybody may deploy to production"},
	{"a name without an id", all(allowOnly(Subjects{Users: []string{"alice"}}), by(deployment.Actor{Login: "alice"})),
		"reject not_allowed: the deployment names no requester, and not everybody may deploy to production"},
	{"a token", all(allowOnly(Subjects{
		Users: []string{"ops"},
	}), by(token)), "reject not_allowed: the API token ops is none of those who may deploy to production"},
}

func TestAllow(t *testing.T) { judged(t, allowRulings) }

var (
	sre = Known(Membership{
		Login:      "bob",
		Permission: Known(PermissionRead),
		Teams:      map[string]Fact[bool]{"acme/sre": Known(true)},
	})
	outsider = Known(Membership{
		Login:      "bob",
		Permission: Known(PermissionRead),
		Teams:      map[string]Fact[bool]{"acme/sre": Known(false)},
	})
	forcing  = all(forcers(Subjects{Teams: []string{"acme/sre"}}), force(bob), forcer(sre))
	frozen   = freezes(Freeze{From: noon.Add(-time.Hour), To: noon.Add(time.Hour)})
	redBuild = checks(Checks{Set: ChecksAll}, run("build", "", Red, 1))
)

var forceRulings = []ruling{
	{"nothing to pass", forcing, "allow"},
	{"red checks", all(redBuild, forcing), "allow | forced"},
	{"pending checks", all(checks(Checks{Set: ChecksAll}), forcing), "allow | forced"},
	{
		"unknown checks",
		all(redBuild, forcing, func(s *scene) { s.f.Checks = Unknown[[]Check]("503") }),
		"allow | forced",
	},
	{"a freeze", all(frozen, forcing), "allow | forced"},
	{"a freeze that rejects", all(freezes(Freeze{
		From: noon,
		To:   noon.Add(1),
		Mode: RejectMode,
	}), forcing), "allow | forced"},
	{
		"locks, and the requester's own",
		all(locks(lock(3, alice, ""), lock(1, carol, ""), lock(2, dave, "")), forcing),
		"allow | forced | passes [1 2 3]",
	},
	{
		"a lock that rejects",
		all(locks(lock(1, carol, "")), lockedMode(RejectMode), forcing),
		"allow | forced | passes [1]",
	},
	{"unknown locks", all(forcing, func(s *scene) { s.f.Locks = Unknown[[]Lock]("x") }), "allow | forced"},
	{"an older commit", all(ahead(Known(older), Known(Behind)), forcing), "allow | forced"},
	{"not in staging first", all(after("staging"), past("staging", PriorNone), forcing), "allow | forced"},
	{
		"everything at once",
		all(
			redBuild,
			frozen,
			locks(lock(1, carol, "")),
			after("staging"),
			ahead(Known(older), Known(Diverged)),
			forcing,
		),
		"allow | forced | passes [1]",
	},
	{"not who may deploy", all(allowOnly(Subjects{Users: []string{"bob"}}), forcing), notAlice},
	{"not who may deploy, perhaps", all(allowOnly(Subjects{
		Teams: []string{"acme/dba"},
	}), forcing), "wait unknown: an answer about alice: the team acme/dba"},
	{
		"not the ref",
		all(refs("release/*"), forcing),
		"reject ref_not_allowed: main may not be deployed to production: only release/* may",
	},
	{"not approvals", all(forcing, approvals(Approvals{
		Count: 1,
		Users: []string{"carol"},
	})), "wait approvals_missing: 1 of 1 approvals (carol)"},
	{"not the line", all(forcing, line(Queue{Holder: 6})), "wait in_line: deployment 6 of the same environment"},
	{"not a newer one that started", all(forcing, line(Queue{Started: 9})), "reject superseded: superseded by #9"},
	{"not where the line rejects", all(forcing, how(ConcurrencyReject), line(Queue{
		Holder: 6,
	})), "reject busy: deployment 6 of the same environment is first"},
	{"somebody who may not", all(redBuild, forcing, forcer(outsider)), "reject checks_failed: check \"build\" failed"},
	{
		"somebody who may not, and nothing to pass",
		all(forcing, forcer(outsider)),
		"reject force_not_allowed: bob may not force a deployment to production",
	},
	{
		"nobody may",
		all(frozen, force(bob), forcer(sre)),
		"reject force_not_allowed: the rules of production let nobody force a deployment",
	},
	{
		"nobody may, not even a token",
		all(frozen, force(token)),
		"reject force_not_allowed: the rules of production let nobody force a deployment",
	},
	{"somebody unknown", all(frozen, forcing, forcer(Unknown[Membership]("503"))),
		"wait frozen: the freeze to end (Wed 13:00 UTC)"},
	{"somebody unknown, and nothing to pass", all(forcing, forcer(Unknown[Membership]("503"))),
		"wait unknown: an answer about bob, who forces it: who they are (503)"},
	{"somebody unknown passes no lock", all(locks(lock(1, carol, "x")), forcing, forcer(Unknown[Membership]("503"))),
		"wait locked: carol's lock on production: x"},
	{"a token that the door let in", all(frozen, forcers(Subjects{
		Users: []string{"carol"},
	}), force(token)), "allow | forced"},
	{"an app", all(frozen, forcers(Subjects{Apps: []string{"my-hubot"}}), force(hubot)), "allow | forced"},
	{"another app", all(forcers(Subjects{Apps: []string{"other"}}), force(hubot)),
		"reject force_not_allowed: my-hubot may not force a deployment to production"},
	{"nobody known", all(frozen, forcers(Subjects{Users: []string{"bob"}}), force(deployment.Actor{})),
		"reject force_not_allowed: nobody known may not force a deployment to production"},
	{"the requester, by the requester's standing", all(frozen, forcers(Subjects{
		Users: []string{"alice"},
	}), force(alice)), "allow | forced"},
	{"the requester, who may deploy and not force", all(allowOnly(Subjects{
		Users: []string{"alice"},
	}), forcers(Subjects{
		Users: []string{"bob"},
	}), force(alice)),
		"reject force_not_allowed: alice may not force a deployment to production"},
}

func TestForce(t *testing.T) { judged(t, forceRulings) }

func TestForcedOutcomeKeepsWhatWasPassed(t *testing.T) {
	v := made(redBuild, forcing).verdict()
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
