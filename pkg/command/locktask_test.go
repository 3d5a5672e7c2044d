package command

import (
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

func newTestTasks(locks *fakeLocks) *LockTasks {
	return &LockTasks{Locks: locks, Now: func() time.Time { return testNow }}
}

// taskFor is a deployment of acme/api to production that was accepted an hour ago.
func taskFor(who deployment.Actor, target deployment.Target) deployment.Deployment {
	return deployment.Deployment{
		Request: deployment.Request{
			ID:          1,
			Environment: "production",
			Creator:     deployment.Creator{ID: who.ID, Login: who.Login},
			Repository:  deployment.Repository{ID: 9, Owner: "acme", Name: "api"},
		},
		Target:     target,
		AcceptedAt: testNow.Add(-time.Hour),
	}
}

func TestTask_Sequence(t *testing.T) {
	lock := deployment.Target{LockTask: deployment.TaskLock}
	unlock := deployment.Target{LockTask: deployment.TaskUnlock}
	lockFor := func(d time.Duration) deployment.Target {
		return deployment.Target{LockTask: deployment.TaskLock, LockFor: d}
	}
	locks := &fakeLocks{}
	tasks := newTestTasks(locks)

	// Each step sees what the steps before it did.
	for _, step := range []struct {
		name    string
		who     deployment.Actor
		target  deployment.Target
		done    string
		refused string
	}{
		{name: "unlock what is not locked", who: alice, target: unlock, done: "production is not locked"},
		{
			name:    "lock that has ended before it is processed",
			who:     alice,
			target:  lockFor(time.Hour),
			refused: "the lock would have ended already",
		},
		{name: "lock", who: bob, target: lock, done: "Locked production for bob"},
		{name: "lock again", who: bob, target: lock, done: "Locked production for bob"},
		{
			name:    "lock what somebody else has",
			who:     alice,
			target:  lock,
			refused: "acme/api production is locked by bob",
		},
		{name: "unlock", who: alice, target: unlock, done: "Unlocked production, which bob had locked"},
		{name: "unlock again", who: alice, target: unlock, done: "production is not locked"},
		{name: "lock for a while", who: alice, target: lockFor(2 * time.Hour), done: "Locked production for alice"},
	} {
		t.Run(step.name, func(t *testing.T) {
			done, refused, err := tasks.Task(t.Context(), taskFor(step.who, step.target))
			if err != nil {
				t.Fatal(err)
			}
			if done != step.done || refused != step.refused {
				t.Errorf("got done %q, refused %q, want done %q, refused %q", done, refused, step.done, step.refused)
			}
		})
	}
}

func TestTask_UnlockIsOvertaken(t *testing.T) {
	locks := &fakeLocks{
		lock:          &policy.Lock{ID: 7, Owner: bob, TakenAt: testNow.Add(-2 * time.Hour)},
		releasedFirst: true,
	}
	unlock := taskFor(alice, deployment.Target{LockTask: deployment.TaskUnlock})

	done, _, err := newTestTasks(locks).Task(t.Context(), unlock)
	if want := "production is not locked"; err != nil || done != want {
		t.Errorf("got %q, %v, want %q", done, err, want)
	}
}

// A task does not release the lock of an admin, whoever may deploy there.
func TestTask_UnlockOfAdminsLock(t *testing.T) {
	locks := &fakeLocks{lock: &policy.Lock{
		ID:          7,
		Repository:  "acme/api",
		Environment: "production",
		Owner:       ops,
		Admin:       true,
		TakenAt:     testNow.Add(-2 * time.Hour),
	}}
	unlock := taskFor(alice, deployment.Target{LockTask: deployment.TaskUnlock})

	done, refused, err := newTestTasks(locks).Task(t.Context(), unlock)
	want := "acme/api production is locked by token ops, which has the scope admin"
	if err != nil || done != "" || refused != want {
		t.Errorf("got done %q, refused %q, %v, want refused %q", done, refused, err, want)
	}
	if locks.lock == nil {
		t.Error("got the lock released")
	}
}

func TestTask_Audit(t *testing.T) {
	locks := &fakeLocks{}
	tasks := newTestTasks(locks)
	for _, task := range []string{deployment.TaskLock, deployment.TaskUnlock} {
		if _, _, err := tasks.Task(t.Context(), taskFor(bob, deployment.Target{LockTask: task})); err != nil {
			t.Fatal(err)
		}
	}

	taken, released := locks.events[0], locks.events[1]
	if got := string(taken.Detail); strings.Contains(got, `"id":0`) {
		t.Errorf("a lock that has no id yet: got %s, want no id", got)
	}
	if taken.Deployment != 1 || taken.Channel != deployment.ChannelGitHub {
		t.Errorf("got deployment %d and channel %s, want 1 and github", taken.Deployment, taken.Channel)
	}
	if got, want := string(released.Detail), `{"how":"released","id":7,`; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want it to begin with %s", got, want)
	}
}

