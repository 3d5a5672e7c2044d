package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	goslack "github.com/slack-go/slack"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The people and channels of the tests.
const (
	alice     = "U0ALICE001"
	bob       = "U0BOB00001"
	deploys   = "C0DEPLOYS1"
	private   = "G0PRIVATE1"
	elsewhere = "C0ELSE0001"
)

// start runs a simulator with two people and three channels until the test ends.
func start(t *testing.T, options Options) *Server {
	t.Helper()
	if options.AckTimeout == 0 {
		options.AckTimeout = time.Minute // a busy machine may need longer than Slack waits
	}
	if options.TriggerLife == 0 && options.Now == nil {
		options.TriggerLife = time.Minute // the same
	}
	s := New(options)
	t.Cleanup(s.Close)
	if err := s.Start(""); err != nil {
		t.Fatal(err)
	}

	s.AddUser(User{ID: alice, Name: "alice"})
	s.AddUser(User{ID: bob, Name: "bob"})
	s.AddChannel(Channel{ID: deploys, Name: "deploys"})
	s.AddChannel(Channel{ID: private, Name: "ops", Private: true})
	s.AddChannel(Channel{ID: elsewhere, Name: "elsewhere", Away: true})

	return s
}

// client is slack-go, unchanged.
func client(t *testing.T, s *Server) *goslack.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return goslack.New(
		s.options.Token,
		goslack.OptionAPIURL(s.URL()),
		goslack.OptionHTTPClient(&http.Client{Transport: transport}),
	)
}

func limitedContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// app receives deliveries and answers as the test says.
type app struct {
	mu     sync.Mutex
	bodies []string
	answer func(w http.ResponseWriter, r *http.Request, body []byte)
}

// startApp makes the simulator send to an app until the test ends. It fails the test at a wrong signature.
func startApp(t *testing.T, s *Server, answer func(w http.ResponseWriter, r *http.Request, body []byte)) *app {
	t.Helper()
	a := &app{answer: answer}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	s.SetRequestURL(server.URL)

	return a
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}

	verifier, err := goslack.NewSecretsVerifier(r.Header, DefaultSigningSecret)
	if err == nil {
		verifier.Write(body)
		err = verifier.Ensure()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}

	a.mu.Lock()
	a.bodies = append(a.bodies, string(body))
	a.mu.Unlock()
	if a.answer != nil {
		a.answer(w, r, body)
	}
}

func TestServer_SlackGoPostsAndEdits(t *testing.T) {
	s := start(t, Options{})
	api, ctx := client(t, s), limitedContext(t)

	who, err := api.AuthTestContext(ctx)
	if err != nil || who.TeamID != DefaultTeam || who.BotID != "B0SERAPH01" || who.UserID != "U0SERAPHBOT" {
		t.Fatalf("got %+v, %v", who, err)
	}

	label := goslack.NewTextBlockObject("plain_text", "Approve", false, false)
	button := goslack.NewButtonBlockElement("seraph_approve", "v1 7 abc", label)
	metadata := goslack.SlackMetadata{EventType: "seraph_card", EventPayload: map[string]any{"key": "k1"}}
	channel, ts, err := api.PostMessageContext(
		ctx,
		deploys,
		goslack.MsgOptionText("waits", false),
		goslack.MsgOptionBlocks(goslack.NewActionBlock("b1", button)),
		goslack.MsgOptionMetadata(metadata),
		goslack.MsgOptionDisableLinkUnfurl(),
	)
	if err != nil || channel != deploys || ts == "" {
		t.Fatalf("got %q, %q, %v", channel, ts, err)
	}

	posted, _ := s.Message(deploys, ts)
	if b, found := posted.Button("seraph_approve"); !found || b.Value != "v1 7 abc" || b.BlockID != "b1" {
		t.Errorf("got message %+v with buttons %v", posted, posted.Buttons())
	}
	if posted.UnfurlLinks || !posted.UnfurlMedia {
		t.Errorf("got message %+v, want links not unfurled, as was sent, and media, as is Slack's default", posted)
	}

	if _, _, _, err := api.UpdateMessageContext(ctx, deploys, ts, goslack.MsgOptionText("runs", false)); err != nil {
		t.Fatal(err)
	}

	now, _ := s.Message(deploys, ts)
	if now.Text != "runs" || now.Blocks != nil || now.Metadata == nil || now.Version != 2 {
		t.Errorf("got %+v, want the text without blocks and the metadata as it was", now)
	}

	history, err := api.GetConversationHistoryContext(ctx, &goslack.GetConversationHistoryParameters{
		ChannelID:          deploys,
		IncludeAllMetadata: true,
	})
	if err != nil || len(history.Messages) != 1 {
		t.Fatalf("got history %+v, %v", history, err)
	}
	if m := history.Messages[0]; m.Metadata.EventPayload["key"] != "k1" || m.BotID != who.BotID {
		t.Errorf("got message %+v", m)
	}

	call := s.Calls("chat.postMessage")[0]
	if call.Token != InBody || call.Args["token"] != "" || call.TS != ts || call.Status != http.StatusOK {
		t.Errorf("got call %+v, want the token in the body and not among the arguments", call)
	}
}

