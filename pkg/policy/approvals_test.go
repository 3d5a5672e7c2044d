package policy

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var (
	twoApprovals  = Approvals{Count: 2, Users: []string{"bob"}, Teams: []string{"acme/sre"}}
	oneApproval   = Approvals{Count: 1, Users: []string{"bob"}}
	tokenApproval = Approvals{Count: 1, Tokens: []string{"ops"}}
)

const needsOneApproval = "wait approvals_missing: 1 approval from bob"

var approvalCases = []verdictCase{
	{
		name:  "none",
		given: requireApprovals(twoApprovals),
		want:  "wait approvals_missing: 2 approvals from bob, acme/sre",
	},
	{
		name:  "one of two",
		given: requireApprovals(twoApprovals, approvalBy(bob)),
		want:  "wait approvals_missing: 1 more approval (1 of 2 given) from bob, acme/sre",
	},
	{name: "two", given: requireApprovals(twoApprovals, approvalBy(bob), approvalBy(carol)), want: "allow"},
	{
		name:  "more than two",
		given: requireApprovals(twoApprovals, approvalBy(bob), approvalBy(carol), approvalBy(dave)),
		want:  "allow",
	},
	{
		name:  "one, twice",
		given: requireApprovals(twoApprovals, approvalBy(bob), approvalBy(bob)),
		want:  "wait approvals_missing: 1 more approval (1 of 2 given) from bob, acme/sre",
	},
	{
		name:  "one, under two names",
		given: requireApprovals(twoApprovals, approvalBy(bob), approvalBy(deployment.Actor{ID: 2, Login: "bobby"})),
		want:  "wait approvals_missing: 1 more approval (1 of 2 given) from bob, acme/sre",
	},
	{
		name: "one, by two faces",
		given: requireApprovals(
			twoApprovals,
			approvalBy(deployment.Actor{ID: 2, Token: "slack"}),
			approvalBy(deployment.Actor{ID: 2, Token: "web"}),
		),
		want: "wait approvals_missing: 1 more approval (1 of 2 given) from bob, acme/sre",
	},
	{
		name: "two, by one face",
		given: requireApprovals(
			twoApprovals,
			approvalBy(deployment.Actor{ID: 2, Token: "slack"}),
			approvalBy(deployment.Actor{ID: 3, Token: "slack"}),
		),
		want: "allow",
	},
	{name: "the requester", given: requireApprovals(oneApproval, approvalBy(alice)), want: needsOneApproval},
	{
		name:  "the requester, renamed",
		given: requireApprovals(oneApproval, approvalBy(deployment.Actor{ID: 1, Login: "alicia"})),
		want:  needsOneApproval,
	},
	{
		name: "the creator",
		given: combine(
			func(s *scenario) { s.request.Creator = bob },
			requireApprovals(oneApproval, approvalBy(bob)),
		),
		want: needsOneApproval,
	},
	{
		name:  "somebody of the requester's name",
		given: requireApprovals(oneApproval, approvalBy(deployment.Actor{ID: 11, Login: "alice"})),
		want:  "allow",
	},
	{
		name:  "of another commit",
		given: requireApprovals(oneApproval, approvalBy(bob, func(a *Approval) { a.SHA = oldCommit })),
		want:  needsOneApproval,
	},
	{
		name:  "of other parameters",
		given: requireApprovals(oneApproval, approvalBy(bob, func(a *Approval) { a.Parameters = "others" })),
		want:  needsOneApproval,
	},
	{
		name:  "under other rules",
		given: requireApprovals(oneApproval, approvalBy(bob, func(a *Approval) { a.Policy = "others" })),
		want:  needsOneApproval,
	},
	{
		name:  "under rules that were changed since",
		given: combine(requireApprovals(oneApproval, approvalBy(bob)), withMaxWait(time.Hour)),
		want:  needsOneApproval,
	},
	{
		name: "a day old",
		given: requireApprovals(
			oneApproval,
			approvalBy(bob, func(a *Approval) { a.At = noon.Add(-24 * time.Hour) }),
		),
		want: needsOneApproval,
	},
	{
		name: "nearly a day old",
		given: requireApprovals(
			oneApproval,
			approvalBy(bob, func(a *Approval) { a.At = noon.Add(1 - 24*time.Hour) }),
		),
		want: "allow",
	},
	{
		name:  "as old as it may be",
		given: requireApprovals(Approvals{Count: 1, Users: []string{"bob"}, Expires: time.Hour}, approvalBy(bob)),
		want:  needsOneApproval,
	},
	{
		name: "not as old as it may be",
		given: requireApprovals(
			Approvals{Count: 1, Users: []string{"bob"}, Expires: time.Hour + 1},
			approvalBy(bob),
		),
		want: "allow",
	},
	{name: "a token", given: requireApprovals(tokenApproval, approvalBy(token)), want: "allow"},
	{
		name:  "another token",
		given: requireApprovals(tokenApproval, approvalBy(deployment.Actor{Token: "ci"})),
		want:  "wait approvals_missing: 1 approval from token ops",
	},
	{
		name:  "a token where people may",
		given: requireApprovals(oneApproval, approvalBy(token)),
		want:  needsOneApproval,
	},
	{
		name:  "the token that asked",
		given: combine(requestedBy(token), requireApprovals(tokenApproval, approvalBy(token))),
		want:  "wait approvals_missing: 1 approval from token ops",
	},
	{
		name: "the token by which somebody asked",
		given: combine(
			requestedBy(deployment.Actor{ID: 1, Login: "alice", Token: "ops"}),
			requireApprovals(tokenApproval, approvalBy(token)),
		),
		want: "wait approvals_missing: 1 approval from token ops",
	},
	{
		name: "the token by which somebody asked, and another made it",
		given: combine(
			requestedBy(deployment.Actor{ID: 1, Token: "ops"}),
			func(s *scenario) { s.request.Creator = hubot },
			requireApprovals(tokenApproval, approvalBy(token)),
		),
		want: "wait approvals_missing: 1 approval from token ops",
	},
	{
		name: "the token that made it for somebody",
		given: combine(
			func(s *scenario) {
				s.request.Creator = deployment.Actor{
					ID:    9,
					Token: "ops",
				}
			},
			requireApprovals(tokenApproval, approvalBy(token)),
		),
		want: "wait approvals_missing: 1 approval from token ops",
	},
	{name: "an app", given: requireApprovals(oneApproval, approvalBy(hubot)), want: needsOneApproval},
	{name: "nobody", given: requireApprovals(oneApproval, approvalBy(deployment.Actor{})), want: needsOneApproval},
	{
		name:  "a name without an id",
		given: requireApprovals(oneApproval, approvalBy(deployment.Actor{Login: "bob"})),
		want:  needsOneApproval,
	},
	{
		name:  "in a question",
		given: combine(asQuestion, requireApprovals(oneApproval, approvalBy(bob))),
		want:  needsOneApproval,
	},
	{
		name: "in a question, unknown",
		given: combine(
			asQuestion,
			requireApprovals(oneApproval),
			func(s *scenario) { s.facts.Approvals = Unknown[[]Approval]("rows") },
		),
		want: needsOneApproval,
	},
	{
		name: "unknown",
		given: combine(
			requireApprovals(oneApproval),
			func(s *scenario) { s.facts.Approvals = Unknown[[]Approval]("rows") },
		),
		want: "wait unknown: the approvals, which could not be read (rows)",
	},
	{
		name:  "many may",
		given: requireApprovals(Approvals{Count: 1, Users: []string{"a", "b", "c", "d", "e"}}),
		want:  "wait approvals_missing: 1 approval from a, b, c and 2 more",
	},
}

