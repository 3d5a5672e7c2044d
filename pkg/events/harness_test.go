package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDatabase = errors.New("the database is away")

// world is a database and a hub that hears of its changes.
type world struct {
	t   *testing.T
	db  *store.DB
	hub *Hub

	away atomic.Bool // reads fail
}

// reader reads from the database of a world, unless that is away.
type reader struct {
	*store.DB
	w *world
}

func (r reader) LastChange(ctx context.Context) (deployment.ChangeCursor, error) {
	if r.w.away.Load() {
		return deployment.ChangeCursor{}, errDatabase
	}
	return r.DB.LastChange(ctx)
}

func (r reader) ReadChanges(
	ctx context.Context,
	from deployment.ChangeCursor,
) ([]deployment.Change, deployment.ChangeCursor, bool, error) {
	if r.w.away.Load() {
		return nil, from, false, errDatabase
	}

	changes, to, more, err := r.DB.ReadChanges(ctx, from)
	between, ok := ctx.Value(betweenReads{}).(func())
	if !ok || err != nil {
		return changes, to, more, err
	}

	between()
	newest, _, _, err := r.DB.ReadChanges(ctx, from)
	for i := range changes {
		changes[i].Deployment = newest[i].Deployment
	}
	return changes, to, more, err
}

// betweenReads is the key of a context with a function, which runs after the positions of the changes have been read
// and before the deployments are. These are two queries, between which others may write.
type betweenReads struct{}

func newWorld(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	return openWorld(t, "sqlite:"+t.TempDir()+"/seraph.db", change...)
}

func openWorld(t *testing.T, url string, change ...func(*Options)) *world {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{URL: url, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })

	w := &world{t: t, db: db}
	o := Options{Source: reader{DB: db, w: w}, Shared: db.SharesDatabase(), Log: zerolog.Nop()}
	for _, f := range change {
		f(&o)
	}
	w.hub = New(o)
	db.OnChange(w.hub.Announce)
	t.Cleanup(w.hub.Close)
	return w
}

// accept accepts a deployment of acme/api.
func (w *world) accept(id int64, environment string) deployment.Deployment {
	w.t.Helper()
	key := fmt.Sprintf("key-%d", id)
	d := deployment.Deployment{
		Request: deployment.Request{
			ID:          id,
			Repository:  deployment.Repository{ID: 7, Owner: "Acme", Name: "api"},
			Environment: environment,
		},
		Target:     deployment.Target{Key: key},
		State:      deployment.Waiting,
		AcceptedAt: time.Now(),
	}
	del := deployment.Delivery{GUID: key, Event: "deployment", Source: "github", ReceivedAt: time.Now()}
	if _, err := w.db.Accept(w.t.Context(), del, d); err != nil {
		w.t.Fatal(err)
	}

	d, err := w.db.ByKey(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// move saves a deployment in a state.
func (w *world) move(d deployment.Deployment, to deployment.State) deployment.Deployment {
	w.t.Helper()
	d.State = to
	changes := deployment.Changes{Timeline: []deployment.Entry{{At: time.Now(), Event: string(to)}}}
	d, err := w.db.Save(w.t.Context(), d, changes, deployment.SaveOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) watch(f Filter, after ...int64) *Watch {
	w.t.Helper()
	var from *int64
	if len(after) > 0 {
		from = &after[0]
	}

	watch, err := w.hub.Watch(w.t.Context(), f, from)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(watch.Close)
	return watch
}

// longEnough is how long a test waits for what must come.
const longEnough = time.Minute

func text(e *Event) string { return fmt.Sprintf("%d %s %d", e.Deployment, e.State, e.Version) }

// wantEvents reads events, as "id state version", until the last one of those that are wanted. An event may
// come in several states at once: then the newest one comes alone, and "…" stands for what may be left out.
func wantEvents(t *testing.T, watch *Watch, want ...string) (last *Event) {
	t.Helper()
	var got []string
	for len(got) < len(want) {
		events, err := watch.Next(t.Context(), longEnough)
		if err != nil || len(events) == 0 {
			t.Fatalf("got events %v and then %v, want %v", got, err, want)
		}

		for _, e := range events {
			got, last = append(got, text(e)), e
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got events %v, want %v", got, want)
	}
	return last
}

// wantNone checks that nothing comes before an event that is made now.
func (w *world) wantNone(watch *Watch, id int64, environment string) {
	w.t.Helper()
	w.accept(id, environment)
	wantEvents(w.t, watch, fmt.Sprintf("%d waiting 1", id))
}
