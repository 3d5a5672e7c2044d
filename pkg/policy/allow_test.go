package policy

import (
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const aliceNotAllowed = "reject not_allowed: alice is not allowed to deploy to production"

var allowCases = []verdictCase{
	{name: "no allow rule", given: unchanged, want: "allow"},
	{
		name:  "no allow rule, unknown requester",
		given: combine(requestedBy(deployment.Actor{}), requesterUnknown("")),
		want:  "allow",
	},
	{name: "login", given: restrictTo(Subjects{Users: []string{"alice"}}), want: "allow"},
	{name: "login in another case", given: restrictTo(Subjects{Users: []string{"ALICE"}}), want: "allow"},
	{name: "other login", given: restrictTo(Subjects{Users: []string{"bob"}}), want: aliceNotAllowed},
	{
		name:  "new login after a rename",
		given: combine(restrictTo(Subjects{Users: []string{"alicia"}}), requesterLogin("alicia")),
		want:  "allow",
	},
	{
		name:  "old login after a rename",
		given: combine(restrictTo(Subjects{Users: []string{"alice"}}), requesterLogin("alicia")),
		want:  "reject not_allowed: alicia is not allowed to deploy to production",
	},
	{name: "id", given: restrictTo(Subjects{Users: []string{"id:1"}}), want: "allow"},
	{
		name:  "id, account unknown",
		given: combine(restrictTo(Subjects{Users: []string{"id:1"}}), requesterUnknown("503")),
		want:  "allow",
	},
	{name: "other id", given: restrictTo(Subjects{Users: []string{"id:11"}}), want: aliceNotAllowed},
	{
		name:  "other id, account unknown",
		given: combine(restrictTo(Subjects{Users: []string{"id:11"}}), requesterUnknown("503")),
		want:  aliceNotAllowed,
	},
	{
		name:  "login that looks like an id",
		given: combine(restrictTo(Subjects{Users: []string{"id:9"}}), requesterLogin("id:9")),
		want:  "reject not_allowed: id:9 is not allowed to deploy to production",
	},
	{
		name:  "login, account unknown",
		given: combine(restrictTo(Subjects{Users: []string{"alice"}}), requesterUnknown("503")),
		want:  "wait unknown: alice's GitHub account, which could not be read (503)",
	},
	{
		name:  "team member",
		given: combine(restrictTo(Subjects{Teams: []string{"acme/sre"}}), requesterTeam("acme/sre", Known(true))),
		want:  "allow",
	},
	{
		name:  "team member, team in another case",
		given: combine(restrictTo(Subjects{Teams: []string{"Acme/SRE"}}), requesterTeam("acme/sre", Known(true))),
		want:  "allow",
	},
	{name: "not a team member", given: restrictTo(Subjects{Teams: []string{"acme/sre"}}), want: aliceNotAllowed},
	{
		name: "team unknown",
		given: combine(
			restrictTo(Subjects{Teams: []string{"acme/sre"}}),
			requesterTeam("acme/sre", Unknown[bool]("403")),
		),
		want: "wait unknown: alice's membership in acme/sre, which could not be read (403)",
	},
	{
		name:  "no fact about the team",
		given: restrictTo(Subjects{Teams: []string{"acme/dba"}}),
		want:  "wait unknown: alice's membership in acme/dba, which could not be read",
	},
	{
		name: "one team unknown, member of the other",
		given: combine(
			restrictTo(Subjects{Teams: []string{"acme/dba", "acme/sre"}}),
			requesterTeam("acme/sre", Known(true)),
		),
		want: "allow",
	},
	{
		name:  "one team unknown, not a member of the other",
		given: restrictTo(Subjects{Teams: []string{"acme/dba", "acme/sre"}}),
		want:  "wait unknown: alice's membership in acme/dba, which could not be read",
	},
	{
		name:  "team unknown, login listed",
		given: restrictTo(Subjects{Users: []string{"alice"}, Teams: []string{"acme/dba"}}),
		want:  "allow",
	},
	{
		name: "login not listed, team member",
		given: combine(
			restrictTo(Subjects{Users: []string{"bob"}, Teams: []string{"acme/sre"}}),
			requesterTeam("acme/sre", Known(true)),
		),
		want: "allow",
	},
	{name: "enough permission", given: restrictTo(Subjects{Permission: PermissionWrite}), want: "allow"},
	{
		name: "more than enough permission",
		given: combine(
			restrictTo(Subjects{Permission: PermissionWrite}),
			requesterPermission(Known(PermissionAdmin)),
		),
		want: "allow",
	},
	{
		name:  "too little permission",
		given: restrictTo(Subjects{Permission: PermissionMaintain}),
		want:  "reject not_allowed: alice needs maintain permission to deploy to production, but has write",
	},
	{
		name: "triage where write is required",
		given: combine(
			restrictTo(Subjects{Permission: PermissionWrite}),
			requesterPermission(Known(PermissionTriage)),
		),
		want: "reject not_allowed: alice needs write permission to deploy to production, but has triage",
	},
	{
		name: "unexpected permission",
		given: combine(
			restrictTo(Subjects{Permission: PermissionWrite}),
			requesterPermission(Known(Permission("owner"))),
		),
		want: "reject not_allowed: alice needs write permission to deploy to production, but has owner",
	},
	{
		name:  "unexpected required permission",
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
		name:  "permission, account unknown",
		given: combine(restrictTo(Subjects{Permission: PermissionWrite}), requesterUnknown("503")),
		want:  "wait unknown: alice's GitHub account, which could not be read (503)",
	},
	{
		name:  "listed, too little permission",
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
		name:  "team unknown, too little permission",
		given: restrictTo(Subjects{Teams: []string{"acme/dba"}, Permission: PermissionAdmin}),
		want:  "reject not_allowed: alice needs admin permission to deploy to production, but has write",
	},
	{
		name:  "team unknown, enough permission",
		given: restrictTo(Subjects{Teams: []string{"acme/dba"}, Permission: PermissionWrite}),
		want:  "wait unknown: alice's membership in acme/dba, which could not be read",
	},
	{
		name:  "not listed, enough permission",
		given: restrictTo(Subjects{Users: []string{"bob"}, Permission: PermissionWrite}),
		want:  aliceNotAllowed,
	},
	{
		name:  "app",
		given: combine(restrictTo(Subjects{Apps: []string{"my-hubot"}}), requestedBy(hubot)),
		want:  "allow",
	},
	{
		name:  "app listed by its bot's login",
		given: combine(restrictTo(Subjects{Apps: []string{"My-Hubot[bot]"}}), requestedBy(hubot)),
		want:  "allow",
	},
	{
		name: "app needs no permission",
		given: combine(
			restrictTo(Subjects{Apps: []string{"my-hubot"}, Permission: PermissionAdmin}),
			requestedBy(hubot),
			requesterUnknown(""),
		),
		want: "allow",
	},
	{
		name:  "other app",
		given: combine(restrictTo(Subjects{Apps: []string{"other"}}), requestedBy(hubot)),
		want:  "reject not_allowed: my-hubot is not allowed to deploy to production",
	},
	{
		name:  "app, empty rule",
		given: combine(restrictTo(Subjects{}), requestedBy(hubot)),
		want:  "reject not_allowed: my-hubot is not allowed to deploy to production",
	},
	{
		name:  "app listed by id",
		given: combine(restrictTo(Subjects{Users: []string{"id:90"}}), requestedBy(hubot)),
		want:  "reject not_allowed: my-hubot is not allowed to deploy to production",
	},
	{
		name:  "person, only apps listed",
		given: restrictTo(Subjects{Apps: []string{"alice"}}),
		want:  aliceNotAllowed,
	},
	{name: "person, empty rule", given: restrictTo(Subjects{}), want: "allow"},
	{
		name:  "unknown requester, empty rule",
		given: combine(restrictTo(Subjects{}), requestedBy(deployment.Actor{})),
		want:  "reject not_allowed: a deployment to production needs a known requester",
	},
	{
		name: "login without an id",
		given: combine(
			restrictTo(Subjects{Users: []string{"alice"}}),
			requestedBy(deployment.Actor{Login: "alice"}),
		),
		want: "reject not_allowed: a deployment to production needs a known requester",
	},
	{
		name:  "token",
		given: combine(restrictTo(Subjects{Users: []string{"ops"}}), requestedBy(token)),
		want:  "reject not_allowed: the API token ops is not allowed to deploy to production",
	},
}

func TestEvaluate_Allow(t *testing.T) { runVerdictCases(t, allowCases) }

// Whoever asks this service needs what GitHub asks of those who create a deployment there.
func TestEvaluate_AskedHere(t *testing.T) {
	asked := func(s *scenario) { s.request.AskedHere, s.request.Creator = true, hubot }
	has := func(p Permission) change { return combine(asked, requesterPermission(Known(p))) }
	const lacks = "reject not_allowed: alice needs write permission to deploy to production, but has "
	alices := Subjects{Users: []string{"alice"}}

	runVerdictCases(t, []verdictCase{
		{name: "created at GitHub", given: requesterPermission(Known(PermissionNone)), want: "allow"},
		{name: "write", given: has(PermissionWrite), want: "allow"},
		{name: "admin", given: has(PermissionAdmin), want: "allow"},
		{name: "triage", given: has(PermissionTriage), want: lacks + "triage"},
		{name: "read", given: has(PermissionRead), want: lacks + "read"},
		{name: "none", given: has(PermissionNone), want: lacks + "none"},
		{
			name:  "not known",
			given: combine(asked, requesterPermission(Unknown[Permission]("503"))),
			want:  "wait unknown: alice's permission, which could not be read (503)",
		},
		{
			name:  "account not known",
			given: combine(asked, requesterUnknown("503")),
			want:  "wait unknown: alice's GitHub account, which could not be read (503)",
		},
		{name: "in a list", given: combine(has(PermissionWrite), restrictTo(alices)), want: "allow"},
		{
			name:  "in a list, read",
			given: combine(has(PermissionRead), restrictTo(alices)),
			want:  lacks + "read",
		},
		{
			name:  "a higher permission is required",
			given: combine(has(PermissionWrite), restrictTo(Subjects{Permission: PermissionMaintain})),
			want:  "reject not_allowed: alice needs maintain permission to deploy to production, but has write",
		},
		{
			name:  "a token in its own name",
			given: combine(asked, requestedBy(token), requesterPermission(Known(PermissionNone))),
			want:  "allow",
		},
		{
			name: "a rollback by one of those who may",
			given: combine(has(PermissionRead), func(s *scenario) {
				s.request.Rollback, s.policy.RollbackAllow = true, &alices
			}),
			want: lacks + "read",
		},
		{
			name: "forced",
			given: combine(has(PermissionRead), func(s *scenario) {
				s.policy.Force, s.request.Force = &alices, &deployment.Force{By: alice, Reason: "fire"}
			}),
			want: lacks + "read",
		},
	})
}

// What is asked about people is not more than before where GitHub has checked them.
func TestNeeds_AskedHere(t *testing.T) {
	for _, test := range []struct {
		name  string
		given Request
		want  bool
	}{
		{name: "created at GitHub", given: Request{Requester: alice}},
		{name: "a person asked", given: Request{Requester: alice, AskedHere: true}, want: true},
		{name: "a token asked", given: Request{Requester: token, AskedHere: true}},
		{name: "an app asked", given: Request{Requester: hubot, AskedHere: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			needs := Policy{}.Needs(test.given).Requester
			if got := needs != nil && needs.Permission; got != test.want {
				t.Errorf("got needs %+v, want the permission: %v", needs, test.want)
			}
		})
	}
}