func TestServer_ClickAndModal(t *testing.T) {
	s := start(t, Options{})
	api, ctx := client(t, s), limitedContext(t)
	interactions := make(chan goslack.InteractionCallback, 8)
	startApp(t, s, func(w http.ResponseWriter, r *http.Request, body []byte) {
		in, err := goslack.InteractionCallbackParse(requestOf(body))
		if err != nil {
			t.Error(err)
		}
		interactions <- in
		if in.Type != goslack.InteractionTypeViewSubmission {
			return
		}
		if in.View.State.Values["word"]["typed"].Value != "production" {
			refusal := goslack.NewErrorsViewSubmissionResponse(map[string]string{"word": "type production"})
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(refusal)
		}
	})

	label := goslack.NewTextBlockObject("plain_text", "Cancel", false, false)
	button := goslack.NewButtonBlockElement("seraph_cancel", "v1 7 abc", label)
	_, ts, err := api.PostMessageContext(ctx, deploys, goslack.MsgOptionBlocks(goslack.NewActionBlock("b1", button)))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := s.Click(bob, deploys, ts, "seraph_cancel"); err != nil || !d.Accepted() {
		t.Fatalf("got %+v, %v", d, err)
	}

	click := <-interactions
	actions := click.ActionCallback.BlockActions
	if len(actions) != 1 || actions[0].Value != "v1 7 abc" || click.User.ID != bob || click.Message.Timestamp != ts {
		t.Fatalf("got %+v", click)
	}

	view := goslack.ModalViewRequest{
		Type:       goslack.VTModal,
		CallbackID: "confirm",
		Title:      goslack.NewTextBlockObject("plain_text", "Sure?", false, false),
		Submit:     goslack.NewTextBlockObject("plain_text", "Yes", false, false),
		Blocks: goslack.Blocks{BlockSet: []goslack.Block{goslack.NewInputBlock(
			"word",
			goslack.NewTextBlockObject("plain_text", "Environment", false, false),
			nil,
			goslack.NewPlainTextInputBlockElement(nil, "typed"),
		)}},
	}
	opened, err := api.OpenViewContext(ctx, click.TriggerID, view)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.OpenViewContext(ctx, click.TriggerID, view); err == nil || err.Error() != "exchanged_trigger_id" {
		t.Errorf("got %v, want exchanged_trigger_id", err)
	}
	if _, err := s.Submit(opened.ID, nil); err == nil {
		t.Error("got no error for an empty input, want one")
	}

	wrong, err := s.Submit(opened.ID, map[string]string{"typed": "prod"})
	if err != nil || wrong.Closed || wrong.Errors["word"] != "type production" {
		t.Errorf("got %+v, %v, want the error of the input", wrong, err)
	}

	right, err := s.Submit(opened.ID, map[string]string{"word": "production"})
	if err != nil || !right.Closed || len(s.Views(bob)) != 0 {
		t.Errorf("got %+v, %v, want the view closed", right, err)
	}
}

// requestOf is a request with a form, for slack-go's parsers.
func requestOf(body []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.Header.Set("Content-Type", form)
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return r
}

// clock is a time that the test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
