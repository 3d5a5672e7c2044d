package notify

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Feed tells which deployments have changed.
type Feed interface {
	LastChange(ctx context.Context) (deployment.ChangeCursor, error)
	ReadChanges(ctx context.Context, from deployment.ChangeCursor) (
		changes []deployment.Change, to deployment.ChangeCursor, more bool, err error)
	List(ctx context.Context, f deployment.Filter) ([]deployment.Deployment, error)
	// WaitingBefore lists the rows of an environment that wait and are older than a deployment.
	WaitingBefore(ctx context.Context, repositoryID int64, environmentKey string, deploymentID int64) ([]int64, error)
	// TouchMessages makes messages about deployments due, and leaves a note in a lease, in one commit.
	TouchMessages(ctx context.Context, lease deployment.Lease, touches []deployment.MessageTouch) error
}

// Store keeps messages.
type Store interface {
	DueMessages(ctx context.Context, face string, limit int) ([]deployment.Message, error)
	// NextMessage returns when the next message is due after a moment; zero: none is.
	NextMessage(ctx context.Context, face string, after time.Time) (time.Time, error)
	// SaveMessage and ReplaceMessages return deployment.ErrVersionConflict if somebody else has written a message.
	SaveMessage(ctx context.Context, m deployment.Message) (deployment.Message, error)
	ReplaceMessages(ctx context.Context, old []deployment.Message, by deployment.Message) error
	AddMessage(ctx context.Context, m deployment.Message) (added bool, err error)
}

// Lists keeps which messages are shown together in one list.
type Lists interface {
	// CountCards counts the cards of a channel that were begun from one moment to another one.
	CountCards(ctx context.Context, face, channel string, from, to time.Time) (int, error)
	// NewestList returns the newest list of a channel that was begun after a moment, and how many deployments it shows.
	NewestList(ctx context.Context, face, channel string, after time.Time) (
		list deployment.Message, size int, found bool, err error)
	// ListedRows returns the rows of the deployments that a list shows, always in the same order.
	ListedRows(ctx context.Context, list int64) ([]int64, error)
	// JoinList saves a message whose deployment is to be shown in a list, and makes the list due, in one commit. A list
	// without an ID is begun. It returns deployment.ErrVersionConflict if somebody else has written the message or the
	// list.
	JoinList(ctx context.Context, m, list deployment.Message) error
}

// Leases are named locks that end by themselves.
type Leases interface {
	AcquireLease(ctx context.Context, name string, hold time.Duration, due time.Time) (deployment.Lease, bool, error)
	RenewLease(ctx context.Context, lease deployment.Lease, hold time.Duration) (deployment.Lease, error)
	ReleaseLease(ctx context.Context, lease deployment.Lease, next time.Time) error
}

// Source gathers what messages show.
type Source interface {
	// Load reads a deployment. deployment.ErrNotFound: there is none any more.
	Load(ctx context.Context, row int64) (deployment.Deployment, error)
	// Facts gathers what a card of a deployment shows, except for Facts.Ahead.
	Facts(ctx context.Context, d deployment.Deployment) (Facts, error)
	// Compare counts the commits by which a deployment is ahead of one that ran before it.
	Compare(ctx context.Context, d deployment.Deployment, before deployment.Success) (Ahead, error)
	// Channels returns which channels show a deployment now. It must not block.
	Channels(d deployment.Deployment) []deployment.Notify
	// Outline is what is known of a deployment without asking anybody: Facts with only Deployment, Route and Links. It
	// must not block.
	Outline(d deployment.Deployment) Facts
}

// Options are what a Worker is made of. All fields are required, except where it says otherwise.
type Options struct {
	Name   string // of the chat system, as in deployment.Notify
	Face   Face
	Feed   Feed
	Store  Store
	Lists  Lists
	Leases Leases
	Source Source
	Shared bool // other processes write to the database, so that it is asked for changes all the time
	Limits Limits
	Log    zerolog.Logger
	Now    func() time.Time
}