// An unlock releases the lock that was there when it was requested. One that arrives late, or again,
// leaves later locks alone.
func TestTask_LateUnlock(t *testing.T) {
	ago := func(minutes int) time.Time { return testNow.Add(-time.Duration(minutes) * time.Minute) }
	for _, test := range []struct {
		name     string
		taken    time.Time
		created  time.Time // by GitHub's clock; zero: unknown
		accepted time.Time
		released bool
	}{
		{name: "earlier lock", taken: ago(10), created: ago(5), accepted: ago(5), released: true},
		{name: "lock of the same moment", taken: ago(5), created: ago(5), accepted: ago(5), released: true},
		{name: "lock while the task waited", taken: ago(4), created: ago(5), accepted: ago(5)},
		{name: "lock while the webhook was late", taken: ago(20), created: ago(60), accepted: ago(5)},
		{name: "earlier lock, late webhook", taken: ago(61), created: ago(60), accepted: ago(5), released: true},
		{
			name:     "lock within the minute that a webhook may take",
			taken:    ago(59),
			created:  ago(60),
			accepted: ago(5),
			released: true,
		},
		{name: "GitHub's time unknown, earlier lock", taken: ago(20), accepted: ago(5), released: true},
		{name: "GitHub's time unknown, later lock", taken: ago(4), accepted: ago(5)},
		{name: "GitHub's clock ahead", taken: ago(4), created: ago(1), accepted: ago(5)},
	} {
		t.Run(test.name, func(t *testing.T) {
			locks := &fakeLocks{lock: &policy.Lock{ID: 7, Owner: bob, TakenAt: test.taken}}
			unlock := taskFor(alice, deployment.Target{LockTask: deployment.TaskUnlock})
			unlock.Request.CreatedAt, unlock.AcceptedAt = test.created, test.accepted

			done, _, err := newTestTasks(locks).Task(t.Context(), unlock)
			if err != nil {
				t.Fatal(err)
			}

			want := "production was locked again by bob after this was requested: it stays locked"
			if test.released {
				want = "Unlocked production, which bob had locked"
			}
			if done != want {
				t.Errorf("got %q, want %q", done, want)
			}
			if released := locks.lock == nil; released != test.released {
				t.Errorf("got released %v, want %v", released, test.released)
			}
		})
	}
}

// A lock counts from the moment at which it was requested, so that an unlock right after it finds it,
// and its reason becomes one line.
func TestTask_Lock(t *testing.T) {
	locks := &fakeLocks{}
	task := taskFor(alice, deployment.Target{LockTask: deployment.TaskLock})
	task.Request.Description = " the database\r\n\x1b[31mis\u0085 moved\x00"

	if _, refused, err := newTestTasks(locks).Task(t.Context(), task); err != nil || refused != "" {
		t.Fatalf("got refused %q, %v, want it locked", refused, err)
	}
	if got, want := locks.lock.Reason, "the database [31mis moved"; got != want {
		t.Errorf("got reason %q, want %q", got, want)
	}
	if got, want := locks.lock.TakenAt, task.AcceptedAt; !got.Equal(want) {
		t.Errorf("got taken at %s, want %s", got, want)
	}
}
