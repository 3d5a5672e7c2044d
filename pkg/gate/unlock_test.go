package gate

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// twoRoutes lead to one environment: the first for a harmless task without rules, the second for the
// usual one, which only bob may use.
type twoRoutes struct {
	closed bool
	shared []string // accounts that several people use
}

var onlyBob = policy.Policy{Allow: &policy.Subjects{Users: []string{"bob"}}}

func (r twoRoutes) Policy(deployment.Request) (policy.Policy, bool) {
	return policy.Policy{SharedAccounts: r.shared}, true
}

func (r twoRoutes) UnlockPolicies(deployment.Request) ([]policy.Policy, bool) {
	if r.closed {
		return nil, false
	}
	return []policy.Policy{{SharedAccounts: r.shared}, onlyBob}, true
}

// lockedRows have locks.
type lockedRows struct {
	emptyRows
	locks []policy.Lock
}

func (r lockedRows) LocksOn(context.Context, int64, string) ([]policy.Lock, error) {
	return r.locks, nil
}

func TestDecideLockTask_Unlock(t *testing.T) {
	lockOf := func(owner deployment.Actor) policy.Lock {
		return policy.Lock{ID: 3, RepositoryID: 7, Environment: "production", Owner: owner}
	}
	everywhere := policy.Lock{ID: 4, Owner: deployment.Actor{Token: "ops"}, Admin: true}

	for _, test := range []struct {
		name   string
		who    deployment.Actor
		task   string
		locks  []policy.Lock
		shared []string
		down   error
		close  bool // a route does not accept the requester
		want   string
	}{
		{name: "nothing is locked", who: alice, task: deployment.TaskUnlock, want: "allow"},
		{name: "own lock", who: alice, task: deployment.TaskUnlock, locks: []policy.Lock{lockOf(alice)}, want: "allow"},
		{
			name:   "own lock of an account that several people use",
			who:    alice,
			task:   deployment.TaskUnlock,
			locks:  []policy.Lock{lockOf(alice)},
			shared: []string{"alice"},
			want:   "reject alice is not allowed to deploy to production",
		},
		{
			name:   "own lock of such an account, allowed by every route",
			who:    bob,
			task:   deployment.TaskUnlock,
			locks:  []policy.Lock{lockOf(bob)},
			shared: []string{"id:2"},
			want:   "allow",
		},
		{
			name:  "own lock beside one of all repositories",
			who:   alice,
			task:  deployment.TaskUnlock,
			locks: []policy.Lock{everywhere, lockOf(alice)},
			want:  "allow",
		},
		{
			name:  "somebody else's lock, allowed by the first route only",
			who:   alice,
			task:  deployment.TaskUnlock,
			locks: []policy.Lock{lockOf(bob)},
			want:  "reject alice is not allowed to deploy to production",
		},
		{
			name:  "somebody else's lock, allowed by every route",
			who:   bob,
			task:  deployment.TaskUnlock,
			locks: []policy.Lock{lockOf(alice)},
			want:  "allow",
		},
		{
			name:  "somebody else's lock, GitHub is away",
			who:   bob,
			task:  deployment.TaskUnlock,
			locks: []policy.Lock{lockOf(alice)},
			down:  errors.New("503"),
			want:  "wait bob's GitHub account, which could not be read (503)",
		},
		{
			name:  "somebody else's lock, a route does not accept the requester",
			who:   bob,
			task:  deployment.TaskUnlock,
			locks: []policy.Lock{lockOf(alice)},
			close: true,
			want:  "reject only who may deploy there by every route may release somebody else's lock",
		},
		{
			name:   "lock again by an account that several people use",
			who:    alice,
			task:   deployment.TaskLock,
			locks:  []policy.Lock{lockOf(alice)},
			shared: []string{"alice"},
			want:   "reject alice is not allowed to deploy to production",
		},
		{
			name:   "first lock of such an account",
			who:    alice,
			task:   deployment.TaskLock,
			shared: []string{"alice"},
			want:   "allow",
		},
		{
			name:   "lock of such an account where somebody else has the lock",
			who:    alice,
			task:   deployment.TaskLock,
			locks:  []policy.Lock{lockOf(bob)},
			shared: []string{"alice"},
			want:   "allow", // the store refuses it
		},
		{
			name:  "lock",
			who:   alice,
			task:  deployment.TaskLock,
			locks: []policy.Lock{lockOf(bob)},
			want:  "allow",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newTestGate(policy.Policy{}, test.down)
			g.Policies, g.Rows = twoRoutes{closed: test.close, shared: test.shared}, lockedRows{locks: test.locks}
			d := deploymentOf(0)
			d.Target.LockTask = test.task
			d.Request.Creator = deployment.Creator{ID: test.who.ID, Login: test.who.Login, Type: "User"}

			v, err := g.DecideLockTask(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(v); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestUnlocker(t *testing.T) {
	for _, test := range []struct {
		name string
		who  deployment.Actor
		down error
		want policy.Refusal
	}{
		{name: "allowed by every route", who: bob},
		{name: "a token in its own name", who: deployment.Actor{Token: "ops"}},
		{
			name: "allowed by the first route only",
			who:  alice,
			want: policy.Refusal{Reason: "alice is not allowed to deploy to production"},
		},
		{
			name: "GitHub is away",
			who:  bob,
			down: errors.New("503"),
			want: policy.Refusal{
				Reason:  "this depends on bob's GitHub account, which could not be read (503): try again",
				Unknown: true,
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newTestGate(policy.Policy{}, test.down)
			g.Policies = twoRoutes{}
			if got := g.Unlocker(t.Context(), deploymentOf(0), test.who); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// The owner of a lock may change it, unless several people use the account.
func TestLockOwner(t *testing.T) {
	for _, test := range []struct {
		name   string
		who    deployment.Actor
		shared []string
		want   policy.Refusal
	}{
		{name: "a person", who: alice},
		{name: "a token", who: deployment.Actor{Token: "ops"}, shared: []string{"ops"}},
		{
			name:   "an account that several people use",
			who:    alice,
			shared: []string{"alice"},
			want:   policy.Refusal{Reason: "alice is not allowed to deploy to production"},
		},
		{name: "such an account, allowed by every route", who: bob, shared: []string{"id:2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newTestGate(policy.Policy{}, nil)
			g.Policies = twoRoutes{shared: test.shared}
			if got := g.LockOwner(t.Context(), deploymentOf(0), test.who); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// Who asks while GitHub is away gets that as the answer, and not that they may not, however old the deployment is.
func TestPeople_GitHubAway(t *testing.T) {
	const account = "bob's GitHub account, which could not be read (503)"
	p := policy.Policy{
		Allow:     &policy.Subjects{Users: []string{"bob"}},
		Force:     &policy.Subjects{Users: []string{"bob"}},
		Approvals: &policy.Approvals{Count: 1, Users: []string{"bob"}},
	}
	d := deploymentOf(30 * 24 * time.Hour)
	g := newTestGate(p, errors.New("503"))

	_, approver := g.Approver(t.Context(), d, bob)
	for name, test := range map[string]struct {
		got  policy.Refusal
		want string
	}{
		"approve": {
			got:  approver,
			want: "cannot tell whether bob is allowed to approve: bob's GitHub account could not be read (503)",
		},
		"force":  {got: g.Forcer(t.Context(), d, bob), want: "this depends on " + account + ": try again"},
		"member": {got: g.Member(t.Context(), d, bob), want: "this depends on " + account + ": try again"},
	} {
		t.Run(name, func(t *testing.T) {
			if want := (policy.Refusal{Reason: test.want, Unknown: true}); test.got != want {
				t.Errorf("got %+v, want %+v", test.got, want)
			}
		})
	}
}

// Who names somebody that GitHub does not show reads what to correct, and not to try again.
func TestPeople_NoAccount(t *testing.T) {
	const cause = "not found at GitHub: no such account"
	const remedy = ": check by which login and id the person is named; " +
		"https://api.github.com/users/LOGIN shows the id of an account"
	const depends = "this depends on bob's GitHub account, which could not be read (" + cause + ")" + remedy
	p := policy.Policy{
		Allow:     &policy.Subjects{Users: []string{"bob"}},
		Force:     &policy.Subjects{Users: []string{"bob"}},
		Approvals: &policy.Approvals{Count: 1, Users: []string{"bob"}},
	}
	d := deploymentOf(0)
	g := newTestGate(p, fmt.Errorf("%w: no such account", policy.ErrMissing))
	_, approver := g.Approver(t.Context(), d, bob)

	d.Request.Asked = &deployment.Asked{By: bob}
	decided, err := g.Decide(t.Context(), d)
	if err != nil || decided.Decision != policy.DecisionWait {
		t.Fatalf("got %q and %v, want a deployment that waits", decided.Decision, err)
	}

	for name, test := range map[string]struct {
		got  policy.Refusal
		want string
	}{
		"approve": {
			got: approver,
			want: "cannot tell whether bob is allowed to approve: bob's GitHub account could not be read (" + cause +
				")" + remedy,
		},
		"force":  {got: g.Forcer(t.Context(), d, bob), want: depends},
		"member": {got: g.Member(t.Context(), d, bob), want: depends},
		"deploy": {got: policy.NoAccount(decided), want: depends},
	} {
		t.Run(name, func(t *testing.T) {
			if want := (policy.Refusal{Reason: test.want}); test.got != want {
				t.Errorf("got %+v, want %+v", test.got, want)
			}
		})
	}
}

// An unlock is judged by every route to the environment, so that the rules of each count.
func TestHasRules_Unlock(t *testing.T) {
	for _, test := range []struct {
		name   string
		task   string
		routes twoRoutes
		want   bool
	}{
		{name: "deployment", want: false},
		{name: "lock", task: deployment.TaskLock, want: false},
		{name: "unlock, another route has rules", task: deployment.TaskUnlock, want: true},
		{name: "unlock, a route is closed", task: deployment.TaskUnlock, routes: twoRoutes{closed: true}, want: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := &Gate{Policies: test.routes}
			d := deployment.Deployment{Target: deployment.Target{LockTask: test.task}}
			if got := g.HasRules(d); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
