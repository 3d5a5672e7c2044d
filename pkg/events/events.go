// Package events tells watchers, such as the clients of the event stream, which deployments have changed.
//
// It stores nothing: what has changed is read from the database. After a commit the store calls Announce,
// which says only that something has changed; one goroutine then reads what has, once for all watchers.
// Where several processes write to the database it also reads every PollInterval. The goroutine exists only
// while there is a watcher.
//
// Each watcher has a short queue. One that does not keep up is dropped: it can watch again from the
// last position that it has seen, and gets the newest state of each deployment that has changed since.
package events

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Defaults of Options.
const (
	DefaultMaxWatchers  = 1000
	DefaultPollInterval = 75 * time.Millisecond
)

const (
	queueLength = 64                    // events that wait for one watcher
	readPause   = 20 * time.Millisecond // between two reads, so that many changes cost few reads
	retryAfter  = time.Second           // the pause after the database could not be read
	readTimeout = 8 * time.Second
)

// Why a watch ends, or cannot begin.
var (
	ErrTooMany = errors.New("too many watch already")
	ErrClosed  = errors.New("the service is stopping")
	ErrSlow    = errors.New("the watcher does not keep up")
)

// Source reads deployments and their changes.
type Source interface {
	// LastChange returns a cursor behind all changes there are.
	LastChange(ctx context.Context) (deployment.ChangeCursor, error)
	// ReadChanges returns what has changed since a cursor, and the cursor behind it.
	ReadChanges(ctx context.Context, from deployment.ChangeCursor) (
		changes []deployment.Change, to deployment.ChangeCursor, more bool, err error)
	List(ctx context.Context, f deployment.Filter) ([]deployment.Deployment, error)
	Get(ctx context.Context, id int64) ([]deployment.Record, error)
}

// Options are what a Hub is made of.
type Options struct {
	Source      Source
	Shared      bool // other processes write to the database, so that it is asked every PollInterval
	MaxWatchers int  // 0: DefaultMaxWatchers

	PollInterval time.Duration // 0: DefaultPollInterval
	Log          zerolog.Logger
}

// Event says that a deployment has changed, and how it is now.
type Event struct {
	// Position is where a watcher continues that has seen this event. 0: it keeps the position that it has.
	Position int64

	Deployment  int64 // GitHub's id
	Repository  string
	Environment string
	State       deployment.State
	Version     int64 // rises with each change of this deployment

	change int64 // the change's own position
	read   int64 // the number of the read that found it, see Hub.reads
	row    int64
	key    string // the lower-cased environment

	encoding sync.Once
	text     []byte
}

// Text returns what encode makes of the event. It is made once for all watchers, and must not be changed.
func (e *Event) Text(encode func(*Event) []byte) []byte {
	e.encoding.Do(func() { e.text = encode(e) })
	return e.text
}

// Hub gives the events to the watchers. It is safe for concurrent use.
type Hub struct {
	o       Options
	current atomic.Pointer[session] // nil while nobody watches

	reads atomic.Int64 // how many reads of changes have begun

	mu       sync.Mutex
	closed   bool
	watchers map[*Watch]struct{}
	readers  sync.WaitGroup
}

// session is one run of the goroutine that reads changes: from when the first watcher comes until the last one
// has left.
type session struct {
	changed chan struct{} // holds a value while changes wait to be read
	stop    context.CancelFunc
	started chan struct{} // closed once changes are read from a known position, or err is set
	err     error
}

// New makes a Hub. Nothing runs before somebody watches.
func New(o Options) *Hub {
	if o.MaxWatchers == 0 {
		o.MaxWatchers = DefaultMaxWatchers
	}
	if o.PollInterval == 0 {
		o.PollInterval = DefaultPollInterval
	}
	return &Hub{o: o, watchers: map[*Watch]struct{}{}}
}

// Announce says that something has changed. It never blocks.
func (h *Hub) Announce() {
	s := h.current.Load()
	if s == nil {
		return
	}

	select {
	case s.changed <- struct{}{}:
	default: // it is going to be read anyway
	}
}

// Watchers returns how many watch.
func (h *Hub) Watchers() int {
	h.mu.Lock()
	defer h.mu.Unlock()

	return len(h.watchers)
}

