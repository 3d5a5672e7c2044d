package policy

import (
	"strings"
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
		name:  "none given",
		given: requireApprovals(twoApprovals),
		want:  "wait approvals_missing: 2 approvals from bob, acme/sre",
	},
	{
		name:  "one of two",
		given: requireApprovals(twoApprovals, approvalBy(bob)),
		want:  "wait approvals_missing: 1 more approval (1 of 2 given) from bob, acme/sre",
	},
	{name: "two of two", given: requireApprovals(twoApprovals, approvalBy(bob), approvalBy(carol)), want: "allow"},
	{
		name:  "three of two",
		given: requireApprovals(twoApprovals, approvalBy(bob), approvalBy(carol), approvalBy(dave)),
		want:  "allow",
	},
	{
		name:  "one of three",
		given: requireApprovals(Approvals{Count: 3, Users: []string{"bob"}, Teams: []string{"acme/sre"}}, approvalBy(bob)),
		want:  "wait approvals_missing: 2 more approvals (1 of 3 given) from bob, acme/sre",
	},
	{
		name:  "one person twice",
		given: requireApprovals(twoApprovals, approvalBy(bob), approvalBy(bob)),
		want:  "wait approvals_missing: 1 more approval (1 of 2 given) from bob, acme/sre",
	},
	{
		name:  "one person under two logins",
		given: requireApprovals(twoApprovals, approvalBy(bob), approvalBy(deployment.Actor{ID: 2, Login: "bobby"})),
		want:  "wait approvals_missing: 1 more approval (1 of 2 given) from bob, acme/sre",
	},
	{
		name: "one person through two API tokens",
		given: requireApprovals(
			twoApprovals,
			approvalBy(deployment.Actor{ID: 2, Token: "slack"}),
			approvalBy(deployment.Actor{ID: 2, Token: "web"}),
		),
		want: "wait approvals_missing: 1 more approval (1 of 2 given) from bob, acme/sre",
	},
	{
		name: "two people through one API token",
		given: requireApprovals(
			twoApprovals,
			approvalBy(deployment.Actor{ID: 2, Token: "slack"}),
			approvalBy(deployment.Actor{ID: 3, Token: "slack"}),
		),
		want: "allow",
	},
	{name: "the requester", given: requireApprovals(oneApproval, approvalBy(alice)), want: needsOneApproval},
	{
		name:  "the requester under a new login",
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
		name: "another person with the requester's login",
		given: requireApprovals(
			Approvals{Count: 1, Users: []string{"id:11"}},
			approvalBy(deployment.Actor{ID: 11, Login: "alice"}),
		),
		want: "allow",
	},
	{
		name: "left the team since",
		given: combine(
			requireApprovals(twoApprovals, approvalBy(bob), approvalBy(carol)),
			approver(3, Known(Membership{Login: "carol", Teams: map[string]Fact[bool]{"acme/sre": Known(false)}})),
		),
		want: "wait approvals_missing: 1 more approval (1 of 2 given) from bob, acme/sre",
	},
	{
		name: "has another login since",
		given: combine(
			requireApprovals(oneApproval, approvalBy(bob)),
			approver(2, Known(Membership{Login: "bobby"})),
		),
		want: needsOneApproval,
	},
	{
		name: "account cannot be read",
		given: combine(
			requireApprovals(oneApproval, approvalBy(bob)),
			approver(2, Unknown[Membership]("404")),
		),
		want: "wait unknown: bob's GitHub account, which could not be read (404)",
	},
	{
		name: "team cannot be read",
		given: combine(
			requireApprovals(twoApprovals, approvalBy(bob), approvalBy(carol)),
			approver(3, Known(Membership{Login: "carol", Teams: map[string]Fact[bool]{"acme/sre": Unknown[bool]("503")}})),
		),
		want: "wait unknown: carol's membership in acme/sre, which could not be read (503)",
	},
	{
		name: "one cannot be read, enough others",
		given: combine(
			requireApprovals(twoApprovals, approvalBy(bob), approvalBy(carol), approvalBy(dave)),
			approver(3, Unknown[Membership]("503")),
		),
		want: "allow",
	},
	{
		name: "one cannot be read, and one is missing anyhow",
		given: combine(
			requireApprovals(Approvals{Count: 3, Users: []string{"bob"}, Teams: []string{"acme/sre"}}, approvalBy(carol)),
			approver(3, Unknown[Membership]("503")),
		),
		want: "wait approvals_missing: 3 approvals from bob, acme/sre",
	},
	{
		name: "an id is asked about nowhere",
		given: combine(
			requireApprovals(Approvals{Count: 1, Users: []string{"id:2"}}, approvalBy(bob)),
			approver(2, Unknown[Membership]("503")),
		),
		want: "allow",
	},
	{
		name:  "an app requested, one approval",
		given: combine(requestedBy(hubot), requireApprovals(oneApproval, approvalBy(bob))),
		want: "wait approvals_missing: 1 more approval (1 of 2 given) from bob, " +
			"because nobody knows who asked my-hubot to deploy",
	},
	{
		name: "an app requested, two approvals",
		given: combine(
			requestedBy(hubot),
			requireApprovals(Approvals{Count: 1, Users: []string{"bob"}, Teams: []string{"acme/sre"}},
				approvalBy(bob), approvalBy(carol)),
		),
		want: "allow",
	},
	{
		name:  "a token in its own name requested, one approval",
		given: combine(requestedBy(token), requireApprovals(oneApproval, approvalBy(bob))),
		want: "wait approvals_missing: 1 more approval (1 of 2 given) from bob, " +
			"because nobody knows who asked token ops to deploy",
	},
	{
		name: "a token in its own name requested, two approvals",
		given: combine(
			requestedBy(token),
			requireApprovals(Approvals{Count: 1, Users: []string{"bob"}, Teams: []string{"acme/sre"}},
				approvalBy(bob), approvalBy(carol)),
		),
		want: "allow",
	},
	{
		name: "a shared account requested",
		given: combine(
			sharedAccounts("Alice"),
			requireApprovals(oneApproval, approvalBy(bob)),
		),
		want: "wait approvals_missing: 1 more approval (1 of 2 given) from bob, " +
			"because nobody knows who asked alice to deploy",
	},
	{
		name:  "through a shared account",
		given: combine(sharedAccounts("id:2"), requireApprovals(oneApproval, approvalBy(bob))),
		want:  needsOneApproval,
	},
	{
		name: "through a shared account under an older login",
		given: combine(
			sharedAccounts("bob"),
			requireApprovals(oneApproval, approvalBy(deployment.Actor{ID: 2, Login: "robert"})),
		),
		want: needsOneApproval,
	},
	{
		name:  "for another commit",
		given: requireApprovals(oneApproval, approvalBy(bob, func(a *Approval) { a.SHA = oldCommit })),
		want:  needsOneApproval,
	},
	{
		name:  "for other parameters",
		given: requireApprovals(oneApproval, approvalBy(bob, func(a *Approval) { a.Parameters = "others" })),
		want:  needsOneApproval,
	},
	{
		name:  "under another policy",
		given: requireApprovals(oneApproval, approvalBy(bob, func(a *Approval) { a.Policy = "others" })),
		want:  needsOneApproval,
	},
	{
		name:  "policy changed since",
		given: combine(requireApprovals(oneApproval, approvalBy(bob)), withMaxWait(time.Hour)),
		want:  needsOneApproval,
	},
	{
		name: "one day old",
		given: requireApprovals(
			oneApproval,
			approvalBy(bob, func(a *Approval) { a.At = noon.Add(-24 * time.Hour) }),
		),
		want: needsOneApproval,
	},
	{
		name: "less than one day old",
		given: requireApprovals(
			oneApproval,
			approvalBy(bob, func(a *Approval) { a.At = noon.Add(1 - 24*time.Hour) }),
		),
		want: "allow",
	},
	{
		name:  "as old as expires",
		given: requireApprovals(Approvals{Count: 1, Users: []string{"bob"}, Expires: time.Hour}, approvalBy(bob)),
		want:  needsOneApproval,
	},
	{
		name: "younger than expires",
		given: requireApprovals(
			Approvals{Count: 1, Users: []string{"bob"}, Expires: time.Hour + 1},
			approvalBy(bob),
		),
		want: "allow",
	},
	{name: "named token", given: requireApprovals(tokenApproval, approvalBy(token)), want: "allow"},
	{
		name:  "other token",
		given: requireApprovals(tokenApproval, approvalBy(deployment.Actor{Token: "ci"})),
		want:  "wait approvals_missing: 1 approval from token ops",
	},
	{
		name:  "token where only people are named",
		given: requireApprovals(oneApproval, approvalBy(token)),
		want:  needsOneApproval,
	},
	{
		name:  "the token that requested",
		given: combine(requestedBy(token), requireApprovals(tokenApproval, approvalBy(token))),
		want: "wait approvals_missing: 2 approvals from token ops, " +
			"because nobody knows who asked token ops to deploy",
	},
	{
		name: "the token through which a person requested",
		given: combine(
			requestedBy(deployment.Actor{ID: 1, Login: "alice", Token: "ops"}),
			requireApprovals(tokenApproval, approvalBy(token)),
		),
		want: "wait approvals_missing: 1 approval from token ops",
	},
	{
		name: "the token through which a person requested, created by an app",
		given: combine(
			requestedBy(deployment.Actor{ID: 1, Token: "ops"}),
			func(s *scenario) { s.request.Creator = hubot },
			requireApprovals(tokenApproval, approvalBy(token)),
		),
		want: "wait approvals_missing: 1 approval from token ops",
	},
	{
		name: "the token that created it for somebody",
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
	{name: "app", given: requireApprovals(oneApproval, approvalBy(hubot)), want: needsOneApproval},
	{name: "no actor", given: requireApprovals(oneApproval, approvalBy(deployment.Actor{})), want: needsOneApproval},
	{
		name:  "login without an id",
		given: requireApprovals(oneApproval, approvalBy(deployment.Actor{Login: "bob"})),
		want:  needsOneApproval,
	},
	{
		name:  "question",
		given: combine(asQuestion, requireApprovals(oneApproval, approvalBy(bob))),
		want:  needsOneApproval,
	},
	{
		name: "question, approvals unknown",
		given: combine(
			asQuestion,
			requireApprovals(oneApproval),
			func(s *scenario) { s.facts.Approvals = Unknown[[]Approval]("rows") },
		),
		want: needsOneApproval,
	},
	{
		name: "approvals unknown",
		given: combine(
			requireApprovals(oneApproval),
			func(s *scenario) { s.facts.Approvals = Unknown[[]Approval]("rows") },
		),
		want: "wait unknown: the approvals, which could not be read (rows)",
	},
	{
		name:  "many approvers",
		given: requireApprovals(Approvals{Count: 1, Users: []string{"a", "b", "c", "d", "e"}}),
		want:  "wait approvals_missing: 1 approval from a, b, c and 2 more",
	},
}

