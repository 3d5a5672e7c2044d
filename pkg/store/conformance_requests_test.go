package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// newIntent is a wanted intent for production, which is due now.
func (b *testDB) newIntent(n int) deployment.Intent {
	return deployment.Intent{
		Asker:       "api:ci",
		Key:         fmt.Sprintf("key-%d", n),
		Nonce:       fmt.Sprintf("%032x", n),
		By:          person(1),
		Channel:     deployment.ChannelAPI,
		Repository:  deployment.Repository{ID: 7, Owner: "Acme", Name: "api"},
		Environment: "Production",
		Ref:         "main",
		SHA:         "abc",
		Task:        "deploy",
		Cause:       deployment.CauseDeploy,
		State:       deployment.IntentWanted,
		CreatedAt:   b.clock(),
		Due:         b.clock(),
	}
}

func (b *testDB) addIntent(i deployment.Intent) deployment.Intent {
	b.t.Helper()
	stored, added, err := b.AddRequest(b.t.Context(), i)
	if err != nil || !added {
		b.t.Fatalf("add request %s: got added %v, %v", i.Key, added, err)
	}

	return stored
}

func (b *testDB) intent(row int64) deployment.Intent {
	b.t.Helper()
	i, err := b.Request(b.t.Context(), row)
	if err != nil {
		b.t.Fatal(err)
	}

	return i
}

// acceptAsked accepts the deployment with an id that an intent asked for, and gives its row.
func (b *testDB) acceptAsked(i deployment.Intent, id int64, guid string) (d deployment.Deployment, duplicate bool) {
	b.t.Helper()
	d = b.newDeployment(id, i.Environment, "")
	d.Request = i.Own(d.Request)
	d.Target.Key = guid

	del := deployment.Delivery{GUID: guid, Event: "deployment", Source: "github", ReceivedAt: b.clock(), Body: []byte("{}")}
	duplicate, err := b.AcceptAsked(b.t.Context(), del, d)
	if err != nil {
		b.t.Fatalf("accept deployment %d: %v", id, err)
	}
	if duplicate {
		return d, true
	}

	d, err = b.ByKey(b.t.Context(), guid)
	if err != nil {
		b.t.Fatal(err)
	}

	return d, false
}

func testRequestKeys(t *testing.T, b *testDB) {
	first := b.addIntent(b.newIntent(1))
	b.wantAnnounced(createTask(first.Row))

	again := b.newIntent(2)
	again.Key = first.Key
	event := deployment.AuditEvent{At: b.clock(), Kind: deployment.AuditRequested}
	stored, added, err := b.AddRequest(t.Context(), again, event)
	if err != nil || added || stored.Row != first.Row || stored.Nonce != first.Nonce {
		t.Errorf("same key: got row %d, added %v, %v, want row %d", stored.Row, added, err, first.Row)
	}
	b.wantAnnounced()
	if n := b.count(`SELECT count(*) FROM audit`); n != 0 {
		t.Errorf("got %d audit records of a repetition, want none", n)
	}

	again.Asker = "api:hubot"
	stored, added, err = b.AddRequest(t.Context(), again, event)
	if err != nil || !added || stored.Row == first.Row {
		t.Errorf("same key of another asker: got row %d, added %v, %v, want a new one", stored.Row, added, err)
	}
	if n := b.count(`SELECT count(*) FROM audit WHERE kind = 'requested'`); n != 1 {
		t.Errorf("got %d audit records, want 1", n)
	}

	for name, read := range map[string]func() (deployment.Intent, error){
		"row":   func() (deployment.Intent, error) { return b.Request(t.Context(), first.Row) },
		"key":   func() (deployment.Intent, error) { return b.RequestByKey(t.Context(), first.Asker, first.Key) },
		"nonce": func() (deployment.Intent, error) { return b.RequestByNonce(t.Context(), first.Nonce) },
	} {
		t.Run("by "+name, func(t *testing.T) {
			got, err := read()
			if err != nil || got.Row != first.Row || got.By != first.By || got.Version != 1 {
				t.Errorf("got %+v, %v, want %+v", got, err, first)
			}
		})
	}
	if _, err := b.RequestByNonce(t.Context(), "none"); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("unknown nonce: got %v, want not found", err)
	}
}

func testRequestKeyConcurrently(t *testing.T, b *testDB) {
	const callers = 8
	var group sync.WaitGroup
	rows, news := make([]int64, callers), make([]bool, callers)
	for n := range callers {
		group.Go(func() {
			i := b.newIntent(n + 1)
			i.Key = "same"
			stored, added, err := b.AddRequest(t.Context(), i)
			if err != nil {
				t.Error(err)
			}
			rows[n], news[n] = stored.Row, added
		})
	}
	group.Wait()

	added := 0
	for n := range callers {
		if rows[n] != rows[0] {
			t.Errorf("got rows %v, want one row", rows)
		}
		if news[n] {
			added++
		}
	}
	if added != 1 {
		t.Errorf("got %d added, want 1", added)
	}
}

