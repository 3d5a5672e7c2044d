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

const needsOneApproval = "wait approvals_missing: 1 of 1 approvals (bob)"

var approvalCases = []verdictCase{
	{"none", requireApprovals(twoApprovals), "wait approvals_missing: 2 of 2 approvals (bob, acme/sre)"},
	{"one of two", requireApprovals(twoApprovals, approvalBy(bob)), "wait approvals_missing: 1 of 2 approvals (bob, acme/sre)"},
	{"two", requireApprovals(twoApprovals, approvalBy(bob), approvalBy(carol)), "allow"},
	{"more than two", requireApprovals(twoApprovals, approvalBy(bob), approvalBy(carol), approvalBy(dave)), "allow"},
	{"one, twice", requireApprovals(twoApprovals, approvalBy(bob), approvalBy(bob)), "wait approvals_missing: 1 of 2 approvals (bob, acme/sre)"},
	{"one, under two names", requireApprovals(twoApprovals, approvalBy(bob), approvalBy(deployment.Actor{ID: 2, Login: "bobby"})),
		"wait approvals_missing: 1 of 2 approvals (bob, acme/sre)"},
	{"one, by two faces", requireApprovals(twoApprovals, approvalBy(deployment.Actor{
		ID:    2,
		Token: "slack",
	}), approvalBy(deployment.Actor{
		ID:    2,
		Token: "web",
	})),
		"wait approvals_missing: 1 of 2 approvals (bob, acme/sre)"},
	{"two, by one face", requireApprovals(twoApprovals, approvalBy(deployment.Actor{
		ID:    2,
		Token: "slack",
	}), approvalBy(deployment.Actor{
		ID:    3,
		Token: "slack",
	})), "allow"},
	{"the requester", requireApprovals(oneApproval, approvalBy(alice)), needsOneApproval},
	{"the requester, renamed", requireApprovals(oneApproval, approvalBy(deployment.Actor{ID: 1, Login: "alicia"})), needsOneApproval},
	{"the creator", combine(func(s *scenario) { s.request.Creator = bob }, requireApprovals(oneApproval, approvalBy(bob))), needsOneApproval},
	{"somebody of the requester's name", requireApprovals(oneApproval, approvalBy(deployment.Actor{ID: 11, Login: "alice"})), "allow"},
	{"of another commit", requireApprovals(oneApproval, approvalBy(bob, func(a *Approval) { a.SHA = oldCommit })), needsOneApproval},
	{"of other parameters", requireApprovals(oneApproval, approvalBy(bob, func(a *Approval) { a.Parameters = "others" })), needsOneApproval},
	{"under other rules", requireApprovals(oneApproval, approvalBy(bob, func(a *Approval) { a.Policy = "others" })), needsOneApproval},
	{"under rules that were changed since", combine(requireApprovals(oneApproval, approvalBy(bob)), withMaxWait(time.Hour)), needsOneApproval},
	{"a day old", requireApprovals(oneApproval, approvalBy(bob, func(a *Approval) { a.At = noon.Add(-24 * time.Hour) })), needsOneApproval},
	{"nearly a day old", requireApprovals(oneApproval, approvalBy(bob, func(a *Approval) { a.At = noon.Add(1 - 24*time.Hour) })), "allow"},
	{"as old as it may be", requireApprovals(Approvals{
		Count:   1,
		Users:   []string{"bob"},
		Expires: time.Hour,
	}, approvalBy(bob)), needsOneApproval},
	{"not as old as it may be", requireApprovals(Approvals{
		Count:   1,
		Users:   []string{"bob"},
		Expires: time.Hour + 1,
	}, approvalBy(bob)), "allow"},
	{"a token", requireApprovals(tokenApproval, approvalBy(token)), "allow"},
	{"another token", requireApprovals(tokenApproval, approvalBy(deployment.Actor{
		Token: "ci",
	})), "wait approvals_missing: 1 of 1 approvals (token ops)"},
	{"a token where people may", requireApprovals(oneApproval, approvalBy(token)), needsOneApproval},
	{
		"the token that asked",
		combine(requestedBy(token), requireApprovals(tokenApproval, approvalBy(token))),
		"wait approvals_missing: 1 of 1 approvals (token ops)",
	},
	{"the token by which somebody asked", combine(requestedBy(deployment.Actor{
		ID:    1,
		Login: "alice",
		Token: "ops",
	}), requireApprovals(tokenApproval, approvalBy(token))),
		"wait approvals_missing: 1 of 1 approvals (token ops)"},
	{"the token by which somebody asked, and another made it", combine(requestedBy(deployment.Actor{
		ID:    1,
		Token: "ops",
	}), func(s *scenario) { s.request.Creator = hubot },
		requireApprovals(tokenApproval, approvalBy(token))), "wait approvals_missing: 1 of 1 approvals (token ops)"},
	{"the token that made it for somebody", combine(func(s *scenario) {
		s.request.Creator = deployment.Actor{
			ID:    9,
			Token: "ops",
		}
	}, requireApprovals(tokenApproval, approvalBy(token))),
		"wait approvals_missing: 1 of 1 approvals (token ops)"},
	{"an app", requireApprovals(oneApproval, approvalBy(hubot)), needsOneApproval},
	{"nobody", requireApprovals(oneApproval, approvalBy(deployment.Actor{})), needsOneApproval},
	{"a name without an id", requireApprovals(oneApproval, approvalBy(deployment.Actor{Login: "bob"})), needsOneApproval},
	{"in a question", combine(asQuestion, requireApprovals(oneApproval, approvalBy(bob))), needsOneApproval},
	{
		"in a question, unknown",
		combine(asQuestion, requireApprovals(oneApproval), func(s *scenario) { s.facts.Approvals = Unknown[[]Approval]("rows") }),
		needsOneApproval,
	},
	{
		"unknown",
		combine(requireApprovals(oneApproval), func(s *scenario) { s.facts.Approvals = Unknown[[]Approval]("rows") }),
		"wait unknown: an answer about the approvals (rows)",
	},
	{"many may", requireApprovals(Approvals{
		Count: 1,
		Users: []string{"a", "b", "c", "d", "e"},
	}), "wait approvals_missing: 1 of 1 approvals (a, b, c and 2 more)"},
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
		"not by the old login": {wanted, bob, person("bobby", false), "bobby may not approve it; bob, id:4, acme/SRE and 1 more may"},
		"by id":                {wanted, dave, Unknown[Membership]("503"), ""},
		"by team":              {wanted, carol, person("carol", true), ""},
		"none of them":         {wanted, carol, person("carol", false), "carol may not approve it; bob, id:4, acme/SRE and 1 more may"},
		"unknown":              {wanted, carol, Unknown[Membership]("503"), "GitHub does not say whether carol may approve it: who they are (503)"},
		"the team unknown": {wanted, carol, Known(Membership{
			Login: "carol",
		}), "GitHub does not say whether carol may approve it: the team acme/SRE"},
		"the requester": {wanted, alice, person("bob", true), "bob asked for it: somebody else must approve it"},
		"a token":       {wanted, token, Unknown[Membership](""), ""},
		"another token": {
			wanted,
			deployment.Actor{Token: "ci"},
			Unknown[Membership](""),
			"the API token ci may not approve it",
		},
		"a person by a token": {
			wanted,
			deployment.Actor{ID: 3, Login: "carol", Token: "ops"},
			person("carol", false),
			"carol may not approve it; bob, id:4, acme/SRE and 1 more may",
		},
		"an app":          {wanted, hubot, person("bob", true), "my-hubot is an app: a person must approve it"},
		"nobody":          {wanted, deployment.Actor{}, person("", true), "it is not known who approves it"},
		"only tokens may": {&tokenApproval, bob, person("bob", true), "bob may not approve it; token ops may"},
		"nobody must":     {nil, bob, person("bob", true), "it needs no approval"},
	} {
		t.Run(name, func(t *testing.T) {
			ok, why := Policy{Approvals: c.a}.Eligible(c.by, c.is, newScenario().request)
			if ok != (c.want == "") || why != c.want {
				t.Errorf("%v %q, want %q", ok, why, c.want)
			}
		})
	}
}
