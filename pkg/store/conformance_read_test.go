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

func testList(t *testing.T, b *testDB) {
	environments := []string{"production", "Staging"}
	for id := range int64(5) {
		b.accept(id+1, environments[id%2], fmt.Sprint(id))
	}

	for _, c := range []struct {
		name   string
		filter deployment.Filter
		want   []int64
	}{
		{
			name:   "all",
			filter: deployment.Filter{Limit: 50},
			want:   []int64{5, 4, 3, 2, 1},
		},
		{
			name:   "limit",
			filter: deployment.Filter{Limit: 2},
			want:   []int64{5, 4},
		},
		{
			name:   "environment",
			filter: deployment.Filter{Limit: 50, Environment: "staging"},
			want:   []int64{4, 2},
		},
		{
			name:   "repository",
			filter: deployment.Filter{Limit: 50, Repository: "acme/API"},
			want:   []int64{5, 4, 3, 2, 1},
		},
		{
			name:   "state",
			filter: deployment.Filter{Limit: 50, State: deployment.Failed},
		},
		{
			name:   "before",
			filter: deployment.Filter{Limit: 50, Before: 3},
			want:   []int64{2, 1},
		},
		{
			name: "everything",
			filter: deployment.Filter{
				Limit:       50,
				Before:      5,
				State:       deployment.Waiting,
				Repository:  "acme/api",
				Environment: "production",
			},
			want: []int64{3, 1},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := b.List(t.Context(), c.filter)
			if got := deploymentIDs(list); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}

	records, err := b.Get(t.Context(), 99)
	if err != nil || len(records) != 0 {
		t.Errorf("get of an unknown id: got %v, %v, want none", records, err)
	}

	_, err = b.Load(t.Context(), 99)
	if !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("load of an unknown row: got %v, want %v", err, deployment.ErrNotFound)
	}
}