func testRequestLease(t *testing.T, b *testDB) {
	i := b.addIntent(b.newIntent(1))
	leased, ok, err := b.LeaseRequest(t.Context(), i.Row)
	if err != nil || !ok {
		t.Fatalf("lease: got %v, %v, want true", ok, err)
	}
	if _, ok, err := b.LeaseRequest(t.Context(), i.Row); ok || err != nil {
		t.Errorf("lease twice: got %v, %v, want false", ok, err)
	}
	if tasks, _ := b.Overdue(t.Context(), 9); len(tasks) != 0 {
		t.Errorf("got overdue %v while leased, want none", tasks)
	}

	machine := deployment.IntentMachine{CallTimeout: 15 * time.Second}
	sending, err := machine.Send(leased, deployment.Maker{Login: "us"}, b.clock())
	if err != nil {
		t.Fatal(err)
	}
	sending, err = b.SaveRequest(t.Context(), sending, deployment.SaveOptions{KeepLease: true, CallTimeout: 20 * time.Second})
	if err != nil || sending.Version != 2 {
		t.Fatalf("save: got version %d, %v, want 2", sending.Version, err)
	}
	if _, err := b.SaveRequest(t.Context(), leased, deployment.SaveOptions{}); !errors.Is(err, deployment.ErrVersionConflict) {
		t.Errorf("save of a stale version: got %v, want a conflict", err)
	}

	b.later(44 * time.Second)
	if _, ok, _ := b.LeaseRequest(t.Context(), i.Row); ok {
		t.Error("leased during the call")
	}
	b.later(2 * time.Second)
	if tasks, _ := b.Overdue(t.Context(), 9); len(tasks) != 1 || tasks[0] != createTask(i.Row) {
		t.Errorf("got overdue %v after the lease, want the request", tasks)
	}

	again, ok, err := b.LeaseRequest(t.Context(), i.Row)
	if err != nil || !ok || again.State != deployment.IntentSending {
		t.Fatalf("lease after the lease: got %s, %v, %v, want sending", again.State, ok, err)
	}
	if err := b.UnleaseRequest(t.Context(), i.Row); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := b.LeaseRequest(t.Context(), i.Row); !ok {
		t.Error("not leased after it was given back")
	}

	again.Due = b.clock().Add(time.Hour)
	if _, err := b.SaveRequest(t.Context(), again, deployment.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := b.LeaseRequest(t.Context(), i.Row); ok || err != nil {
		t.Errorf("lease before it is due: got %v, %v, want false", ok, err)
	}
}

func testAcceptAsked(t *testing.T, b *testDB) {
	i := b.addIntent(b.newIntent(1))
	first, _ := b.acceptAsked(i, 41, "webhook")
	if first.Refused != "" || first.Request.Requester() != i.By {
		t.Errorf("got refused %q, requester %+v, want the asker's", first.Refused, first.Request.Requester())
	}
	if got := b.intent(i.Row); got.State != deployment.IntentCreated || got.DeploymentID != 41 || got.EndedAt.IsZero() {
		t.Errorf("got %s with deployment %d, want created with 41", got.State, got.DeploymentID)
	}

	if _, duplicate := b.acceptAsked(i, 41, "request"); !duplicate {
		t.Error("the same deployment by another delivery: got no duplicate")
	}
	if _, duplicate := b.acceptAsked(i, 41, "webhook"); !duplicate {
		t.Error("the same delivery: got no duplicate")
	}

	second, duplicate := b.acceptAsked(i, 42, "duplicate")
	if duplicate || second.Refused != "duplicate of #41" {
		t.Errorf("a second deployment of the request: got duplicate %v, refused %q", duplicate, second.Refused)
	}
	if got := b.intent(i.Row); got.DeploymentID != 41 {
		t.Errorf("got deployment %d, want 41", got.DeploymentID)
	}

	stale := i
	stale.State = deployment.IntentFailed
	if _, err := b.SaveRequest(t.Context(), stale, deployment.SaveOptions{}); !errors.Is(err, deployment.ErrVersionConflict) {
		t.Errorf("save of a request that was created meanwhile: got %v, want a conflict", err)
	}
}

func testAcceptAskedConcurrently(t *testing.T, b *testDB) {
	i := b.addIntent(b.newIntent(1))
	const count = 6
	var group sync.WaitGroup
	refused := make([]string, count)
	for n := range count {
		group.Go(func() {
			d, _ := b.acceptAsked(i, int64(50+n), fmt.Sprintf("guid-%d", n))
			refused[n] = d.Refused
		})
	}
	group.Wait()

	runs := 0
	for _, reason := range refused {
		if reason == "" {
			runs++
		} else if !strings.HasPrefix(reason, "duplicate of #5") {
			t.Errorf("got refused %q, want a duplicate", reason)
		}
	}
	if runs != 1 {
		t.Errorf("got %d deployments that may run, want 1: %q", runs, refused)
	}
}

func testRollbackSupersedes(t *testing.T, b *testDB) {
	wanted := b.addIntent(b.newIntent(1))
	sending := b.newIntent(2)
	sending.State = deployment.IntentSending
	sending = b.addIntent(sending)
	elsewhere := b.newIntent(3)
	elsewhere.Environment = "staging"
	elsewhere = b.addIntent(elsewhere)

	rollback := b.newIntent(4)
	rollback.Cause, rollback.Environment = deployment.CauseRollback, "production"
	rollback = b.addIntent(rollback)
	for _, row := range []int64{wanted.Row, sending.Row} {
		if got := b.intent(row); !got.State.Open() || got.Superseded != "" {
			t.Errorf("a rollback that waits for its rules: got %s, %q, want %d open", got.State, got.Superseded, row)
		}
	}

	newer := b.addIntent(b.newIntent(5))
	if err := b.SupersedeRequests(t.Context(), rollback.Nonce); err != nil {
		t.Fatal(err)
	}

	const reason = "superseded by the rollback that person-1 asked for"
	for _, test := range []struct {
		name    string
		row     int64
		want    deployment.IntentState
		problem string
		marked  string
	}{
		{name: "not sent", row: wanted.Row, want: deployment.IntentFailed, problem: reason, marked: reason},
		{name: "being sent", row: sending.Row, want: deployment.IntentSending, marked: reason},
		{name: "of another environment", row: elsewhere.Row, want: deployment.IntentWanted},
		{name: "itself", row: rollback.Row, want: deployment.IntentWanted},
		{name: "asked for later", row: newer.Row, want: deployment.IntentWanted},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := b.intent(test.row)
			if got.State != test.want || got.Problem != test.problem || got.Superseded != test.marked {
				t.Errorf("got %s, %q, %q, want %s, %q, %q",
					got.State, got.Problem, got.Superseded, test.want, test.problem, test.marked)
			}
		})
	}

	late, _ := b.acceptAsked(sending, 99, "late")
	if late.Refused != reason {
		t.Errorf("created after the rollback was asked for: got refused %q, want %q", late.Refused, reason)
	}

	atOnce := b.newIntent(6)
	atOnce.Cause, atOnce.Environment, atOnce.Supersedes = deployment.CauseRollback, "production", true
	b.addIntent(atOnce)
	if got := b.intent(newer.Row); got.State != deployment.IntentFailed {
		t.Errorf("before a rollback that the rules let go on at once: got %s, want it to fail", got.State)
	}
}

