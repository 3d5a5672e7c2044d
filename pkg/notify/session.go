package notify

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const (
	atOnce      = 8    // messages that are worked on at once
	dueBatch    = 1000 // messages that are looked at in one pass
	sharedPoll  = 100 * time.Millisecond
	idlePoll    = time.Second
	passPause   = 20 * time.Millisecond // between two passes, so that many changes cost few reads
	slotWait    = time.Second
	passTimeout = 30 * time.Second // for the database to answer in one pass
)

// session is the work of one holder of the lease.
type session struct {
	*Worker
	lease   deployment.Lease
	began   time.Time
	renewed time.Time
	noted   time.Time // when the note in the lease was written
	cursor  deployment.ChangeCursor
	suspect bool // the database may lack what was posted: look before the first post of older messages
	pace    *pace
	slots   chan struct{}
	workers sync.WaitGroup

	mu         sync.Mutex
	busy       map[int64]bool      // ids of messages that are worked on
	notYet     map[int64]time.Time // ids of messages that a limit keeps back, and until when
	summing    sync.Mutex
	listing    sync.Mutex
	downLogged bool // the log says that the chat system does not work
}

func newSession(w *Worker, lease deployment.Lease) *session {
	now := w.o.Now()
	return &session{
		Worker:  w,
		lease:   lease,
		began:   now,
		renewed: now,
		pace:    newPace(w.o.Limits, now),
		slots:   make(chan struct{}, atOnce),
		busy:    map[int64]bool{},
		notYet:  map[int64]time.Time{},
	}
}

// run works until ctx ends or the lease is lost. Calls that are under way then have stopGrace to end.
func (s *session) run(ctx context.Context) error {
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer s.workers.Wait()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, cancel) })
	defer stop()

	if err := s.start(ctx); err != nil {
		return fmt.Errorf("begin to follow changes: %w", err)
	}

	for {
		next, err := s.pass(ctx, calls)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !s.o.Now().Before(s.lease.Until):
			return err
		case err != nil:
			s.o.Log.Warn().Err(err).Msg("messages not looked at")
			next = s.o.Now().Add(idlePoll)
		}

		if !s.rest(ctx, next) {
			return ctx.Err()
		}
	}
}

// rest waits until there may be something to do. It returns false when ctx ends.
func (s *session) rest(ctx context.Context, next time.Time) bool {
	poll := idlePoll
	if s.o.Shared {
		poll = sharedPoll
	}
	if until := next.Sub(s.o.Now()); !next.IsZero() && until < poll {
		poll = max(until, 0)
	}

	select {
	case <-ctx.Done():
		return false
	case <-s.changed:
	case <-time.After(poll):
	}

	select {
	case <-ctx.Done():
		return false
	case <-time.After(passPause):
		return true
	}
}

// pass renews the lease, follows what has changed, and begins to work on what is due. It returns when something is
// due next.
func (s *session) pass(ctx, calls context.Context) (next time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()

	begun := s.o.Now()
	if begun.Sub(s.renewed) >= leaseRenew {
		s.lease, err = s.o.Leases.RenewLease(ctx, s.lease, leaseHold)
		if err != nil {
			return next, err
		}
		s.renewed = begun
	}

	if err := s.follow(ctx); err != nil {
		return next, err
	}
	if err := s.dispatch(ctx, calls); err != nil {
		return next, err
	}
	next, err = s.o.Store.NextMessage(ctx, s.o.Name, begun)
	return soonest(next, s.keptUntil(begun)), err
}

// keptUntil is when the first of the messages may be worked on that limits keep back; zero: there is none.
func (s *session) keptUntil(now time.Time) (first time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for id, at := range s.notYet {
		if !at.After(now) {
			delete(s.notYet, id)
			continue
		}
		first = soonest(first, at)
	}
	return first
}

