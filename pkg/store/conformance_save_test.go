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
)

func testSaveStale(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "")
	b.mustSave(triggering(d, b), deployment.Changes{})

	_, err := b.save(ended(d, deployment.Errored), deployment.Changes{
		Timeline: []deployment.Entry{{Event: "from a stale version"}},
	})
	if !errors.Is(err, deployment.ErrVersionConflict) {
		t.Fatalf("got %v, want %v", err, deployment.ErrVersionConflict)
	}

	records, err := b.Get(t.Context(), 1)
	if err != nil || len(records) != 1 {
		t.Fatalf("got %v, %v, want one deployment", records, err)
	}
	if got := records[0].Deployment.State; got != deployment.Triggering {
		t.Errorf("state: got %s, want %s", got, deployment.Triggering)
	}
	if got := len(records[0].Timeline); got != 1 {
		t.Errorf("timeline: got %d entries, want 1", got)
	}
}

// testSaveOtherDeployment: a row is not overwritten with another deployment that had its number in a database whose
// newest commits were lost.
func testSaveOtherDeployment(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "")
	other := d
	other.Target.Key = "another key"

	_, err := b.Save(t.Context(), triggering(other, b), deployment.Changes{}, deployment.SaveOptions{})
	if !errors.Is(err, deployment.ErrVersionConflict) {
		t.Errorf("save: got %v, want %v", err, deployment.ErrVersionConflict)
	}
	if err := b.Postpone(t.Context(), other); !errors.Is(err, deployment.ErrVersionConflict) {
		t.Errorf("postpone: got %v, want %v", err, deployment.ErrVersionConflict)
	}
	b.mustSave(triggering(d, b), deployment.Changes{})
}

// testSaveDisowned: the id of a forged deployment is free for the real one, and nothing is written to that.
func testSaveDisowned(t *testing.T, b *testDB) {
	forged := b.accept(1, "production", "")
	forged = b.mustSave(forged, deployment.Changes{Reports: []deployment.Report{
		{State: deployment.GitHubQueued, Description: "Waiting", NotBefore: b.clock()},
	}})
	b.mustSave(ended(forged, deployment.Rejected), deployment.Changes{Disowned: true})

	if unsent := b.count(`SELECT count(*) FROM reports WHERE fate = $1`, string(deployment.ReportPending)); unsent != 0 {
		t.Errorf("got %d unsent reports, want none", unsent)
	}
	if _, ok, err := b.LeaseReports(t.Context(), forged.Row); ok || err != nil {
		t.Errorf("lease of its reports: got %v (%v), want false", ok, err)
	}
	if missing, err := b.NotAccepted(t.Context(), 7, []int64{1}); err != nil || len(missing) != 1 {
		t.Errorf("recovery: got %v (%v) not accepted, want the id", missing, err)
	}

	genuine := b.newDeployment(1, "staging", "")
	genuine.Target.Key = "another key"
	del := deployment.Delivery{GUID: "another guid", RepositoryID: 7, DeploymentID: 1, ReceivedAt: b.clock()}
	if duplicate, err := b.Accept(t.Context(), del, genuine); err != nil || duplicate {
		t.Fatalf("accept the real one: got duplicate %v, %v", duplicate, err)
	}

	records, err := b.Get(t.Context(), 1)
	if err != nil || len(records) != 1 || records[0].Deployment.Request.Environment != "staging" {
		t.Errorf("got %+v (%v), want the real one alone", records, err)
	}
	if shown := b.mustLoad(forged.Row); shown.State != deployment.Rejected || shown.Request.ID != 1 {
		t.Errorf("the forged one: got %s of deployment %d, want it rejected, of 1", shown.State, shown.Request.ID)
	}

	del.GUID = "a third guid"
	if duplicate, err := b.Accept(t.Context(), del, genuine); err != nil || !duplicate {
		t.Errorf("accept the real one again: got duplicate %v, %v, want true", duplicate, err)
	}
}

