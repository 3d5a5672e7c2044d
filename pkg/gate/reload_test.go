package gate

import (
	"testing"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

// While the routes are read again, the former ones are still in use, and are judged by the names that they give.
func TestDecide_FormerRoutesWhileReloading(t *testing.T) {
	g := newTestGate(policy.Policy{}, nil)
	g.Policies = namedPolicies{"api": {Allow: &policy.Subjects{Users: []string{"alice"}}}, "api2": {}}
	g.Pins = newTestPins(t, []policy.PinnedName{pinnedAPI})
	d := deploymentOf(0)
	d.Request.Repository.Name = "api2"

	for _, step := range []struct {
		name string
		do   func() error
		want policy.Decision
	}{
		{name: "before", do: func() error { return nil }, want: policy.DecisionReject},
		{name: "the new names are loaded", do: func() error { return g.Pins.Load(t.Context(), nil) }, want: policy.DecisionReject},
		{
			name: "the new routes are in use",
			do: func() error {
				g.Policies = namedPolicies{"api2": {}}
				g.Pins.Forget()
				return nil
			},
			want: policy.DecisionAllow,
		},
	} {
		t.Run(step.name, func(t *testing.T) {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			v, err := g.Decide(t.Context(), d)
			if err != nil || v.Decision != step.want {
				t.Errorf("got %q, %v, want %q", summary(v), err, step.want)
			}
		})
	}
}
