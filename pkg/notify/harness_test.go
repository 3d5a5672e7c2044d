package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shown is a message in a room.
type shown struct {
	id, channel, thread, key string
	broadcast                bool
	states                   []deployment.State // of the card, in the order in which they were shown
	text                     string
	mention                  string
	rows                     []string // of a list
	buttons                  int
	deleted                  bool
	at                       time.Time // by the clock of the chat system
}

// fault is what goes wrong with one call: it has its effect or not, and answers with an error.
type fault struct {
	err    *SendError
	effect bool
	late   bool // the effect comes with the next edit of another message: the call was held up on its way
}

// room is a chat system in memory. Faults are taken for each kind of call, one for each call.
type room struct {
	mu       sync.Mutex
	messages []*shown
	faults   map[Do][]fault
	down     bool // every call fails without an effect
	hidden   int  // look-ups that do not show what there is yet
	noFind   bool // the scopes allow no look-up
	clock    func() time.Time
	calls    map[string]int // by channel, posts and edits
	log      []string       // kind and channel of each call
	held     []func()
	onPost   func()
}

func newRoom() *room { return &room{faults: map[Do][]fault{}, calls: map[string]int{}} }

func (r *room) next(do Do, channel string) fault {
	r.log = append(r.log, string(do)+" "+channel)
	if do != DoFind {
		r.calls[channel]++
	}
	if r.down {
		return fault{err: &SendError{Kind: SendUnknown, Code: "503"}}
	}
	if len(r.faults[do]) == 0 {
		return fault{effect: true}
	}
	f := r.faults[do][0]
	r.faults[do] = r.faults[do][1:]
	return f
}

func (r *room) fail(do Do, faults ...fault) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.faults[do] = append(r.faults[do], faults...)
}

