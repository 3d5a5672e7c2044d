package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// namedDatabase is a database server with a name.
type namedDatabase struct {
	name string
	err  error
}

func (n *namedDatabase) Identity(context.Context) (string, error) { return n.name, n.err }

// failingDueRows cannot read what is due.
type failingDueRows struct{ DueRows }

func (failingDueRows) Overdue(context.Context, int) ([]deployment.Task, error) {
	return nil, errors.New("connection refused")
}

// lostRows cannot be leased.
type lostRows struct {
	Rows
	err error
}

func (r lostRows) Lease(context.Context, int64) (deployment.Deployment, bool, error) {
	return deployment.Deployment{}, false, r.err
}

// A standby that took over without the last commits has a deployment as waiting that has run. GitHub
// shows our status of it.
func TestTrigger_DatabaseThatForgot(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(*testEngine, *namedDatabase)
		want deployment.State
	}{
		{name: "nothing happened", lose: func(*testEngine, *namedDatabase) {}, want: deployment.Running},
		{
			name: "another server answers",
			lose: func(_ *testEngine, db *namedDatabase) { db.name = "7 00000002" },
			want: deployment.Errored,
		},
		{
			name: "the server did not answer",
			lose: func(e *testEngine, db *namedDatabase) {
				db.err = errors.New("connection refused")
				e.checkDatabase(context.Background())
				db.err = nil
			},
			want: deployment.Errored,
		},
		{
			name: "overdue rows could not be read",
			lose: func(e *testEngine, _ *namedDatabase) {
				e.DueRows = failingDueRows{e.DueRows}
				e.reconcile(context.Background())
				e.DueRows = e.db
			},
			want: deployment.Errored,
		},
		{
			name: "a row could not be leased",
			lose: func(e *testEngine, _ *namedDatabase) {
				e.Rows = lostRows{Rows: e.db, err: errors.New("connection reset by peer")}
				e.advance(context.Background(), 99)
				e.Rows = e.db
			},
			want: deployment.Errored,
		},
		{
			name: "a step could not be saved",
			lose: func(e *testEngine, _ *namedDatabase) {
				e.stepFailed(context.Background(), deployment.Deployment{Row: 99}, context.DeadlineExceeded)
			},
			want: deployment.Errored,
		},
		{
			name: "another worker changed a row",
			lose: func(e *testEngine, _ *namedDatabase) {
				e.stepFailed(context.Background(), deployment.Deployment{Row: 99}, deployment.ErrVersionConflict)
			},
			want: deployment.Running,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newTestEngine(t)
			db, circleci := &namedDatabase{name: "7 00000001"}, &fakeCircleCI{}
			e.Database = db
			e.between(&fakeGitHub{statuses: []deployment.Status{{ID: 1, State: deployment.GitHubInProgress}}},
				circleci, policy.Policy{})
			e.reconcile(t.Context())
			e.pass(time.Hour)

			d := e.accept(t, 1, nil)
			e.pass(5 * time.Second)
			c.lose(e, db)
			d = e.advanceOnce(t, d.Row)
			if d.State != c.want {
				t.Errorf("got %s %q, want %s", d.State, d.Reason, c.want)
			}
			if triggered := len(circleci.triggers) > 0; triggered != (c.want == deployment.Running) {
				t.Errorf("got triggers %v, want them only where nothing happened", circleci.triggers)
			}
		})
	}
}

// A deployment that has run is not reported as rejected, where the database has forgotten that it ran.
func TestReject_DatabaseThatForgot(t *testing.T) {
	e := newTestEngine(t)
	github := &fakeGitHub{statuses: []deployment.Status{{ID: 1, State: deployment.GitHubSuccess}}}
	e.between(github, &fakeCircleCI{}, policy.Policy{Refs: []string{"release/*"}})
	d := e.accept(t, 1, nil)
	e.pass(time.Minute)
	e.distrustDatabase("restored")

	d = e.advanceOnce(t, d.Row)
	if want := deployment.AlreadyHandled(github.statuses[0]); d.State != deployment.Errored || d.Reason != want {
		t.Errorf("got %s %q, want errored %q", d.State, d.Reason, want)
	}
}

