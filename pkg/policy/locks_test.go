package policy

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var lockCases = []verdictCase{
	{name: "own lock", given: withLocks(lockBy(1, alice, "testing")), want: "allow | passes [1]"},
	{
		name:  "own lock, owner renamed since",
		given: combine(withLocks(lockBy(1, deployment.Actor{ID: 1, Login: "old"}, "")), requesterLogin("alicia")),
		want:  "allow | passes [1]",
	},
	{
		name:  "owner with the same login, another id",
		given: withLocks(lockBy(1, deployment.Actor{ID: 11, Login: "alice"}, "testing")),
		want:  "wait locked: alice's lock on production: testing",
	},
	{
		name:  "somebody else's lock",
		given: withLocks(lockBy(1, carol, "testing")),
		want:  "wait locked: carol's lock on production: testing",
	},
	{
		name:  "lock with an end",
		given: withLocks(lockBy(1, carol, "testing").until(time.Hour)),
		want:  "wait locked: carol's lock on production: testing | until 25 Nov 13:00",
	},
	{name: "expired", given: withLocks(lockBy(1, carol, "testing").until(0)), want: "allow"},
	{
		name:  "last moment",
		given: withLocks(lockBy(1, carol, "testing").until(1)),
		want:  "wait locked: carol's lock on production: testing | until 25 Nov 12:00",
	},
	{
		name:  "two locks, the oldest is shown",
		given: withLocks(lockBy(2, dave, "later"), lockBy(1, carol, "testing")),
		want:  "wait locked: carol's lock on production: testing (and 1 more)",
	},
	{
		name:  "two locks, the last end counts",
		given: withLocks(lockBy(1, carol, "x").until(time.Hour), lockBy(2, dave, "").until(2*time.Hour)),
		want:  "wait locked: carol's lock on production: x (and 1 more) | until 25 Nov 14:00",
	},
	{
		name:  "two locks, one without an end",
		given: withLocks(lockBy(1, carol, "x").until(time.Hour), lockBy(2, dave, "")),
		want:  "wait locked: carol's lock on production: x (and 1 more)",
	},
	{
		name:  "own lock and another",
		given: withLocks(lockBy(1, alice, ""), lockBy(2, dave, "mine")),
		want:  "wait locked: dave's lock on production: mine | passes [1]",
	},
	{
		name:  "reject mode",
		given: combine(withLocks(lockBy(1, carol, "testing")), whenLocked(ModeReject)),
		want:  "reject locked: production is locked by carol: testing",
	},
	{
		name:  "wait mode",
		given: combine(withLocks(lockBy(1, carol, "testing")), whenLocked(ModeWait)),
		want:  "wait locked: carol's lock on production: testing",
	},
	{
		name:  "all environments",
		given: withLocks(Lock{ID: 1, RepositoryID: 5, Owner: carol, Reason: "x"}),
		want:  "wait locked: carol's lock on every environment: x",
	},
	{
		name:  "all repositories",
		given: withLocks(Lock{ID: 1, Environment: "production", Owner: carol, Reason: "x"}),
		want:  "wait locked: carol's lock on production of every repository: x",
	},
	{
		name:  "all environments of all repositories",
		given: combine(withLocks(Lock{ID: 1, Owner: carol, Reason: "x"}), whenLocked(ModeReject)),
		want:  "reject locked: every environment of every repository is locked by carol: x",
	},
	{
		name:  "app's own lock",
		given: combine(requestedBy(hubot), withLocks(lockBy(1, hubot, ""))),
		want:  "allow | passes [1]",
	},
	{
		name:  "token's own lock",
		given: combine(requestedBy(token), withLocks(lockBy(1, token, ""))),
		want:  "allow | passes [1]",
	},
	{
		name:  "unknown owner, unknown requester",
		given: combine(requestedBy(deployment.Actor{}), withLocks(lockBy(1, deployment.Actor{}, "x"))),
		want:  "wait locked: nobody known's lock on production: x",
	},
	{
		name:  "locks unknown",
		given: func(s *scenario) { s.facts.Locks = Unknown[[]Lock]("rows") },
		want:  "wait unknown: the locks, which could not be read (rows)",
	},
}

func TestEvaluate_Locks(t *testing.T) { runVerdictCases(t, lockCases) }

// TestEvaluate_OwnLock checks that a lock belongs to an id, not to a name: it lets its owner pass
// and nobody else. (branch-deploy's locks belong to a name.)
func TestEvaluate_OwnLock(t *testing.T) {
	const stopped = "wait locked: alice's lock on production: testing"
	lockedByAlice := withLocks(lockBy(1, alice, "testing"))

	for _, c := range []struct {
		name      string
		requester deployment.Actor
		want      string
	}{
		{name: "owner", requester: alice, want: "allow | passes [1]"},
		{name: "other person", requester: bob, want: stopped},
		{name: "other person with the owner's login", requester: deployment.Actor{ID: 11, Login: "alice"}, want: stopped},
		{name: "login without an id", requester: deployment.Actor{Login: "alice"}, want: stopped},
		{
			name:      "app with the owner's login",
			requester: deployment.Actor{ID: 90, Login: "alice", App: "hubot"},
			want:      stopped,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := summarize(scenarioWith(requestedBy(c.requester), lockedByAlice).evaluate()); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}

	t.Run("owner whose account several people use", func(t *testing.T) {
		for _, shared := range []string{"ALICE", "id:1"} {
			t.Run(shared, func(t *testing.T) {
				if got := summarize(scenarioWith(sharedAccounts(shared), lockedByAlice).evaluate()); got != stopped {
					t.Errorf("got %s, want %s", got, stopped)
				}
			})
		}
	})

	t.Run("owner with an older commit", func(t *testing.T) {
		const want = "reject not_ahead: a1b2c3d does not contain 0f1e2d3, which is deployed to production (behind)" +
			" | passes [1]"
		v := scenarioWith(lockedByAlice, requireAhead(Known(oldCommit), Known(ComparisonBehind))).evaluate()
		if got := summarize(v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
