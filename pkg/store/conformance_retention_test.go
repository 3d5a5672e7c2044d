package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// testPrune: what is old goes in batches. What is open, young, or keeps a deployment from running
// twice stays.
func testPrune(t *testing.T, b *testDB) {
	const old = pruneBatch + 5
	for id := range int64(old) {
		b.mustSave(ended(b.accept(id+1, fmt.Sprint(id), ""), deployment.Succeeded), deployment.Changes{})
	}

	b.accept(1000, "open", "")
	err := b.Ignored(t.Context(), deployment.Delivery{GUID: "ignored", ReceivedAt: b.clock()}, "no route")
	if err != nil {
		t.Fatal(err)
	}

	b.later(deployment.KeepIgnored + time.Hour)
	cut := b.clock()
	b.mustSave(ended(b.accept(2000, "young", ""), deployment.Failed), deployment.Changes{})

	batches := 0
	for more := true; more; batches++ {
		more, err = b.Prune(t.Context(), cut)
		if err != nil {
			t.Fatal(err)
		}
	}

	if batches < 2 {
		t.Errorf("got %d batches, want several", batches)
	}

	left, err := b.List(t.Context(), deployment.Filter{Limit: 10})
	if got, want := deploymentIDs(left), []int64{2000, 1000}; err != nil || !slices.Equal(got, want) {
		t.Errorf("deployments: got %v, %v, want %v", got, err, want)
	}
	if got := b.count(`SELECT count(body) FROM deliveries`); got != 1 {
		t.Errorf("bodies: got %d, want 1", got)
	}
	if got := b.count(`SELECT count(*) FROM deliveries WHERE ignored <> ''`); got != 0 {
		t.Errorf("ignored deliveries: got %d, want 0", got)
	}

	for _, c := range []struct {
		name string
		del  deployment.Delivery
	}{
		{name: "GUID", del: deployment.Delivery{GUID: "guid-1"}},
		{name: "deployment", del: deployment.Delivery{GUID: "new", RepositoryID: 7, DeploymentID: 1}},
	} {
		t.Run("known by "+c.name, func(t *testing.T) {
			known, err := b.Known(t.Context(), c.del)
			if err != nil || !known {
				t.Errorf("got %v, %v, want true", known, err)
			}
		})
	}

	again := b.newDeployment(1, "0", "")
	again.Target.Key = "another"
	duplicate, err := b.Accept(t.Context(), deployment.Delivery{GUID: "new", ReceivedAt: b.clock()}, again)
	if err != nil || !duplicate {
		t.Errorf("accept of a pruned deployment: got duplicate %v, %v, want true", duplicate, err)
	}

	missing, err := b.NotAccepted(t.Context(), 7, []int64{1, 3000})
	if want := []int64{3000}; err != nil || !slices.Equal(missing, want) {
		t.Errorf("not accepted: got %v, %v, want %v", missing, err, want)
	}
}