// dispatch begins to work on messages that are due, those of the smallest rank first.
func (s *session) dispatch(ctx, calls context.Context) error {
	why, until := s.pace.paused()
	if why != "" && s.o.Now().Before(until) {
		return nil
	}

	due, err := s.o.Store.DueMessages(ctx, s.o.Name, dueBatch)
	if err == nil {
		due, err = s.resume(ctx, due)
	}
	if err != nil || len(due) == 0 {
		return err
	}
	if why != "" {
		due = s.probe(calls, due)
	}

	now := s.o.Now()
	for _, m := range due {
		if !s.claim(m.ID, now) {
			continue
		}
		if at := s.pace.when(likely(m), m.Channel, m.Rank, now); at.After(now) {
			s.release(m.ID, at)
			continue
		}

		if !s.takeSlot(ctx) { // whoever frees one begins another pass
			s.release(m.ID, time.Time{})
			return ctx.Err()
		}
		s.workers.Go(func() {
			at := s.work(calls, m)
			s.release(m.ID, at)
			<-s.slots
			s.Announce()
		})
	}
	return nil
}

// resume ends the pauses of the channels of which it was said that they can be used again, and returns the messages
// that say something else.
func (s *session) resume(ctx context.Context, due []deployment.Message) (others []deployment.Message, err error) {
	for _, m := range due {
		if m.Kind != deployment.MessageResume {
			others = append(others, m)
			continue
		}

		s.pace.resume(m.Channel, s.o.Now())
		s.mu.Lock()
		clear(s.notYet) // it does not say which channel they wait for
		s.mu.Unlock()
		m.Done, m.Due = true, time.Time{}
		if _, err := s.o.Store.SaveMessage(ctx, m); err != nil && !isStale(err) {
			return nil, err
		}
	}
	return others, nil
}

// takeSlot waits a moment until one more message may be worked on.
func (s *session) takeSlot(ctx context.Context) bool {
	select {
	case s.slots <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-time.After(slotWait):
	}
	return false
}

// likely is the call that a message probably needs next, to find out without much work that it has to wait.
func likely(m deployment.Message) Do {
	switch {
	case callOf(m) != nil:
		return DoWait
	case len(m.Parts) == 0 || m.Parts[0].MessageID == "":
		return DoPost
	case m.Kind != deployment.MessageCard || m.Rank == deployment.RankPeople:
		return DoWait // what is owed may be a reply, or nothing at all
	default:
		return DoEdit
	}
}

// probe asks a chat system that has failed whether it works again, with a look-up, which changes nothing. It returns
// what may be sent now.
func (s *session) probe(ctx context.Context, due []deployment.Message) []deployment.Message {
	for _, m := range due {
		if m.Kind == deployment.MessageNote {
			continue
		}

		if !s.answers(ctx, m) {
			return nil
		}
		return due
	}
	return due[:1]
}

// answers asks the chat system with a look-up, which changes nothing, whether it works.
func (s *session) answers(ctx context.Context, m deployment.Message) bool {
	now := s.o.Now()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()

	_, _, err := s.o.Face.Find(ctx, Find{Channel: m.Channel, Key: keyOf(m, "probe"), Since: now})
	if err == nil {
		s.works(m.Channel)
		return true
	}

	switch e := sendErrorOf(err); e.Kind {
	case SendUnknown, SendNotSent, SendFace:
		s.failed(e, now)
		return false
	default: // it has answered
		s.works("")
		return true
	}
}

// works takes that the chat system has answered.
func (s *session) works(channel string) {
	s.pace.worked(channel)

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.downLogged {
		s.downLogged = false
		s.o.Log.Info().Str("face", s.o.Name).Msg("chat system works again")
	}
}

// failed takes that the chat system gave no usable answer, or refuses this service.
func (s *session) failed(e *SendError, now time.Time) {
	if !s.pace.failed(e.Error(), e.Kind == SendFace, now) {
		return
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.downLogged = true
	s.o.Log.Error().Err(e).Str("face", s.o.Name).Msg("chat system not working, no messages sent")
}

// claim keeps a message from being worked on twice at once. It returns false if it is, or has to wait.
func (s *session) claim(id int64, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.busy[id] || now.Before(s.notYet[id]) {
		return false
	}
	delete(s.notYet, id)
	s.busy[id] = true
	return true
}

// release ends what claim began. notYet, unless zero, is when the message may be worked on again.
func (s *session) release(id int64, notYet time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()

	delete(s.busy, id)
	if !notYet.IsZero() {
		s.notYet[id] = notYet
	}
}
