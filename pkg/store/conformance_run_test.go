package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/report"
)

// crowded starts many deployments of one environment from many hands: two never hold it, and all
// get their turn.
func crowded(t *testing.T, b *testDB) {
	const n = 30
	var wg sync.WaitGroup
	for id := range int64(n) {
		b.accept(id+1, "production", fmt.Sprint(id))
	}

	for hand := range 4 {
		wg.Go(func() {
			for left := true; left; {
				left = b.turn(t, hand)
			}
		})
	}

	wg.Wait()
	if done, err := b.List(t.Context(), deployment.Filter{
		State: deployment.Succeeded,
		Limit: 200,
	}); err != nil || len(done) != n {
		t.Errorf("%d of %d were deployed, %v", len(done), n, err)
	}
}

func (b *testDB) turn(t *testing.T, hand int) (left bool) {
	open, err := b.List(t.Context(), deployment.Filter{State: deployment.Waiting, Limit: 200})
	if err != nil || len(open) == 0 {
		return false
	}

	d := open[(len(open)-1)*hand/3]
	held, err := b.save(triggering(d, b), deployment.Changes{})
	var inTheWay *deployment.BlockedError
	if errors.Is(err, deployment.ErrVersionConflict) || errors.As(err, &inTheWay) {
		return true
	}
	if err != nil {
		t.Error(err)
		return false
	}
	if _, err := b.save(ended(held, deployment.Succeeded), deployment.Changes{}); err != nil {
		t.Error(err)
	}

	return true
}

func abandoned(t *testing.T, b *testDB) {
	if err := b.write(canceled(t), func(*tx) error { t.Error("done for nobody"); return nil }); err == nil {
		t.Error("an abandoned write was answered with success")
	}
	if err := b.Ping(t.Context()); err != nil { // what waited before it has had its turn
		t.Error(err)
	}
}

// leavers go the moment their write begins: what they are given is theirs all the same, which the
// race detector sees.
func leavers(t *testing.T, b *testDB) {
	if _, mine, err := b.AcquireLease(leaver(t), "sweep", time.Minute, b.clock()); mine != (err == nil) {
		t.Errorf("a lease is mine: %v, with %v", mine, err)
	}

	lease, mine, err := b.AcquireLease(t.Context(), "read", time.Minute, b.clock())
	if !mine || err != nil {
		t.Fatal(mine, err)
	}
	if renewed, err := b.RenewLease(leaver(t), lease, time.Hour); renewed.Until.After(lease.Until) != (err == nil) {
		t.Errorf("a lease until %v is renewed until %v, with %v", lease.Until, renewed.Until, err)
	}
	if err := b.Ping(t.Context()); err != nil { // the writes have had their turn
		t.Error(err)
	}
}

// leaving is a context that ends as soon as somebody asks whether it has.
type leaving struct {
	context.Context
	end func()
}

func leaver(t *testing.T) context.Context {
	ctx, end := context.WithCancel(t.Context())
	t.Cleanup(end)
	return leaving{ctx, end}
}

func (l leaving) Err() error {
	defer l.end()
	return l.Context.Err()
}

// Timers need nothing but the process: Start was not called.
func timerRings(t *testing.T, b *testDB) {
	b.now = time.Now()
	rung := make(chan deployment.Task, 10)
	d := b.accept(1, "production", "p")
	b.OnDue(func(alarms ...deployment.Task) { rung <- alarms[0] })
	d.Due = time.Now().Add(50 * time.Millisecond)
	b.must(d, deployment.Changes{})
	if got := <-rung; got != advance(d.Row) {
		t.Errorf("got %v, want %v", got, advance(d.Row))
	}
}

func lateIsFound(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "p")
	b.rang()
	d.Due = b.clock().Add(timerReach + time.Second)
	b.must(d, deployment.Changes{})
	if got := b.rang(); len(got) != 0 {
		t.Errorf("rang %v, want nothing", got)
	}

	b.later(timerReach)
	if got, err := b.Overdue(t.Context(), 10); err != nil || len(got) != 0 {
		t.Errorf("overdue before its time: got %v, %v, want nothing", got, err)
	}

	b.later(time.Second)
	if got, err := b.Overdue(t.Context(), 10); err != nil || len(got) != 1 || got[0] != advance(d.Row) {
		t.Errorf("overdue: got %v, %v, want %v", got, err, advance(d.Row))
	}
}

