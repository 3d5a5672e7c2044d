package slackapp

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/audit"
	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/link"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/slack"
	"github.com/seraph-deploy/seraph/pkg/store"
	simslack "github.com/seraph-deploy/seraph/test/sim/slack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The workspace of the tests.
const (
	team    = simslack.DefaultTeam
	foreign = "T0OTHER001"
	room    = "C0DEPLOYS1"
	bot     = "U0SERAPHBOT"
)

var (
	alice = deployment.Actor{ID: 1, Login: "alice"}
	bob   = deployment.Actor{ID: 2, Login: "bob"}
)

// world is a simulated Slack with people in it, and Actions that answer them: over real HTTP, with real signatures
// and a real database. What lines and orders do is recorded and answered by the test.
type world struct {
	t       *testing.T
	sim     *simslack.Server
	db      *store.DB
	actions *Actions
	client  *slack.Client

	workspace string // that the routes file names

	mu      sync.Mutex
	log     bytes.Buffer
	refused []string
	lines   []command.Line
	callers []command.Caller
	orders  []command.AgainOrder
	back    []command.RollbackOrder
	sent    map[string]notify.Note // by topic and user
	at      time.Time              // what now returned last, also to the simulated Slack
	onFacts func()                 // is called when the facts of a card are asked for; nil: nothing
	people  map[string]deployment.Actor
	links   []string                          // what was asked of them
	facts   map[int64]notify.Facts            // by row
	fresh   []int64                           // rows of refreshed cards
	answer  func(command.Line) command.Answer // nil: "done", which has changed something
	order   func(command.Caller) (command.Ordered, error)
	before  map[string]command.Ordered
}

// newWorld makes a world and starts it.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t:         t,
		workspace: team,
		at:        time.Now().Round(0),
		people:    map[string]deployment.Actor{"U0ALICE": alice, "U0BOB": bob},
		facts:     map[int64]notify.Facts{},
		sent:      map[string]notify.Note{},
		before:    map[string]command.Ordered{},
	}

	w.sim = simslack.New(simslack.Options{
		Commands:   []string{"/deploy", "/seraph"},
		RetryAfter: []time.Duration{},
		AckTimeout: time.Minute, // the machine may be slow
		Now:        w.now,
	})
	if err := w.sim.Start(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.sim.Close)
	w.sim.AddTeam(simslack.Team{ID: foreign, Domain: "other", Name: "Other"})
	w.sim.AddChannel(simslack.Channel{ID: room})
	for _, id := range []string{"U0ALICE", "U0BOB", "U0UNLINKED"} {
		w.sim.AddUser(simslack.User{ID: id})
	}

	log := zerolog.New(writer(func(p []byte) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.log.Write(p)
	}))
	var err error
	w.db, err = store.Open(t.Context(), store.Options{URL: "sqlite:" + t.TempDir() + "/seraph.db", Log: log, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })

	base, _ := url.Parse(w.sim.URL())
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	w.client = slack.New(slack.Options{
		BaseURL: base,
		Token:   simslack.DefaultToken,
		HTTP:    &http.Client{Transport: transport},
		Now:     w.now,
	})
	w.actions = NewActions(w.options(log))

	app := httptest.NewServer(http.HandlerFunc(w.receive))
	t.Cleanup(app.Close)
	w.sim.SetRequestURL(app.URL)
	return w
}

func (w *world) options(log zerolog.Logger) Options {
	return Options{
		Directory:   w.client,
		Speaker:     w.client,
		Views:       w.client,
		Persons:     w,
		Links:       w,
		Lines:       w,
		Orders:      w,
		Cards:       w,
		Approvers:   w,
		Deployments: w.db,
		Locks:       w.db,
		Messages:    w,
		Audit:       w.db,
		Workspace:   func() string { return w.workspace },
		Names: func() grammar.Names {
			environments := []grammar.Environment{{Name: "staging"}, {Name: "production", Production: true}}
			return grammar.Names{Apps: []grammar.App{{Name: "api", Repository: "acme/api", Environments: environments}}}
		},
		Render: slack.RenderOptions{Hosts: []string{"seraph.test", "github.com"}},
		ObserveRefused: func(code string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.refused = append(w.refused, code)
		},
		Log: log,
		Now: w.now,
	}
}

type writer func([]byte)

func (f writer) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// now is a millisecond later each time.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(time.Millisecond)
	return w.at
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// receive is where Slack sends its requests: it verifies and reads each, does it, and answers.
func (w *world) receive(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	verifier, err := slack.NewVerifier(simslack.DefaultSigningSecret)
	if err == nil {
		_, err = verifier.Verify(r.Header, body, w.now())
	}
	if err != nil {
		w.t.Error(err)
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}

	in, err := slack.ParseIncoming(r.Header.Get("Content-Type"), body)
	if err != nil {
		w.t.Error(err)
	}
	if bad := w.actions.Check(in); bad != nil {
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(map[string]any{"response_action": "errors", "errors": bad})
		return
	}

	if err := w.actions.Do(context.WithoutCancel(r.Context()), in); err != nil {
		w.t.Errorf("%s: %v", in.Kind, err)
	}
}

// Person and the methods below are what Actions need of other packages.
func (w *world) Person(_, workspace, user string) (deployment.Actor, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	who, ok := w.people[user]
	return who, ok && workspace == w.workspace
}

func (w *world) ChatUser(_, _ string, id int64) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for user, who := range w.people {
		if who.ID == id {
			return user, true
		}
	}
	return "", false
}

func (w *world) linked(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.links = append(w.links, what)
}

func (w *world) Start(_ context.Context, u link.User) (string, error) {
	w.linked("start " + u.User + " " + u.Name)
	return "https://seraph.test/link/ADDRESS", nil
}