func testPipelines(t *testing.T, b *testDB) {
	p, err := b.Project(t.Context(), "gh/acme/api")
	if err != nil || p != (deployment.Project{}) {
		t.Errorf("unknown project: got %v, %v, want none", p, err)
	}

	want := deployment.Project{ID: "uuid", Slug: "gh/Acme/api"}
	one := running(b.accept(1, "production", "p"), "x", b.clock())
	one = b.mustSave(one, deployment.Changes{Unclaimed: []string{"f"}, Project: want})

	p, err = b.Project(t.Context(), "gh/acme/api")
	if err != nil || p != want {
		t.Errorf("project: got %v, %v, want %v", p, err, want)
	}

	b.later(time.Second)
	two := b.mustSave(running(b.accept(2, "staging", "p"), "y", b.clock()), deployment.Changes{})
	x, y := deployment.ClaimedPipeline{ID: "x", Row: one.Row}, deployment.ClaimedPipeline{ID: "y", Row: two.Row}
	for _, c := range []struct {
		name   string
		notRow int64
		limit  int
		want   []deployment.ClaimedPipeline
	}{
		{name: "newest first", limit: 5, want: []deployment.ClaimedPipeline{y, x}},
		{name: "up to the limit", limit: 1, want: []deployment.ClaimedPipeline{y}},
		{name: "of other rows", notRow: two.Row, limit: 5, want: []deployment.ClaimedPipeline{x}},
	} {
		t.Run("claimed pipelines: "+c.name, func(t *testing.T) {
			got, err := b.NewestClaimed(t.Context(), "p", c.notRow, c.limit)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}

	known, err := b.KnownPipelines(t.Context(), []string{"f"})
	if err != nil || !known["f"].Unclaimed {
		t.Errorf("known pipelines: got %v, %v, want that f is unclaimed", known, err)
	}

	newer, _, err := b.NewerStarted(t.Context(), 7, "production", 0)
	if err != nil || !newer {
		t.Errorf("newer started: got %v, %v, want true", newer, err)
	}

	b.mustSave(triggering(b.accept(50, "elsewhere", "another"), b), deployment.Changes{})
	newer, holds, err := b.NewerStarted(t.Context(), 7, "elsewhere", 0)
	if err != nil || newer || !holds {
		t.Errorf("newer triggering: got started %v, holds %v, %v, want false, true", newer, holds, err)
	}

	sources, err := b.Repositories(t.Context(), time.Time{})
	if err != nil || len(sources) != 1 || sources[0].Repository.Owner != "Acme" {
		t.Errorf("repositories: got %v, %v, want Acme's only", sources, err)
	}
}

// acceptEnded accepts a deployment of a commit and saves it in a state.
func (b *testDB) acceptEnded(
	id int64,
	environment, sha string,
	state deployment.State,
	changes ...func(*deployment.Deployment),
) {
	b.t.Helper()
	d := b.newDeployment(id, environment, "")
	d.Request.SHA = sha
	for _, change := range changes {
		change(&d)
	}

	d = b.acceptDeployment(d)
	if state == deployment.Waiting {
		return
	}

	if state == deployment.Succeeded && d.Target.LockTask == "" {
		d.Pipeline = &deployment.Pipeline{ID: fmt.Sprintf("pipeline-%d", id)}
	}

	b.mustSave(ended(d, state), deployment.Changes{})
}

func asLockTask(d *deployment.Deployment) { d.Target.LockTask = deployment.TaskLock }

func testPriorResult(t *testing.T, b *testDB) {
	wantPrior := func(environment, sha string, want policy.PriorResult) {
		t.Helper()
		got, err := b.PriorResult(t.Context(), 7, environment, sha)
		if err != nil || got != want {
			t.Errorf("prior result of %s in %s: got %s, %v, want %s", sha, environment, got, err, want)
		}
	}

	wantDeployed := func(want string) {
		t.Helper()
		got, err := b.Deployed(t.Context(), 7, "production")
		if err != nil || got != want {
			t.Errorf("deployed: got %q, %v, want %q", got, err, want)
		}
	}

	wantDeployed("")
	wantPrior("production", "a", policy.PriorNone)

	b.acceptEnded(2, "Production", "a", deployment.Succeeded)
	b.acceptEnded(1, "production", "a", deployment.Errored) // older, and accepted later
	wantPrior("production", "a", policy.PriorSucceeded)
	wantPrior("staging", "a", policy.PriorNone)
	wantPrior("production", "b", policy.PriorNone)
	wantDeployed("a")

	b.acceptEnded(3, "production", "b", deployment.Failed)
	b.acceptEnded(4, "production", "a", deployment.Succeeded, asLockTask)
	b.acceptEnded(5, "production", "c", deployment.Succeeded, asLockTask)
	wantPrior("production", "b", policy.PriorFailed)
	wantPrior("production", "c", policy.PriorNone)
	wantDeployed("a")

	b.acceptEnded(6, "production", "b", deployment.Waiting)
	wantPrior("production", "b", policy.PriorOpen)

	six, err := b.ByKey(t.Context(), "key-6")
	if err != nil {
		t.Fatal(err)
	}

	b.mustSave(ended(six, deployment.Canceled), deployment.Changes{})
	seven := b.mustSave(triggering(b.accept(7, "production", ""), b), deployment.Changes{})
	wantPrior("production", "abc", policy.PriorOpen)

	seven.State, seven.Pipeline = deployment.Running, &deployment.Pipeline{ID: "7"}
	seven = b.mustSave(seven, deployment.Changes{})
	wantPrior("production", "abc", policy.PriorOpen)

	b.mustSave(ended(seven, deployment.Succeeded), deployment.Changes{})
	wantDeployed("abc")

	b.acceptEnded(17, "production", "b", deployment.Succeeded)
	wantPrior("production", "b", policy.PriorSucceeded)
	wantDeployed("b")

	b.acceptEnded(18, "production", "b", deployment.Canceled)
	wantPrior("production", "b", policy.PriorFailed)

	b.acceptEnded(19, "staging", "d", deployment.Succeeded)
	wantDeployed("b")

	got, err := b.Deployed(t.Context(), 8, "production")
	if err != nil || got != "" {
		t.Errorf("deployed of another repository: got %q, %v, want none", got, err)
	}
}

func testQueue(t *testing.T, b *testDB) {
	wantQueue := func(id int64, environment string, want policy.Queue) {
		t.Helper()
		got, err := b.Queue(t.Context(), b.newDeployment(id, environment, ""))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("queue of %d: got %+v, %v, want %+v", id, got, err, want)
		}
	}

	admit := func(d *deployment.Deployment) { d.AdmittedAt = b.clock() }
	wantQueue(5, "production", policy.Queue{})

	b.acceptEnded(6, "production", "x", deployment.Waiting, asLockTask)
	b.acceptEnded(3, "production", "x", deployment.Waiting, asLockTask)
	two := b.accept(2, "production", "p")
	one := b.accept(1, "Production", "p")
	four := b.accept(4, "production", "p")
	b.acceptEnded(7, "staging", "x", deployment.Waiting, admit)
	wantQueue(5, "production", policy.Queue{Before: []int64{1, 2, 4}})
	wantQueue(0, "PRODUCTION", policy.Queue{Before: []int64{1, 2, 4}})
	wantQueue(2, "production", policy.Queue{Before: []int64{1}})

	admit(&four)
	four = b.mustSave(four, deployment.Changes{})
	admit(&two)
	two = b.mustSave(two, deployment.Changes{})
	wantQueue(1, "production", policy.Queue{NewerAdmitted: 4})
	wantQueue(4, "production", policy.Queue{Before: []int64{1, 2}})

	one = b.mustSave(triggering(one, b), deployment.Changes{})
	wantQueue(1, "production", policy.Queue{NewerAdmitted: 4})
	wantQueue(2, "production", policy.Queue{Holder: 1, HolderState: deployment.Triggering, NewerAdmitted: 4})

	b.mustSave(ended(one, deployment.Errored), deployment.Changes{})
	two = b.mustSave(triggering(two, b), deployment.Changes{})
	b.mustSave(ended(four, deployment.Canceled), deployment.Changes{})
	wantQueue(1, "production", policy.Queue{Holder: 2, HolderState: deployment.Triggering, NewerAdmitted: 2})

	two.State, two.Pipeline = deployment.Running, &deployment.Pipeline{ID: "x"}
	two = b.mustSave(two, deployment.Changes{})
	wantQueue(1, "production", policy.Queue{Holder: 2, HolderState: deployment.Running, NewerAdmitted: 2, NewerStarted: 2})

	b.mustSave(ended(two, deployment.Failed), deployment.Changes{})
	wantQueue(1, "production", policy.Queue{NewerStarted: 2})
	wantQueue(3, "production", policy.Queue{})

	for id := range int64(60) {
		b.acceptEnded(100+id, "busy", "x", deployment.Waiting)
	}

	q, err := b.Queue(t.Context(), b.newDeployment(0, "busy", ""))
	if err != nil || len(q.Before) != 50 || q.Before[0] != 100 {
		t.Errorf("a long queue: got %d before it, %v, want 50", len(q.Before), err)
	}
}

func testApprovals(t *testing.T, b *testDB) {
	d := b.acceptIdle(1, "production")
	approval := func(by deployment.Actor, comment string) policy.Approval {
		return policy.Approval{
			By:         by,
			At:         b.clock(),
			SHA:        "abc",
			Parameters: "p",
			Policy:     "q",
			Comment:    comment,
		}
	}

	list := []policy.Approval{approval(person(1), "first")}
	for _, by := range []deployment.Actor{
		{ID: 2, Login: "ada", Token: "slack"},
		{Login: "bot", App: "release-bot"},
		{Token: "ci"},
		{Token: "other"},
		{ID: 1, Login: "renamed"},
	} {
		b.later(time.Second)
		list = append(list, approval(by, "again"))
	}

	b.announced()
	for _, a := range list {
		if err := b.Approve(t.Context(), d.Row, a, b.newEvent(deployment.AuditApproved)); err != nil {
			t.Fatal(err)
		}
	}

	if got := b.announced(); len(got) != len(list) || got[0] != advanceTask(d.Row) {
		t.Errorf("announced: got %v, want row %d %d times", got, d.Row, len(list))
	}

	got, err := b.Approvals(t.Context(), d.Row)
	if want := list[1:]; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v, want the last one of each person, %+v", got, err, want)
	}
	if got, want := b.auditCount(), int64(len(list)); got != want {
		t.Errorf("audit: got %d records, want %d", got, want)
	}

	err = b.Approve(t.Context(), 99, list[0], b.newEvent(deployment.AuditApproved))
	if !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("an unknown row: got %v, want %v", err, deployment.ErrNotFound)
	}

	unknown := approval(deployment.Actor{Login: "x"}, "")
	if err := b.Approve(t.Context(), d.Row, unknown, b.newEvent(deployment.AuditApproved)); err == nil {
		t.Error("an approval without an actor: got no error")
	}

	d = b.mustLoad(d.Row)
	d.State, d.Due = deployment.Running, b.clock().Add(time.Hour)
	d = b.mustSave(d, deployment.Changes{})
	b.announced()
	if err := b.Approve(t.Context(), d.Row, list[0], b.newEvent(deployment.AuditApproved)); err != nil {
		t.Fatal(err)
	}
	b.wantAnnounced()

	none, err := b.Approvals(t.Context(), 99)
	if err != nil || len(none) != 0 {
		t.Errorf("approvals of an unknown row: got %v, %v, want none", none, err)
	}
}