func testSaveOrder(t *testing.T, b *testDB) {
	two, one := b.accept(2, "production", "p2"), b.accept(1, "PRODUCTION", "p1")
	other := b.accept(3, "staging", "p3")

	_, err := b.save(triggering(two, b), deployment.Changes{})
	wantBlocked(t, err, deployment.BlockedByOrder, 1)

	one = b.mustSave(triggering(one, b), deployment.Changes{})
	_, err = b.save(triggering(two, b), deployment.Changes{})
	wantBlocked(t, err, deployment.BlockedByEnvironment, 1)

	b.mustSave(triggering(other, b), deployment.Changes{})

	late := b.accept(0, "production", "p0") // its webhook came late: it is older than the others
	_, err = b.save(triggering(late, b), deployment.Changes{})
	wantBlocked(t, err, deployment.BlockedByEnvironment, 1)

	one.Pipeline = &deployment.Pipeline{ID: "x1"}
	one = b.mustSave(one, deployment.Changes{})
	_, err = b.save(triggering(late, b), deployment.Changes{})
	wantBlocked(t, err, deployment.BlockedByNewer, 1)

	one.State, one.StoppingSince, one.Due = deployment.Failed, b.clock(), b.clock()
	b.mustSave(one, deployment.Changes{})
	_, err = b.save(triggering(two, b), deployment.Changes{})
	wantBlocked(t, err, deployment.BlockedByEnvironment, 1)
}

// testSaveAbsentHasNotStarted: a newer deployment whose trigger was proven to have started nothing
// does not keep an older one from starting.
func testSaveAbsentHasNotStarted(t *testing.T, b *testDB) {
	newer := b.mustSave(triggering(b.accept(2, "production", "p"), b), deployment.Changes{})
	newer.State = deployment.Unconfirmed
	newer = b.mustSave(newer, deployment.Changes{})
	newer.State = deployment.Waiting
	newer = b.mustSave(newer, deployment.Changes{})
	b.mustSave(ended(newer, deployment.Errored), deployment.Changes{})

	b.mustSave(triggering(b.accept(1, "production", "p"), b), deployment.Changes{})
}

func testSaveOneTriggerPerProject(t *testing.T, b *testDB) {
	one, two := b.accept(1, "production", "p"), b.accept(2, "staging", "p")
	one = b.mustSave(triggering(one, b), deployment.Changes{})
	_, err := b.save(triggering(two, b), deployment.Changes{})
	wantBlocked(t, err, deployment.BlockedByProject, 1)

	waits := func(d deployment.Deployment, by string) deployment.Deployment {
		d.BlockedBy, d.Due = by, b.clock().Add(15*time.Second)
		return b.mustSave(d, deployment.Changes{})
	}

	waits(b.accept(3, "qa", "p"), "qa is locked by bob")
	two = waits(two, deployment.WaitsForProject)
	four := waits(b.accept(4, "review-4", "p"), deployment.WaitsForProject)
	b.announced()
	one.State, one.Due = deployment.Running, b.clock().Add(time.Hour)
	b.mustSave(one, deployment.Changes{})
	b.wantAnnounced(advanceTask(two.Row), advanceTask(four.Row))

	// One that says only now that it waits for the trigger, which has ended meanwhile, is due at once.
	five := b.accept(5, "review-5", "p")
	b.announced()
	waits(five, deployment.WaitsForProject)
	b.wantAnnounced(advanceTask(five.Row))

	b.mustSave(triggering(b.mustLoad(two.Row), b), deployment.Changes{})
}

// testSaveWaitsForProject: a deployment that is saved as waiting for a project is due at once, the
// first time that its row names the project. Later it waits as long as it says.
func testSaveWaitsForProject(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "")
	d.Project.ID, d.BlockedBy, d.Due = "p", "another trigger of its project", b.clock().Add(time.Hour)
	b.announced()

	d = b.mustSave(d, deployment.Changes{})
	b.wantAnnounced(advanceTask(d.Row))

	d = b.mustLease(d.Row)
	b.mustSave(d, deployment.Changes{})
	b.wantAnnounced()
}

func testSaveOnePipeline(t *testing.T, b *testDB) {
	one, two := b.accept(1, "production", "p"), b.accept(2, "staging", "p")
	one = b.mustSave(running(one, "x", b.clock()), deployment.Changes{})

	two = running(two, "x", b.clock())
	_, err := b.save(two, deployment.Changes{})
	var taken *deployment.PipelineTakenError
	if !errors.As(err, &taken) || taken.Row != one.Row {
		t.Fatalf("got %v, want that row %d has it", err, one.Row)
	}

	one.State, one.Pipeline = deployment.Unconfirmed, nil
	err = b.SavePair(t.Context(), deployment.Update{Next: one}, deployment.Update{Next: two})
	if err != nil {
		t.Fatal(err)
	}

	known, err := b.KnownPipelines(t.Context(), []string{"x", "y"})
	if err != nil || len(known) != 1 || known["x"].Row != two.Row {
		t.Errorf("got %v, %v, want x of row %d only", known, err, two.Row)
	}
}

