package policy

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var (
	two     = Approvals{Count: 2, Users: []string{"bob"}, Teams: []string{"acme/sre"}}
	single  = Approvals{Count: 1, Users: []string{"bob"}}
	tokened = Approvals{Count: 1, Tokens: []string{"ops"}}
)

const missingOne = "wait approvals_missing: 1 of 1 approvals (bob)"

var approvalRulings = []ruling{
	{"none", approvals(two), "wait approvals_missing: 2 of 2 approvals (bob, acme/sre)"},
	{"one of two", approvals(two, yes(bob)), "wait approvals_missing: 1 of 2 approvals (bob, acme/sre)"},
	{"two", approvals(two, yes(bob), yes(carol)), "allow"},
	{"more than two", approvals(two, yes(bob), yes(carol), yes(dave)), "allow"},
	{"one, twice", approvals(two, yes(bob), yes(bob)), "wait approvals_missing: 1 of 2 approvals (bob, acme/sre)"},
	{"one, under two names", approvals(two, yes(bob), yes(deployment.Actor{ID: 2, Login: "bobby"})),
		"wait approvals_missing: 1 of 2 approvals (bob, acme/sre)"},
	{"one, by two faces", approvals(two, yes(deployment.Actor{
		ID:    2,
		Token: "slack",
	}), yes(deployment.Actor{
		ID:    2,
		Token: "web",
	})),
		"wait approvals_missing: 1 of 2 approvals (bob, acme/sre)"},
	{"two, by one face", approvals(two, yes(deployment.Actor{
		ID:    2,
		Token: "slack",
	}), yes(deployment.Actor{
		ID:    3,
		Token: "slack",
	})), "allow"},
	{"the requester", approvals(single, yes(alice)), missingOne},
	{"the requester, renamed", approvals(single, yes(deployment.Actor{ID: 1, Login: "alicia"})), missingOne},
	{"the creator", all(func(s *scene) { s.r.Creator = bob }, approvals(single, yes(bob))), missingOne},
	{"somebody of the requester's name", approvals(single, yes(deployment.Actor{ID: 11, Login: "alice"})), "allow"},
	{"of another commit", approvals(single, yes(bob, func(a *Approval) { a.SHA = older })), missingOne},
	{"of other parameters", approvals(single, yes(bob, func(a *Approval) { a.Parameters = "others" })), missingOne},
	{"under other rules", approvals(single, yes(bob, func(a *Approval) { a.Policy = "others" })), missingOne},
	{"under rules that were changed since", all(approvals(single, yes(bob)), maxWait(time.Hour)), missingOne},
	{"a day old", approvals(single, yes(bob, func(a *Approval) { a.At = noon.Add(-24 * time.Hour) })), missingOne},
	{"nearly a day old", approvals(single, yes(bob, func(a *Approval) { a.At = noon.Add(1 - 24*time.Hour) })), "allow"},
	{"as old as it may be", approvals(Approvals{
		Count:   1,
		Users:   []string{"bob"},
		Expires: time.Hour,
	}, yes(bob)), missingOne},
	{"not as old as it may be", approvals(Approvals{
		Count:   1,
		Users:   []string{"bob"},
		Expires: time.Hour + 1,
	}, yes(bob)), "allow"},
	{"a token", approvals(tokened, yes(token)), "allow"},
	{"another token", approvals(tokened, yes(deployment.Actor{
		Token: "ci",
	})), "wait approvals_missing: 1 of 1 approvals (token ops)"},
	{"a token where people may", approvals(single, yes(token)), missingOne},
	{
		"the token that asked",
		all(by(token), approvals(tokened, yes(token))),
		"wait approvals_missing: 1 of 1 approvals (token ops)",
	},
	{"the token by which somebody asked", all(by(deployment.Actor{
		ID:    1,
		Login: "alice",
		Token: "ops",
	}), approvals(tokened, yes(token))),
		"wait approvals_missing: 1 of 1 approvals (token ops)"},
	{"the token by which somebody asked, and another made it", all(by(deployment.Actor{
		ID:    1,
		Token: "ops",
	}), func(s *scene) { s.r.Creator = hubot },
		approvals(tokened, yes(token))), "wait approvals_missing: 1 of 1 approvals (token ops)"},
	{"the token that made it for somebody", all(func(s *scene) {
		s.r.Creator = deployment.Actor{
			ID:    9,
			Token: "ops",
		}
	}, approvals(tokened, yes(token))),
		"wait approvals_missing: 1 of 1 approvals (token ops)"},
	{"an app", approvals(single, yes(hubot)), missingOne},
	{"nobody", approvals(single, yes(deployment.Actor{})), missingOne},
	{"a name without an id", approvals(single, yes(deployment.Actor{Login: "bob"})), missingOne},
	{"in a question", all(question, approvals(single, yes(bob))), missingOne},
	{
		"in a question, unknown",
		all(question, approvals(single), func(s *scene) { s.f.Approvals = Unknown[[]Approval]("rows") }),
		missingOne,
	},
	{
		"unknown",
		all(approvals(single), func(s *scene) { s.f.Approvals = Unknown[[]Approval]("rows") }),
		"wait unknown: an answer about the approvals (rows)",
	},
	{"many may", approvals(Approvals{
		Count: 1,
		Users: []string{"a", "b", "c", "d", "e"},
	}), "wait approvals_missing: 1 of 1 approvals (a, b, c and 2 more)"},
}

func TestApprovals(t *testing.T) { judged(t, approvalRulings) }

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
		"only tokens may": {&tokened, bob, person("bob", true), "bob may not approve it; token ops may"},
		"nobody must":     {nil, bob, person("bob", true), "it needs no approval"},
	} {
		t.Run(name, func(t *testing.T) {
			ok, why := Policy{Approvals: c.a}.Eligible(c.by, c.is, base().r)
			if ok != (c.want == "") || why != c.want {
				t.Errorf("%v %q, want %q", ok, why, c.want)
			}
		})
	}
}