// testPruneKeepsDeployed: the newest success of each environment stays, and the audit does.
// Approvals, locks and notices go.
func testPruneKeepsDeployed(t *testing.T, b *testDB) {
	b.acceptEnded(1, "production", "a", deployment.Succeeded)
	b.acceptEnded(2, "production", "b", deployment.Succeeded)
	b.acceptEnded(3, "production", "c", deployment.Failed)
	b.acceptEnded(4, "staging", "a", deployment.Succeeded)
	b.acceptEnded(5, "staging", "a", deployment.Succeeded, asLockTask)

	first, err := b.ByKey(t.Context(), "key-1")
	if err != nil {
		t.Fatal(err)
	}

	approval := policy.Approval{By: person(1)}
	if err := b.Approve(t.Context(), first.Row, approval, b.newEvent(deployment.AuditApproved)); err != nil {
		t.Fatal(err)
	}

	released, err := b.TakeLock(t.Context(), b.newLock("production", 1), "source", b.newEvent(deployment.AuditLocked))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.ReleaseLock(t.Context(), released.ID, b.newEvent(deployment.AuditUnlocked), "released by an admin"); err != nil {
		t.Fatal(err)
	}

	expired := b.newLock("staging", 1)
	expired.ExpiresAt = b.clock().Add(time.Minute)
	expired = b.mustTakeLock(expired)
	open := b.mustTakeLock(policy.Lock{Owner: person(1)})

	b.later(time.Hour)
	young := b.mustTakeLock(b.newLock("production", 1))
	b.mustReleaseLock(young.ID)

	events := b.auditCount()
	more, err := b.Prune(t.Context(), b.clock())
	if err != nil || more {
		t.Fatalf("got more %v, %v, want one batch", more, err)
	}

	left, err := b.List(t.Context(), deployment.Filter{Limit: 10})
	if err != nil || len(left) != 0 {
		t.Errorf("deployments: got %v, %v, want none", deploymentIDs(left), err)
	}

	for environment, want := range map[string]string{"production": "b", "staging": "a"} {
		if got, err := b.Deployed(t.Context(), 7, environment); err != nil || got != want {
			t.Errorf("deployed to %s: got %q, %v, want %q", environment, got, err, want)
		}

		prior, err := b.PriorResult(t.Context(), 7, environment, want)
		if err != nil || prior != policy.PriorSucceeded {
			t.Errorf("prior result of %s in %s: got %s, %v", want, environment, prior, err)
		}
	}

	newer, holds, err := b.NewerStarted(t.Context(), 7, "production", 1)
	if err != nil || !newer || holds {
		t.Errorf("a newer one has started: got %v, holds %v, %v, want true, false", newer, holds, err)
	}

	late := b.newDeployment(1, "production", "p")
	if q, err := b.Queue(t.Context(), late); err != nil || q.NewerStarted != 2 {
		t.Errorf("the newer one that has started: got %d, %v, want 2", q.NewerStarted, err)
	}

	late = b.accept(0, "production", "p")
	_, err = b.save(triggering(late, b), deployment.Changes{})
	wantBlocked(t, err, deployment.BlockedByNewer, 2)

	for _, c := range []struct {
		name  string
		query string
		args  []any
		want  int64
	}{
		{name: "approvals", query: `SELECT count(*) FROM approvals`},
		{name: "notices", query: `SELECT count(*) FROM notices`},
		{name: "lock sources", query: `SELECT count(*) FROM lock_sources`},
		{
			name:  "locks that ended",
			query: `SELECT count(*) FROM locks WHERE id IN ($1, $2)`,
			args:  []any{released.ID, expired.ID},
		},
		{
			name:  "other locks",
			query: `SELECT count(*) FROM locks WHERE id IN ($1, $2)`,
			args:  []any{open.ID, young.ID},
			want:  2,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := b.count(c.query, c.args...); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}

	if got := b.auditCount(); got != events {
		t.Errorf("audit: got %d records, want %d", got, events)
	}
}

// testPruneCountsFromEnd: what waited for long is kept as long after its end as anything else.
func testPruneCountsFromEnd(t *testing.T, b *testDB) {
	prune := func() {
		t.Helper()
		if _, err := b.Prune(t.Context(), b.clock().Add(-72*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}

	d := b.accept(1, "production", "p")
	b.later(73 * time.Hour) // it waited for an approval
	d = b.mustSave(ended(d, deployment.Failed), deployment.Changes{})
	b.later(time.Hour)
	prune()
	if _, err := b.Load(t.Context(), d.Row); err != nil {
		t.Fatalf("it ended an hour ago: %v", err)
	}

	b.mustSave(d, deployment.Changes{}) // a save after the end does not move the end
	b.later(71*time.Hour + time.Minute)
	prune()
	if _, err := b.Load(t.Context(), d.Row); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("it ended more than 72 hours ago: got %v, want %v", err, deployment.ErrNotFound)
	}
}
