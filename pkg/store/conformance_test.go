package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func TestSQLiteConforms(t *testing.T) { conform(t, freshSQLite) }

func TestPostgresConforms(t *testing.T) { conform(t, freshPostgres) }

// conform is what every dialect must pass.
func conform(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, *testDB){
		"a deployment is accepted once":               acceptedOnce,
		"an ignored delivery is judged afresh":        judgedAfresh,
		"ignored deliveries are listed":               ignoredListed,
		"the recorded decision is found":              decisionFound,
		"many are accepted at once":                   acceptedConcurrently,
		"one batch holds all kinds of deliveries":     acceptedInOneBatch,
		"one of a batch is refused":                   oneRefusedOfABatch,
		"what was accepted outlives a restart":        acceptedAfterReopen,
		"a lease is one worker's":                     leased,
		"a stale write changes nothing":               stale,
		"one holds the environment, in order":         inOrder,
		"one trigger is in the air per project":       onePerProject,
		"what is proven absent has not started":       absentHasNotStarted,
		"a pipeline belongs to one row":               onePipeline,
		"who ends promotes the next":                  promotes,
		"a hint is not overtaken":                     nudged,
		"reports come one after the other":            reported,
		"what is overdue is found":                    overdue,
		"Retry-After holds for the next report":       retryAfterHolds,
		"lists and filters":                           listed,
		"memory of CircleCI":                          remembered,
		"crowds never share an environment":           crowded,
		"a write whose caller has gone is skipped":    abandoned,
		"a caller may leave in the middle of a write": leavers,
		"a timer rings for what is due soon":          timerRings,
		"what is due late is found without a timer":   lateIsFound,
		"reports in other hands":                      reportsInOtherHands,
		"a newer schema is refused":                   newerSchema,
		"failed deliveries are asked for":             redelivered,
		"a duty is one process's":                     duties,
		"what is old is pruned":                       pruned,
		"what is deployed stays when it is old":       deployedStays,
		"a lock is one owner's":                       lockTaken,
		"one of many takes a lock":                    oneTaker,
		"one of many ends a lock":                     oneEnder,
		"a retried lock locks once":                   lockRetried,
		"a lock expires":                              lockExpires,
		"locks keep starts":                           locksKeepStarts,
		"a lock changes hands":                        lockChangesHands,
		"who waits for a lock is woken":               lockWakes,
		"a lock on everything wakes everybody":        everythingWakes,
		"locks are listed":                            locksListed,
		"a newer one wakes those before it":           lineWakes,
		"a name keeps its first id":                   pinned,
		"approvals are kept":                          approved,
		"the past is known":                           pasts,
		"a line is known":                             lines,
		"acts are in the commit":                      actsInTheCommit,
		"the audit is append-only":                    appendOnly,
		"tampering is found":                          tamperingFound,
		"many write the audit":                        manyWriteTheAudit,
		"the audit is read beside the service":        auditRead,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func acceptedOnce(t *testing.T, b *testDB) {
	d := b.accept(1, "Production", "")
	if got := b.rang(); len(got) != 1 || got[0] != advance(d.Row) {
		t.Errorf("rang %v", got)
	}

	for name, del := range map[string]deployment.Delivery{
		"same guid": {GUID: "guid-1", DeploymentID: 2, RepositoryID: 7},
		"same ids":  {GUID: "other", DeploymentID: 1, RepositoryID: 7},
		"again":     {GUID: "other", DeploymentID: 1, RepositoryID: 7},
	} {
		again := b.make(del.DeploymentID, "Production", "")
		again.Target.Key = "another"
		if dup, err := b.Accept(t.Context(), del, again); !dup || err != nil {
			t.Errorf("%s: duplicate %v, %v", name, dup, err)
		}
	}

	if seen, err := b.Known(t.Context(), deployment.Delivery{GUID: "guid-1"}); !seen || err != nil {
		t.Errorf("seen %v %v", seen, err)
	}
	if unseen, err := b.NotAccepted(t.Context(), 7, []int64{1, 2, 3}); len(unseen) != 2 || err != nil {
		t.Errorf("unseen %v %v", unseen, err)
	}
}

func judgedAfresh(t *testing.T, b *testDB) {
	del := deployment.Delivery{GUID: "guid-1", DeploymentID: 1, RepositoryID: 7}
	for range 2 {
		if err := b.Ignored(t.Context(), del, "no route"); err != nil {
			t.Fatal(err)
		}
	}

	if seen, _ := b.Known(t.Context(), del); seen {
		t.Error("an ignored delivery counts as one that led to a deployment")
	}

	b.accept(1, "production", "")
	if err := b.Ignored(t.Context(), del, "no route"); err != nil {
		t.Fatal(err)
	}
	if seen, _ := b.Known(t.Context(), del); !seen {
		t.Error("a delivery that led to a deployment was forgotten")
	}
}

func leased(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "")
	if _, ok, err := b.Lease(t.Context(), d.Row); !ok || err != nil {
		t.Fatalf("not leased: %v", err)
	}
	if _, ok, _ := b.Lease(t.Context(), d.Row); ok {
		t.Error("leased twice")
	}

	b.later(leaseFor + time.Second)
	if _, ok, _ := b.Lease(t.Context(), d.Row); !ok {
		t.Error("a lease that ran out is not given again")
	}

	d.Due = b.clock().Add(time.Minute)
	b.must(d, deployment.Changes{})
	if _, ok, _ := b.Lease(t.Context(), d.Row); ok {
		t.Error("leased before it is due")
	}
}

