package events

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// newestStates is how many deployments are shown to a watcher that has missed too much.
const newestStates = 200

// Filter selects deployments. An empty field selects all.
type Filter struct {
	Repository  string // owner/name, in any case
	Environment string // in any case
	Deployment  int64  // GitHub's id
}

func (f Filter) matches(e *Event) bool {
	return (f.Deployment == 0 || f.Deployment == e.Deployment) &&
		(f.Environment == "" || strings.ToLower(f.Environment) == e.key) &&
		(f.Repository == "" || strings.EqualFold(f.Repository, e.Repository))
}

// Watch is one watcher. Its methods are for one goroutine, which must call Close.
type Watch struct {
	hub    *Hub
	filter Filter
	queue  chan *Event
	err    error // why the queue is closed

	timer    *time.Timer
	backlog  []*Event        // is given before the queue
	position int64           // what is not newer than this the watcher has seen once it has seen the backlog
	read     int64           // up to where the backlog was read; some changes before it may come later
	reads    int64           // how many reads of the hub had begun when the backlog was read
	versions map[int64]int64 // of the rows in the backlog, until the queue is past it
}

// Watch begins to watch. after is the position of the last event that the watcher has seen: what it
// has missed since comes first, in order and each deployment once; where that is too much, the newest
// state of the newest 200 deployments of the filter. nil: it has seen nothing and misses
// nothing, but where the filter names a deployment, its present state comes first.
func (h *Hub) Watch(ctx context.Context, filter Filter, after *int64) (*Watch, error) {
	w := &Watch{
		hub:    h,
		filter: filter,
		queue:  make(chan *Event, queueLength),
		timer:  time.NewTimer(time.Hour),
	}

	s, err := h.add(w)
	if err != nil {
		return nil, err
	}

	select {
	case <-s.started:
		err = s.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		// The database needs a large stack. Here it is that of another goroutine, which ends at once, and not
		// that of the caller, which lives as long as the watch.
		caughtUp := make(chan error, 1)
		go func() { caughtUp <- w.catchUp(ctx, after) }()
		err = <-caughtUp
	}
	if err != nil {
		w.Close()
		return nil, err
	}

	return w, nil
}

// Close ends the watch.
func (w *Watch) Close() {
	w.timer.Stop()
	w.hub.remove(w, ErrClosed)
}

// Position returns where a watcher continues that has seen what it missed: what Next returns the first time, if
// Missed is true.
func (w *Watch) Position() int64 { return w.position }

// Missed reports whether Next returns first what the watcher has missed.
func (w *Watch) Missed() bool { return len(w.backlog) > 0 }

// Next returns the events that wait, or waits for one. It returns none after idle has passed without any.
// ErrSlow and ErrClosed say why the watch has ended.
func (w *Watch) Next(ctx context.Context, idle time.Duration) ([]*Event, error) {
	if len(w.backlog) > 0 {
		events := w.backlog
		w.backlog = nil
		return events, nil
	}

	w.timer.Reset(idle)
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-w.timer.C:
			return nil, nil
		case e, ok := <-w.queue:
			if !ok {
				return nil, w.err
			}
			if events := w.drain(e); len(events) > 0 {
				return events, nil
			}
		}
	}
}

// drain returns an event and those that wait behind it, without those that the backlog has had.
func (w *Watch) drain(e *Event) (events []*Event) {
	for {
		if !w.isOld(e) {
			events = append(events, e)
		}

		select {
		case next, ok := <-w.queue:
			if !ok {
				return events
			}
			e = next
		default:
			return events
		}
	}
}

// isOld reports whether an event is from before the watch, or no newer than what was in the backlog. The queue may have
// changes that were read before the backlog, which holds each deployment as it is in the database and not as a
// change has left it.
func (w *Watch) isOld(e *Event) bool {
	if e.change > w.read && e.read > w.reads {
		w.versions = nil // the queue is past the backlog
	}
	version, shown := w.versions[e.row]
	return e.change <= w.position || shown && e.Version <= version
}

// catchUp reads what comes before the queue. The queue has everything that has changed since the watch
// began, so nothing is missed between the two.
func (w *Watch) catchUp(ctx context.Context, after *int64) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()

	last, err := w.hub.o.Source.LastChange(ctx)
	if err != nil {
		return err
	}

	w.position, w.read = last.Settled(), last.Position
	switch {
	case after == nil && w.filter.Deployment == 0:
		return nil
	case after == nil || *after > last.Position:
		return w.showNewest(ctx)
	}

	changes, to, more, err := w.hub.o.Source.ReadChanges(ctx, deployment.ChangeCursor{Position: *after})
	if err != nil {
		return err
	}
	if more {
		return w.showNewest(ctx)
	}

	w.position, w.read = max(to.Settled(), *after), to.Position
	w.show(newEvents(changes, to))
	return nil
}

// showNewest puts the present state of the deployments of the filter before the queue, the oldest one first.
func (w *Watch) showNewest(ctx context.Context) error {
	found, err := w.newest(ctx)
	if err != nil {
		return err
	}

	events := make([]*Event, len(found))
	for i, d := range found {
		events[i] = newEvent(d)
	}

	w.show(events)
	return nil
}

func (w *Watch) newest(ctx context.Context) (found []deployment.Deployment, err error) {
	if w.filter.Deployment == 0 {
		found, err = w.hub.o.Source.List(ctx, deployment.Filter{
			Repository:  w.filter.Repository,
			Environment: w.filter.Environment,
			Limit:       newestStates,
		})
		slices.Reverse(found)
		return found, err
	}

	records, err := w.hub.o.Source.Get(ctx, w.filter.Deployment)
	for _, rec := range records {
		found = append(found, rec.Deployment)
	}
	return found, err
}

func (w *Watch) show(events []*Event) {
	w.reads = w.hub.reads.Load()
	w.versions = map[int64]int64{}
	for _, e := range events {
		if w.filter.matches(e) {
			w.backlog = append(w.backlog, e)
			w.versions[e.row] = e.Version
		}
	}
}
