package gate

import (
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