func stale(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "")
	b.must(triggering(d, b), deployment.Changes{})
	if _, err := b.save(ended(d, deployment.Errored), deployment.Changes{
		Timeline: []deployment.Entry{{Event: "lie"}},
	}); !errors.Is(err, deployment.ErrVersionConflict) {
		t.Fatalf("got %v", err)
	}

	recs, err := b.Get(t.Context(), 1)
	if err != nil || recs[0].Deployment.State != deployment.Triggering || len(recs[0].Timeline) != 1 {
		t.Errorf("%+v %v", recs, err)
	}
}

func busy(t *testing.T, err error, on string, id int64) {
	t.Helper()
	var b *deployment.BlockedError
	if !errors.As(err, &b) || b.On != on || b.ID != id {
		t.Errorf("got %v, want busy %s with %d", err, on, id)
	}
}

func inOrder(t *testing.T, b *testDB) {
	two, one := b.accept(2, "production", "p2"), b.accept(1, "PRODUCTION", "p1")
	other := b.accept(3, "staging", "p3")
	_, err := b.save(triggering(two, b), deployment.Changes{})
	busy(t, err, deployment.BlockedByOrder, 1)
	one = b.must(triggering(one, b), deployment.Changes{})
	_, err = b.save(triggering(two, b), deployment.Changes{})
	busy(t, err, deployment.BlockedByEnvironment, 1)
	b.must(triggering(other, b), deployment.Changes{})
	late := b.accept(0, "production", "p0") // an older one comes to light
	_, err = b.save(triggering(late, b), deployment.Changes{})
	busy(t, err, deployment.BlockedByEnvironment, 1)
	one.Pipeline = &deployment.Pipeline{ID: "x1"}
	one = b.must(one, deployment.Changes{})
	_, err = b.save(triggering(late, b), deployment.Changes{})
	busy(t, err, deployment.BlockedByNewer, 1)
	one.State, one.StoppingSince, one.Due = deployment.Failed, b.clock(), b.clock()
	b.must(one, deployment.Changes{})
	_, err = b.save(triggering(two, b), deployment.Changes{})
	busy(t, err, deployment.BlockedByEnvironment, 1)
}

// A newer one whose trigger was proven to have started nothing is not in the way of an older one.
func absentHasNotStarted(t *testing.T, b *testDB) {
	newer := b.must(triggering(b.accept(2, "production", "p"), b), deployment.Changes{})
	newer.State = deployment.Unconfirmed
	newer = b.must(newer, deployment.Changes{})
	newer.State = deployment.Waiting
	newer = b.must(newer, deployment.Changes{})
	b.must(ended(newer, deployment.Errored), deployment.Changes{})
	b.must(triggering(b.accept(1, "production", "p"), b), deployment.Changes{})
}

func onePerProject(t *testing.T, b *testDB) {
	one, two := b.accept(1, "production", "p"), b.accept(2, "staging", "p")
	one = b.must(triggering(one, b), deployment.Changes{})
	_, err := b.save(triggering(two, b), deployment.Changes{})
	busy(t, err, deployment.BlockedByProject, 1)
	two = b.must(two, deployment.Changes{})
	b.rang()
	one.State, one.Due = deployment.Running, b.clock().Add(time.Hour)
	b.must(one, deployment.Changes{})
	if got := b.rang(); len(got) != 1 || got[0] != advance(two.Row) {
		t.Errorf("the next of the project was not woken: %v", got)
	}

	two, _ = b.Load(t.Context(), two.Row)
	b.must(triggering(two, b), deployment.Changes{})
}