// A deployment that does not say when it was created does not count as young.
func TestTrigger_UnknownAge(t *testing.T) {
	e := newTestEngine(t)
	github := &fakeGitHub{statuses: []deployment.Status{{ID: 1, State: deployment.GitHubSuccess}}}
	e.between(github, &fakeCircleCI{}, policy.Policy{})
	e.pass(time.Hour)

	d := e.accept(t, 1, func(d *deployment.Deployment) { d.Request.CreatedAt = time.Time{} })
	if d = e.advanceOnce(t, d.Row); d.State != deployment.Errored || github.statusReads != 1 {
		t.Errorf("got %s after %d reads of the statuses, want errored after one", d.State, github.statusReads)
	}
}

// What has waited for long may have been run by somebody else meanwhile, such as by an older copy of the service.
func TestTrigger_WaitedLong(t *testing.T) {
	for _, c := range []struct {
		name   string
		waited time.Duration
		want   deployment.State
	}{
		{name: "some minutes", waited: 9 * time.Minute, want: deployment.Running},
		{name: "longer", waited: 11 * time.Minute, want: deployment.Errored},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newTestEngine(t)
			github := &fakeGitHub{statuses: []deployment.Status{{ID: 1, State: deployment.GitHubSuccess}}}
			e.between(github, &fakeCircleCI{}, policy.Policy{})
			e.pass(time.Hour)

			d := e.accept(t, 1, nil)
			e.pass(c.waited)
			if d = e.advanceOnce(t, d.Row); d.State != c.want {
				t.Errorf("got %s %q, want %s", d.State, d.Reason, c.want)
			}
		})
	}
}

// Statuses that were read at a later time by a clock that was set back since count as not read.
func TestTrigger_StatusesReadInTheFuture(t *testing.T) {
	e := newTestEngine(t)
	github := &fakeGitHub{statuses: []deployment.Status{{ID: 1, State: deployment.GitHubSuccess}}}
	e.between(github, &fakeCircleCI{}, policy.Policy{})

	d := e.accept(t, 1, nil)
	e.trust.setHandled(d.Row, e.now.Add(time.Hour))
	if d = e.advanceOnce(t, d.Row); d.State != deployment.Errored || github.statusReads != 1 {
		t.Errorf("got %s after %d reads of the statuses, want errored after one", d.State, github.statusReads)
	}
}

// forgetfulRows commits, and says of one commit that it failed: the answer of the database was lost.
type forgetfulRows struct {
	Rows
	when func(next deployment.Deployment) bool
	done bool
}

func (r *forgetfulRows) Save(
	ctx context.Context,
	next deployment.Deployment,
	ch deployment.Changes,
	o deployment.SaveOptions,
) (deployment.Deployment, error) {
	saved, err := r.Rows.Save(ctx, next, ch, o)
	if err == nil && !r.done && r.when(next) {
		r.done = true
		return next, context.DeadlineExceeded
	}
	return saved, err
}

// recordingRows keep the options with which a trigger was begun.
type recordingRows struct {
	Rows
	began deployment.SaveOptions
}

func (r *recordingRows) Save(
	ctx context.Context,
	next deployment.Deployment,
	ch deployment.Changes,
	o deployment.SaveOptions,
) (deployment.Deployment, error) {
	if next.State == deployment.Triggering {
		r.began = o
	}
	return r.Rows.Save(ctx, next, ch, o)
}

