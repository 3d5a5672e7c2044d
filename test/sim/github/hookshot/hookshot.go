// Package hookshot sends webhooks as GitHub does: signed, attempted once, recorded with the
// response, and sent again only on request. It is named after GitHub's User-Agent. A test may have
// deliveries lost, failed, delayed, duplicated or reordered.
package hookshot

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seraph-deploy/seraph/test/sim/signal"
)

// DefaultTimeout is how long github.com waits for a response. GitHub Enterprise Server waits 30 s.
const DefaultTimeout = 10 * time.Second

// maxBody is the payload size above which GitHub does not send an event.
const maxBody = 25 << 20

// Options configure a Sender. The zero value is usable.
type Options struct {
	Now     func() time.Time // default time.Now
	Timeout time.Duration    // of one attempt, default DefaultTimeout
}

// Hook is one configured webhook.
type Hook struct {
	ID             int64
	URL            string
	Secret         string // empty: unsigned
	TargetType     string // repository, organization or integration
	TargetID       int64
	InstallationID int64    // 0 unless the hook belongs to an app
	Events         []string // what it subscribes to; "*" for all
	Enterprise     string   // host of a GitHub Enterprise Server, else empty
}

// Message is one event to send.
type Message struct {
	Event        string
	Action       string
	RepositoryID int64
	Body         []byte
}

// Sender sends and records the deliveries of any number of webhooks. Create it with New and end it
// with Close.
type Sender struct {
	options Options
	client  *http.Client
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	changed signal.Broadcaster

	mu         sync.Mutex
	lastID     int64
	deliveries []Delivery // finished ones, in order of their end
	planned    map[string][]Treatment
}

// New returns a Sender.
func New(options Options) *Sender {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Timeout == 0 {
		options.Timeout = DefaultTimeout
	}

	ctx, stop := context.WithCancel(context.Background())
	return &Sender{
		options: options,
		ctx:     ctx,
		stop:    stop,
		lastID:  firstID,
		planned: map[string][]Treatment{},
		client: &http.Client{
			Transport:     &http.Transport{DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// firstID is above 2^31, as GitHub's delivery ids are.
const firstID = 12_077_215_900

// Close cancels the deliveries in progress and waits for their end.
func (s *Sender) Close() {
	s.stop()
	s.running.Wait()
}

// Send sends the message to all hooks that subscribe to its event, and returns the GUID that the
// deliveries share. It does not wait.
func (s *Sender) Send(m Message, hooks ...Hook) (guid string) {
	guid = uuid.NewString()
	for _, hook := range hooks {
		if !hook.subscribesTo(m.Event) {
			continue
		}

		d := Delivery{
			GUID:         guid,
			Event:        m.Event,
			Action:       m.Action,
			RepositoryID: m.RepositoryID,
			Hook:         hook,
			Body:         m.Body,
		}

		s.dispatch(d, s.takeTreatment(m.Event))
	}

	return guid
}

// Redeliver sends the delivery with this id again, with its old GUID and a new id.
func (s *Sender) Redeliver(id int64) error {
	old, ok := s.Find(id)
	if !ok {
		return fmt.Errorf("no delivery %d", id)
	}

	again := Delivery{
		GUID:         old.GUID,
		Event:        old.Event,
		Action:       old.Action,
		RepositoryID: old.RepositoryID,
		Hook:         old.Hook,
		Body:         old.Body,
		Redelivery:   true,
	}

	s.start(again, Treatment{})
	return nil
}

// Find returns the finished delivery with this id.
func (s *Sender) Find(id int64) (Delivery, bool) {
	for _, d := range s.Deliveries() {
		if d.ID == id {
			return d, true
		}
	}
	return Delivery{}, false
}

// Deliveries returns the finished deliveries, oldest first. Lost ones are included and marked Lost.
func (s *Sender) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Delivery(nil), s.deliveries...)
}

// Wait returns nil when done is true for the deliveries, or the cause of the end of ctx.
func (s *Sender) Wait(ctx context.Context, done func([]Delivery) bool) error {
	return s.changed.Wait(ctx, func() bool { return done(s.Deliveries()) })
}

// Changed returns a channel that is closed at the next change of the deliveries.
func (s *Sender) Changed() <-chan struct{} { return s.changed.Next() }

func (s *Sender) record(d Delivery) {
	s.mu.Lock()
	s.lastID += 3
	d.ID = s.lastID
	s.deliveries = append(s.deliveries, d)
	s.mu.Unlock()
	s.changed.Broadcast()
}

func (h Hook) subscribesTo(event string) bool {
	for _, e := range h.Events {
		if e == event || e == "*" {
			return true
		}
	}
	return event == "ping"
}
