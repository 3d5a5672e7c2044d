package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// succeed accepts a deployment of a commit to production, and saves that it has run and succeeded.
func (b *testDB) succeed(id int64, sha string, change ...func(*deployment.Deployment)) deployment.Deployment {
	b.t.Helper()
	d := b.newDeployment(id, "Production", "")
	d.Request.SHA, d.Request.Ref, d.Request.Task = sha, "main", "deploy"
	d.Delivery = fmt.Sprintf("guid-%d", id)
	for _, f := range change {
		f(&d)
	}

	d = b.acceptDeployment(d)
	d.State, d.Due = deployment.Triggering, time.Time{}
	d = b.mustSave(d, deployment.Changes{})
	d.State, d.Pipeline = deployment.Succeeded, &deployment.Pipeline{ID: fmt.Sprintf("pipeline-%d", id)}
	return b.mustSave(d, deployment.Changes{})
}

// rollback makes a deployment a rollback to an earlier one.
func rollback(to int64) func(*deployment.Deployment) {
	return func(d *deployment.Deployment) {
		d.Request.Asked = &deployment.Asked{By: person(1), Cause: deployment.CauseRollback, BackTo: to}
	}
}

// successes are what is kept of production, the newest first, as "sha#id", bad ones with an exclamation mark.
func (b *testDB) successes() string {
	b.t.Helper()
	list, err := b.Successes(b.t.Context(), 7, "production")
	if err != nil {
		b.t.Fatal(err)
	}

	names := make([]string, len(list))
	for i, s := range list {
		names[i] = fmt.Sprintf("%s#%d", s.SHA, s.DeploymentID)
		if s.IsBad() {
			names[i] += "!"
		}
	}
	return strings.Join(names, " ")
}

func (b *testDB) wantSuccesses(want string) {
	b.t.Helper()
	if got := b.successes(); got != want {
		b.t.Errorf("got successes %s, want %s", got, want)
	}
}

func testSuccesses(t *testing.T, b *testDB) {
	b.succeed(1, "a")
	b.succeed(2, "b")
	b.succeed(3, "a")
	b.wantSuccesses("a#3 b#2")

	b.succeed(4, "c", func(d *deployment.Deployment) { d.Target.Operation = true })
	b.wantSuccesses("a#3 b#2")
	if sha, err := b.Deployed(t.Context(), 7, "production"); err != nil || sha != "a" {
		t.Errorf("got %s deployed, %v, want a: an operation deploys nothing", sha, err)
	}
	if result, err := b.PriorResult(t.Context(), 7, "production", "c"); err != nil || result != policy.PriorNone {
		t.Errorf("got result %q of an operation, %v, want none", result, err)
	}

	list, err := b.Successes(t.Context(), 7, "production")
	want := deployment.Success{
		DeploymentID: 3,
		SHA:          "a",
		Ref:          "main",
		Task:         "deploy",
		Delivery:     "guid-3",
		EndedAt:      asStored(b.clock()),
	}
	if err != nil || list[0] != want {
		t.Errorf("got %+v, %v, want %+v", list[0], err, want)
	}
}

// testSuccessesOfTasks: what one task deploys takes nothing away from what another one has deployed.
func testSuccessesOfTasks(t *testing.T, b *testDB) {
	docs := func(d *deployment.Deployment) { d.Request.Task, d.Target.Keep = "docs", 2 }
	b.succeed(1, "a")
	b.succeed(2, "b")
	b.succeed(3, "a", docs)
	b.wantSuccesses("a#3 b#2 a#1")

	list, err := b.Successes(t.Context(), 7, "production")
	if err != nil || list[2].Task != "deploy" || list[2].Delivery != "guid-1" {
		t.Errorf("got %+v, %v, want what the first deployment had", list[2], err)
	}

	for id := range int64(9) {
		b.succeed(10+id, fmt.Sprintf("s%d", id), docs)
	}
	b.wantSuccesses("s8#18 s7#17 s6#16 b#2 a#1")

	b.succeed(20, "b", rollback(2))
	b.wantSuccesses("b#20 s8#18! s7#17! s6#16! a#1")
	b.succeed(21, "s8")
	b.wantSuccesses("s8#21 b#20 s8#18 s7#17! s6#16! a#1")
}

