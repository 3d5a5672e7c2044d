package slackapp

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/slack"
	"github.com/seraph-deploy/seraph/pkg/store"
)

const (
	signingSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	formMedia     = "application/x-www-form-urlencoded"
	jsonMedia     = "application/json"
)

// inbox is a Handler over real HTTP and a real database, and a Worker whose work the test does.
type inbox struct {
	t      *testing.T
	db     *store.DB
	file   string
	server *httptest.Server
	worker *Worker
	logs   lockedBuffer
	did    chan slack.Incoming // what the worker was given

	mu        sync.Mutex
	now       time.Time
	workspace string
	counted   []string
	responses []string // "URL text" of each text that was sent to a response URL
	tellErr   error
	do        func(context.Context, slack.Incoming) error
	gaveUp    []string
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	b := &inbox{
		t:         t,
		file:      t.TempDir() + "/seraph.db",
		did:       make(chan slack.Incoming, 100),
		now:       time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC),
		workspace: "T1",
		do:        func(context.Context, slack.Incoming) error { return nil },
	}

	b.open()
	t.Cleanup(func() { b.close(context.Background()) })
	return b
}

func (b *inbox) open() {
	b.t.Helper()
	log := zerolog.New(&b.logs)
	db, err := store.Open(b.t.Context(), store.Options{URL: "sqlite:" + b.file, Log: log, Now: b.clock})
	if err != nil {
		b.t.Fatal(err)
	}
	verifier, err := slack.NewVerifier(signingSecret)
	if err != nil {
		b.t.Fatal(err)
	}

	b.db = db
	b.worker = NewWorker(WorkerOptions{
		Rows:         db,
		Do:           b.work,
		OverdueEvery: 5 * time.Millisecond,
		GaveUp:       func(kind string) { b.locked(func() { b.gaveUp = append(b.gaveUp, kind) }) },
		Log:          log,
		Now:          b.clock,
	})
	b.server = httptest.NewServer(NewHandler(HandlerOptions{
		Verifier:  verifier,
		Inbox:     db,
		Workspace: func() string { b.mu.Lock(); defer b.mu.Unlock(); return b.workspace },
		BotUser:   func() string { return "UBOT" },
		Check: func(in slack.Incoming) slack.ViewErrors {
			if in.Values["word"] == "wrong" {
				return slack.ViewErrors{"word": "type it again"}
			}
			return nil
		},
		Stored: b.worker.Wake,
		Tell: func(_ context.Context, responseURL slack.Secret, text string) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.responses = append(b.responses, responseURL.Reveal()+" "+text)
			return b.tellErr
		},
		Observe: func(source, event, result string) {
			b.locked(func() { b.counted = append(b.counted, source+" "+event+" "+result) })
		},
		Log: log,
		Now: b.clock,
	}))
	b.worker.Start()
}

func (b *inbox) close(ctx context.Context) {
	b.server.Close()
	b.worker.Stop(ctx)
	_ = b.db.Close()
}

func (b *inbox) work(ctx context.Context, in slack.Incoming) error {
	b.mu.Lock()
	do := b.do
	b.mu.Unlock()

	err := do(ctx, in)
	b.did <- in
	return err
}

func (b *inbox) locked(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func (b *inbox) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *inbox) later(d time.Duration) { b.locked(func() { b.now = b.now.Add(d) }) }

// request is one request of Slack.
type request struct {
	media     string
	body      string
	signature string
	stamp     string
	query     string
}

// signed is a request as Slack signs it at a moment.
func signed(media, body string, at time.Time) request {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(signingSecret))
	_, _ = io.WriteString(mac, "v0:"+stamp+":"+body)
	return request{media: media, body: body, stamp: stamp, signature: "v0=" + hex.EncodeToString(mac.Sum(nil))}
}

// reply is how a request was answered.
type reply struct {
	status  int
	body    string
	noRetry bool
}