// Worker sends to one chat system what is owed to its channels and people. Create it with New.
//
// Of all processes that share a database one has the lease, follows what changes, and sends. So the limits of the
// chat system hold for all of them together, and what has ended goes first. A holder that stands still for longer
// than its lease does not post twice what another one posts meanwhile: the version of a message's row lets
// only one of them note the call, and a call that is too old does not leave.
type Worker struct {
	o       Options
	changed chan struct{} // holds a value while there may be something to do

	mu   sync.Mutex
	pace *pace // of the session; nil: another process sends
}

// New makes a Worker. Nothing runs before Run.
func New(o Options) *Worker { return &Worker{o: o, changed: make(chan struct{}, 1)} }

// Announce says that something may have changed. It never blocks.
func (w *Worker) Announce() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// Paused says why nothing is sent to the chat system; empty: it is sent, or another process sends.
func (w *Worker) Paused() string {
	w.mu.Lock()
	defer w.mu.Unlock()

	if w.pace == nil {
		return ""
	}
	why, _ := w.pace.paused()
	return why
}

const (
	leaseHold  = 20 * time.Second // a crashed holder keeps the others waiting for so long
	leaseRenew = 5 * time.Second
	leaseRetry = 5 * time.Second // how often a process that has not the lease tries to get it
	stopGrace  = 5 * time.Second // calls that are under way at a stop may take so long
)

// Run works until ctx ends, and returns when all calls have ended.
func (w *Worker) Run(ctx context.Context) {
	for ctx.Err() == nil {
		lease, mine, err := w.o.Leases.AcquireLease(ctx, w.leaseName(), leaseHold, w.o.Now())
		switch {
		case err != nil && ctx.Err() == nil:
			w.o.Log.Warn().Err(err).Msg("lease of messages not acquired")
		case mine:
			w.hold(ctx, lease)
		}

		select {
		case <-ctx.Done():
		case <-time.After(leaseRetry):
		}
	}
}

func (w *Worker) leaseName() string { return "messages " + w.o.Name }

// hold works for as long as this process has the lease.
func (w *Worker) hold(ctx context.Context, lease deployment.Lease) {
	s := newSession(w, lease)
	w.setPace(s.pace)
	defer w.setPace(nil)

	if err := s.run(ctx); err != nil && ctx.Err() == nil {
		w.o.Log.Warn().Err(err).Msg("session ended, messages left for a later one")
	}
	if err := w.o.Leases.ReleaseLease(context.WithoutCancel(ctx), s.lease, time.Time{}); err != nil {
		w.o.Log.Warn().Err(err).Msg("lease of messages not released")
	}
}

func (w *Worker) setPace(p *pace) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.pace = p
}

// Enqueue has a note sent to somebody by their id in the chat system. It is sent once for each topic, however often it
// is given; added says whether it is new.
func (w *Worker) Enqueue(ctx context.Context, topic, user string, note Note) (added bool, err error) {
	m, err := newNote(w.o.Name, user, "direct/"+w.o.Name+"/"+user+"/"+topic, note, w.o.Now())
	if err != nil {
		return false, err
	}

	added, err = w.o.Store.AddMessage(ctx, m)
	w.Announce()
	return added, err
}

// Resume says that a channel can be used again, so that what is owed to it need not wait for the end of its pause. topic
// is the same for what is said twice. Another process may be the one that sends.
func (w *Worker) Resume(ctx context.Context, topic, channel string) error {
	now := w.o.Now()
	_, err := w.o.Store.AddMessage(ctx, deployment.Message{
		Topic:       "resume/" + w.o.Name + "/" + topic,
		Face:        w.o.Name,
		Channel:     channel,
		Kind:        deployment.MessageResume,
		Rank:        deployment.RankEnd,
		Due:         now,
		MessageData: deployment.MessageData{CreatedAt: now},
	})
	w.Announce()
	return err
}

// isStale says whether somebody else has written a message meanwhile.
func isStale(err error) bool { return errors.Is(err, deployment.ErrVersionConflict) }