func (w *world) Confirm(_ context.Context, u deployment.ChatUser, code string) (deployment.Actor, error) {
	w.linked("confirm " + u.User + " " + code)
	if code != "GOOD-CODE" {
		return deployment.Actor{}, &command.Error{Kind: command.KindForbidden, Code: "wrong_code", Message: "this code is not known"}
	}
	who := deployment.Actor{ID: 9, Login: "una"}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.people[u.User] = who
	return who, nil
}

func (w *world) Unlink(_ context.Context, u deployment.ChatUser, why string) error {
	w.linked("unlink " + u.User + " " + why)
	return nil
}

func (w *world) Answer(_ context.Context, c command.Caller, l command.Line) (command.Answer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines, w.callers = append(w.lines, l), append(w.callers, c)
	if w.answer == nil {
		return command.Answer{Text: "It is done.", Changed: true}, nil
	}
	return w.answer(l), nil
}

func (w *world) Before(_ context.Context, _ command.Caller, l command.Line) (command.Answer, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.lines, func(done command.Line) bool { return done.Request == l.Request })
	return command.Answer{Text: "It is done."}, i >= 0, nil
}

func (w *world) AsksGitHub(text string) bool { return text != "status" }

func (w *world) Again(_ context.Context, c command.Caller, o command.AgainOrder) (command.Ordered, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orders = append(w.orders, o)
	if w.order != nil {
		return w.order(c)
	}
	d := w.facts[1].Deployment
	d.Request.ID, d.Row, d.State = 99, 2, deployment.Running
	done := command.Ordered{
		Intent:     deployment.Intent{By: c.By, State: deployment.IntentCreated, DeploymentID: 99},
		Deployment: &d,
	}
	w.before[o.Key] = done
	return done, nil
}

func (w *world) Rollback(ctx context.Context, c command.Caller, o command.RollbackOrder) (command.Ordered, error) {
	w.mu.Lock()
	w.back = append(w.back, o)
	w.mu.Unlock()
	return w.Again(ctx, c, command.AgainOrder{Reason: o.Reason, Origin: o.Origin})
}

func (w *world) Request(_ context.Context, _ command.Caller, key string) (command.Ordered, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	done, ok := w.before[key]
	if !ok {
		return done, &command.Error{Kind: command.KindNotFound, Code: "not_found", Message: "no request has this key"}
	}
	return done, nil
}

func (w *world) Facts(_ context.Context, row int64) (notify.Facts, error) {
	if w.onFacts != nil {
		w.onFacts()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f, ok := w.facts[row]
	if !ok {
		return f, deployment.ErrNotFound
	}
	return f, nil
}

func (w *world) Refresh(_ context.Context, row int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fresh = append(w.fresh, row)
	return nil
}

func (w *world) Approver(
	_ context.Context,
	d deployment.Deployment,
	by deployment.Actor,
) (policy.Approval, policy.Refusal) {
	return policy.Approval{By: by, SHA: d.Request.SHA, Parameters: d.Target.Digest(), Policy: "rules"}, policy.Refusal{}
}

func (w *world) HoldApprover(context.Context, deployment.Deployment, deployment.Actor) policy.Refusal {
	return policy.Refusal{}
}

func (w *world) Enqueue(_ context.Context, topic, user string, note notify.Note) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, known := w.sent[topic+" "+user]
	w.sent[topic+" "+user] = note
	return !known, nil
}

func (w *world) Resume(_ context.Context, topic, channel string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent[topic+" "+channel] = notify.Note{Summary: "resumed"}
	return nil
}

// logged returns the log.
func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// audits lists the audit.
func (w *world) audits() []audit.Record {
	w.t.Helper()
	list, err := w.db.Audit(w.t.Context(), 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// private returns what only a user has been shown, newest last, and fails if there is nothing.
func (w *world) private(user string) string {
	w.t.Helper()
	var texts []string
	for _, m := range w.sim.Ephemerals(user) {
		texts = append(texts, shown(m))
	}
	for _, m := range w.sim.Posted(w.sim.Direct(user)) {
		texts = append(texts, shown(m))
	}
	if len(texts) == 0 {
		w.t.Fatalf("%s was shown nothing", user)
	}
	return texts[len(texts)-1]
}

// public returns what everybody in a channel has been shown by Seraph, oldest first.
func (w *world) public(channel string) []string {
	var all []string
	for _, m := range w.sim.Posted(channel) {
		if m.OnlyFor == "" && m.User == bot {
			all = append(all, shown(m))
		}
	}
	return all
}

// shown is all text of a message.
func shown(m simslack.Message) string {
	blocks, _ := json.Marshal(m.Blocks)
	return m.Text + " " + texts(blocks)
}

// texts joins all texts of blocks.
func texts(blocks []byte) string {
	var all []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if text, ok := v["text"].(string); ok {
				all = append(all, text)
			}
			if address, ok := v["url"].(string); ok {
				all = append(all, address)
			}
			for _, key := range []string{"text", "elements", "fields", "element", "label"} {
				walk(v[key])
			}
		}
	}
	var v any
	_ = json.Unmarshal(blocks, &v)
	walk(v)
	return strings.Join(all, " ")
}

// broken is Lines that always fail.
type broken struct{ err error }

func (b broken) Answer(context.Context, command.Caller, command.Line) (command.Answer, error) {
	return command.Answer{}, b.err
}

func (b broken) AsksGitHub(string) bool { return false }

func (b broken) Before(context.Context, command.Caller, command.Line) (command.Answer, bool, error) {
	return command.Answer{}, false, nil
}