func TestApprovals(t *testing.T) { runVerdictCases(t, approvalCases) }

func TestEligible(t *testing.T) {
	person := func(name string, in bool) Fact[Membership] {
		return Known(Membership{Login: name, Teams: map[string]Fact[bool]{"acme/sre": Known(in)}})
	}
	wanted := &Approvals{Count: 2, Users: []string{"bob", "id:4"}, Teams: []string{"acme/SRE"}, Tokens: []string{"ops"}}
	for name, c := range map[string]struct {
		a    *Approvals
		by   deployment.Actor
		is   Fact[Membership]
		want string // empty: yes
	}{
		"by login":             {wanted, bob, person("bob", false), ""},
		"by the login now":     {wanted, carol, person("BOB", false), ""},
		"not by the old login": {wanted, bob, person("bobby", false), "bobby is not allowed to approve (allowed: bob, id:4, acme/SRE and 1 more)"},
		"by id":                {wanted, dave, Unknown[Membership]("503"), ""},
		"by team":              {wanted, carol, person("carol", true), ""},
		"none of them":         {wanted, carol, person("carol", false), "carol is not allowed to approve (allowed: bob, id:4, acme/SRE and 1 more)"},
		"unknown":              {wanted, carol, Unknown[Membership]("503"), "cannot tell whether carol is allowed to approve: carol's GitHub account could not be read (503)"},
		"the team unknown": {wanted, carol, Known(Membership{
			Login: "carol",
		}), "cannot tell whether carol is allowed to approve: carol's membership in acme/SRE could not be read"},
		"the requester": {wanted, alice, person("bob", true), "bob requested the deployment, so somebody else must approve it"},
		"a token":       {wanted, token, Unknown[Membership](""), ""},
		"another token": {
			wanted,
			deployment.Actor{Token: "ci"},
			Unknown[Membership](""),
			"the API token ci is not allowed to approve",
		},
		"a person by a token": {
			wanted,
			deployment.Actor{ID: 3, Login: "carol", Token: "ops"},
			person("carol", false),
			"carol is not allowed to approve (allowed: bob, id:4, acme/SRE and 1 more)",
		},
		"an app":          {wanted, hubot, person("bob", true), "my-hubot is an app, and only people may approve"},
		"nobody":          {wanted, deployment.Actor{}, person("", true), "the approver is unknown"},
		"only tokens may": {&tokenApproval, bob, person("bob", true), "bob is not allowed to approve (allowed: token ops)"},
		"nobody must":     {nil, bob, person("bob", true), "the deployment needs no approval"},
	} {
		t.Run(name, func(t *testing.T) {
			ok, why := Policy{Approvals: c.a}.Eligible(c.by, c.is, newScenario().request)
			if ok != (c.want == "") || why != c.want {
				t.Errorf("%v %q, want %q", ok, why, c.want)
			}
		})
	}
}