func TestEvaluate_Approvals(t *testing.T) { runVerdictCases(t, approvalCases) }

func TestPolicy_Eligible(t *testing.T) {
	account := func(login string, inSRE bool) Fact[Membership] {
		return Known(Membership{Login: login, Teams: map[string]Fact[bool]{"acme/sre": Known(inSRE)}})
	}
	rule := &Approvals{Count: 2, Users: []string{"bob", "id:4"}, Teams: []string{"acme/SRE"}, Tokens: []string{"ops"}}

	for _, c := range []struct {
		name       string
		rule       *Approvals
		by         deployment.Actor
		membership Fact[Membership]
		want       string // why not; empty: eligible
	}{
		{
			name:       "login",
			rule:       rule,
			by:         bob,
			membership: account("bob", false),
		},
		{
			name:       "current login in another case",
			rule:       rule,
			by:         carol,
			membership: account("BOB", false),
		},
		{
			name:       "old login",
			rule:       rule,
			by:         bob,
			membership: account("bobby", false),
			want:       "bobby is not allowed to approve (allowed: bob, id:4, acme/SRE and 1 more)",
		},
		{
			name:       "id, account unknown",
			rule:       rule,
			by:         dave,
			membership: Unknown[Membership]("503"),
		},
		{
			name:       "team member",
			rule:       rule,
			by:         carol,
			membership: account("carol", true),
		},
		{
			name:       "not listed",
			rule:       rule,
			by:         carol,
			membership: account("carol", false),
			want:       "carol is not allowed to approve (allowed: bob, id:4, acme/SRE and 1 more)",
		},
		{
			name:       "account unknown",
			rule:       rule,
			by:         carol,
			membership: Unknown[Membership]("503"),
			want:       "cannot tell whether carol is allowed to approve: carol's GitHub account could not be read (503)",
		},
		{
			name:       "team unknown",
			rule:       rule,
			by:         carol,
			membership: Known(Membership{Login: "carol"}),
			want:       "cannot tell whether carol is allowed to approve: carol's membership in acme/SRE could not be read",
		},
		{
			name:       "requester",
			rule:       rule,
			by:         alice,
			membership: account("bob", true),
			want:       "bob requested the deployment, so somebody else must approve it",
		},
		{
			name:       "named token",
			rule:       rule,
			by:         token,
			membership: Unknown[Membership](""),
		},
		{
			name:       "other token",
			rule:       rule,
			by:         deployment.Actor{Token: "ci"},
			membership: Unknown[Membership](""),
			want:       "the API token ci is not allowed to approve",
		},
		{
			name:       "person through the named token",
			rule:       rule,
			by:         deployment.Actor{ID: 3, Login: "carol", Token: "ops"},
			membership: account("carol", false),
			want:       "carol is not allowed to approve (allowed: bob, id:4, acme/SRE and 1 more)",
		},
		{
			name:       "app",
			rule:       rule,
			by:         hubot,
			membership: account("bob", true),
			want:       "my-hubot is an app, and only people may approve",
		},
		{
			name:       "account that several people use",
			rule:       rule,
			by:         deployment.Actor{ID: 40, Login: "deploy-bot"},
			membership: account("deploy-bot", true),
			want:       "several people use the account deploy-bot, so it may not approve",
		},
		{
			name:       "no actor",
			rule:       rule,
			by:         deployment.Actor{},
			membership: account("", true),
			want:       "the approver is unknown",
		},
		{
			name:       "only tokens are named",
			rule:       &tokenApproval,
			by:         bob,
			membership: account("bob", true),
			want:       "bob is not allowed to approve (allowed: token ops)",
		},
		{
			name:       "no approvals rule",
			by:         bob,
			membership: account("bob", true),
			want:       "the deployment needs no approval",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Policy{Approvals: c.rule, SharedAccounts: []string{"deploy-bot"}}
			got := p.CanApprove(c.by, c.membership, newScenario().request)
			want := Refusal{Reason: c.want, Unknown: strings.HasPrefix(c.want, "cannot tell")}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
