package emulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// What emulate begins with. The ids of the user and the channels are its own.
const (
	allScopes = "xoxb-1-all-scopes"
	fewScopes = "xoxb-1-few-scopes"
	readOnly  = "xoxb-1-read-only"

	app     = "A0SERAPH1"
	bot     = "B0SERAPH1"
	botUser = "U0SERAPH1"
	admin   = "U000000001"
	general = "C000000001"
	random  = "C000000002"
)

// startSlack starts emulate's Slack, and returns a function that makes clients with a token.
func startSlack(t *testing.T) (client func(token string) *slack.Client, base *url.URL) {
	t.Helper()
	token := func(token string, scopes ...string) map[string]any {
		return map[string]any{"token": token, "user": botUser, "bot_id": bot, "app_id": app, "scopes": scopes}
	}
	base = start(t, "slack", map[string]any{
		"team": map[string]any{"name": "Acme", "domain": "acme"},
		"oauth_apps": []any{map[string]any{
			"app_id":        app,
			"bot_id":        bot,
			"bot_user_id":   botUser,
			"name":          "seraph",
			"client_id":     "1.1",
			"client_secret": "secret",
			"redirect_uris": []string{},
		}},
		"channels": []any{map[string]any{"name": "secret", "is_private": true}},
		"tokens": []any{
			token(allScopes, "chat:write", "users:read", "channels:read", "channels:history", "groups:read", "im:write"),
			token(fewScopes, "chat:write"),
			token(readOnly, "users:read"),
		},
		"strict_scopes": true,
	}).JoinPath("api/")

	transport := outbound.New(outbound.Options{Timeout: 30 * time.Second})
	t.Cleanup(transport.CloseIdle)
	return func(token string) *slack.Client {
		return slack.New(slack.Options{BaseURL: base, Token: token, HTTP: transport.Client(), UserAgent: "seraph/test"})
	}, base
}

