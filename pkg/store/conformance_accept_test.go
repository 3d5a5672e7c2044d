package store

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// testAcceptOnce: a delivery whose GUID or deployment is known adds nothing.
func testAcceptOnce(t *testing.T, b *testDB) {
	d := b.accept(1, "Production", "")
	b.wantAnnounced(advanceTask(d.Row))

	for _, c := range []struct {
		name string
		del  deployment.Delivery
	}{
		{name: "same GUID", del: deployment.Delivery{GUID: "guid-1", DeploymentID: 2, RepositoryID: 7}},
		{name: "same deployment", del: deployment.Delivery{GUID: "other", DeploymentID: 1, RepositoryID: 7}},
		{name: "same deployment again", del: deployment.Delivery{GUID: "other", DeploymentID: 1, RepositoryID: 7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			again := b.newDeployment(c.del.DeploymentID, "Production", "")
			again.Target.Key = "another"
			duplicate, err := b.Accept(t.Context(), c.del, again)
			if err != nil || !duplicate {
				t.Errorf("got duplicate %v, %v, want true", duplicate, err)
			}
		})
	}

	known, err := b.Known(t.Context(), deployment.Delivery{GUID: "guid-1"})
	if err != nil || !known {
		t.Errorf("known: got %v, %v, want true", known, err)
	}

	missing, err := b.NotAccepted(t.Context(), 7, []int64{1, 2, 3})
	if want := []int64{2, 3}; err != nil || !slices.Equal(missing, want) {
		t.Errorf("not accepted: got %v, %v, want %v", missing, err, want)
	}
}

// testAcceptAfterIgnored: a delivery that led to no deployment may lead to one later, and then it is
// never ignored again.
func testAcceptAfterIgnored(t *testing.T, b *testDB) {
	del := deployment.Delivery{GUID: "guid-1", DeploymentID: 1, RepositoryID: 7}
	for range 2 {
		if err := b.Ignored(t.Context(), del, "no route"); err != nil {
			t.Fatal(err)
		}
	}

	known, err := b.Known(t.Context(), del)
	if err != nil || known {
		t.Errorf("an ignored delivery is known: got %v, %v, want false", known, err)
	}

	b.accept(1, "production", "")
	if err := b.Ignored(t.Context(), del, "no route"); err != nil {
		t.Fatal(err)
	}

	known, err = b.Known(t.Context(), del)
	if err != nil || !known {
		t.Errorf("an accepted delivery is known: got %v, %v, want true", known, err)
	}
}

// intakeOf gives the writer that stores deliveries.
func (b *testDB) intakeOf() *writer {
	switch d := b.dialect.(type) {
	case *sqlite:
		return d.intake
	case *postgres:
		return d.intake
	default:
		b.t.Fatalf("unknown dialect %T", d)
		return nil
	}
}

// holdIntake keeps the intake writer busy, so that what is put after it becomes one batch.
func (b *testDB) holdIntake() (release func()) {
	b.t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	enter := sync.OnceFunc(func() { close(entered) }) // it is tried again if its batch fails
	hold := newItem(context.Background(), func(*tx) error {
		enter()
		<-leave
		return nil
	})

	if err := b.intakeOf().put(hold); err != nil {
		b.t.Fatal(err)
	}

	<-entered
	return func() { close(leave) }
}

// incoming is a delivery on its way in, of an environment of its own.
func (b *testDB) incoming(guid string, id int64, key string, notes ...deployment.Entry) *incoming {
	b.t.Helper()
	d := b.newDeployment(id, fmt.Sprintf("review-%d", id), "")
	d.Target.Key = key
	data, err := json.Marshal(d)
	if err != nil {
		b.t.Fatal(err)
	}

	return &incoming{
		delivery: deployment.Delivery{
			GUID:         guid,
			Event:        "deployment",
			Source:       "github",
			RepositoryID: 7,
			DeploymentID: id,
			ReceivedAt:   b.clock(),
		},
		body:       []byte("{}"),
		deployment: d,
		data:       data,
		entries:    append([]deployment.Entry{{At: b.clock(), Event: "accepted", Detail: "by github"}}, notes...),
	}
}

// storedDelivery is what the deliveries table says of a GUID.
func (b *testDB) storedDelivery(guid string) (ignored string, hasBody bool) {
	b.t.Helper()
	err := b.rdb.QueryRow(`SELECT ignored, body IS NOT NULL FROM deliveries WHERE guid = $1`, guid).
		Scan(&ignored, &hasBody)
	if err != nil {
		b.t.Fatalf("read delivery %s: %v", guid, err)
	}
	return ignored, hasBody
}

