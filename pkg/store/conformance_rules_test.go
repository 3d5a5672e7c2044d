package store

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

func pinned(t *testing.T, b *testDB) {
	first := policy.Pin{Kind: policy.PinTeam, Name: "acme/sre", ID: 5}
	user := policy.Pin{Kind: policy.PinUser, Name: "acme/sre", ID: 6}
	changed := policy.Pin{Kind: policy.PinTeam, Name: "acme/sre", ID: 7}

	for _, c := range []struct{ add, want policy.Pin }{{first, first}, {user, user}, {changed, first}} {
		if got, err := b.AddPin(t.Context(), c.add); err != nil || got != c.want {
			t.Errorf("AddPin(%v): got %v, %v, want %v", c.add, got, err, c.want)
		}
	}

	got, err := b.Pins(t.Context())
	if want := []policy.Pin{first, user}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func approved(t *testing.T, b *testDB) {
	d := b.calm(1, "production")
	yes := func(by deployment.Actor, comment string) policy.Approval {
		return policy.Approval{By: by, At: b.clock(), SHA: "abc", Parameters: "p", Policy: "q", Comment: comment}
	}
	list := []policy.Approval{yes(person(1), "first")}
	for _, by := range []deployment.Actor{
		{
			ID:    2,
			Login: "ada",
			Token: "slack",
		}, {
			Login: "bot",
			App:   "release-bot",
		}, {
			Token: "ci",
		}, {
			Token: "other",
		}, {
			ID:    1,
			Login: "renamed",
		},
	} {
		b.later(time.Second)
		list = append(list, yes(by, "again"))
	}

	b.rang()
	for _, a := range list {
		if err := b.Approve(t.Context(), d.Row, a, b.act(deployment.AuditApproved)); err != nil {
			t.Fatal(err)
		}
	}

	if got := b.rang(); len(got) != len(list) || got[0] != advance(d.Row) {
		t.Errorf("rang %v", got)
	}
	if got, err := b.Approvals(t.Context(), d.Row); err != nil || !slices.Equal(got, list[1:]) ||
		b.acts() != int64(len(list)) {
		t.Errorf("%+v, %v", got, err)
	}

	if err := b.Approve(t.Context(), 99, list[0], b.act(deployment.AuditApproved)); !errors.Is(
		err,
		deployment.ErrNotFound,
	) {
		t.Errorf("got %v", err)
	}

	if err := b.Approve(t.Context(), d.Row, yes(deployment.Actor{
		Login: "x",
	}, ""), b.act(deployment.AuditApproved)); err == nil {
		t.Error("nobody has approved it")
	}

	d, _ = b.Load(t.Context(), d.Row)
	d.State, d.Due = deployment.Running, b.clock().Add(time.Hour)
	d = b.must(d, deployment.Changes{})
	b.rang()
	if err := b.Approve(t.Context(), d.Row, list[0], b.act(deployment.AuditApproved)); err != nil ||
		len(b.rang()) != 0 {
		t.Errorf("what runs was woken, %v", err)
	}
	if none, err := b.Approvals(t.Context(), 99); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
}

// commit accepts a deployment of a commit, and has it end.
func (b *testDB) commit(
	id int64,
	environment, sha string,
	end deployment.State,
	change ...func(*deployment.Deployment),
) {
	b.t.Helper()
	d := b.make(id, environment, "")
	d.Request.SHA = sha
	for _, c := range change {
		c(&d)
	}

	if dup, err := b.Accept(b.t.Context(), deployment.Delivery{
		GUID:       fmt.Sprintf("guid-%d", id),
		ReceivedAt: b.clock(),
	}, d); dup || err != nil {
		b.t.Fatal(dup, err)
	}

	d, err := b.ByKey(b.t.Context(), d.Target.Key)
	if err != nil {
		b.t.Fatal(err)
	}
	if end == deployment.Waiting {
		return
	}
	if end == deployment.Succeeded && d.Target.LockTask == "" {
		d.Pipeline = &deployment.Pipeline{ID: fmt.Sprintf("pipeline-%d", id)}
	}

	b.must(ended(d, end), deployment.Changes{})
}

func asLockTask(d *deployment.Deployment) { d.Target.LockTask = deployment.TaskLock }

func pasts(t *testing.T, b *testDB) {
	past := func(environment, sha string, want policy.PriorResult) {
		t.Helper()
		if got, err := b.PriorResult(t.Context(), 7, environment, sha); err != nil || got != want {
			t.Errorf("the past of %s in %s is %s, not %s, %v", sha, environment, got, want, err)
		}
	}

	deployed := func(want string) {
		t.Helper()
		if got, err := b.Deployed(t.Context(), 7, "production"); err != nil || got != want {
			t.Errorf("deployed is %q, not %q, %v", got, want, err)
		}
	}

	deployed("")
	past("production", "a", policy.PriorNone)
	b.commit(2, "Production", "a", deployment.Succeeded)
	b.commit(1, "production", "a", deployment.Errored) // older, and accepted later
	past("production", "a", policy.PriorSucceeded)
	past("staging", "a", policy.PriorNone)
	past("production", "b", policy.PriorNone)
	deployed("a")
	b.commit(3, "production", "b", deployment.Failed)
	b.commit(4, "production", "a", deployment.Succeeded, asLockTask)
	b.commit(5, "production", "c", deployment.Succeeded, asLockTask)
	past("production", "b", policy.PriorFailed)
	past("production", "c", policy.PriorNone)
	deployed("a")
	b.commit(6, "production", "b", deployment.Waiting)
	past("production", "b", policy.PriorOpen)
	six, err := b.ByKey(t.Context(), "key-6")
	if err != nil {
		t.Fatal(err)
	}

	b.must(ended(six, deployment.Canceled), deployment.Changes{})
	seven := b.accept(7, "production", "")
	seven = b.must(triggering(seven, b), deployment.Changes{})
	past("production", "abc", policy.PriorOpen)
	seven.State, seven.Pipeline = deployment.Running, &deployment.Pipeline{ID: "7"}
	seven = b.must(seven, deployment.Changes{})
	past("production", "abc", policy.PriorOpen)
	b.must(ended(seven, deployment.Succeeded), deployment.Changes{})
	deployed("abc")
	b.commit(17, "production", "b", deployment.Succeeded)
	past("production", "b", policy.PriorSucceeded)
	deployed("b")
	b.commit(18, "production", "b", deployment.Canceled)
	past("production", "b", policy.PriorFailed)
	b.commit(19, "staging", "d", deployment.Succeeded)
	deployed("b")
	if got, err := b.Deployed(t.Context(), 8, "production"); got != "" || err != nil {
		t.Errorf("another repository's is %q, %v", got, err)
	}
}

func lines(t *testing.T, b *testDB) {
	line := func(id int64, environment string, want policy.Queue) {
		t.Helper()
		got, err := b.Queue(t.Context(), b.make(id, environment, ""))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("the line of %d: %+v, not %+v, %v", id, got, want, err)
		}
	}

	admitted := func(d *deployment.Deployment) { d.AdmittedAt = b.clock() }
	line(5, "production", policy.Queue{})
	b.commit(6, "production", "x", deployment.Waiting, asLockTask)
	b.commit(3, "production", "x", deployment.Waiting, asLockTask)
	two, one, four := b.accept(2, "production", "p"), b.accept(1, "Production", "p"), b.accept(4, "production", "p")
	b.commit(7, "staging", "x", deployment.Waiting, admitted)
	line(5, "production", policy.Queue{Before: []int64{1, 2, 4}})
	line(0, "PRODUCTION", policy.Queue{Before: []int64{1, 2, 4}})
	line(2, "production", policy.Queue{Before: []int64{1}})
	admitted(&four)
	four = b.must(four, deployment.Changes{})
	admitted(&two)
	two = b.must(two, deployment.Changes{})
	line(1, "production", policy.Queue{NewerAdmitted: 4})
	line(4, "production", policy.Queue{Before: []int64{1, 2}})
	one = b.must(triggering(one, b), deployment.Changes{})
	line(1, "production", policy.Queue{NewerAdmitted: 4})
	line(2, "production", policy.Queue{Holder: 1, HolderState: deployment.Triggering, NewerAdmitted: 4})
	b.must(ended(one, deployment.Errored), deployment.Changes{})
	two = b.must(triggering(two, b), deployment.Changes{})
	b.must(ended(four, deployment.Canceled), deployment.Changes{})
	line(1, "production", policy.Queue{Holder: 2, HolderState: deployment.Triggering, NewerAdmitted: 2})
	two.State, two.Pipeline = deployment.Running, &deployment.Pipeline{ID: "x"}
	two = b.must(two, deployment.Changes{})
	line(1, "production", policy.Queue{Holder: 2, HolderState: deployment.Running, NewerAdmitted: 2, NewerStarted: 2})
	b.must(ended(two, deployment.Failed), deployment.Changes{})
	line(1, "production", policy.Queue{NewerStarted: 2})
	line(3, "production", policy.Queue{})
	for id := range int64(60) {
		b.commit(100+id, "crowd", "x", deployment.Waiting)
	}

	if l, err := b.Queue(t.Context(), b.make(0, "crowd", "")); err != nil || len(l.Before) != 50 || l.Before[0] != 100 {
		t.Errorf("%d stand before it, %v", len(l.Before), err)
	}
}