func onePipeline(t *testing.T, b *testDB) {
	one, two := b.accept(1, "production", "p"), b.accept(2, "staging", "p")
	one.State, one.Pipeline, one.Due = deployment.Running, &deployment.Pipeline{ID: "x"}, b.clock()
	one = b.must(one, deployment.Changes{})
	two.State, two.Pipeline, two.Due = deployment.Running, &deployment.Pipeline{ID: "x"}, b.clock()
	_, err := b.save(two, deployment.Changes{})
	var taken *deployment.PipelineTakenError
	if !errors.As(err, &taken) || taken.Row != one.Row {
		t.Fatalf("got %v", err)
	}

	one.State, one.Pipeline = deployment.Unconfirmed, nil
	if err := b.SavePair(t.Context(), deployment.Update{Next: one}, deployment.Update{Next: two}); err != nil {
		t.Fatal(err)
	}

	known, err := b.KnownPipelines(t.Context(), []string{"x", "y"})
	if err != nil || len(known) != 1 || known["x"].Row != two.Row {
		t.Errorf("%v %v", known, err)
	}
}

func promotes(t *testing.T, b *testDB) {
	one, two, three := b.accept(1, "production", "p1"), b.accept(2, "production", "p2"), b.accept(3, "production", "p3")
	two.Due, three.Due = b.clock().Add(time.Hour), b.clock().Add(time.Hour)
	two, three = b.must(two, deployment.Changes{}), b.must(three, deployment.Changes{})
	one = b.must(triggering(one, b), deployment.Changes{})
	b.rang()
	b.must(ended(one, deployment.Succeeded), deployment.Changes{})
	if got := b.rang(); len(got) != 1 || got[0] != advance(two.Row) {
		t.Fatalf("rang %v", got)
	}

	two, ok, _ := b.Lease(t.Context(), two.Row)
	if !ok {
		t.Fatal("the next one is not due")
	}

	b.must(ended(two, deployment.Errored), deployment.Changes{})
	if got := b.rang(); len(got) != 1 || got[0] != advance(three.Row) {
		t.Errorf("a waiting one that ended does not make way: %v", got)
	}
}

func nudged(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "p")
	d.State, d.Pipeline, d.Due = deployment.Running, &deployment.Pipeline{ID: "x"}, b.clock().Add(time.Minute)
	d = b.must(d, deployment.Changes{})
	b.rang()
	if ok, err := b.WakeByPipeline(t.Context(), "x"); !ok || err != nil {
		t.Fatalf("%v %v", ok, err)
	}
	if got := b.rang(); len(got) != 1 {
		t.Errorf("rang %v", got)
	}

	worked, ok, _ := b.Lease(t.Context(), d.Row)
	if !ok {
		t.Fatal("not due after a hint")
	}
	if _, err := b.WakeByPipeline(t.Context(), "x"); err != nil { // while it is being worked
		t.Fatal(err)
	}

	worked.Due = b.clock().Add(time.Minute)
	b.must(worked, deployment.Changes{})
	if _, ok, _ = b.Lease(t.Context(), d.Row); !ok {
		t.Error("a hint that came in during the work was overtaken")
	}
	if ok, err := b.WakeByPipeline(t.Context(), "nobody's"); ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
}

func reported(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "p")
	b.rang()
	owed := func(s deployment.GitHubState) deployment.Report {
		return deployment.Report{
			State:       s,
			Description: "d",
			CreatedAt:   b.clock(),
			NotBefore:   b.clock(),
			Status:      deployment.ReportPending,
		}
	}

	d.Due = b.clock().Add(time.Hour)
	d = b.must(d, deployment.Changes{Reports: []deployment.Report{owed("queued"), owed("in_progress")}})
	if got := b.rang(); len(got) != 1 || got[0].Kind != deployment.TaskReport {
		t.Fatalf("rang %v", got)
	}

	rec, ok, err := b.LeaseReports(t.Context(), d.Row)
	if !ok || err != nil || len(rec.Reports) != 2 || rec.Reports[1].Seq != 2 {
		t.Fatalf("%+v %v %v", rec, ok, err)
	}
	if _, ok, _ := b.LeaseReports(t.Context(), d.Row); ok {
		t.Error("leased twice")
	}

	b.must(d, deployment.Changes{Reports: []deployment.Report{owed("success")}})
	rec.Reports[0].Status, rec.Reports[1].Status, rec.Reports[1].StatusID, rec.Reports[1].SentAt = deployment.ReportSuperseded, deployment.ReportSent, 5, b.clock()
	if err := b.SaveReports(t.Context(), rec, rec.Reports, time.Time{}, []deployment.Entry{{Event: "x"}}); err != nil {
		t.Fatal(err)
	}

	rec, ok, _ = b.LeaseReports(t.Context(), d.Row)
	if !ok || len(rec.Reports) != 3 || rec.Reports[1].StatusID != 5 || !rec.Reports[1].SentAt.Equal(b.clock()) {
		t.Errorf("a report that came in during the work was overtaken: %+v", rec.Reports)
	}
	if c, err := b.Stats(t.Context()); err != nil || c.ReportsUnsent != 1 || c.Open[deployment.Waiting] != 1 {
		t.Errorf("%+v %v", c, err)
	}
}