// Post implements Face.
func (r *room) Post(_ context.Context, p Post) (MessageID, error) {
	if r.onPost != nil {
		r.onPost()
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.next(DoPost, p.Channel)
	id := MessageID{Channel: p.Channel, Message: fmt.Sprint(len(r.messages) + 1)}
	if f.effect {
		m := &shown{id: id.Message, channel: p.Channel, thread: p.Thread, key: p.Key, broadcast: p.Broadcast, at: r.clock()}
		if p.Card != nil {
			m.show(*p.Card)
		} else {
			m.text, m.mention = p.Note.Summary, p.Note.Mention
		}
		r.messages = append(r.messages, m)
	}
	if f.err != nil {
		return MessageID{}, f.err
	}
	return id, nil
}

func (m *shown) show(c Card) {
	m.text, m.buttons, m.rows = c.Title, 0, nil
	for _, row := range c.Rows {
		m.rows = append(m.rows, plain(row.Text))
	}
	for _, b := range c.Buttons {
		if b.Verb != VerbOpen {
			m.buttons++
		}
	}
	if len(m.states) == 0 || m.states[len(m.states)-1] != c.State {
		m.states = append(m.states, c.State)
	}
}

// Edit implements Face.
func (r *room) Edit(_ context.Context, id MessageID, c Card) error {
	r.mu.Lock()
	defer r.mu.Unlock()

	f := r.next(DoEdit, id.Channel)
	i := slices.IndexFunc(r.messages, func(m *shown) bool { return m.id == id.Message })
	if i < 0 || r.messages[i].deleted {
		return &SendError{Kind: SendGone, Code: "message_not_found"}
	}

	held := r.held
	r.held = nil
	for _, land := range held {
		land()
	}
	switch m := r.messages[i]; {
	case f.late:
		r.held = append(r.held, func() { m.show(c) })
	case f.effect:
		m.show(c)
	}
	if f.err != nil {
		return f.err
	}
	return nil
}

// Find implements Face.
func (r *room) Find(_ context.Context, find Find) (MessageID, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	f := r.next(DoFind, find.Channel)
	switch {
	case r.noFind:
		return MessageID{}, false, &SendError{Kind: SendForbidden, Code: "missing_scope"}
	case f.err != nil:
		return MessageID{}, false, f.err
	case r.hidden > 0:
		r.hidden--
		return MessageID{}, false, nil
	}

	for _, m := range r.messages {
		isIt := m.channel == find.Channel && m.key == find.Key && m.thread == find.Thread
		if isIt && !m.deleted && !m.at.Before(find.Since) {
			return MessageID{Channel: m.channel, Message: m.id}, true, nil
		}
	}
	return MessageID{}, false, nil
}

// in are the messages of a channel that are not replies.
func (r *room) in(channel string) (list []*shown) {
	r.mu.Lock()
	defer r.mu.Unlock()

	for _, m := range r.messages {
		if m.channel == channel && m.thread == "" {
			list = append(list, m)
		}
	}
	return list
}

// office is a service with a database, a room and a clock that the test sets.
type office struct {
	t    *testing.T
	db   *store.DB
	room *room
	w    *Worker
	s    *session

	mu       sync.Mutex
	now      time.Time
	channels []deployment.Notify
	verdicts map[int64]*policy.Verdict
}

// newOffice is an office that sends to some channels.
func newOffice(t *testing.T, channels ...string) *office {
	t.Helper()
	o := openOffice(t, channels...)
	o.start()
	return o
}

// openOffice is an office that does not send yet.
func openOffice(t *testing.T, channels ...string) *office {
	t.Helper()
	return openOfficeAt(t, "sqlite:"+t.TempDir()+"/seraph.db", channels...)
}

func openOfficeAt(t *testing.T, url string, channels ...string) *office {
	t.Helper()
	o := &office{t: t, room: newRoom(), now: noon, verdicts: map[int64]*policy.Verdict{}}
	o.room.clock = func() time.Time { return o.now }
	for _, c := range channels {
		o.channels = append(o.channels, deployment.Notify{Face: "chat", Channel: c})
	}

	db, err := store.Open(t.Context(), store.Options{
		URL: url,
		Log: zerolog.Nop(),
		Now: o.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	o.db = db
	return o
}

// start begins to send, as a process does that has got the lease.
func (o *office) start() {
	o.t.Helper()
	o.w = New(Options{
		Name:   "chat",
		Face:   o.room,
		Feed:   o.db,
		Store:  o.db,
		Lists:  o.db,
		Leases: o.db,
		Source: o,
		Log:    zerolog.Nop(),
		Now:    o.clock,
	})
	o.s = o.session()
}

func (o *office) session() *session {
	o.t.Helper()
	lease, mine, err := o.db.AcquireLease(o.t.Context(), o.w.leaseName(), leaseHold, o.clock())
	if err != nil || !mine {
		o.t.Fatalf("acquire lease: got %v, %v, want it", mine, err)
	}
	s := newSession(o.w, lease)
	if err := s.start(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	return s
}

// crash forgets everything but the database, and starts again after some time.
func (o *office) crash(after time.Duration) {
	o.t.Helper()
	o.later(max(after, leaseHold+time.Second))
	o.start()
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.now
}

func (o *office) later(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()

	o.now = o.now.Add(d)
}

// run lets the service work for some time.
func (o *office) run(d time.Duration) {
	o.t.Helper()
	end := o.clock().Add(d)
	for range 20000 {
		next := o.pass()
		switch now := o.clock(); {
		case len(o.w.changed) > 0:
			<-o.w.changed
		case next.IsZero() || next.After(end):
			o.later(end.Sub(now))
			o.pass()
			return
		case next.After(now):
			o.later(next.Sub(now))
		default:
			o.later(100 * time.Millisecond)
		}
	}
	o.t.Fatal("the service never rests")
}

func (o *office) pass() time.Time {
	o.t.Helper()
	next, err := o.s.pass(o.t.Context(), o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	o.s.workers.Wait()
	if _, until := o.s.pace.paused(); until.After(o.clock()) {
		next = soonest(next, until)
	}
	return next
}

// Load implements Source.
func (o *office) Load(ctx context.Context, row int64) (deployment.Deployment, error) {
	return o.db.Load(ctx, row)
}

// Facts implements Source.
func (o *office) Facts(_ context.Context, d deployment.Deployment) (Facts, error) {
	return Facts{Deployment: d, Verdict: o.verdicts[d.Row], Route: Route{App: "api"}}, nil
}

// Compare implements Source.
func (o *office) Compare(context.Context, deployment.Deployment, deployment.Success) (Ahead, error) {
	return Ahead{}, errors.New("not compared")
}

// Channels implements Source.
func (o *office) Channels(deployment.Deployment) []deployment.Notify { return o.channels }

// Outline implements Source.
func (o *office) Outline(d deployment.Deployment) Facts {
	return Facts{Deployment: d, Route: Route{App: "api", Production: true}}
}

// accept accepts a deployment in an environment of its own.
func (o *office) accept(id int64) deployment.Deployment {
	o.t.Helper()
	return o.acceptIn(id, fmt.Sprintf("env-%d", id))
}

func (o *office) acceptIn(id int64, environment string) deployment.Deployment {
	o.t.Helper()
	d := deployment.Deployment{
		Request: deployment.Request{
			ID:          id,
			Repository:  deployment.Repository{ID: 1, Owner: "acme", Name: "api"},
			Environment: environment,
			Ref:         "main",
			SHA:         "abcdef0123456789abcdef0123456789abcdef01",
			Creator:     deployment.Creator{ID: 5, Login: "alice", Type: "User"},
		},
		Target:     deployment.Target{Project: "gh/acme/api", Key: fmt.Sprintf("key-%d", id)},
		State:      deployment.Waiting,
		AcceptedAt: o.clock(),
	}
	delivery := deployment.Delivery{
		GUID: fmt.Sprint(id), Event: "deployment", Source: "github", RepositoryID: 1, DeploymentID: id,
		ReceivedAt: o.clock(), Body: []byte("{}"),
	}
	if _, err := o.db.Accept(o.t.Context(), delivery, d); err != nil {
		o.t.Fatal(err)
	}
	d, err := o.db.ByKey(o.t.Context(), d.Target.Key)
	if err != nil {
		o.t.Fatal(err)
	}
	return d
}

// move brings a deployment to a state.
func (o *office) move(d deployment.Deployment, state deployment.State) deployment.Deployment {
	o.t.Helper()
	d.State = state
	switch {
	case state == deployment.Running && d.Pipeline == nil:
		d.Pipeline = &deployment.Pipeline{ID: d.Target.Key, Number: d.Request.ID, Slug: "gh/acme/api"}
		d.StartedAt = o.clock()
	case !state.Open():
		d.EndedAt = o.clock()
	}
	d, err := o.db.Save(o.t.Context(), d, deployment.Changes{
		Timeline: []deployment.Entry{{At: o.clock(), Event: string(state)}},
	}, deployment.SaveOptions{})
	if err != nil {
		o.t.Fatal(err)
	}
	return d
}

// wantCard checks that a channel shows one card about one deployment, which has shown these states in turn.
func (o *office) wantCard(channel string, states ...deployment.State) *shown {
	o.t.Helper()
	list := o.room.in(channel)
	if len(list) != 1 || !slices.Equal(list[0].states, states) {
		for _, m := range list {
			o.t.Logf("%s: %q %v", m.id, m.text, m.states)
		}
		o.t.Fatalf("got %d cards in %s (calls %v), want one that has shown %v", len(list), channel, o.room.log, states)
	}
	return list[0]
}

func (o *office) message(d deployment.Deployment) deployment.Message {
	o.t.Helper()
	list, err := o.db.MessagesOf(o.t.Context(), d.Row)
	if err != nil || len(list) == 0 {
		o.t.Fatalf("got messages %v, %v, want one", list, err)
	}
	return list[0]
}

var unknown = &SendError{Kind: SendUnknown, Code: "cut"}