func newerSchema(t *testing.T, b *testDB) {
	if _, err := b.wdb.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, $1)`, true); err != nil {
		t.Fatal(err)
	}

	url := b.o.URL
	_ = b.Close()
	db, err := Open(t.Context(), Options{URL: url})
	if err == nil {
		_ = db.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "made by a newer Seraph") {
		t.Errorf("got %v", err)
	}
}

func redelivered(t *testing.T, b *testDB) {
	ask := func(guid string) bool {
		t.Helper()
		ok, err := b.MayRedeliver(t.Context(), guid)
		if err == nil && ok {
			err = b.CountRedelivery(t.Context(), guid)
		}
		if err != nil {
			t.Fatal(err)
		}

		return ok
	}

	asked := 0
	for range 2000 { // minutes
		if ask("never comes") {
			asked++
		}

		b.later(time.Minute)
	}

	if asked != redeliverTries {
		t.Errorf("asked %d times", asked)
	}
	if !ask("guid-1") || ask("guid-1") {
		t.Error("asked again at once, or not at all")
	}

	d := b.accept(1, "production", "")
	if ask("guid-1") {
		t.Error("asked for what has come")
	}

	list, err := b.Redelivered(t.Context())
	if err != nil || len(list) != 1 || list[0].Row != d.Row {
		t.Fatalf("landed %v, %v", list, err)
	}
	if list, err := b.Redelivered(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("landed twice: %v, %v", list, err)
	}

	recs, err := b.Get(t.Context(), 1)
	if err != nil || len(recs[0].Timeline) != 2 || recs[0].Timeline[1].Event != "recovered" {
		t.Errorf("%+v, %v", recs, err)
	}
}

// A named lease belongs to one holder at a time, ends by itself, and says when its work is due next.
func duties(t *testing.T, b *testDB) {
	acquire := func(due time.Time) (deployment.Lease, bool) {
		t.Helper()
		lease, mine, err := b.AcquireLease(t.Context(), "sweep", time.Minute, due)
		if err != nil {
			t.Fatal(err)
		}

		return lease, mine
	}

	first, mine := acquire(b.clock())
	if !mine || first.Note != "" {
		t.Fatalf("the first: mine %v, note %q", mine, first.Note)
	}
	if _, mine := acquire(b.clock()); mine {
		t.Error("two have it")
	}

	first.Note = "as far as this"
	next := b.clock().Add(10 * time.Minute)
	if err := b.ReleaseLease(t.Context(), first, next); err != nil {
		t.Fatal(err)
	}
	if _, mine := acquire(next.Add(-time.Microsecond)); mine {
		t.Error("it is taken before its work is due")
	}

	second, mine := acquire(next)
	if !mine || second.Note != "as far as this" {
		t.Errorf("the second: mine %v, note %q", mine, second.Note)
	}

	b.later(2 * time.Minute)
	third, mine := acquire(next)
	if !mine {
		t.Error("one that was left is nobody's")
	}

	if _, err := b.RenewLease(t.Context(), second, time.Minute); err == nil {
		t.Error("a holder that lost it has renewed it")
	}
	if err := b.ReleaseLease(t.Context(), second, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, mine := acquire(next); mine {
		t.Error("a holder that lost it has released it")
	}

	renewed, err := b.RenewLease(t.Context(), third, 2*time.Minute)
	if err != nil || !renewed.Until.Equal(b.clock().Add(2*time.Minute)) {
		t.Errorf("renewed until %v, %v", renewed.Until, err)
	}

	b.later(-24 * time.Hour)
	if _, mine := acquire(b.clock()); !mine {
		t.Error("after the clock was set back nobody can take it")
	}
}

func retryAfterHolds(t *testing.T, b *testDB) {
	owed := func(s deployment.GitHubState) deployment.Changes {
		return deployment.Changes{
			Reports: []deployment.Report{{
				State:     s,
				Final:     s == deployment.GitHubSuccess,
				CreatedAt: b.clock(),
				NotBefore: b.clock(),
				Status:    deployment.ReportPending,
			}},
		}
	}

	d := b.must(triggering(b.accept(1, "production", "p"), b), owed(deployment.GitHubInProgress))
	rec, ok, err := b.LeaseReports(t.Context(), d.Row)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}

	later := deployment.WriteOutcome{Kind: deployment.WriteRetry, After: time.Hour}
	tried, due, _ := report.AfterWrite(report.BeforeWrite(rec.Reports[0], b.clock()), later, b.clock())
	if err := b.SaveReports(t.Context(), rec, []deployment.Report{tried}, due, nil); err != nil {
		t.Fatal(err)
	}

	b.later(5 * time.Second)
	b.must(d, owed(deployment.GitHubSuccess))
	rec, _, err = b.LeaseReports(t.Context(), d.Row)
	if plan := report.MakePlan(rec.Reports, b.clock()); err != nil || plan.Send != nil {
		t.Errorf("sends %+v, %v", plan.Send, err)
	}
}

// reportsInOtherHands: a worker that was stopped until its lease was over, and another one had the
// reports, writes nothing any more.
func reportsInOtherHands(t *testing.T, b *testDB) {
	word := deployment.Report{
		State:     deployment.GitHubQueued,
		CreatedAt: b.clock(),
		NotBefore: b.clock(),
		Status:    deployment.ReportPending,
	}

	d := b.must(triggering(b.accept(1, "production", "p"), b), deployment.Changes{Reports: []deployment.Report{word}})
	stopped, ok, err := b.LeaseReports(t.Context(), d.Row)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}

	b.later(leaseFor + time.Second)
	other, ok, err := b.LeaseReports(t.Context(), d.Row)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}

	sending := report.BeforeWrite(stopped.Reports[0], b.clock())
	if err := b.Sending(t.Context(), stopped, sending); !errors.Is(err, deployment.ErrVersionConflict) {
		t.Errorf("who was stopped may send: %v", err)
	}

	if err := b.SaveReports(t.Context(), stopped, []deployment.Report{sending}, time.Time{}, nil); !errors.Is(
		err,
		deployment.ErrVersionConflict,
	) {
		t.Errorf("who was stopped may write over the other's work: %v", err)
	}

	if all, err := b.Reports(t.Context(), d.Row); err != nil || all[0].Status != deployment.ReportPending ||
		all[0].Tries != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if err := b.Sending(t.Context(), other, sending); err != nil {
		t.Error(err)
	}
	if err := b.SaveReports(t.Context(), other, []deployment.Report{sending}, b.clock(), nil); err != nil {
		t.Error(err)
	}
}

// pruned is deleted in batches; what is open, young, or keeps a deployment from running twice
// stays.
// retentionCountsFromEnd: what waited for long is kept as long after its end as anything else.
func retentionCountsFromEnd(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "p")
	b.later(73 * time.Hour) // it waited for an approval
	d = b.must(ended(d, deployment.Failed), deployment.Changes{})
	b.later(time.Hour)
	if _, err := b.Prune(t.Context(), b.clock().Add(-72*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Load(t.Context(), d.Row); err != nil {
		t.Fatalf("it ended an hour ago: %v", err)
	}

	d = b.must(d, deployment.Changes{}) // a save after the end does not move the end
	b.later(71*time.Hour + time.Minute)
	if _, err := b.Prune(t.Context(), b.clock().Add(-72*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Load(t.Context(), d.Row); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("it ended more than 72 hours ago: %v", err)
	}
}

func pruned(t *testing.T, b *testDB) {
	const old = pruneBatch + 5
	for id := range int64(old) {
		b.must(ended(b.accept(id+1, fmt.Sprint(id), ""), deployment.Succeeded), deployment.Changes{})
	}

	open := b.accept(1000, "open", "")
	if err := b.Ignored(t.Context(), deployment.Delivery{
		GUID:       "ignored",
		ReceivedAt: b.clock(),
	}, "no route"); err != nil {
		t.Fatal(err)
	}

	b.later(time.Hour)
	cut := b.clock()
	young := b.must(ended(b.accept(2000, "young", ""), deployment.Failed), deployment.Changes{})
	rounds := 1
	for more := true; more; rounds++ {
		var err error
		if more, err = b.Prune(t.Context(), cut); err != nil {
			t.Fatal(err)
		}
	}

	left, err := b.List(t.Context(), deployment.Filter{Limit: 10})
	if err != nil || len(left) != 2 || left[0].Row != young.Row || left[1].Row != open.Row || rounds < 3 {
		t.Errorf("%d rows left after %d rounds, %v", len(left), rounds, err)
	}

	var bodies, ignored int
	if err := b.rdb.QueryRow(`SELECT count(body), count(*) - count(CASE ignored WHEN '' THEN 1 END) FROM deliveries`).Scan(&bodies, &ignored); err != nil ||
		bodies != 1 ||
		ignored != 0 {
		t.Errorf("%d bodies and %d ignored deliveries left, %v", bodies, ignored, err)
	}

	for _, del := range []deployment.Delivery{{GUID: "guid-1"}, {GUID: "new", RepositoryID: 7, DeploymentID: 1}} {
		if seen, err := b.Known(t.Context(), del); !seen || err != nil {
			t.Errorf("%+v is forgotten, %v", del, err)
		}
	}

	again := b.make(1, "0", "")
	again.Target.Key = "another"
	if dup, err := b.Accept(t.Context(), deployment.Delivery{
		GUID:         "new",
		RepositoryID: 7,
		DeploymentID: 1,
		ReceivedAt:   b.clock(),
	}, again); !dup || err != nil {
		t.Errorf("what was pruned would run again: %v", err)
	}

	if unseen, err := b.NotAccepted(t.Context(), 7, []int64{1, 3000}); len(unseen) != 1 || err != nil {
		t.Errorf("unseen %v, %v", unseen, err)
	}
}
