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

// Without rules, people need write permission at GitHub for what they ask this service. GitHub is not asked
// about who created a deployment there.
func TestGate_WritePermission(t *testing.T) {
	const lacks = "alice needs write permission to deploy to production, but has read"
	const unknown = "alice's GitHub account, which could not be read (503)"
	depends := policy.Refusal{Reason: "this depends on " + unknown + ": try again", Unknown: true}

	for _, test := range []struct {
		name    string
		may     policy.Permission
		down    error
		verdict string
		refusal policy.Refusal
	}{
		{name: "write", verdict: "allow"},
		{name: "read", may: policy.PermissionRead, verdict: "reject " + lacks, refusal: policy.Refusal{Reason: lacks}},
		{name: "GitHub is away", down: errors.New("503"), verdict: "wait " + unknown, refusal: depends},
	} {
		t.Run(test.name, func(t *testing.T) {
			reads := 0
			g := newTestGate(policy.Policy{}, nil)
			g.People = fakePeople{down: test.down, may: test.may, reads: &reads}
			d := deploymentOf(0)
			d.Target.HasRules = false

			v, err := g.Decide(t.Context(), d)
			if got := summary(v); err != nil || got != "allow" || reads != 0 {
				t.Errorf("created at GitHub: got %q (%v) after %d reads, want allow after none", got, err, reads)
			}

			d.Request.Asked = &deployment.Asked{By: alice}
			v, err = g.Decide(t.Context(), d)
			if got := summary(v); err != nil || got != test.verdict {
				t.Errorf("asked for here: got %q (%v), want %q", got, err, test.verdict)
			}

			d.Request.Asked = nil
			if got := g.Member(t.Context(), d, alice); got != test.refusal {
				t.Errorf("Member: got %+v, want %+v", got, test.refusal)
			}
			if got := g.Unlocker(t.Context(), d, alice); got != test.refusal {
				t.Errorf("Unlocker: got %+v, want %+v", got, test.refusal)
			}
			if got := g.Member(t.Context(), d, deployment.Actor{Token: "ops"}); got.Refused() {
				t.Errorf("Member, a token: got %+v, want it allowed", got)
			}

			d.Target.HasRules, d.Request.Environment = true, "nowhere" // its route is gone
			if got := g.Member(t.Context(), d, alice); got.Refused() != test.refusal.Refused() {
				t.Errorf("Member, no route: got %+v, want as with one", got)
			}
		})
	}
}