// The lease covers the trigger, from the time in which it may leave to the end of its call. Otherwise another
// replica would take it for interrupted.
func TestTrigger_LeaseCoversTheCall(t *testing.T) {
	e := newTestEngine(t)
	e.Machine.TriggerTimeout = time.Minute
	e.between(&fakeGitHub{}, &fakeCircleCI{}, policy.Policy{})
	rows := &recordingRows{Rows: e.db}
	e.Rows = rows

	e.advanceOnce(t, e.accept(t, 1, nil).Row)
	want := deployment.SaveOptions{KeepLease: true, CallTimeout: deployment.SendWindow + time.Minute}
	if rows.began != want {
		t.Errorf("got %+v, want %+v", rows.began, want)
	}
}

// An answer that was committed without our learning of it counts once.
func TestRecordTriggerResult_CommitWithUnknownOutcome(t *testing.T) {
	for _, c := range []struct {
		name string
		lost bool
	}{
		{name: "the commit is answered", lost: false},
		{name: "the answer is lost", lost: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newTestEngine(t)
			refused := deployment.TriggerRefused{Status: 401, Message: "You must log in first.", AuthDoubt: true}
			circleci := &fakeCircleCI{answers: []deployment.Event{refused}}
			e.between(&fakeGitHub{}, circleci, policy.Policy{})
			e.Rows = &forgetfulRows{Rows: e.db, when: func(next deployment.Deployment) bool {
				return c.lost && next.AuthTries == 1
			}}

			d := e.run(t, e.accept(t, 1, nil).Row, 3*time.Minute)
			if n := len(circleci.triggers); n != 2 {
				t.Errorf("got %s %q after %d triggers, want one more after the 401", d.State, d.Reason, n)
			}
		})
	}
}

// A row that waits for the same as before is not written anew.
func TestCommit_OnlyPostpones(t *testing.T) {
	e := newTestEngine(t)
	from := e.now.Add(-time.Hour)
	e.between(&fakeGitHub{}, &fakeCircleCI{}, policy.Policy{
		Freezes: []policy.Freeze{{From: from, To: from.Add(24 * time.Hour)}},
	})

	d := e.advanceOnce(t, e.accept(t, 1, nil).Row)
	e.pass(2 * time.Minute)
	again := e.advanceOnce(t, d.Row)
	if again.Version != d.Version || again.State != deployment.Waiting {
		t.Errorf("got version %d, %s, want version %d, waiting", again.Version, again.State, d.Version)
	}

	if e.dueAgain(t, d.Row) {
		t.Error("got it overdue, want it due later")
	}

	e.pass(2 * time.Minute)
	if !e.dueAgain(t, d.Row) {
		t.Error("got it not overdue two minutes later, want it due")
	}
}

// dueAgain says whether a row's next step is due.
func (e *testEngine) dueAgain(t *testing.T, row int64) bool {
	t.Helper()
	overdue, err := e.db.Overdue(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}

	return slices.Contains(overdue, deployment.Task{Kind: deployment.TaskAdvance, Row: row})
}

// A request was compared only if everything in it was: after a fail-over the same row may hold another.
func TestTrust_ComparedByContent(t *testing.T) {
	request := deployment.Request{
		ID:         1,
		Repository: deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
		Creator:    deployment.Creator{ID: 583231, Login: "alice", Type: "User"},
	}

	for _, c := range []struct {
		name   string
		change func(*deployment.Request)
		want   bool
	}{
		{name: "the same", change: func(*deployment.Request) {}, want: true},
		{name: "another id", change: func(r *deployment.Request) { r.ID = 2 }, want: false},
		{name: "another repository", change: func(r *deployment.Request) { r.Repository.ID = 8 }, want: false},
		{name: "another creator", change: func(r *deployment.Request) { r.Creator.ID = 666 }, want: false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var trust trust
			trust.setCompared(request, time.Unix(1, 0))
			trust.reset(time.Unix(2, 0))

			other := request
			c.change(&other)
			if got := trust.isCompared(other); got != c.want {
				t.Errorf("got compared %v, want %v", got, c.want)
			}
		})
	}
}
