package command

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// rest is what no task asks of a store.
type rest interface{ Locks }

// shelf is a store with at most one lock.
type shelf struct {
	rest
	lock   *policy.Lock
	faster bool // somebody else is, whenever a lock is released
	acts   []deployment.Act
}

func (s *shelf) TakeLock(_ context.Context, l policy.Lock, _ string, act deployment.Act) (policy.Lock, error) {
	if s.lock != nil && !s.lock.Owner.Same(l.Owner) {
		return l, &policy.Held{Lock: *s.lock}
	}
	l.ID = 7
	s.lock, s.acts = &l, append(s.acts, act)
	return l, nil
}

func (s *shelf) OpenLock(context.Context, int64, string) (policy.Lock, bool, error) {
	if s.lock == nil {
		return policy.Lock{}, false, nil
	}
	return *s.lock, true, nil
}

func (s *shelf) ReleaseLock(_ context.Context, _ int64, act deployment.Act, _ string) error {
	s.lock = nil
	if s.faster {
		return deployment.ErrNotFound
	}
	s.acts = append(s.acts, act)
	return nil
}

// A task does the same however late it is looked at, and never takes a lock that is over.
func TestTasks(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := &shelf{}
	k := &Desk{Store: s, Now: func() time.Time { return now }}
	task := func(who int64, login string, target deployment.Target) string {
		t.Helper()
		done, refused, err := k.Task(t.Context(), deployment.Deployment{
			Request: deployment.Request{
				ID: 1, Environment: "production", Creator: deployment.Creator{ID: who, Login: login}, Repository: deployment.Repository{ID: 9, Owner: "acme", Name: "api"},
			},
			Target: target, AcceptedAt: now.Add(-time.Hour),
		})
		if err != nil || (done == "") == (refused == "") {
			t.Fatalf("%q %q %v", done, refused, err)
		}
		return done + refused
	}
	lock, unlock := deployment.Target{Act: deployment.TargetLock}, deployment.Target{Act: deployment.TargetUnlock}
	late := deployment.Target{Act: deployment.TargetLock, LockFor: time.Hour}
	for _, step := range []struct {
		got, want string
	}{
		{task(1, "alice", unlock), "production is not locked"},
		{task(1, "alice", late), "the lock would have ended already"},
		{task(2, "bob", lock), "Locked production for bob"},
		{task(1, "alice", lock), "acme/api is locked on production by bob: "},
		{task(1, "alice", unlock), "Unlocked production, which bob had locked"},
		{task(1, "alice", deployment.Target{Act: deployment.TargetLock, LockFor: 2 * time.Hour}), "Locked production for alice"},
	} {
		if step.got != step.want {
			t.Errorf("said %q, want %q", step.got, step.want)
		}
	}
	s.faster = true
	if got := task(1, "alice", unlock); got != "production is not locked" {
		t.Errorf("somebody else was faster, and it said %q", got)
	}
	if taken, released := string(s.acts[0].Detail), string(s.acts[1].Detail); strings.Contains(taken, `"id":0`) || !strings.Contains(released, `"id":7,`) {
		t.Errorf("the audit has locks by the wrong ids: %s, then %s", taken, released)
	}
}