func (b *inbox) send(r request) reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.server.URL+r.query, strings.NewReader(r.body))
	if err != nil {
		b.t.Fatal(err)
	}

	req.Header.Set("Content-Type", r.media)
	if r.signature != "" {
		req.Header.Set("X-Slack-Signature", r.signature)
		req.Header.Set("X-Slack-Request-Timestamp", r.stamp)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}

	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}

	return reply{resp.StatusCode, string(body), resp.Header.Get("X-Slack-No-Retry") == "1"}
}

// post sends a request that Slack signs now.
func (b *inbox) post(media, body string) reply {
	b.t.Helper()
	return b.send(signed(media, body, b.clock()))
}

// wantDone waits until the worker was given a request, and returns it.
func (b *inbox) wantDone() slack.Incoming {
	b.t.Helper()
	select {
	case in := <-b.did:
		return in
	case <-time.After(20 * time.Second):
		b.t.Fatal("the worker was given nothing")
		return slack.Incoming{}
	}
}

// wantNothingDue checks that nothing waits for the worker, and that it was given nothing else.
func (b *inbox) wantNothingDue() {
	b.t.Helper()
	b.eventually("no row is due", func() bool {
		rows, err := b.db.OverdueChatDeliveries(b.t.Context(), 10)
		return err == nil && len(rows) == 0
	})

	select {
	case in := <-b.did:
		b.t.Errorf("the worker was given %+v, want nothing", in)
	default:
	}
}

// eventually waits until a condition holds.
func (b *inbox) eventually(what string, holds func() bool) {
	b.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); !holds(); {
		select {
		case <-deadline:
			b.t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

func (b *inbox) wantCounted(want string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.counted) == 0 || b.counted[len(b.counted)-1] != want {
		b.t.Errorf("got %q counted, want %q last", b.counted, want)
	}
}

// slash is the body of a slash command.
func slash(team, text, trigger string) string {
	return url.Values{
		"team_id":      {team},
		"user_id":      {"U1"},
		"channel_id":   {"C1"},
		"command":      {"/deploy"},
		"text":         {text},
		"trigger_id":   {trigger},
		"response_url": {"https://hooks.slack.com/commands/" + trigger},
	}.Encode()
}

// click is the body of a click.
func click(team, trigger string) string {
	return url.Values{"payload": {fmt.Sprintf(`{"type":"block_actions","team":{"id":%q},"user":{"id":"U1"},
		"trigger_id":%q,"response_url":"https://hooks.slack.com/actions/%s",
		"container":{"message_ts":"17.1","channel_id":"C1"},
		"actions":[{"action_id":"seraph_approve","value":"v1 5 abc"}]}`, team, trigger, trigger)}}.Encode()
}

// submit is the body of a submitted modal.
func submit(word, trigger string) string {
	return url.Values{"payload": {fmt.Sprintf(`{"type":"view_submission","team":{"id":"T1"},"user":{"id":"U1"},
		"trigger_id":%q,"view":{"id":"V1","callback_id":"confirm",
		"state":{"values":{"word":{"w":{"value":%q}}}}}}`, trigger, word)}}.Encode()
}

// event is the body of an event.
func event(team, id, inner string) string {
	return fmt.Sprintf(`{"type":"event_callback","team_id":%q,"event_id":%q,"event":%s}`, team, id, inner)
}

const (
	mentionOf = `{"type":"app_mention","user":"U1","text":"<@UBOT> deploy api","ts":"17.1","channel":"D1"}`
	directOf  = `{"type":"message","channel_type":"im","user":"U1","text":"<@UBOT> deploy api","ts":"17.1","channel":"D1"}`
)

var _ Inbox = (*store.DB)(nil)

var _ Rows = (*store.DB)(nil)

// dueRows returns the rows of the stored requests that are due.
func (b *inbox) dueRows() []int64 {
	b.t.Helper()
	rows, err := b.db.OverdueChatDeliveries(b.t.Context(), 100)
	if err != nil {
		b.t.Fatal(err)
	}
	return rows
}