// TestSlack_AcceptsTheClient makes the calls about messages, and looks for what emulate has stored.
func TestSlack_AcceptsTheClient(t *testing.T) {
	client, base := startSlack(t)
	c := client(allScopes)
	since := time.Now()
	hello := slack.Message{
		Channel: general,
		Text:    "hello",
		Blocks:  []goslack.Block{goslack.NewDividerBlock()},
		Key:     "key-of-the-card",
	}

	t.Run("auth.test", func(t *testing.T) {
		me, err := c.Whoami(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := slack.Identity{Team: "T000000001", TeamName: "Acme", User: botUser, Bot: bot, App: app}
		if me.Team != want.Team || me.TeamName != want.TeamName || me.User != want.User || me.Bot != want.Bot ||
			me.App != want.App {
			t.Errorf("got %+v, want %+v", me, want)
		}
	})

	card, err := c.PostMessage(t.Context(), hello)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("edit", func(t *testing.T) {
		m := hello
		m.Text, m.Blocks = "hello again", nil
		if err := c.UpdateMessage(t.Context(), card, m); err != nil {
			t.Fatal(err)
		}
		got := history(t, base, general)[0] // the newest
		if got.Text != "hello again" || len(got.Blocks) != 0 || got.Metadata.EventPayload["key"] != hello.Key {
			t.Errorf("got %+v, want the new text, no blocks, and the key still there", got)
		}
	})

	t.Run("message not found", func(t *testing.T) {
		err := c.UpdateMessage(t.Context(), notify.MessageID{Channel: general, Message: "1.000001"}, hello)
		wantKind(t, err, notify.SendGone, "message_not_found")
	})

	t.Run("thread", func(t *testing.T) {
		reply := hello
		reply.Thread, reply.Key = card.Message, "key-of-the-reply"
		want, err := c.PostMessage(t.Context(), reply)
		if err != nil {
			t.Fatal(err)
		}
		find := notify.Find{Channel: general, Thread: card.Message, Key: reply.Key, Since: since}
		if got, ok, err := c.FindMessage(t.Context(), find); err != nil || !ok || got != want {
			t.Errorf("got %v, %t, %v, want %v", got, ok, err, want)
		}
		find.Thread = ""
		if got, ok, err := c.FindMessage(t.Context(), find); err != nil || ok {
			t.Errorf("in the channel: got %v, %t, %v, want none", got, ok, err)
		}
	})

	t.Run("find over pages", func(t *testing.T) {
		for range 105 {
			m := hello
			m.Key = "key-of-another"
			if _, err := c.PostMessage(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		find := notify.Find{Channel: general, Key: hello.Key, Since: since}
		if got, ok, err := c.FindMessage(t.Context(), find); err != nil || !ok || got != card {
			t.Errorf("got %v, %t, %v, want %v", got, ok, err, card)
		}
		find.Key = "key-of-none"
		if got, ok, err := c.FindMessage(t.Context(), find); err != nil || ok {
			t.Errorf("got %v, %t, %v, want none", got, ok, err)
		}
	})

	t.Run("ephemeral", func(t *testing.T) {
		if err := c.PostEphemeral(t.Context(), random, admin, hello); err != nil {
			t.Error(err)
		}
	})

	t.Run("direct message", func(t *testing.T) {
		channel, err := c.OpenDirect(t.Context(), admin)
		if err != nil || channel == "" || channel == admin {
			t.Errorf("got %q, %v, want a channel", channel, err)
		}
	})
}

// TestSlack_People asks emulate about people and channels.
func TestSlack_People(t *testing.T) {
	client, _ := startSlack(t)
	c := client(allScopes)

	t.Run("person", func(t *testing.T) {
		u, err := c.User(t.Context(), admin)
		if err != nil || u.ID != admin || u.Team != "T000000001" || u.Bot || u.Deleted || u.Name != "admin" {
			t.Errorf("got %+v, %v, want the admin", u, err)
		}
	})
	t.Run("bot", func(t *testing.T) {
		if u, err := c.User(t.Context(), botUser); err != nil || !u.Bot {
			t.Errorf("got %+v, %v, want a bot", u, err)
		}
	})
	t.Run("unknown person", func(t *testing.T) {
		_, err := c.User(t.Context(), "U0NOBODY1")
		wantKind(t, err, notify.SendChannel, "user_not_found")
	})
	t.Run("channel", func(t *testing.T) {
		ch, err := c.Channel(t.Context(), general)
		if err != nil || ch.Name != "general" || ch.Archived || ch.Private || ch.ExtShared {
			t.Errorf("got %+v, %v, want the channel general", ch, err)
		}
	})
	t.Run("unknown channel", func(t *testing.T) {
		_, err := c.Channel(t.Context(), "C0NOWHERE")
		wantKind(t, err, notify.SendChannel, "channel_not_found")
	})
}

// TestSlack_Refusals makes calls that emulate refuses for their scopes or channels.
func TestSlack_Refusals(t *testing.T) {
	client, _ := startSlack(t)
	few, reader := client(fewScopes), client(readOnly)
	m := slack.Message{Channel: general, Text: "hello"}

	t.Run("the scope for posts is enough for posts", func(t *testing.T) {
		if _, err := few.PostMessage(t.Context(), m); err != nil {
			t.Error(err)
		}
	})
	t.Run("history without its scope", func(t *testing.T) {
		_, _, err := few.FindMessage(t.Context(), notify.Find{Channel: general, Key: "k", Since: time.Now()})
		wantKind(t, err, notify.SendForbidden, "missing_scope")
		if want := "needs the scope channels:history, has chat:write"; errors.Unwrap(err).Error() != want {
			t.Errorf("got %v, want %q", errors.Unwrap(err), want)
		}
	})
	t.Run("person without the scope", func(t *testing.T) {
		_, err := few.User(t.Context(), admin)
		wantKind(t, err, notify.SendForbidden, "missing_scope")
	})
	t.Run("post without its scope", func(t *testing.T) {
		_, err := reader.PostMessage(t.Context(), m)
		wantKind(t, err, notify.SendFace, "missing_scope")
	})
	t.Run("unknown channel", func(t *testing.T) {
		_, err := few.PostMessage(t.Context(), slack.Message{Channel: "C0NOWHERE", Text: "hello"})
		wantKind(t, err, notify.SendChannel, "channel_not_found")
	})
}

// TestSlack_Views opens, changes and publishes views.
func TestSlack_Views(t *testing.T) {
	client, base := startSlack(t)
	c := client(allScopes)
	view := slack.View{Callback: "confirm", Title: "Deploy", Submit: "Deploy", Blocks: []goslack.Block{
		goslack.NewDividerBlock(),
	}}
	trigger := slack.Secret(newTrigger(t, base))

	first, err := c.OpenView(t.Context(), trigger, view)
	if err != nil || first.ID == "" || first.Hash == "" {
		t.Fatalf("open: got %v, %v, want an id and a hash", first, err)
	}
	_, err = c.OpenView(t.Context(), trigger, view)
	wantKind(t, err, notify.SendFinal, "exchanged_trigger_id")

	second, err := c.UpdateView(t.Context(), first, view)
	if err != nil || second.ID != first.ID || second.Hash == first.Hash {
		t.Errorf("update: got %v, %v, want another hash of %s", second, err, first.ID)
	}
	_, err = c.UpdateView(t.Context(), first, view)
	wantKind(t, err, notify.SendFinal, "hash_conflict")
	_, err = c.UpdateView(t.Context(), slack.ViewID{ID: "V0NONE"}, view)
	wantKind(t, err, notify.SendGone, "not_found")

	if err := c.PublishHome(t.Context(), admin, slack.View{Blocks: view.Blocks}); err != nil {
		t.Errorf("publish: got %v", err)
	}
}

// TestSlack_Face posts and edits a rendered card.
func TestSlack_Face(t *testing.T) {
	client, base := startSlack(t)
	face := slack.Face{Client: client(allScopes)}
	card := notify.Card{Deployment: 7, Row: 1, State: deployment.Running, Title: "api to production", Summary: "api runs"}
	id, err := face.Post(t.Context(), notify.Post{Channel: general, Key: "k", Card: &card})
	if err != nil {
		t.Fatal(err)
	}

	card.State, card.Summary = deployment.Succeeded, "api ran"
	if err := face.Edit(t.Context(), id, card); err != nil {
		t.Fatal(err)
	}
	got := history(t, base, general)
	if len(got) != 1 || got[0].Timestamp != id.Message || len(got[0].Blocks) == 0 {
		t.Errorf("got %+v, want one message with blocks", got)
	}
}

// shown is a message as emulate shows it.
type shown struct {
	Timestamp string            `json:"ts"`
	Text      string            `json:"text"`
	Blocks    []json.RawMessage `json:"blocks"`
	Metadata  struct {
		EventPayload map[string]string `json:"event_payload"`
	} `json:"metadata"`
}

// history reads a channel without our client, newest first.
func history(t *testing.T, base *url.URL, channel string) []shown {
	t.Helper()
	var out struct{ Messages []shown }
	ask(t, base.JoinPath("conversations.history"), map[string]any{
		"channel":              channel,
		"include_all_metadata": true,
	}, &out)
	return out.Messages
}

// newTrigger makes a trigger, which at Slack comes with a click.
func newTrigger(t *testing.T, base *url.URL) string {
	t.Helper()
	var out struct {
		Trigger string `json:"trigger_id"`
	}
	ask(t, base.JoinPath("views.generateTriggerId"), map[string]any{"user_id": admin}, &out)
	return out.Trigger
}

// ask calls emulate without our client.
func ask(t *testing.T, target *url.URL, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+allScopes)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, kind notify.SendKind, code string) {
	t.Helper()
	var e *notify.SendError
	if !errors.As(err, &e) || e.Kind != kind || e.Code != code {
		t.Errorf("got %v, want %s with %s", err, kind, code)
	}
}
