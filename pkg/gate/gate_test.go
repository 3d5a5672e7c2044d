package gate

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// The rules judge the ref that was asked for and, unless the route writes it out, the ref that is built.
func TestDecide_RefThatIsBuilt(t *testing.T) {
	bare := deployment.Ref{Kind: deployment.RefBare, Name: "v1"}
	branch := deployment.Ref{Kind: deployment.RefBranch, Name: "v1"}
	tag := deployment.Ref{Kind: deployment.RefTag, Name: "v1"}
	other := deployment.Ref{Kind: deployment.RefBare, Name: "main"}

	for _, c := range []struct {
		name    string
		allowed string // glob for refs
		target  deployment.Ref
		fixed   bool           // the route writes the target out
		built   deployment.Ref // as GitHub showed it
		want    string
	}{
		{name: "bare name, not looked up", allowed: "v*", target: bare, want: "allow"},
		{name: "bare name of a branch", allowed: "v*", target: bare, built: branch, want: "allow"},
		{
			name:    "bare name of a tag",
			allowed: "v*",
			target:  bare,
			built:   tag,
			want:    "reject refs/tags/v1 may not be deployed to production (allowed: v*)",
		},
		{
			name:    "bare name, only tags are allowed, not looked up",
			allowed: "refs/tags/v*",
			target:  bare,
			want:    "reject v1 may not be deployed to production (allowed: refs/tags/v*)",
		},
		{
			name:    "bare name of a tag, only tags are allowed",
			allowed: "refs/tags/v*",
			target:  bare,
			built:   tag,
			want:    "allow",
		},
		{name: "the rules leave a branch", allowed: "v*", target: branch, want: "allow"},
		{name: "the route writes another name", allowed: "v*", target: other, fixed: true, want: "allow"},
		{
			name:    "the route's template makes the name of a tag",
			allowed: "v*",
			target:  deployment.Ref{Kind: deployment.RefBare, Name: "v2"},
			built:   deployment.Ref{Kind: deployment.RefTag, Name: "v2"},
			want:    "reject refs/tags/v2 may not be deployed to production (allowed: v*)",
		},
		{
			name:    "the route's template makes another name",
			allowed: "v*",
			target:  other,
			want:    "reject main may not be deployed to production (allowed: v*)",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := deploymentOf(0)
			d.Target.Ref, d.Target.FixedRef, d.BuildRef = c.target, c.fixed, c.built

			v, err := newTestGate(policy.Policy{Refs: []string{c.allowed}}, nil).Decide(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(v); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A lock task without an answer about its requester is rejected after minutes, not days.
func TestDecideLockTask_WaitsForMinutes(t *testing.T) {
	const waiting = "alice's GitHub account, which could not be read (503)"

	for name, c := range map[string]struct {
		age     time.Duration
		maxWait time.Duration
		want    string
	}{
		"within the limit": {
			age:  14 * time.Minute,
			want: "wait " + waiting,
		},
		"after the limit": {
			age:  16 * time.Minute,
			want: "reject waited 15m for " + waiting,
		},
		"after the limit, with a longer max_wait": {
			age:     16 * time.Minute,
			maxWait: 168 * time.Hour,
			want:    "reject waited 15m for " + waiting,
		},
		"within a shorter max_wait": {
			age:     4 * time.Minute,
			maxWait: 5 * time.Minute,
			want:    "wait " + waiting,
		},
		"after a shorter max_wait": {
			age:     6 * time.Minute,
			maxWait: 5 * time.Minute,
			want:    "reject waited 5m for " + waiting,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy.Policy{Allow: &policy.Subjects{Users: []string{"alice"}}, MaxWait: c.maxWait}
			v, err := newTestGate(p, errors.New("503")).DecideLockTask(t.Context(), deploymentOf(c.age))
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(v); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// What was accepted by a route with rules goes nowhere when that route is gone: without it nobody knows whom the
// rules would let deploy, approve or force.
func TestDecide_RouteGone(t *testing.T) {
	g := newTestGate(policy.Policy{}, nil)
	by := deployment.Actor{ID: 1, Login: "alice"}
	gone := func(hasRules bool, task string) deployment.Deployment {
		d := deploymentOf(0)
		d.Request.Environment = "nowhere"
		d.Target.HasRules, d.Target.LockTask = hasRules, task
		return d
	}

	decisions := map[string]func(context.Context, deployment.Deployment) (policy.Verdict, error){
		"Decide":         g.Decide,
		"DecideLocal":    g.DecideLocal,
		"DecideLockTask": g.DecideLockTask,
	}
	for name, decide := range decisions {
		t.Run(name, func(t *testing.T) {
			task := ""
			if name == "DecideLockTask" {
				task = deployment.TaskLock
			}

			v, err := decide(t.Context(), gone(true, task))
			if err != nil || v.Decision != policy.DecisionReject || v.Deciding().Code != policy.CodeRouteGone {
				t.Errorf("accepted with rules: got %q (%v), want it rejected because its route is gone", summary(v), err)
			}

			v, err = decide(t.Context(), gone(false, task))
			if err != nil || v.Decision != policy.DecisionAllow {
				t.Errorf("accepted without rules: got %q (%v), want it allowed", summary(v), err)
			}
		})
	}

	t.Run("people", func(t *testing.T) {
		d := gone(true, "")
		if _, refusal := g.Approver(t.Context(), d, by); !refusal.Refused() {
			t.Error("got an approval taken")
		}
		if refusal := g.HoldApprover(t.Context(), d, by); !refusal.Refused() {
			t.Error("got an approval of a hold job taken")
		}
		if refusal := g.Forcer(t.Context(), d, by); !refusal.Refused() {
			t.Error("got it forced")
		}
	})
}