// testSuccessesForced: a commit that has succeeded once without force stays proven.
func testSuccessesForced(t *testing.T, b *testDB) {
	force := func(d *deployment.Deployment) { d.Forced = true }
	for id, test := range []struct {
		change []func(*deployment.Deployment)
		want   bool
	}{
		{change: []func(*deployment.Deployment){force}, want: true},
		{change: []func(*deployment.Deployment){force}, want: true},
		{},
		{change: []func(*deployment.Deployment){force}},
	} {
		b.succeed(int64(id+1), "a", test.change...)
		list, err := b.Successes(t.Context(), 7, "production")
		if err != nil || len(list) != 1 || list[0].Forced != test.want {
			t.Errorf("after deployment %d: got %+v, %v, want forced %v", id+1, list, err, test.want)
		}
	}
}

// testSuccessesLeft: what a rollback leaves is bad from its start on, until it succeeds again.
func testSuccessesLeft(t *testing.T, b *testDB) {
	b.succeed(1, "a")
	b.succeed(2, "b")
	b.succeed(3, "c")
	b.succeed(4, "d")
	b.succeed(5, "b", rollback(2))
	b.wantSuccesses("b#5 d#4! c#3! a#1")
	list, err := b.Successes(t.Context(), 7, "production")
	if err != nil || list[1].BadBy != person(1) {
		t.Errorf("got bad by %+v, %v, want who rolled back", list[1].BadBy, err)
	}

	b.succeed(6, "a", rollback(1))
	b.wantSuccesses("a#6 b#5! d#4! c#3!")
	b.succeed(7, "d")
	b.wantSuccesses("d#7 a#6 b#5! c#3!")

	waiting := b.newDeployment(8, "Production", "")
	rollback(6)(&waiting)
	b.acceptDeployment(waiting)
	b.wantSuccesses("d#7 a#6 b#5! c#3!")
}

func testSuccessesKept(t *testing.T, b *testDB) {
	keepTwo := func(d *deployment.Deployment) { d.Target.Keep = 2 }
	for i, sha := range []string{"a", "b", "c", "d"} {
		b.succeed(int64(i+1), sha, keepTwo)
	}
	b.wantSuccesses("d#4 c#3 b#2")

	b.succeed(5, "b", keepTwo, rollback(2))
	b.wantSuccesses("b#5 d#4! c#3!")
	b.succeed(6, "e", keepTwo)
	b.succeed(7, "f", keepTwo)
	b.wantSuccesses("f#7 e#6 b#5")

	for i := range 12 {
		b.succeed(int64(100+i), fmt.Sprintf("s%d", i))
	}
	if got := len(strings.Fields(b.successes())); got != defaultKeep+1 {
		t.Errorf("got %d successes, want %d and the one that runs", got, defaultKeep)
	}
}

// testSuccessesOutliveRetention: what was pruned can still be rolled back to, with its payload.
func testSuccessesOutliveRetention(t *testing.T, b *testDB) {
	old := b.succeed(1, "a")
	b.succeed(2, "b")
	b.accept(3, "production", "")
	b.later(time.Hour)
	b.mustExec(`UPDATE deployments SET report_due_at = NULL`)
	for more := true; more; {
		var err error
		if more, err = b.Prune(t.Context(), b.clock().Add(-time.Minute)); err != nil {
			t.Fatal(err)
		}
	}

	if _, err := b.Load(t.Context(), old.Row); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("got %v of the old row, want it pruned", err)
	}
	b.wantSuccesses("b#2 a#1")
	for guid, kept := range map[string]bool{"guid-1": true, "guid-2": true, "guid-3": false} {
		body, err := b.DeliveryBody(t.Context(), guid)
		if kept && (err != nil || string(body) != "{}") || !kept && !errors.Is(err, deployment.ErrNotFound) {
			t.Errorf("body of %s: got %q, %v, want kept %v", guid, body, err, kept)
		}
	}
}

func testWaitingBefore(t *testing.T, b *testDB) {
	first := b.accept(1, "production", "")
	lockTask := b.newDeployment(2, "production", "")
	lockTask.Target.LockTask = deployment.TaskLock
	b.acceptDeployment(lockTask)
	operation := b.newDeployment(3, "PRODUCTION", "")
	operation.Target.Operation = true
	operation = b.acceptDeployment(operation)
	b.accept(4, "staging", "")
	b.accept(6, "production", "")

	got, err := b.WaitingBefore(t.Context(), 7, "production", 5)
	if want := []int64{first.Row, operation.Row}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got rows %v, %v, want %v", got, err, want)
	}
}

func TestUncompressBody(t *testing.T) {
	for _, size := range []int{0, 1, 100, maxCompressed - 1, maxCompressed, maxCompressed + 1, maxCompressed + maxCompressed/4} {
		body := []byte(strings.Repeat("{", size))
		if got := uncompressBody(compressBody(body)); string(got) != string(body) {
			t.Errorf("body of %d bytes: got %d bytes that differ", size, len(got))
		}
	}
}
