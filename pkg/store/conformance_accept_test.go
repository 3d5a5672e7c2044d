package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/test/pgtest"
)

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
	hold := newItem(context.Background(), func(*tx) error {
		close(entered)
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
	d := b.make(id, fmt.Sprintf("review-%d", id), "")
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

// acceptedConcurrently: of many deliveries that come at once, some of them twice, each deployment
// is accepted once.
func acceptedConcurrently(t *testing.T, b *testDB) {
	const n = 60
	var accepted atomic.Int64
	var sending sync.WaitGroup
	for i := range n {
		for _, name := range []string{"first", "first", "other"} {
			guid := fmt.Sprintf("%s-%d", name, i)
			d := b.make(int64(i+1), fmt.Sprintf("review-%d", i), "")
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
	if got := accepted.Load(); got != n && !t.Failed() {
		// the two deliveries with one GUID have two keys: which one is stored is open
		t.Errorf("accepted: got %d, want %d", got, n)
	}

	list, err := b.List(t.Context(), deployment.Filter{Limit: 1000})
	if err != nil || len(list) != n {
		t.Errorf("deployments: got %d, %v, want %d", len(list), err, n)
	}
	if rang := b.rang(); len(rang) != n {
		t.Errorf("tasks that are due: got %d, want %d", len(rang), n)
	}
}

// acceptedInOneBatch: each delivery of a batch is answered and stored as it would be alone.
func acceptedInOneBatch(t *testing.T, b *testDB) {
	before := b.accept(1, "review-1", "")
	if err := b.Ignored(t.Context(), deployment.Delivery{GUID: "judged-afresh", RepositoryID: 7, DeploymentID: 5}, "no route"); err != nil {
		t.Fatal(err)
	}

	b.rang()
	note := deployment.Entry{At: b.clock(), Event: "note", Detail: "environment_url was left out"}
	cases := []struct {
		name      string
		in        *incoming
		duplicate bool
		ignored   string
		hasBody   bool
	}{
		{name: "new", in: b.incoming("new", 2, "a", note), hasBody: true},
		{name: "same GUID as one before the batch", in: b.incoming("guid-1", 1, "b"), duplicate: true, hasBody: true},
		{name: "same deployment as one before the batch", in: b.incoming("again-1", 1, "c"), duplicate: true, ignored: "duplicate"},
		{name: "first with a GUID", in: b.incoming("twice", 3, "d"), hasBody: true},
		{name: "second with this GUID", in: b.incoming("twice", 3, "e"), duplicate: true, hasBody: true},
		{name: "first of a deployment", in: b.incoming("first-4", 4, "f"), hasBody: true},
		{name: "second of this deployment", in: b.incoming("second-4", 4, "g"), duplicate: true, ignored: "duplicate"},
		{name: "ignored before the batch", in: b.incoming("judged-afresh", 5, "h"), hasBody: true},
		{
			name:    "leads to no deployment",
			in:      &incoming{delivery: deployment.Delivery{GUID: "ignored", RepositoryID: 7, DeploymentID: 6}, ignored: "no route"},
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
	var ids []int64
	var tasks []deployment.Task
	for _, d := range list {
		ids = append(ids, d.Request.ID)
		if d.Row != before.Row {
			tasks = append(tasks, advance(d.Row))
		}
	}

	if want := []int64{5, 4, 3, 2, 1}; err != nil || !reflect.DeepEqual(ids, want) {
		t.Errorf("deployments, newest first: got %v, %v, want %v", ids, err, want)
	}
	if rang := b.rang(); len(rang) != len(tasks) {
		t.Errorf("tasks that are due: got %v, want %v", rang, tasks)
	}

	records, err := b.Get(t.Context(), 2)
	if err != nil || len(records) != 1 {
		t.Fatalf("deployment 2: got %v, %v", records, err)
	}
	if got, want := records[0].Timeline, cases[0].in.entries; !reflect.DeepEqual(got, want) {
		t.Errorf("timeline: got %v, want %v", got, want)
	}

	want := cases[0].in.deployment
	want.Row, want.Version = records[0].Deployment.Row, 1
	if got := records[0].Deployment; !reflect.DeepEqual(got, want) {
		t.Errorf("deployment: got %+v, want %+v", got, want)
	}
}

// oneRefusedOfABatch: a delivery that the database refuses fails alone.
func oneRefusedOfABatch(t *testing.T, b *testDB) {
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
	if rang := b.rang(); len(rang) != 2 {
		t.Errorf("tasks that are due: got %v, want 2", rang)
	}
}

// acceptedAfterReopen: what was accepted is a deployment, also after a restart.
func acceptedAfterReopen(t *testing.T, b *testDB) {
	d := b.accept(1, "production", "")
	url := b.o.URL
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	again := openURL(t, url)
	due, err := again.Overdue(t.Context(), 9)
	if want := []deployment.Task{advance(d.Row)}; err != nil || !reflect.DeepEqual(due, want) {
		t.Errorf("overdue: got %v, %v, want %v", due, err, want)
	}

	duplicate, err := again.Accept(t.Context(), deployment.Delivery{GUID: "guid-1"}, again.make(1, "production", ""))
	if err != nil || !duplicate {
		t.Errorf("delivered again: got duplicate %v, %v", duplicate, err)
	}
}

// Two replicas are given the same deployment by two deliveries at the same moment: the statement of
// the second one does not see the first one's rows, and still adds nothing.
func TestPostgresAccept_AnotherReplicaIsFaster(t *testing.T) {
	url := pgtest.Database(t)
	a, b := openURL(t, url), openURL(t, url)
	first := []*item{newIncomingItem(t.Context(), a.incoming("first", 1, "key of first"))}
	free, done := pause(t, a, func(t *tx) error {
		_, err := t.exec(acceptStatement, acceptParameters(first)...)
		return err
	})

	duplicate := make(chan bool)
	go func() {
		d := b.make(1, "review-1", "")
		d.Target.Key = "key of second"
		got, err := b.Accept(t.Context(), deployment.Delivery{GUID: "second", Source: "github", Body: []byte("{}")}, d)
		if err != nil {
			t.Error(err)
		}

		duplicate <- got
	}()

	waitForTransaction(t, b)
	close(free)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !<-duplicate {
		t.Error("the second delivery: got accepted, want duplicate")
	}
	if ignored, hasBody := b.storedDelivery("second"); ignored != "duplicate" || hasBody {
		t.Errorf("stored: got ignored %q and body %v, want a duplicate without a body", ignored, hasBody)
	}
}

// waitForTransaction waits until some connection waits for a row of another transaction.
func waitForTransaction(t *testing.T, b *testDB) {
	t.Helper()
	for n := 0; n == 0; {
		if err := b.rdb.QueryRowContext(t.Context(), `
			SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'transactionid'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCompressBody(t *testing.T) {
	t.Run("it can be read", func(t *testing.T) {
		body := []byte(strings.Repeat(`{"deployment":1}`, 500))
		compressed := compressBody(body)
		if len(compressed) > len(body)/5 {
			t.Errorf("got %d bytes of %d", len(compressed), len(body))
		}
		if got, err := s2.Decode(nil, compressed); err != nil || !bytes.Equal(got, body) {
			t.Errorf("got %d bytes, %v, want the body", len(got), err)
		}
	})

	t.Run("a very large one is not copied", func(t *testing.T) {
		body := bytes.Repeat([]byte("x"), maxCompressed+1)
		if got := compressBody(body); &got[0] != &body[0] {
			t.Error("got a copy")
		}
	})
}
