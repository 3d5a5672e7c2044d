package slack

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	goslack "github.com/slack-go/slack"
	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var greeting = Message{
	Channel: "C1",
	Text:    "hello &amp; welcome",
	Blocks:  []goslack.Block{goslack.NewDividerBlock()},
	Key:     "random-key",
}

func TestPostMessage_Sends(t *testing.T) {
	c, r := newRecorder(t, answers{"chat.postMessage": answerOf(200, `{"ok":true,"channel":"D9","ts":"1.2"}`)})
	m := greeting
	m.Thread, m.Broadcast = "1.1", true
	id, err := c.PostMessage(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if want := (notify.MessageID{Channel: "D9", Message: "1.2"}); id != want {
		t.Errorf("got %v, want %v", id, want)
	}

	got := r.last(t)
	if want := "Bearer " + testToken; got.authorization != want {
		t.Errorf("authorization: got %q, want %q", got.authorization, want)
	}
	if _, ok := got.form["token"]; ok || strings.Contains(got.body, "xox") {
		t.Errorf("got body %q, want no token in it", got.body)
	}
	wantForm(t, got.form, map[string]string{
		"channel":         "C1",
		"text":            "hello &amp; welcome",
		"blocks":          `[{"type":"divider"}]`,
		"metadata":        `{"event_type":"seraph_card","event_payload":{"key":"random-key"}}`,
		"parse":           "none",
		"unfurl_links":    "false",
		"unfurl_media":    "false",
		"thread_ts":       "1.1",
		"reply_broadcast": "true",
	})
}

func TestUpdateMessage_Sends(t *testing.T) {
	for _, test := range []struct {
		name   string
		blocks []goslack.Block
		want   string
	}{
		{name: "blocks", blocks: greeting.Blocks, want: `[{"type":"divider"}]`},
		{name: "text only removes the blocks", want: `[]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, r := newRecorder(t, answers{"chat.update": answerOf(200, `{"ok":true,"channel":"C1","ts":"1.2"}`)})
			m := greeting
			m.Blocks = test.blocks
			if err := c.UpdateMessage(t.Context(), notify.MessageID{Channel: "C1", Message: "1.2"}, m); err != nil {
				t.Fatal(err)
			}
			wantForm(t, r.last(t).form, map[string]string{
				"channel":      "C1",
				"ts":           "1.2",
				"text":         "hello &amp; welcome",
				"blocks":       test.want,
				"parse":        "none",
				"unfurl_links": "false",
				"unfurl_media": "false",
			})
		})
	}
}

// wantForm wants a form with these fields and no others.
func wantForm(t *testing.T, got url.Values, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got.Get(name) != value {
			t.Errorf("%s: got %q, want %q", name, got.Get(name), value)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("got field %s=%q, want none", name, got.Get(name))
		}
	}
}

func TestPostMessage_RefusesWithoutText(t *testing.T) {
	c, r := newRecorder(t, nil)
	_, err := c.PostMessage(t.Context(), Message{Channel: "C1", Blocks: greeting.Blocks})
	if got := sendError(t, err).Kind; got != notify.SendContent || r.count() != 0 {
		t.Errorf("got %s and %d requests, want %s and none", got, r.count(), notify.SendContent)
	}
}

// TestPostMessage_SuccessNeedsAnID wants that an answer which names no message is no success, nor a failure.
func TestPostMessage_SuccessNeedsAnID(t *testing.T) {
	for _, body := range []string{
		`{}`,
		`{"ok":true}`,
		`{"ok":true,"ts":""}`,
		`{"ok":true,"ts":"1.2"}`,
		`{"ok":true,"channel":"C1"}`,
		`{"ok":false}`,
		`{"ok":true,"ts":12,"channel":"C1"}`,
		`{"ok":"true","ts":"1.2","channel":"C1"}`,
		`[]`,
		`null`,
		``,
		`{"ok":true,"ts":"1.2","channel"`,
		`<html>login</html>`,
	} {
		t.Run(body, func(t *testing.T) {
			c, r := newRecorder(t, answers{"chat.postMessage": answerOf(200, body)})
			id, err := c.PostMessage(t.Context(), greeting)
			if got := sendError(t, err).Kind; got != notify.SendUnknown || id != (notify.MessageID{}) {
				t.Errorf("got %s and %v, want %s and no id", got, id, notify.SendUnknown)
			}
			if slices.Contains(r.codes, "chat.postMessage=ok") {
				t.Errorf("got observations %q, want no success", r.codes)
			}
		})
	}
}

func TestUpdateMessage_SuccessNeedsAnID(t *testing.T) {
	for _, body := range []string{`{"ok":true}`, `{"ok":true,"ts":""}`, `{"ok":true,"ts":null}`} {
		t.Run(body, func(t *testing.T) {
			c, _ := newRecorder(t, answers{"chat.update": answerOf(200, body)})
			err := c.UpdateMessage(t.Context(), notify.MessageID{Channel: "C1", Message: "1.2"}, greeting)
			if e := sendError(t, err); e.Kind != notify.SendUnknown {
				t.Errorf("got %v, want %s", e, notify.SendUnknown)
			}
		})
	}
}

// TestPostMessage_UnknownDetails wants that details which nobody knows yet hide neither a success nor an error word.
func TestPostMessage_UnknownDetails(t *testing.T) {
	const details = `"errors":[{"new":[1]}],"message":{"blocks":[{"type":7}]},"response_metadata":{"messages":[{}]}`
	c, _ := newRecorder(t, answers{
		"chat.postMessage": answerOf(200, `{"ok":true,"channel":"C1","ts":"1.2",`+details+`}`),
		"chat.update":      answerOf(200, `{"ok":false,"error":"is_archived",`+details+`}`),
	})
	id, err := c.PostMessage(t.Context(), greeting)
	if err != nil || id.Message != "1.2" {
		t.Errorf("post: got %v, %v, want the message 1.2", id, err)
	}
	err = c.UpdateMessage(t.Context(), id, greeting)
	if got := sendError(t, err); got.Code != "is_archived" {
		t.Errorf("edit: got %v, want is_archived", got)
	}
}

// TestClient_FollowsNoRedirect wants that nothing reaches another host, and that its answer is no success.
func TestClient_FollowsNoRedirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			_, elsewhere := newRecorder(t, answers{
				"chat.postMessage": answerOf(200, `{"ok":true,"channel":"C1","ts":"6.6"}`),
			})
			redirect := http.RedirectHandler(elsewhere.server.URL+"/api/chat.postMessage", status).ServeHTTP
			c, r := newRecorder(t, answers{
				"chat.postMessage": redirect,
				"chat.update":      redirect,
				"users.info":       redirect,
				"views.open":       redirect,
				"respond":          redirect,
			})

			_, post := c.PostMessage(t.Context(), greeting)
			_, user := c.User(t.Context(), "U1")
			_, view := c.OpenView(t.Context(), "trigger", View{})
			for name, err := range map[string]error{
				"post":    post,
				"edit":    c.UpdateMessage(t.Context(), notify.MessageID{Channel: "C1", Message: "1"}, greeting),
				"user":    user,
				"view":    view,
				"respond": c.Respond(t.Context(), Secret(r.server.URL+"/api/respond"), greeting),
			} {
				e := sendError(t, err)
				if e.Kind != notify.SendUnknown || e.Code != fmt.Sprint(status) {
					t.Errorf("%s: got %v, want %s with code %d", name, e, notify.SendUnknown, status)
				}
			}
			if got := elsewhere.count(); got != 0 {
				t.Errorf("got %d requests at the other host, want none", got)
			}
		})
	}
}

func TestClient_GivesTheTokenToNoOtherAddress(t *testing.T) {
	c, r := newRecorder(t, nil)
	other, err := url.Parse(strings.Replace(r.server.URL, "127.0.0.1", "localhost", 1) + "/api/")
	if err != nil {
		t.Fatal(err)
	}

	c.o.BaseURL = other // slack-go still calls the first one
	_, err = c.PostMessage(t.Context(), greeting)
	if got := sendError(t, err).Kind; got != notify.SendNotSent || r.count() != 0 {
		t.Errorf("got %s and %d requests, want %s and none", got, r.count(), notify.SendNotSent)
	}
}