// deployedStays: what says what is deployed is kept; approvals, locks and notices go, acts never.
func deployedStays(t *testing.T, b *testDB) {
	b.commit(1, "production", "a", deployment.Succeeded)
	b.commit(2, "production", "b", deployment.Succeeded)
	b.commit(3, "production", "c", deployment.Failed)
	b.commit(4, "staging", "a", deployment.Succeeded)
	b.commit(5, "staging", "a", deployment.Succeeded, asLockTask)
	first, err := b.ByKey(t.Context(), "key-1")
	err2 := b.Approve(t.Context(), first.Row, policy.Approval{By: person(1)}, b.act(deployment.AuditApproved))
	gone, _ := b.TakeLock(t.Context(), b.wanted("production", 1), "source", b.act(deployment.AuditLocked))
	err3 := b.ReleaseLock(t.Context(), gone.ID, b.act(deployment.AuditUnlocked), "told")
	expired := b.wanted("staging", 1)
	expired.ExpiresAt = b.clock().Add(time.Minute)
	expired = b.take(expired)
	open := b.take(policy.Lock{Owner: person(1)})
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}

	b.later(time.Hour)
	young := b.take(b.wanted("production", 1))
	if err := b.ReleaseLock(t.Context(), young.ID, b.act(deployment.AuditUnlocked), ""); err != nil {
		t.Fatal(err)
	}

	acts := b.acts()
	if more, err := b.Prune(t.Context(), b.clock()); more || err != nil {
		t.Fatal(more, err)
	}

	left, err := b.List(t.Context(), deployment.Filter{Limit: 10})
	if err != nil || len(left) != 2 || left[0].Request.ID != 4 || left[1].Request.ID != 2 {
		t.Errorf("left are %v, %v", left, err)
	}

	for query, want := range map[string]int{
		`SELECT count(*) FROM approvals`: 0, `SELECT count(*) FROM notices`: 0, `SELECT count(*) FROM lock_sources`: 0,
		fmt.Sprintf(`SELECT count(*) FROM locks WHERE id IN (%d, %d)`, gone.ID, expired.ID): 0,
		fmt.Sprintf(`SELECT count(*) FROM locks WHERE id IN (%d, %d)`, open.ID, young.ID):   2,
	} {
		var n int
		if err := b.rdb.QueryRow(query).Scan(&n); err != nil || n != want {
			t.Errorf("%s: %d, %v", query, n, err)
		}
	}

	if b.acts() != acts {
		t.Error("the audit was pruned")
	}
}