func overdue(t *testing.T, b *testDB) {
	one, two := b.accept(1, "production", "p"), b.accept(2, "staging", "q")
	two.Due = b.clock().Add(time.Minute)
	b.must(two, deployment.Changes{})
	if got, err := b.Overdue(t.Context(), 10); err != nil || len(got) != 1 || got[0] != advance(one.Row) {
		t.Errorf("%v %v", got, err)
	}
	if _, ok, _ := b.Lease(t.Context(), one.Row); !ok {
		t.Fatal("not leased")
	}

	b.later(2 * time.Minute)
	if got, _ := b.Overdue(t.Context(), 10); len(got) != 2 {
		t.Errorf("after two minutes: %v", got)
	}
	if c, _ := b.Stats(t.Context()); c.OldestDue != 2*time.Minute {
		t.Errorf("oldest due %v", c.OldestDue)
	}
}

func listed(t *testing.T, b *testDB) {
	for id := range int64(5) {
		b.accept(id+1, []string{"production", "Staging"}[id%2], fmt.Sprint(id))
	}

	for name, c := range map[string]struct {
		f    deployment.Filter
		want int
	}{
		"all":         {deployment.Filter{Limit: 50}, 5},
		"limit":       {deployment.Filter{Limit: 2}, 2},
		"environment": {deployment.Filter{Limit: 50, Environment: "staging"}, 2},
		"repository":  {deployment.Filter{Limit: 50, Repository: "acme/API"}, 5},
		"state":       {deployment.Filter{Limit: 50, State: deployment.Failed}, 0},
		"before":      {deployment.Filter{Limit: 50, Before: 3}, 2},
		"everything": {
			deployment.Filter{
				Limit:       50,
				Before:      5,
				State:       deployment.Waiting,
				Repository:  "acme/api",
				Environment: "production",
			},
			2,
		},
	} {
		got, err := b.List(t.Context(), c.f)
		if err != nil || len(got) != c.want || len(got) > 1 && got[0].Row < got[1].Row {
			t.Errorf("%s: %d rows, %v", name, len(got), err)
		}
	}

	if recs, err := b.Get(t.Context(), 99); err != nil || len(recs) != 0 {
		t.Errorf("%v %v", recs, err)
	}
}

func remembered(t *testing.T, b *testDB) {
	ctx := t.Context()
	if p, err := b.Project(ctx, "gh/a/b"); err != nil || p.ID != "" {
		t.Errorf("%v %v", p, err)
	}

	want := deployment.Project{ID: "uuid", Slug: "gh/A/b"}
	if err := b.SaveProject(ctx, "gh/a/b", want); err != nil {
		t.Fatal(err)
	}
	if p, err := b.Project(ctx, "gh/a/b"); err != nil || p != want {
		t.Errorf("%v %v", p, err)
	}

	one := b.accept(1, "production", "p")
	one.State, one.Pipeline, one.Due = deployment.Running, &deployment.Pipeline{ID: "x"}, b.clock()
	one = b.must(one, deployment.Changes{Unclaimed: []string{"f"}})
	if id, row, err := b.NewestClaimed(ctx, "p", 0); id != "x" || row != one.Row || err != nil {
		t.Errorf("%s %d %v", id, row, err)
	}
	if id, _, err := b.NewestClaimed(ctx, "p", one.Row); id != "" || err != nil {
		t.Errorf("%s %v", id, err)
	}
	if known, _ := b.KnownPipelines(ctx, []string{"f"}); !known["f"].Unclaimed {
		t.Errorf("%v", known)
	}
	if newer, err := b.NewerStarted(ctx, 7, "production", 0); !newer || err != nil {
		t.Errorf("%v %v", newer, err)
	}
	if repos, err := b.Repositories(ctx, time.Time{}); err != nil || len(repos) != 1 ||
		repos[0].Repository.Owner != "Acme" {
		t.Errorf("%v %v", repos, err)
	}
}
