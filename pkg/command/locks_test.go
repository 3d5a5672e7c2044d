package command

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// unusedLocks is what no task asks of a store.
type unusedLocks interface{ Locks }

// fakeLocks is a store with at most one lock.
type fakeLocks struct {
	unusedLocks
	lock   *policy.Lock
	faster bool // somebody else is, whenever a lock is released
	acts   []deployment.AuditEvent
}

func (s *fakeLocks) TakeLock(
	_ context.Context,
	l policy.Lock,
	_ string,
	act deployment.AuditEvent,
) (policy.Lock, error) {
	if s.lock != nil && !s.lock.Owner.Same(l.Owner) {
		return l, &policy.LockedError{Lock: *s.lock}
	}
	l.ID = 7
	s.lock, s.acts = &l, append(s.acts, act)
	return l, nil
}

func (s *fakeLocks) OpenLock(context.Context, int64, string) (policy.Lock, bool, error) {
	if s.lock == nil {
		return policy.Lock{}, false, nil
	}
	return *s.lock, true, nil
}

func (s *fakeLocks) ReleaseLock(_ context.Context, _ int64, act deployment.AuditEvent, _ string) error {
	s.lock = nil
	if s.faster {
		return deployment.ErrNotFound
	}
	s.acts = append(s.acts, act)
	return nil
}

// An unlock releases what was locked when it was asked for: one that comes late, or again, leaves
// later locks alone.
func TestLateUnlock(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	const unlocked, stays = "Unlocked production, which bob had locked", "production was locked anew by bob since: it stays locked"
	for name, c := range map[string]struct {
		taken, made, accepted time.Time // made: by GitHub's clock; zero: unknown
		want                  string
	}{
		"a lock that was there":                       {ago(10), ago(5), ago(5), unlocked},
		"a lock of the same moment":                   {ago(5), ago(5), ago(5), unlocked},
		"a lock that came while it was looked at":     {ago(4), ago(5), ago(5), stays},
		"a lock that came while it was on its way":    {ago(20), ago(60), ago(5), stays},
		"a lock that was there, and a late webhook":   {ago(61), ago(60), ago(5), unlocked},
		"a lock within the minute of the way":         {ago(59), ago(60), ago(5), unlocked},
		"GitHub's time is unknown":                    {ago(20), time.Time{}, ago(5), unlocked},
		"GitHub's time is unknown, and the lock late": {ago(4), time.Time{}, ago(5), stays},
		"GitHub's clock is ahead":                     {ago(4), ago(1), ago(5), stays},
	} {
		s := &fakeLocks{lock: &policy.Lock{ID: 7, Owner: deployment.Actor{ID: 2, Login: "bob"}, TakenAt: c.taken}}
		k := &Service{Store: s, Now: func() time.Time { return now }}
		got, _, err := k.Task(t.Context(), deployment.Deployment{
			Request: deployment.Request{
				Environment: "production",
				Creator:     deployment.Creator{ID: 1, Login: "alice"},
				CreatedAt:   c.made,
			},
			Target:     deployment.Target{LockTask: deployment.TaskUnlock},
			AcceptedAt: c.accepted,
		})

		if err != nil || got != c.want || (s.lock == nil) != (c.want == unlocked) {
			t.Errorf("%s: said %q, want %q (%v)", name, got, c.want, err)
		}
	}
}

// A lock is of the moment at which it was asked for, so that an unlock right after it finds it, and
// its reason is one line.
func TestTaskLock(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := &fakeLocks{}
	k := &Service{Store: s, Now: func() time.Time { return now }}
	d := deployment.Deployment{
		Request: deployment.Request{
			Environment: "production",
			Creator:     deployment.Creator{ID: 1, Login: "alice"},
			Description: " the database\r\n\x1b[31mis\u0085 moved\x00",
		},
		Target:     deployment.Target{LockTask: deployment.TaskLock},
		AcceptedAt: now.Add(-time.Hour),
	}

	if _, refused, err := k.Task(t.Context(), d); err != nil || refused != "" {
		t.Fatal(refused, err)
	}
	if want := "the database [31mis moved"; s.lock.Reason != want || !s.lock.TakenAt.Equal(d.AcceptedAt) {
		t.Errorf("it was taken at %s for %q, want %s and %q", s.lock.TakenAt, s.lock.Reason, d.AcceptedAt, want)
	}
}

// A task does the same however late it is looked at, and never takes a lock that is over.
func TestTasks(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := &fakeLocks{}
	k := &Service{Store: s, Now: func() time.Time { return now }}
	task := func(who int64, login string, target deployment.Target) string {
		t.Helper()
		done, refused, err := k.Task(t.Context(), deployment.Deployment{
			Request: deployment.Request{
				ID:          1,
				Environment: "production",
				Creator:     deployment.Creator{ID: who, Login: login},
				Repository:  deployment.Repository{ID: 9, Owner: "acme", Name: "api"},
			},
			Target:     target,
			AcceptedAt: now.Add(-time.Hour),
		})

		if err != nil || (done == "") == (refused == "") {
			t.Fatalf("%q %q %v", done, refused, err)
		}

		return done + refused
	}

	lock, unlock := deployment.Target{LockTask: deployment.TaskLock}, deployment.Target{LockTask: deployment.TaskUnlock}
	late := deployment.Target{LockTask: deployment.TaskLock, LockFor: time.Hour}
	for _, step := range []struct {
		got, want string
	}{
		{task(1, "alice", unlock), "production is not locked"},
		{task(1, "alice", late), "the lock would have ended already"},
		{task(2, "bob", lock), "Locked production for bob"},
		{task(1, "alice", lock), "acme/api is locked on production by bob: "},
		{task(1, "alice", unlock), "Unlocked production, which bob had locked"},
		{task(1, "alice", deployment.Target{
			LockTask: deployment.TaskLock,
			LockFor:  2 * time.Hour,
		}), "Locked production for alice"},
	} {
		if step.got != step.want {
			t.Errorf("said %q, want %q", step.got, step.want)
		}
	}

	s.faster = true
	if got := task(1, "alice", unlock); got != "production is not locked" {
		t.Errorf("somebody else was faster, and it said %q", got)
	}
	if taken, released := string(s.acts[0].Detail), string(s.acts[1].Detail); strings.Contains(taken, `"id":0`) ||
		!strings.Contains(released, `"id":7,`) {
		t.Errorf("the audit has locks by the wrong ids: %s, then %s", taken, released)
	}
}
