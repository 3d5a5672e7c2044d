package gate

import (
	"context"
	"errors"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

var (
	alice = deployment.Actor{ID: 1, Login: "alice"}
	bob   = deployment.Actor{ID: 2, Login: "bob"}
)

// A person who forces is named by their own login, although only the requester's membership is needed
// otherwise.
func TestForcer_NamedByOwnLogin(t *testing.T) {
	const want = "bob is not allowed to force a deployment to production"

	g := newTestGate(policy.Policy{
		Allow: &policy.Subjects{Teams: []string{"acme/sre"}},
		Force: &policy.Subjects{Users: []string{"id:3"}},
	}, nil)

	d := deploymentOf(0)
	if got := g.Forcer(t.Context(), d, bob); got != (policy.Refusal{Reason: want}) {
		t.Errorf("Forcer: got %+v, want %q", got, want)
	}

	d.Force = &deployment.Force{By: bob, Reason: "fire"}
	v, err := g.Decide(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if got := summary(v); got != "reject "+want {
		t.Errorf("Decide: got %q, want %q", got, "reject "+want)
	}
}

func TestForcer_RequesterMayForce(t *testing.T) {
	g := newTestGate(policy.Policy{Force: &policy.Subjects{Teams: []string{"acme/sre"}}}, nil)

	d := deploymentOf(0)
	d.Force = &deployment.Force{By: alice, Reason: "fire"}
	v, err := g.Decide(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if got := summary(v); got != "allow" {
		t.Errorf("got %q, want %q", got, "allow")
	}
}

// An approval counts only while its giver may still approve, which GitHub is asked at the decision.
func TestDecide_ApproverMayStillApprove(t *testing.T) {
	carol := deployment.Actor{ID: 3, Login: "carol"}

	for _, c := range []struct {
		name  string
		rule  policy.Approvals
		given deployment.Actor
		want  string
	}{
		{
			name:  "still among the users",
			rule:  policy.Approvals{Count: 1, Users: []string{"bob"}},
			given: bob,
			want:  "allow",
		},
		{
			name:  "not in the team any more",
			rule:  policy.Approvals{Count: 1, Teams: []string{"acme/leads"}},
			given: bob,
			want:  "wait 1 approval from acme/leads",
		},
		{
			name:  "login given away since",
			rule:  policy.Approvals{Count: 1, Users: []string{"carol"}},
			given: carol,
			want:  "wait 1 approval from carol",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := policy.Policy{Approvals: &c.rule}
			g := newTestGate(p, nil)
			d := deploymentOf(0)
			r := request(d)
			g.Rows = approvedRows{approval: policy.Approval{
				By:         c.given,
				At:         noon,
				SHA:        r.SHA,
				Parameters: r.Parameters,
				Policy:     p.Digest(),
			}}

			v, err := g.Decide(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(v); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}

	t.Run("GitHub does not answer", func(t *testing.T) {
		p := policy.Policy{Approvals: &policy.Approvals{Count: 1, Users: []string{"bob"}}}
		g := newTestGate(p, errors.New("503"))
		d := deploymentOf(0)
		r := request(d)
		g.Rows = approvedRows{approval: policy.Approval{
			By:         bob,
			At:         noon,
			SHA:        r.SHA,
			Parameters: r.Parameters,
			Policy:     p.Digest(),
		}}

		v, err := g.Decide(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := summary(v), "wait bob's GitHub account, which could not be read (503)"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// approvedRows is a database with one approval.
type approvedRows struct {
	emptyRows
	approval policy.Approval
}

func (r approvedRows) Approvals(context.Context, int64) ([]policy.Approval, error) {
	return []policy.Approval{r.approval}, nil
}
