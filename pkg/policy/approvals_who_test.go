package policy

import (
	"slices"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Who can help never names who requested the deployment: nobody approves what they asked for.
func TestEvaluate_WhoApproves(t *testing.T) {
	token := deployment.Actor{Token: "ops"}
	for _, test := range []struct {
		name      string
		rule      Approvals
		requester deployment.Actor // alice, if it is zero
		login     string           // the requester's login today
		want      string
	}{
		{
			name: "the requester is one of them",
			rule: Approvals{Count: 1, Users: []string{"Alice", "bob"}, Teams: []string{"acme/sre"}},
			want: "bob, acme/sre",
		},
		{
			name: "by id",
			rule: Approvals{Count: 1, Users: []string{"id:1", "id:2"}},
			want: "id:2",
		},
		{
			name:  "under a new login",
			rule:  Approvals{Count: 1, Users: []string{"alicia", "bob"}},
			login: "alicia",
			want:  "bob",
		},
		{
			name: "nobody else",
			rule: Approvals{Count: 1, Users: []string{"alice"}},
			want: "",
		},
		{
			name:      "an API token",
			rule:      Approvals{Count: 2, Tokens: []string{"ops", "release"}},
			requester: token,
			want:      "token release",
		},
		{
			name: "another one",
			rule: Approvals{Count: 1, Users: []string{"bob"}},
			want: "bob",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := scenarioWith(requireApprovals(test.rule))
			if test.requester != (deployment.Actor{}) {
				s.request.Requester, s.request.Creator = test.requester, test.requester
			}
			if test.login != "" {
				s.facts.Requester = Known(Membership{Login: test.login})
			}

			outcomes := s.evaluate().Outcomes
			i := slices.IndexFunc(outcomes, func(o Outcome) bool { return o.Code == CodeApprovalsMissing })
			if i < 0 || outcomes[i].Who != test.want {
				t.Errorf("got %+v, want that %q can approve", outcomes, test.want)
			}
		})
	}
}