// testRequestReopened: a deployment that GitHub does not show gives its request up, for the real one.
func testRequestReopened(t *testing.T, b *testDB) {
	i := b.addIntent(b.newIntent(1))
	forged, _ := b.acceptAsked(i, 41, "forged")
	forged.State, forged.Due = deployment.Rejected, time.Time{}
	b.announced()
	b.mustSave(forged, deployment.Changes{Disowned: true})
	if got := b.intent(i.Row); got.State != deployment.IntentUnknown || got.DeploymentID != 0 || !got.EndedAt.IsZero() {
		t.Errorf("got %s with deployment %d, want it looked for again", got.State, got.DeploymentID)
	}
	b.wantAnnounced(createTask(i.Row))

	if d, duplicate := b.acceptAsked(i, 42, "real"); duplicate || d.Refused != "" {
		t.Errorf("the real one: got duplicate %v, refused %q", duplicate, d.Refused)
	}
	if got := b.intent(i.Row); got.State != deployment.IntentCreated || got.DeploymentID != 42 {
		t.Errorf("got %s with deployment %d, want created with 42", got.State, got.DeploymentID)
	}
}

func testRequestsPruned(t *testing.T, b *testDB) {
	open, ended := b.addIntent(b.newIntent(1)), b.addIntent(b.newIntent(2))
	b.acceptAsked(ended, 41, "webhook")
	b.later(time.Hour)
	if _, err := b.Prune(t.Context(), b.clock().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}

	b.intent(open.Row)
	if _, err := b.Request(t.Context(), ended.Row); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("got %v, want the old request gone", err)
	}
}

// One person cannot fill an environment, nor keep others from asking or rolling back.
func testRequestsCap(t *testing.T, b *testDB) {
	add := func(n int, change func(*deployment.Intent)) error {
		i := b.newIntent(n)
		if change != nil {
			change(&i)
		}
		_, _, err := b.AddRequest(t.Context(), i)
		return err
	}

	first := b.addIntent(b.newIntent(1))
	b.acceptAsked(first, 41, "one") // it waits, and counts
	for n := range deployment.MaxOpenRequests - 1 {
		if err := add(2+n, nil); err != nil {
			t.Fatal(err)
		}
	}

	for _, test := range []struct {
		name   string
		change func(*deployment.Intent)
		want   error
	}{
		{name: "one more", want: deployment.ErrTooManyOpen},
		{name: "another person", change: func(i *deployment.Intent) { i.By = person(2) }},
		{name: "another environment", change: func(i *deployment.Intent) { i.Environment = "staging" }},
		{name: "a rollback", change: func(i *deployment.Intent) { i.Cause = deployment.CauseRollback }},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := add(20+len(test.name), test.change); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}

	again := b.newIntent(2)
	if _, added, err := b.AddRequest(t.Context(), again); added || err != nil {
		t.Errorf("the same request again: got added %v, %v, want the one of the first time", added, err)
	}
}
