package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// arrive takes in one delivery, as a sender would.
func (b *testDB) arrive(guid string, id int64, notes ...deployment.Entry) (duplicate bool, err error) {
	d := b.make(id, fmt.Sprintf("review-%d", id), "")
	d.Target.Key = "key of " + guid // two deliveries of one deployment are rendered with two keys
	del := deployment.Delivery{
		GUID:         guid,
		Event:        "deployment",
		Source:       "github",
		RepositoryID: 7,
		DeploymentID: id,
		ReceivedAt:   b.clock(),
		Body:         []byte(`{"id":1}`),
	}

	return b.Accept(b.t.Context(), del, d, notes...)
}

// started runs the database until the end of the test, and gives what rings.
func (b *testDB) started() <-chan deployment.Task {
	b.t.Helper()
	rung := make(chan deployment.Task, 9)
	b.OnDue(func(alarms ...deployment.Task) {
		for _, a := range alarms {
			rung <- a
		}
	})

	b.Start()
	b.t.Cleanup(b.Stop)
	return rung
}

// crowdedDoor: of many that come at once, some of them twice, each is accepted once, whichever way
// it goes in.
func crowdedDoor(t *testing.T, b *testDB) {
	const n = 60
	b.porter.crowd.most = 20 // the first go straight in
	var accepted atomic.Int64
	var coming sync.WaitGroup
	for i := range n {
		for _, guid := range []string{fmt.Sprintf("guid-%d", i), fmt.Sprintf("guid-%d", i), fmt.Sprintf("other-%d", i)} {
			coming.Go(func() {
				duplicate, err := b.arrive(guid, int64(i+1))
				if err != nil {
					t.Error(err)
				}
				if !duplicate {
					accepted.Add(1)
				}
			})
		}
	}

	coming.Wait()
	if got := accepted.Load(); got < n { // two replicas may each promise one deployment: it is made once
		t.Errorf("%d were accepted", got)
	}

	for b.waitsInside(t.Context()) {
		b.settle(t.Context())
	}

	if list, err := b.List(t.Context(), deployment.Filter{Limit: 1000}); err != nil || len(list) != n {
		t.Errorf("%d are deployments, %v", len(list), err)
	}
	if c, err := b.Stats(t.Context()); err != nil || c.Inbox != 0 || c.Open[deployment.Waiting] != n {
		t.Errorf("%+v %v", c, err)
	}
	if rang := b.rang(); len(rang) != n {
		t.Errorf("it rang %d times", len(rang))
	}
}

// setAside: what is in the inbox is known everywhere, is what it would have been at once, and is
// not overtaken.
func setAside(t *testing.T, b *testDB) {
	b.porter.crowd.most = -1
	note := deployment.Entry{At: b.clock(), Event: "note", Detail: "environment_url was left out"}
	for id := range int64(3) {
		if duplicate, err := b.arrive(fmt.Sprintf("guid-%d", id+1), id+1, note); duplicate || err != nil {
			t.Fatal(duplicate, err)
		}
	}

	b.porter.crowd.most = aCrowd
	if duplicate, err := b.arrive("guid-4", 4); duplicate || err != nil {
		t.Fatal(duplicate, err)
	}
	if c, err := b.Stats(t.Context()); err != nil || c.Inbox != 4 {
		t.Errorf("%d in the inbox, %v: who comes alone overtakes", c.Inbox, err)
	}

	for _, del := range []deployment.Delivery{
		{GUID: "guid-2", RepositoryID: 7, DeploymentID: 2},
		{GUID: "x", RepositoryID: 7, DeploymentID: 3},
	} {
		if seen, err := b.Known(t.Context(), del); !seen || err != nil {
			t.Errorf("%+v was seen: %v, %v", del, seen, err)
		}
	}

	if ids, err := b.NotAccepted(t.Context(), 7, []int64{1, 4, 5}); err != nil || !reflect.DeepEqual(ids, []int64{5}) {
		t.Errorf("unseen %v, %v", ids, err)
	}
	if ask, err := b.Redeliver(t.Context(), "guid-1"); ask || err != nil {
		t.Errorf("asked again for what is in the inbox: %v, %v", ask, err)
	}

	records, err := b.Get(t.Context(), 2)
	if err != nil || len(records) != 1 || len(records[0].Timeline) != 2 ||
		records[0].Timeline[1].Detail != note.Detail {
		t.Fatalf("%+v %v", records, err)
	}

	want := b.make(2, "review-2", "")
	want.Target.Key = "key of guid-2"
	got := records[0].Deployment
	want.Row, want.Version = got.Row, got.Version
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, not %+v", got, want)
	}

	list, err := b.List(t.Context(), deployment.Filter{Limit: 9})
	if err != nil || len(list) != 4 || list[0].Request.ID != 4 || list[3].Request.ID != 1 {
		t.Errorf("%d in another order, %v", len(list), err)
	}
}

// comesTrue: whoever opens the database makes deployments of what another process left in the
// inbox.
func comesTrue(t *testing.T, b *testDB) {
	b.porter.crowd.most = -1
	if duplicate, err := b.arrive("guid-1", 1); duplicate || err != nil {
		t.Fatal(duplicate, err)
	}

	url := b.o.URL
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	again := openURL(t, url)
	rung := again.started()
	select {
	case <-rung:
	case <-time.After(5 * time.Second):
		t.Fatal("nothing rings for what was accepted")
	}

	if duplicate, err := again.arrive("guid-1", 1); !duplicate || err != nil {
		t.Errorf("delivered again: duplicate %v, %v", duplicate, err)
	}
}

