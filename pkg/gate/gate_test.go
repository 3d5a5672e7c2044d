package gate

import (
	"errors"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// The rules see the ref that is triggered next: a bare name that is no branch is tried as a tag.
func TestDecide_RefThatIsTriggeredNext(t *testing.T) {
	bare := deployment.Ref{Kind: deployment.RefBare, Name: "v1"}

	for name, c := range map[string]struct {
		allowed string // glob for refs
		target  deployment.Ref
		tries   int
		want    string
	}{
		"bare name, first as a branch": {
			allowed: "v*",
			target:  bare,
			tries:   0,
			want:    "allow",
		},
		"bare name, then as a tag": {
			allowed: "v*",
			target:  bare,
			tries:   1,
			want:    "reject refs/tags/v1 may not be deployed to production (allowed: v*)",
		},
		"bare name, as a branch again": {
			allowed: "v*",
			target:  bare,
			tries:   2,
			want:    "allow",
		},
		"bare name, as a tag again": {
			allowed: "v*",
			target:  bare,
			tries:   3,
			want:    "reject refs/tags/v1 may not be deployed to production (allowed: v*)",
		},
		"only tags are allowed, first as a branch": {
			allowed: "refs/tags/v*",
			target:  bare,
			tries:   0,
			want:    "reject v1 may not be deployed to production (allowed: refs/tags/v*)",
		},
		"only tags are allowed, then as a tag": {
			allowed: "refs/tags/v*",
			target:  bare,
			tries:   1,
			want:    "allow",
		},
		"the route builds a branch": {
			allowed: "v*",
			target:  deployment.Ref{Kind: deployment.RefBranch, Name: "v1"},
			tries:   1,
			want:    "allow",
		},
		"the route builds another name": {
			allowed: "v*",
			target:  deployment.Ref{Kind: deployment.RefBare, Name: "main"},
			tries:   1,
			want:    "allow",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploymentOf(0)
			d.Target.Ref, d.RefTries = c.target, c.tries

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