func testSaveWakesNext(t *testing.T, b *testDB) {
	one := b.accept(1, "production", "p1")
	two := b.accept(2, "production", "p2")
	three := b.accept(3, "production", "p3")
	two.Due, three.Due = b.clock().Add(time.Hour), b.clock().Add(time.Hour)
	two, three = b.mustSave(two, deployment.Changes{}), b.mustSave(three, deployment.Changes{})
	one = b.mustSave(triggering(one, b), deployment.Changes{})
	b.announced()

	b.mustSave(ended(one, deployment.Succeeded), deployment.Changes{})
	b.wantAnnounced(advanceTask(two.Row))

	two = b.mustLease(two.Row)
	b.mustSave(ended(two, deployment.Errored), deployment.Changes{}) // it ends while it waits
	b.wantAnnounced(advanceTask(three.Row))
}

// testSaveConcurrently starts many deployments of one environment from several workers: two never
// hold it, and each gets its turn.
func testSaveConcurrently(t *testing.T, b *testDB) {
	const n = 30
	for id := range int64(n) {
		b.accept(id+1, "production", fmt.Sprint(id))
	}

	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for left := true; left; {
				left = b.deployOne(t, worker)
			}
		})
	}

	all.Wait()
	done, err := b.List(t.Context(), deployment.Filter{State: deployment.Succeeded, Limit: 200})
	if err != nil || len(done) != n {
		t.Errorf("succeeded: got %d, %v, want %d", len(done), err, n)
	}
}

// deployOne tries to deploy one of the waiting deployments, each worker another one.
func (b *testDB) deployOne(t *testing.T, worker int) (left bool) {
	waiting, err := b.List(t.Context(), deployment.Filter{State: deployment.Waiting, Limit: 200})
	if err != nil || len(waiting) == 0 {
		return false
	}

	d := waiting[(len(waiting)-1)*worker/3]
	started, err := b.save(triggering(d, b), deployment.Changes{})
	var blocked *deployment.BlockedError
	if errors.Is(err, deployment.ErrVersionConflict) || errors.As(err, &blocked) {
		return true
	}
	if err != nil {
		t.Error(err)
		return false
	}

	if _, err := b.save(ended(started, deployment.Succeeded), deployment.Changes{}); err != nil {
		t.Error(err)
	}

	return true
}

func testWriteAbandoned(t *testing.T, b *testDB) {
	err := b.write(canceled(t), func(*tx) error {
		t.Error("the write was done")
		return nil
	})
	if err == nil {
		t.Error("got no error")
	}

	if err := b.Ping(t.Context()); err != nil { // what waited before it has been done
		t.Error(err)
	}
}

// testWriteLeft: a caller that leaves as its write begins gets either an error or what was written.
// The race detector sees it if the write goes on in the caller's results.
func testWriteLeft(t *testing.T, b *testDB) {
	_, acquired, err := b.AcquireLease(leavingContext(t), "sweep", time.Minute, b.clock())
	if acquired != (err == nil) {
		t.Errorf("AcquireLease: got %v, %v", acquired, err)
	}

	lease, acquired, err := b.AcquireLease(t.Context(), "read", time.Minute, b.clock())
	if err != nil || !acquired {
		t.Fatalf("AcquireLease: got %v, %v", acquired, err)
	}

	renewed, err := b.RenewLease(leavingContext(t), lease, time.Hour)
	if renewed.Until.After(lease.Until) != (err == nil) {
		t.Errorf("RenewLease: got %v, %v", renewed.Until, err)
	}

	if err := b.Ping(t.Context()); err != nil { // the writes have been done
		t.Error(err)
	}
}

// leaving is a context that ends as soon as somebody asks whether it has.
type leaving struct {
	context.Context
	end func()
}

func leavingContext(t *testing.T) context.Context {
	ctx, end := context.WithCancel(t.Context())
	t.Cleanup(end)
	return leaving{ctx, end}
}

func (l leaving) Err() error {
	defer l.end()
	return l.Context.Err()
}

func testNewerSchema(t *testing.T, b *testDB) {
	b.mustExec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, $1)`, true)
	url := b.o.URL
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	db, err := Open(t.Context(), Options{URL: url})
	if err == nil {
		_ = db.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "made by a newer Seraph") {
		t.Errorf("got %v, want that a newer Seraph made the schema", err)
	}
}
