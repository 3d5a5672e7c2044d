package events

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/test/pgtest"
)

func TestWatch_FollowsChanges(t *testing.T) {
	w := newWorld(t)
	w.accept(1, "before")
	watch := w.watch(Filter{})

	d := w.accept(2, "production")
	first := wantEvents(t, watch, "2 waiting 1")
	if first.Repository != "Acme/api" || first.Environment != "production" {
		t.Errorf("got %s of %s, want production of Acme/api", first.Environment, first.Repository)
	}
	if first.Position <= watch.Position() {
		t.Errorf("got position %d, want one above %d", first.Position, watch.Position())
	}

	d = w.move(d, deployment.Triggering)
	wantEvents(t, watch, "2 triggering 2")
	w.move(d, deployment.Errored)
	wantEvents(t, watch, "2 errored 3")
}

func TestWatch_Filters(t *testing.T) {
	for _, test := range []struct {
		name        string
		filter      Filter
		id          int64 // of a deployment that the filter selects
		environment string
	}{
		{name: "repository", filter: Filter{Repository: "acme/API"}, id: 2, environment: "production"},
		{name: "environment", filter: Filter{Environment: "staging"}, id: 2, environment: "Staging"},
		{name: "deployment", filter: Filter{Deployment: 2}, id: 2, environment: "production"},
		{
			name:        "all",
			filter:      Filter{Repository: "acme/api", Environment: "STAGING", Deployment: 2},
			id:          2,
			environment: "staging",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			watch := w.watch(test.filter)
			others := w.watch(Filter{Repository: "acme/web"})
			if test.filter.Repository == "" || test.filter.Environment != "" {
				w.accept(1, "production") // is not selected
			}
			w.wantNone(watch, test.id, test.environment)

			if events, err := others.Next(t.Context(), time.Millisecond); err != nil || len(events) > 0 {
				t.Errorf("got %v, %v for another repository, want nothing", events, err)
			}
		})
	}
}

func TestWatch_ShowsTheDeploymentOfItsFilter(t *testing.T) {
	w := newWorld(t)
	d := w.move(w.accept(1, "production"), deployment.Running)
	watch := w.watch(Filter{Deployment: 1})
	if e := wantEvents(t, watch, "1 running 2"); e.Position != 0 {
		t.Errorf("got position %d of what did not change, want 0", e.Position)
	}

	w.move(d, deployment.Succeeded)
	wantEvents(t, watch, "1 succeeded 3")
}

func TestWatch_Resumes(t *testing.T) {
	w := newWorld(t)
	one, two := w.accept(1, "production"), w.accept(2, "staging")
	seen := w.watch(Filter{}).Position()

	one = w.move(one, deployment.Running)
	w.move(two, deployment.Canceled)
	w.move(one, deployment.Succeeded)
	watch := w.watch(Filter{}, seen)
	if !watch.Missed() {
		t.Error("got nothing missed, want two deployments")
	}
	last := wantEvents(t, watch, "2 canceled 2", "1 succeeded 3")

	up := w.watch(Filter{}, last.Position)
	if up.Missed() || up.Position() != last.Position {
		t.Errorf("got missed %v at %d, want nothing missed at %d", up.Missed(), up.Position(), last.Position)
	}
	w.wantNone(up, 3, "production")

	staging := w.watch(Filter{Environment: "staging"}, seen)
	wantEvents(t, staging, "2 canceled 2")
}

// Whoever has missed too much, or comes from another database, gets the newest states.
func TestWatch_ShowsNewestStates(t *testing.T) {
	w := newWorld(t)
	one := w.accept(1, "production")
	w.accept(2, "staging")
	entries := make([]deployment.Entry, 1000)
	for i := range entries {
		entries[i] = deployment.Entry{At: time.Now(), Event: "note"}
	}
	if _, err := w.db.Save(t.Context(), one, deployment.Changes{Timeline: entries}, deployment.SaveOptions{}); err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct {
		name   string
		filter Filter
		after  int64
		want   []string
	}{
		{name: "missed too much", after: 0, want: []string{"1 waiting 2", "2 waiting 1"}},
		{name: "from the future", after: 1 << 40, want: []string{"1 waiting 2", "2 waiting 1"}},
		{name: "of an environment", filter: Filter{Environment: "Staging"}, want: []string{"2 waiting 1"}},
		{name: "of a deployment", filter: Filter{Deployment: 1}, want: []string{"1 waiting 2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			watch := w.watch(test.filter, test.after)
			if last := wantEvents(t, watch, test.want...); last.Position != 0 {
				t.Errorf("got position %d in the middle of what was missed, want 0", last.Position)
			}
			newest, err := w.db.LastChange(t.Context())
			if err != nil || watch.Position() != newest.Position {
				t.Errorf("got position %d, %v, want %d", watch.Position(), err, newest.Position)
			}
		})
	}
}

// What changes while a watch begins is neither missed nor shown as older than it was. It may be shown twice: between
// the read of a change and that of its deployment there may be another change.
func TestWatch_MissesNothingAtItsBeginning(t *testing.T) {
	w := newWorld(t)
	d := w.accept(1, "production")
	seen := w.watch(Filter{}).Position()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			d = w.move(d, deployment.Waiting)
		}
		w.move(d, deployment.Canceled)
	}()

	for range 20 {
		watch, version := w.watch(Filter{}, seen), int64(0)
		for state := deployment.Waiting; state != deployment.Canceled; {
			events, err := watch.Next(t.Context(), longEnough)
			if err != nil || len(events) == 0 {
				t.Fatalf("got %v, %v at version %d, want the end", events, err, version)
			}

			for _, e := range events {
				if e.Version < version {
					t.Errorf("got version %d after %d", e.Version, version)
				}
				state, version = e.State, e.Version
			}
		}
	}
	<-done
}

