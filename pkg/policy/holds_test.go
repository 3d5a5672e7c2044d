package policy

import (
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func TestPolicy_CanApproveHold(t *testing.T) {
	account := func(login string, leads bool) Fact[Membership] {
		return Known(Membership{Login: login, Teams: map[string]Fact[bool]{"acme/leads": Known(leads)}})
	}
	named := &Subjects{Users: []string{"bob"}, Teams: []string{"acme/leads"}}

	for _, c := range []struct {
		name       string
		rule       *Subjects
		requester  deployment.Actor // zero: alice
		by         deployment.Actor
		membership Fact[Membership]
		want       string // why not; empty: allowed
	}{
		{name: "named", rule: named, by: bob, membership: account("bob", false)},
		{name: "in a named team", rule: named, by: carol, membership: account("carol", true)},
		{name: "by id", rule: &Subjects{Users: []string{"id:3"}}, by: carol, membership: Unknown[Membership]("503")},
		{
			name:       "not named",
			rule:       named,
			by:         carol,
			membership: account("carol", false),
			want:       "carol is not allowed to approve (allowed: bob, acme/leads)",
		},
		{
			name:       "membership unknown",
			rule:       named,
			by:         carol,
			membership: Unknown[Membership]("503"),
			want:       "cannot tell whether carol is allowed to approve: carol's GitHub account could not be read (503)",
		},
		{
			name:       "no rule",
			by:         bob,
			membership: account("bob", true),
			want: "nobody may approve hold jobs of production here: approve in CircleCI, " +
				"or set holds in the route",
		},
		{
			name:       "own request",
			rule:       &Subjects{Users: []string{"alice"}},
			by:         alice,
			membership: account("alice", true),
			want:       "alice requested the deployment, so somebody else must approve it",
		},
		{
			name:       "request of an app",
			rule:       named,
			requester:  hubot,
			by:         bob,
			membership: account("bob", true),
			want:       "nobody knows who asked my-hubot to deploy, so nobody may approve it here: approve in CircleCI",
		},
		{
			name:       "request of a token in its own name",
			rule:       named,
			requester:  token,
			by:         bob,
			membership: account("bob", true),
			want:       "nobody knows who asked token ops to deploy, so nobody may approve it here: approve in CircleCI",
		},
		{
			name:       "request of an account that several people use",
			rule:       named,
			requester:  deployment.Actor{ID: 40, Login: "deploy-bot"},
			by:         bob,
			membership: account("bob", true),
			want:       "nobody knows who asked deploy-bot to deploy, so nobody may approve it here: approve in CircleCI",
		},
		{
			name:       "account that several people use",
			rule:       named,
			by:         deployment.Actor{ID: 40, Login: "deploy-bot"},
			membership: account("deploy-bot", true),
			want:       "several people use the account deploy-bot, so it may not approve",
		},
		{
			name: "token",
			rule: named,
			by:   token,
			want: "the API token ops is not allowed to approve",
		},
		{
			name:       "app",
			rule:       named,
			by:         hubot,
			membership: account("bob", true),
			want:       "my-hubot is an app, and only people may approve",
		},
		{name: "nobody", rule: named, want: "the approver is unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Policy{HoldApprovers: c.rule, SharedAccounts: []string{"deploy-bot"}}
			r := newScenario().request
			if c.requester != (deployment.Actor{}) {
				r.Requester, r.Creator = c.requester, c.requester
			}

			got := p.CanApproveHold(c.by, c.membership, r)
			want := Refusal{Reason: c.want, Unknown: strings.HasPrefix(c.want, "cannot tell")}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
