package gate

import (
	"errors"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Whether somebody may deploy at all is decided before anything is known of the commit, and by no other rule.
func TestDecideAllow(t *testing.T) {
	sre := policy.Policy{
		Allow: &policy.Subjects{Teams: []string{"acme/sre"}},
		Refs:  []string{"release/*"},
	}

	for _, c := range []struct {
		name string
		p    policy.Policy
		by   deployment.Actor
		down error
		want string
	}{
		{name: "in the team", p: sre, by: alice, want: "allow"},
		{name: "not in the team", p: sre, by: bob, want: "reject bob is not allowed to deploy to production"},
		{
			name: "a token",
			p:    sre,
			by:   deployment.Actor{Token: "ci"},
			want: "reject the API token ci is not allowed to deploy to production",
		},
		{
			name: "no answer from GitHub",
			p:    sre,
			by:   alice,
			down: errors.New("503"),
			want: "wait alice's GitHub account, which could not be read (503)",
		},
		{
			name: "another repository has the name",
			p:    policy.Policy{WrongRoute: "another repository has the name"},
			by:   alice,
			want: "reject another repository has the name",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := deployment.Deployment{Request: deployment.Intent{By: c.by}.Own(deployment.Request{
				Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
				Environment: "production",
			})}

			got := newTestGate(c.p, c.down).DecideAllow(t.Context(), d)
			if summary(got) != c.want {
				t.Errorf("got %q, want %q", summary(got), c.want)
			}
		})
	}
}