// A deployment whose changes were missed is shown as it is when it is read. Its older changes, which the queue may hold
// already, do not follow.
func TestWatch_ShowsNothingOlderThanWhatWasMissed(t *testing.T) {
	w := newWorld(t)
	d := w.accept(1, "production")
	other := w.watch(Filter{})
	seen := other.Position()
	d = w.move(d, deployment.Triggering)
	wantEvents(t, other, "1 triggering 2")

	ctx := context.WithValue(t.Context(), betweenReads{}, func() {
		d = w.move(d, deployment.Running)
		wantEvents(t, other, "1 running 3") // so the new watch has it in its queue too
		d = w.move(d, deployment.Succeeded)
		wantEvents(t, other, "1 succeeded 4")
	})
	watch, err := w.hub.Watch(ctx, Filter{}, &seen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(watch.Close)

	wantEvents(t, watch, "1 succeeded 4")
	w.wantNone(watch, 2, "production")
}

func TestHub_DropsSlowWatchers(t *testing.T) {
	w := newWorld(t)
	slow, quick := w.watch(Filter{}), w.watch(Filter{Deployment: 1})
	d := w.accept(1, "production")
	for {
		d = w.move(d, deployment.Waiting)
		events, err := quick.Next(t.Context(), longEnough) // one read for each change
		if err != nil || len(events) == 0 {
			t.Fatalf("got %v, %v, want an event", events, err)
		}
		if w.hub.Watchers() == 1 {
			break
		}
		if d.Version > 3*queueLength {
			t.Fatalf("got %d watchers after %d changes, want 1", w.hub.Watchers(), d.Version)
		}
	}

	got := 0
	for {
		events, err := slow.Next(t.Context(), longEnough)
		got += len(events)
		if err != nil {
			if !errors.Is(err, ErrSlow) || got != queueLength {
				t.Errorf("got %d events and %v, want %d and %v", got, err, queueLength, ErrSlow)
			}
			return
		}
	}
}

func TestHub_LimitsWatchers(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxWatchers = 2 })
	first := w.watch(Filter{})
	w.watch(Filter{})
	if _, err := w.hub.Watch(t.Context(), Filter{}, nil); !errors.Is(err, ErrTooMany) {
		t.Errorf("got %v, want %v", err, ErrTooMany)
	}

	first.Close()
	first.Close() // twice is as once
	w.watch(Filter{})
}

func TestHub_Close(t *testing.T) {
	w := newWorld(t)
	watch := w.watch(Filter{})
	w.hub.Close()
	if _, err := watch.Next(t.Context(), longEnough); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want %v", err, ErrClosed)
	}
	if _, err := w.hub.Watch(t.Context(), Filter{}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("watch after the end: got %v, want %v", err, ErrClosed)
	}
	w.accept(1, "production") // is announced to nobody
}

// Nothing runs while nobody watches, and whoever comes then sees what changes from then on.
func TestHub_RestsBetweenWatchers(t *testing.T) {
	w := newWorld(t)
	for id := range int64(3) {
		watch := w.watch(Filter{})
		w.wantNone(watch, 2*id+1, "production")
		watch.Close()
		w.hub.readers.Wait() // the goroutine that reads has ended
		w.accept(2*id+2, "production")
	}
}

func TestHub_OutlivesTheDatabase(t *testing.T) {
	w := newWorld(t)
	w.away.Store(true)
	if _, err := w.hub.Watch(t.Context(), Filter{}, nil); !errors.Is(err, errDatabase) {
		t.Errorf("got %v, want %v", err, errDatabase)
	}
	if n := w.hub.Watchers(); n != 0 {
		t.Errorf("got %d watchers, want 0", n)
	}

	w.away.Store(false)
	watch := w.watch(Filter{})
	w.away.Store(true)
	d := w.accept(1, "production")
	w.away.Store(false)
	w.move(d, deployment.Canceled)
	for state := deployment.Waiting; state != deployment.Canceled; {
		events, err := watch.Next(t.Context(), longEnough)
		if err != nil || len(events) == 0 {
			t.Fatalf("got %v, %v, want the end of the deployment", events, err)
		}
		state = events[len(events)-1].State
	}
}

func TestWatch_EndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	watch := w.watch(Filter{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := watch.Next(ctx, longEnough); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if _, err := w.hub.Watch(ctx, Filter{Deployment: 1}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("watch: got %v, want %v", err, context.Canceled)
	}
}

// A watcher of one replica sees what another one writes, in order and soon.
func TestWatch_OfReplicas(t *testing.T) {
	url := pgtest.Database(t)
	here, there := openWorld(t, url), openWorld(t, url)
	watch := here.watch(Filter{})
	for id := int64(1); id <= 20; id++ {
		began := time.Now()
		d := there.accept(id, fmt.Sprint(id))
		wantEvents(t, watch, fmt.Sprintf("%d waiting 1", id))
		t.Logf("another replica's change after %s", time.Since(began))

		here.move(d, deployment.Canceled)
		wantEvents(t, watch, fmt.Sprintf("%d canceled 2", id))
	}
}