// tornParcel: a parcel that cannot be read keeps nobody, and what it held may come again.
func tornParcel(t *testing.T, b *testDB) {
	b.porter.crowd.most = -1
	for id := range int64(2) {
		if duplicate, err := b.arrive(fmt.Sprintf("guid-%d", id+1), id+1); duplicate || err != nil {
			t.Fatal(duplicate, err)
		}
	}

	if _, err := b.wdb.Exec(`UPDATE inbox SET parcel = $1 WHERE id = (SELECT min(id) FROM inbox)`, []byte("\x01torn")); err != nil {
		t.Fatal(err)
	}

	b.settle(t.Context())
	b.porter.sweep(t.Context())
	if ids, err := b.NotAccepted(t.Context(), 7, []int64{1, 2}); err != nil || !reflect.DeepEqual(ids, []int64{1}) {
		t.Errorf("unseen %v, %v", ids, err)
	}

	var damaged int
	if err := b.wdb.QueryRow(`SELECT count(*) FROM inbox WHERE damaged = 1`).Scan(&damaged); err != nil ||
		damaged != 1 {
		t.Errorf("%d damaged parcels are kept, %v", damaged, err)
	}
	if duplicate, err := b.arrive("guid-1", 1); duplicate || err != nil {
		t.Errorf("it cannot come again: duplicate %v, %v", duplicate, err)
	}
}

// refusedOne: a delivery of which the database takes no deployment does not keep those that came
// with it and after it.
func refusedOne(t *testing.T, b *testDB) {
	b.porter.crowd.most, b.porter.patience, b.porter.pause = -1, 0, time.Millisecond
	twin := func(guid string, id int64, key string) *item {
		d := b.make(id, fmt.Sprintf("review-%d", id), "")
		d.Target.Key = key
		data, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}

		a := &arrival{
			del:  deployment.Delivery{GUID: guid, RepositoryID: 7, DeploymentID: id, ReceivedAt: b.clock()},
			d:    d,
			data: data,
		}

		it := newItem(t.Context(), func(t *tx) error { return t.enter(a) })
		it.arrival = a
		return it
	}

	// no two have one key
	for _, it := range []*item{twin("guid-1", 1, "key"), twin("guid-2", 2, "key"), twin("guid-3", 3, "another")} {
		if err := b.dialect.accept(it); err != nil {
			t.Fatal(err)
		}
	}

	rung := b.started()
	<-rung
	<-rung
	b.settle(t.Context())
	if err := b.forgetKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ids, err := b.NotAccepted(t.Context(), 7, []int64{1, 2, 3}); err != nil || !reflect.DeepEqual(ids, []int64{2}) {
		t.Errorf("unseen %v, %v", ids, err)
	}
	if c, err := b.Stats(t.Context()); err != nil || c.Inbox != 0 {
		t.Errorf("%d in the inbox, %v", c.Inbox, err)
	}
}

// fasterReplica: whoever takes a parcel apart while another one brings it in deletes nothing that
// came since.
func fasterReplica(t *testing.T, b *testDB) {
	b.porter.crowd.most = -1
	if duplicate, err := b.arrive("guid-1", 1); duplicate || err != nil {
		t.Fatal(duplicate, err)
	}

	var id int64
	var sealed []byte
	if err := b.wdb.QueryRow(firstParcel).Scan(&id, &sealed); err != nil {
		t.Fatal(err)
	}

	b.settle(t.Context())
	if duplicate, err := b.arrive("guid-2", 2); duplicate || err != nil {
		t.Fatal(duplicate, err)
	}

	list, err := unseal(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.write(t.Context(), func(t *tx) error { return t.replace(id, list) }); err != nil {
		t.Fatal(err)
	}
	if all, err := b.List(t.Context(), deployment.Filter{Limit: 9}); err != nil || len(all) != 2 {
		t.Errorf("%d of 2 are deployments, %v", len(all), err)
	}
	if n := 0; b.wdb.QueryRow(`SELECT count(*) FROM inbox`).Scan(&n) != nil || n != 0 {
		t.Errorf("%d parcels are left", n)
	}
}

// onlyRefusals: an error that is not about a delivery sets none aside.
func onlyRefusals(t *testing.T, b *testDB) {
	b.porter.crowd.most = -1
	if duplicate, err := b.arrive("guid-1", 1); duplicate || err != nil {
		t.Fatal(duplicate, err)
	}
	if err := b.bringOneByOne(canceled(t)); err == nil {
		t.Error("no error")
	}

	for err, want := range map[error]bool{ErrFull: false, context.DeadlineExceeded: false, sql.ErrConnDone: false} {
		if b.dialect.refuses(fmt.Errorf("wrapped: %w", err)) != want {
			t.Errorf("%v refuses: %v", err, !want)
		}
	}

	if _, err := b.wdb.Exec(`INSERT INTO inbox (parcel, holds) VALUES (NULL, 1)`); !b.dialect.refuses(err) {
		t.Errorf("%v is not about what was to be written", err)
	}
	if _, err := b.wdb.Exec(`INSERT INTO nowhere (parcel) VALUES (1)`); b.dialect.refuses(err) {
		t.Errorf("%v is about what was to be written", err)
	}
	if all, err := b.List(t.Context(), deployment.Filter{Limit: 9}); err != nil || len(all) != 1 {
		t.Errorf("%d of 1 are deployments, %v", len(all), err)
	}
}