// testAcceptConcurrently: of many deliveries that come at once, some of them twice, each deployment
// is accepted once.
func testAcceptConcurrently(t *testing.T, b *testDB) {
	const n = 60
	var accepted atomic.Int64
	var sending sync.WaitGroup
	for i := range n {
		for _, name := range []string{"first", "first", "other"} {
			guid := fmt.Sprintf("%s-%d", name, i)
			d := b.newDeployment(int64(i+1), fmt.Sprintf("review-%d", i), "")
			d.Target.Key = "key of " + guid
			sending.Go(func() {
				duplicate, err := b.Accept(t.Context(), deployment.Delivery{GUID: guid, Source: "github"}, d)
				if err != nil {
					t.Error(err)
				}
				if !duplicate {
					accepted.Add(1)
				}
			})
		}
	}

	sending.Wait()
	if got := accepted.Load(); got != n {
		t.Errorf("accepted: got %d, want %d", got, n)
	}

	list, err := b.List(t.Context(), deployment.Filter{Limit: 1000})
	if err != nil || len(list) != n {
		t.Errorf("deployments: got %d, %v, want %d", len(list), err, n)
	}
	if got := b.announced(); len(got) != n {
		t.Errorf("announced: got %d tasks, want %d", len(got), n)
	}
}

// testAcceptBatch: each delivery of a batch is answered and stored as it would be alone.
func testAcceptBatch(t *testing.T, b *testDB) {
	b.accept(1, "review-1", "")
	before5 := deployment.Delivery{GUID: "ignored-before", RepositoryID: 7, DeploymentID: 5}
	if err := b.Ignored(t.Context(), before5, "no route"); err != nil {
		t.Fatal(err)
	}

	b.announced()
	note := deployment.Entry{At: b.clock(), Event: "note", Detail: "environment_url was left out"}
	fresh := b.incoming("new", 2, "a", note)
	ignored := &incoming{
		delivery: deployment.Delivery{GUID: "ignored", RepositoryID: 7, DeploymentID: 6},
		ignored:  "no route",
	}

	cases := []struct {
		name      string
		in        *incoming
		duplicate bool
		ignored   string
		hasBody   bool
	}{
		{
			name:    "new",
			in:      fresh,
			hasBody: true,
		},
		{
			name:      "same GUID as one before the batch",
			in:        b.incoming("guid-1", 1, "b"),
			duplicate: true,
			hasBody:   true,
		},
		{
			name:      "same deployment as one before the batch",
			in:        b.incoming("again-1", 1, "c"),
			duplicate: true,
			ignored:   "duplicate",
		},
		{
			name:    "first with a GUID",
			in:      b.incoming("twice", 3, "d"),
			hasBody: true,
		},
		{
			name:      "second with this GUID",
			in:        b.incoming("twice", 3, "e"),
			duplicate: true,
			hasBody:   true,
		},
		{
			name:    "first of a deployment",
			in:      b.incoming("first-4", 4, "f"),
			hasBody: true,
		},
		{
			name:      "second of this deployment",
			in:        b.incoming("second-4", 4, "g"),
			duplicate: true,
			ignored:   "duplicate",
		},
		{
			name:    "ignored before the batch",
			in:      b.incoming("ignored-before", 5, "h"),
			hasBody: true,
		},
		{
			name:    "leads to no deployment",
			in:      ignored,
			ignored: "no route",
		},
	}

	release := b.holdIntake()
	items := make([]*item, len(cases))
	for i, c := range cases {
		items[i] = newIncomingItem(t.Context(), c.in)
		if err := b.intakeOf().put(items[i]); err != nil {
			t.Fatal(err)
		}
	}

	release()
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := <-items[i].done; err != nil {
				t.Fatal(err)
			}
			if c.in.duplicate != c.duplicate {
				t.Errorf("duplicate: got %v, want %v", c.in.duplicate, c.duplicate)
			}

			ignored, hasBody := b.storedDelivery(c.in.delivery.GUID)
			if ignored != c.ignored || hasBody != c.hasBody {
				t.Errorf("stored: got ignored %q and body %v, want %q and %v", ignored, hasBody, c.ignored, c.hasBody)
			}
		})
	}

	list, err := b.List(t.Context(), deployment.Filter{Limit: 9})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := deploymentIDs(list), []int64{5, 4, 3, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("deployments, newest first: got %v, want %v", got, want)
	}

	var rows []int64
	for _, d := range list[:4] {
		rows = append(rows, d.Row)
	}

	tasks := rowsOf(b.announced())
	slices.Sort(tasks)
	slices.Sort(rows)
	if !slices.Equal(tasks, rows) {
		t.Errorf("announced: got rows %v, want %v", tasks, rows)
	}

	records, err := b.Get(t.Context(), 2)
	if err != nil || len(records) != 1 {
		t.Fatalf("deployment 2: got %v, %v", records, err)
	}
	if got, want := records[0].Timeline, fresh.entries; !reflect.DeepEqual(got, want) {
		t.Errorf("timeline: got %v, want %v", got, want)
	}

	want := fresh.deployment
	want.Row, want.Version = records[0].Deployment.Row, 1
	if got := records[0].Deployment; !reflect.DeepEqual(got, want) {
		t.Errorf("deployment: got %+v, want %+v", got, want)
	}
}

