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

// calm accepts a deployment that looks again only in an hour.
func (b *testDB) calm(id int64, environment string) deployment.Deployment {
	b.t.Helper()
	d := b.accept(id, environment, "")
	d.Due = b.clock().Add(time.Hour)
	return b.must(d, deployment.Changes{})
}

func lockWakes(t *testing.T, b *testDB) {
	two, one, three := b.calm(2, "production"), b.calm(1, "production"), b.calm(3, "production")
	other := b.calm(4, "staging")
	l := b.take(b.wanted("production", 1))
	woken := func(what string, rows ...int64) {
		t.Helper()
		var got []int64
		for _, a := range b.rang() {
			got = append(got, a.Row)
			if d, ok, err := b.Lease(t.Context(), a.Row); !ok || err != nil { // it is due
				t.Errorf("%s: row %d is not due, %v", what, a.Row, err)
			} else {
				d.Due = b.clock().Add(time.Hour)
				b.must(d, deployment.Changes{})
			}
		}

		slices.Sort(got)
		if !slices.Equal(got, rows) {
			t.Errorf("%s woke %v, not %v", what, got, rows)
		}
	}

	b.rang()
	b.take(b.wanted("production", 1))
	woken("taking it again", one.Row)
	_, _ = b.TakeLock(t.Context(), b.wanted("production", 2), "", b.act(deployment.AuditLocked))
	woken("asking in vain")
	l, err := b.ExtendLock(t.Context(), l.ID, b.clock().Add(time.Hour), b.act(deployment.AuditLocked))
	woken("extending", one.Row)
	l, err2 := b.HandOverLock(t.Context(), l.ID, person(2), b.act(deployment.AuditLocked))
	woken("handing over", one.Row)
	l, err3 := b.StealLock(t.Context(), l.ID, l, b.act(deployment.AuditLocked), "")
	woken("stealing", one.Row)
	one, _ = b.Load(t.Context(), one.Row)
	b.must(ended(one, deployment.Canceled), deployment.Changes{})
	woken("the first one's end", two.Row)
	err4 := b.ReleaseLock(t.Context(), l.ID, b.act(deployment.AuditUnlocked), "")
	woken("releasing", two.Row)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Error(err)
	}

	wide := b.take(policy.Lock{Owner: person(1)})
	woken("taking all", two.Row, other.Row)
	worked, ok, _ := b.Lease(t.Context(), three.Row)
	if ok {
		t.Errorf("row %d is due", worked.Row)
	}
	if err := b.ReleaseLock(t.Context(), wide.ID, b.act(deployment.AuditUnlocked), ""); err != nil {
		t.Error(err)
	}

	woken("releasing all", two.Row, other.Row)
}

// everythingWakes needs more than one batch.
func everythingWakes(t *testing.T, b *testDB) {
	const n = wakeBatch + 3
	for id := range int64(n) {
		b.calm(id+1, fmt.Sprint(id))
	}

	l := b.take(policy.Lock{Owner: person(1)})
	b.rang()
	if err := b.ReleaseLock(t.Context(), l.ID, b.act(deployment.AuditUnlocked), ""); err != nil {
		t.Fatal(err)
	}
	if got := b.rang(); len(got) != n {
		t.Errorf("%d of %d were woken", len(got), n)
	}
	if due, err := b.Overdue(t.Context(), 2*n); err != nil || len(due) != n {
		t.Errorf("%d of %d are due, %v", len(due), n, err)
	}
	if list, err := b.WaitingFor(t.Context(), l); err != nil || len(list) != maxWaitingFor || list[0].Request.ID != 1 {
		t.Errorf("%d wait, %v", len(list), err)
	}
}

func lineWakes(t *testing.T, b *testDB) {
	one, two, three := b.calm(1, "production"), b.calm(2, "production"), b.calm(3, "production")
	b.rang()
	wake := func(want ...int64) {
		t.Helper()
		if err := b.WakeQueue(t.Context(), 7, "production"); err != nil {
			t.Fatal(err)
		}

		var got []int64
		for _, a := range b.rang() {
			got = append(got, a.Row)
		}

		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("woke %v, not %v", got, want)
		}
	}

	wake()
	two, _ = b.Load(t.Context(), two.Row)
	two.AdmittedAt = b.clock()
	b.must(two, deployment.Changes{})
	wake(one.Row)
	three.AdmittedAt = b.clock()
	b.must(three, deployment.Changes{})
	wake(one.Row, two.Row)
}
