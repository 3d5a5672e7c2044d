package slack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

const whoIsAsking = `{"ok":true,"team_id":"T1","user_id":"U0","bot_id":"B1","app_id":"A1"}`

// postedBy is a message of a history, as Slack shows it.
func postedBy(ts, bot, app, event, key string) string {
	return fmt.Sprintf(
		`{"type":"message","ts":%q,"bot_id":%q,"app_id":%q,"metadata":{"event_type":%q,"event_payload":{"key":%q}}}`,
		ts, bot, app, event, key,
	)
}

// pages answers with a page for each cursor.
func pages(list ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		n := 0
		_, _ = fmt.Sscanf(req.FormValue("cursor"), "page%d", &n)
		next := ""
		if n+1 < len(list) {
			next = fmt.Sprintf("page%d", n+1)
		}
		_, _ = fmt.Fprintf(w, `{"ok":true,"messages":[%s],"has_more":%t,"response_metadata":{"next_cursor":%q}}`,
			list[n], next != "", next)
	}
}

func TestFindMessage_OwnAndKey(t *testing.T) {
	const key = "random-key"
	mine := postedBy("9.1", "B1", "", metadataEvent, key)
	for _, test := range []struct {
		name  string
		pages []string
		want  string
	}{
		{name: "own bot", pages: []string{mine}, want: "9.1"},
		{name: "own app", pages: []string{postedBy("9.1", "B7", "A1", metadataEvent, key)}, want: "9.1"},
		{name: "own user", pages: []string{strings.Replace(mine, `"B1"`, `"","user":"U0"`, 1)}, want: "9.1"},
		{name: "on the last page", pages: []string{postedBy("9.3", "B1", "", metadataEvent, "other"), "", mine}, want: "9.1"},
		{name: "key copied by another app", pages: []string{postedBy("9.1", "B2", "A2", metadataEvent, key)}},
		{name: "key copied by a person", pages: []string{postedBy("9.1", "", "", metadataEvent, key)}},
		{name: "another event", pages: []string{postedBy("9.1", "B1", "A1", "other_card", key)}},
		{name: "another key", pages: []string{postedBy("9.1", "B1", "A1", metadataEvent, "random-key2")}},
		{
			name: "among messages of unknown shapes",
			pages: []string{
				`7,null,{"ts":5},{"metadata":{"event_payload":[1]}},` +
					`{"bot_id":"B1","ts":"9.2","metadata":{"event_payload":{"key":7}}},` + mine,
			},
			want: "9.1",
		},
		{name: "empty channel", pages: []string{""}},
	} {
		for _, thread := range []string{"", "1.1"} {
			t.Run(test.name+" in thread "+thread, func(t *testing.T) {
				c, r := newRecorder(t, answers{
					"auth.test":             answerOf(200, whoIsAsking),
					"conversations.history": pages(test.pages...),
					"conversations.replies": pages(test.pages...),
				})
				id, ok, err := c.FindMessage(t.Context(), notify.Find{Channel: "C1", Thread: thread, Key: key, Since: noon})
				if err != nil {
					t.Fatal(err)
				}
				if ok != (test.want != "") || id.Message != test.want || ok && id.Channel != "C1" {
					t.Errorf("got %v, %t, want %q", id, ok, test.want)
				}

				got := r.last(t)
				for name, want := range map[string]string{
					"channel": "C1", "ts": thread, "include_all_metadata": "1", "limit": "100", "oldest": "1795867170.000000",
				} {
					if got.form.Get(name) != want {
						t.Errorf("%s: got %q, want %q", name, got.form.Get(name), want)
					}
				}
			})
		}
	}
}

// TestFindMessage_NotReadToTheEnd wants that a look-up which has not seen all messages does not say "not there".
func TestFindMessage_NotReadToTheEnd(t *testing.T) {
	for _, test := range []struct{ name, body string }{
		{name: "the same cursor again", body: `{"ok":true,"messages":[],"response_metadata":{"next_cursor":"a"}}`},
		{name: "more without a cursor", body: `{"ok":true,"messages":[],"has_more":true}`},
		{name: "messages of another shape", body: `{"ok":true,"messages":{}}`},
		{name: "cursor of another shape", body: `{"ok":true,"messages":[],"response_metadata":{"next_cursor":[1]}}`},
		{name: "no messages", body: `{"ok":true}`},
		{name: "null", body: `{"ok":true,"messages":null}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := newRecorder(t, answers{
				"auth.test":             answerOf(200, whoIsAsking),
				"conversations.history": answerOf(200, test.body),
			})
			_, ok, err := c.FindMessage(t.Context(), notify.Find{Channel: "C1", Key: "k", Since: noon})
			if e := sendError(t, err); e.Kind != notify.SendUnknown || ok {
				t.Errorf("got %v, %t, want %s", e, ok, notify.SendUnknown)
			}
		})
	}
}

func TestFindMessage_EndsInABusyChannel(t *testing.T) {
	n := 0
	c, r := newRecorder(t, answers{
		"auth.test": answerOf(200, whoIsAsking),
		"conversations.history": func(w http.ResponseWriter, _ *http.Request) {
			n++
			_, _ = fmt.Fprintf(w, `{"ok":true,"messages":[],"has_more":true,"response_metadata":{"next_cursor":"c%d"}}`, n)
		},
	})
	_, _, err := c.FindMessage(t.Context(), notify.Find{Channel: "C1", Key: "k", Since: noon})
	if e := sendError(t, err); e.Kind != notify.SendUnknown || r.count() != maxPages+1 {
		t.Errorf("got %v after %d requests, want %s after %d", e, r.count(), notify.SendUnknown, maxPages+1)
	}
}

// TestFindMessage_OfAPerson wants that a direct message is looked for where it is, not under the person's id.
func TestFindMessage_OfAPerson(t *testing.T) {
	c, r := newRecorder(t, answers{
		"auth.test":             answerOf(200, whoIsAsking),
		"conversations.open":    answerOf(200, `{"ok":true,"channel":{"id":"D7"}}`),
		"conversations.history": pages(postedBy("9.1", "B1", "", metadataEvent, "k")),
	})
	id, ok, err := c.FindMessage(t.Context(), notify.Find{Channel: "U1", Key: "k", Since: noon})
	if want := (notify.MessageID{Channel: "D7", Message: "9.1"}); err != nil || !ok || id != want {
		t.Errorf("got %v, %t, %v, want %v", id, ok, err, want)
	}
	if got := r.last(t).form.Get("channel"); got != "D7" {
		t.Errorf("got channel %q, want D7", got)
	}
}

// FuzzPage wants of every answer that it is read without a panic, and that nothing is found without a key or without
// knowing who this app is.
func FuzzPage(f *testing.F) {
	mine := postedBy("9.1", "B1", "A1", metadataEvent, "k")
	f.Add([]byte(`{"ok":true,"messages":[` + mine + `]}`))
	f.Add([]byte(`{"ok":true,"messages":[7,{"ts":1},` + strings.Replace(mine, `"k"`, `["k"]`, 1) + `]}`))
	f.Add([]byte(`{"ok":true,"messages":{}}`))

	f.Fuzz(func(t *testing.T, body []byte) {
		var p page
		if json.Unmarshal(body, &p) != nil {
			return
		}

		me := Identity{Bot: "B1", App: "A1"}
		_ = p.find("k", me)
		if got := p.find("", me); got != "" {
			t.Errorf("got %q for no key", got)
		}
		if got := p.find("k", Identity{}); got != "" {
			t.Errorf("got %q for nobody", got)
		}
	})
}