// testAcceptBatchWithRefused: a delivery that the database refuses fails alone.
func testAcceptBatchWithRefused(t *testing.T, b *testDB) {
	cases := []struct {
		name    string
		in      *incoming
		refused bool
	}{
		{name: "before it", in: b.incoming("guid-1", 1, "key")},
		{name: "key of another deployment", in: b.incoming("guid-2", 2, "key"), refused: true},
		{name: "after it", in: b.incoming("guid-3", 3, "another key")},
	}

	release := b.holdIntake()
	items := make([]*item, len(cases))
	for i, c := range cases {
		items[i] = newIncomingItem(t.Context(), c.in)
		if err := b.intakeOf().put(items[i]); err != nil {
			t.Fatal(err)
		}
	}

	release()
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := <-items[i].done; (err != nil) != c.refused || c.in.duplicate {
				t.Errorf("got %v, duplicate %v, want refused %v", err, c.in.duplicate, c.refused)
			}
		})
	}

	missing, err := b.NotAccepted(t.Context(), 7, []int64{1, 2, 3})
	if want := []int64{2}; err != nil || !reflect.DeepEqual(missing, want) {
		t.Errorf("not accepted: got %v, %v, want %v", missing, err, want)
	}
	if got := b.announced(); len(got) != 2 {
		t.Errorf("announced: got %v, want 2 tasks", got)
	}
}

// testAcceptOutlivesRestart: what was accepted is a deployment, also after a restart.
func testAcceptOutlivesRestart(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "")
	url := b.o.URL
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	again := openURL(t, url)
	due, err := again.Overdue(t.Context(), 9)
	if want := []deployment.Task{advanceTask(d.Row)}; err != nil || !reflect.DeepEqual(due, want) {
		t.Errorf("overdue: got %v, %v, want %v", due, err, want)
	}

	same := deployment.Delivery{GUID: "guid-1"}
	duplicate, err := again.Accept(t.Context(), same, again.newDeployment(1, "production", ""))
	if err != nil || !duplicate {
		t.Errorf("delivered again: got duplicate %v, %v", duplicate, err)
	}
}

// testRedeliver: GitHub is asked a few times, ever later, and not for what has come in.
func testRedeliver(t *testing.T, b *testDB) {
	ask := func(guid string) bool {
		t.Helper()
		ask, err := b.MayRedeliver(t.Context(), guid)
		if err == nil && ask {
			err = b.CountRedelivery(t.Context(), guid)
		}
		if err != nil {
			t.Fatal(err)
		}

		return ask
	}

	asked := 0
	for range 2000 { // minutes
		if ask("never comes") {
			asked++
		}

		b.later(time.Minute)
	}

	if asked != redeliverTries {
		t.Errorf("asked for a delivery that never comes: got %d times, want %d", asked, redeliverTries)
	}
	if !ask("guid-1") {
		t.Error("the first time: got false, want true")
	}
	if ask("guid-1") {
		t.Error("again at once: got true, want false")
	}

	d := b.accept(1, "production", "")
	if ask("guid-1") {
		t.Error("after it came in: got true, want false")
	}

	list, err := b.Redelivered(t.Context())
	if err != nil || len(list) != 1 || list[0].Row != d.Row {
		t.Fatalf("redelivered: got %v, %v, want row %d", list, err, d.Row)
	}

	list, err = b.Redelivered(t.Context())
	if err != nil || len(list) != 0 {
		t.Errorf("redelivered the second time: got %v, %v, want none", list, err)
	}

	records, err := b.Get(t.Context(), 1)
	if err != nil || len(records) != 1 || len(records[0].Timeline) != 2 || records[0].Timeline[1].Event != "recovered" {
		t.Errorf("timeline: got %+v, %v, want that it was recovered", records, err)
	}
}