// Close ends all watches, and waits until nothing is read any more. No watch begins afterwards.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	for w := range h.watchers {
		h.removeLocked(w, ErrClosed)
	}
	h.mu.Unlock()

	h.readers.Wait()
}

// add adds a watcher, and starts the goroutine that reads changes if it is the first one.
func (h *Hub) add(w *Watch) (*session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()

	switch {
	case h.closed:
		return nil, ErrClosed
	case len(h.watchers) >= h.o.MaxWatchers:
		return nil, ErrTooMany
	}

	h.watchers[w] = struct{}{}
	s := h.current.Load()
	if s != nil {
		return s, nil
	}

	ctx, stop := context.WithCancel(context.Background())
	s = &session{changed: make(chan struct{}, 1), stop: stop, started: make(chan struct{})}
	h.current.Store(s)
	h.readers.Go(func() { h.read(ctx, s) })
	return s, nil
}

// remove ends a watch, unless it has ended.
func (h *Hub) remove(w *Watch, why error) {
	h.mu.Lock()
	defer h.mu.Unlock()

	h.removeLocked(w, why)
}

func (h *Hub) removeLocked(w *Watch, why error) {
	if _, watches := h.watchers[w]; !watches {
		return
	}

	delete(h.watchers, w)
	w.err = why
	close(w.queue)

	if len(h.watchers) == 0 {
		h.current.Swap(nil).stop()
	}
}

// read reads changes and gives them to the watchers, until its session ends.
func (h *Hub) read(ctx context.Context, s *session) {
	var cursor deployment.ChangeCursor
	cursor, s.err = h.o.Source.LastChange(ctx)
	close(s.started)
	if s.err != nil {
		<-ctx.Done() // each of the watchers sees the error and leaves
		return
	}

	var poll <-chan time.Time
	if h.o.Shared {
		ticker := time.NewTicker(h.o.PollInterval)
		defer ticker.Stop()
		poll = ticker.C
	}

	for {
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		case <-poll:
		}

		pause := readPause
		var err error
		cursor, err = h.readAll(ctx, s, cursor)
		if err != nil && ctx.Err() == nil {
			h.o.Log.Warn().Err(err).Msg("changes not read")
			pause = retryAfter
			h.Announce() // what has changed is still to be read
		}

		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// readAll reads all changes after a cursor, and returns how far it came.
func (h *Hub) readAll(
	ctx context.Context,
	s *session,
	cursor deployment.ChangeCursor,
) (deployment.ChangeCursor, error) {
	for {
		read := h.reads.Add(1)
		reading, cancel := context.WithTimeout(ctx, readTimeout)
		changes, next, more, err := h.o.Source.ReadChanges(reading, cursor)
		cancel()
		if err != nil {
			return cursor, err
		}

		cursor = next
		events := newEvents(changes, cursor)
		for _, e := range events {
			e.read = read
		}
		h.publish(s, events)
		if !more {
			return cursor, nil
		}
	}
}

// publish gives events to the watchers of a session that want them. A watcher whose queue is full is dropped.
func (h *Hub) publish(s *session, events []*Event) {
	h.mu.Lock()
	defer h.mu.Unlock()

	if h.current.Load() != s {
		return // its watchers have left, and the others have read what is newer
	}

	for _, e := range events {
		for w := range h.watchers {
			if !w.filter.matches(e) {
				continue
			}

			select {
			case w.queue <- e:
			default:
				h.removeLocked(w, ErrSlow)
			}
		}
	}
}

// newEvents makes the events of changes that were read up to a cursor.
func newEvents(changes []deployment.Change, cursor deployment.ChangeCursor) []*Event {
	settled := cursor.Settled()
	events := make([]*Event, len(changes))
	for i, c := range changes {
		events[i] = newEvent(c.Deployment)
		events[i].change, events[i].Position = c.Position, min(c.Position, settled)
	}
	return events
}

func newEvent(d deployment.Deployment) *Event {
	return &Event{
		Deployment:  d.Request.ID,
		Repository:  d.Request.Repository.FullName(),
		Environment: d.Request.Environment,
		State:       d.State,
		Version:     d.Version,
		row:         d.Row,
		key:         d.Request.EnvironmentKey(),
	}
}
