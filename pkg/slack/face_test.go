package slack

import (
	"net/http"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
)

// TestFace_PostsEditsAndFinds posts a card and a note, edits the card, and finds it.
func TestFace_PostsEditsAndFinds(t *testing.T) {
	c, r := newRecorder(t, answers{
		"auth.test":             answerOf(200, whoIsAsking),
		"conversations.info":    answerOf(200, `{"ok":true,"channel":{"id":"C1"}}`),
		"chat.postMessage":      answerOf(200, `{"ok":true,"channel":"C1","ts":"1.2"}`),
		"chat.update":           answerOf(200, `{"ok":true,"channel":"C1","ts":"1.2"}`),
		"conversations.history": pages(postedBy("1.2", "B1", "", metadataEvent, "k")),
	})
	var face notify.Face = Face{Client: c}
	card := notify.Card{Deployment: 7, Row: 1, State: deployment.Running, Title: "api to production", Summary: "api runs"}

	id, err := face.Post(t.Context(), notify.Post{Channel: "C1", Key: "k", Card: &card})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.last(t).form; got.Get("channel") != "C1" || got.Get("blocks") == "[]" || got.Get("metadata") == "" {
		t.Errorf("card: got %v, want blocks and a key for C1", got)
	}

	if err := face.Edit(t.Context(), id, card); err != nil {
		t.Fatal(err)
	}
	if got := r.last(t).form; got.Get("ts") != "1.2" || got.Get("blocks") == "[]" {
		t.Errorf("edit: got %v, want blocks for 1.2", got)
	}

	note := notify.Post{
		Channel:   "C1",
		Key:       "k2",
		Thread:    "1.2",
		Broadcast: true,
		Note:      &notify.Note{Summary: "api failed"},
	}
	if _, err := face.Post(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	if got := r.last(t).form; got.Get("thread_ts") != "1.2" || got.Get("reply_broadcast") != "true" {
		t.Errorf("note: got %v, want a broadcast in the thread", got)
	}

	found, ok, err := face.Find(t.Context(), notify.Find{Channel: "C1", Key: "k", Since: noon})
	if err != nil || !ok || found != id {
		t.Errorf("find: got %v, %t, %v, want %v", found, ok, err, id)
	}
}

// TestFace_PlainTextSendsNoBlocks wants the text of a refused card alone.
func TestFace_PlainTextSendsNoBlocks(t *testing.T) {
	c, r := newRecorder(t, answers{
		"conversations.info": answerOf(200, `{"ok":true,"channel":{"id":"C1"}}`),
		"chat.postMessage":   answerOf(200, `{"ok":true,"channel":"C1","ts":"1.2"}`),
		"chat.update":        answerOf(200, `{"ok":true,"channel":"C1","ts":"1.2"}`),
	})
	card := notify.Card{Deployment: 7, Row: 1, State: deployment.Running, Title: "api to production", Summary: "api runs"}
	card.Plain = true
	face := Face{Client: c}

	id, err := face.Post(t.Context(), notify.Post{Channel: "C1", Key: "k", Card: &card})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.last(t).form; got.Get("blocks") != "[]" || got.Get("text") == "" || got.Get("metadata") == "" {
		t.Errorf("post: got %v, want text and key without blocks", got)
	}
	if err := face.Edit(t.Context(), id, card); err != nil {
		t.Fatal(err)
	}
	if got := r.last(t).form; got.Get("blocks") != "[]" || got.Get("text") == "" {
		t.Errorf("edit: got %v, want text without blocks", got)
	}
}

func TestFace_RefusesNothingToShow(t *testing.T) {
	c, r := newRecorder(t, nil)
	_, err := Face{Client: c}.Post(t.Context(), notify.Post{Channel: "C1", Key: "k"})
	if e := sendError(t, err); e.Kind != notify.SendNotSent || r.count() != 0 {
		t.Errorf("got %v and %d requests, want %s and none", e, r.count(), notify.SendNotSent)
	}
}

// TestFace_AnotherCompanyReads checks that neither cards nor notes are posted or edited in a channel that another company
// reads, is about to read, or of which Slack does not say who does; that Slack is asked once a minute, and at once after
// an event says that the channel has changed.
func TestFace_AnotherCompanyReads(t *testing.T) {
	const ok = `{"ok":true,"channel":{"id":"C1"}}`
	card := notify.Card{Deployment: 7, Row: 1, State: deployment.Running, Title: "api to production", Summary: "api runs"}

	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		kind   notify.SendKind
		code   string
	}{
		{
			name: "shared", kind: notify.SendChannel, code: "ext_shared",
			answer: answerOf(200, `{"ok":true,"channel":{"id":"C1","is_ext_shared":true}}`),
		},
		{
			name: "about to be shared", kind: notify.SendChannel, code: "ext_shared",
			answer: answerOf(200, `{"ok":true,"channel":{"id":"C1","is_pending_ext_shared":true}}`),
		},
		{
			name: "not a member", kind: notify.SendChannel, code: "channel_not_found",
			answer: answerOf(200, `{"ok":false,"error":"channel_not_found"}`),
		},
		{name: "Slack is down", kind: notify.SendNotSent, code: "503", answer: answerOf(503, ``)},
		{name: "an answer without a channel", kind: notify.SendNotSent, code: codeUnreadable, answer: answerOf(200, `{"ok":true}`)},
		{name: "asked too often", kind: notify.SendLimited, code: "429", answer: answerOf(429, ``)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, r := newRecorder(t, answers{"conversations.info": tt.answer})
			face := Face{Client: c}
			_, err := face.Post(t.Context(), notify.Post{Channel: "C1", Key: "k", Card: &card})
			if e := sendError(t, err); e.Kind != tt.kind || e.Code != tt.code || !e.Local && e.Kind != notify.SendNotSent {
				t.Errorf("post: got %+v, want %s, %s, and that nothing was sent", e, tt.kind, tt.code)
			}

			err = face.Edit(t.Context(), notify.MessageID{Channel: "C1", Message: "1.2"}, card)
			if e := sendError(t, err); e.Kind != tt.kind {
				t.Errorf("edit: got %+v, want %s", e, tt.kind)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, req := range r.requests {
				if req.path != "conversations.info" {
					t.Errorf("got a call of %s, want none", req.path)
				}
			}
		})
	}

	t.Run("asked once a minute", func(t *testing.T) {
		now := noon
		c, r := newRecorder(t, answers{
			"conversations.info": answerOf(200, ok),
			"chat.update":        answerOf(200, `{"ok":true,"channel":"C1","ts":"1.2"}`),
		})
		c.o.Now = func() time.Time { return now }
		edit := func() {
			t.Helper()
			if err := (Face{Client: c}).Edit(t.Context(), notify.MessageID{Channel: "C1", Message: "1.2"}, card); err != nil {
				t.Fatal(err)
			}
		}
		edit()
		edit()
		if got := r.count(); got != 3 {
			t.Errorf("got %d requests, want 2 edits and 1 question", got)
		}

		now = now.Add(KnownFor)
		edit()
		if got := r.count(); got != 5 {
			t.Errorf("got %d requests, want another question after a minute", got)
		}

		c.ForgetChannel("C1")
		edit()
		if got := r.count(); got != 7 {
			t.Errorf("got %d requests, want another question after a change", got)
		}
	})

	t.Run("direct message", func(t *testing.T) {
		c, r := newRecorder(t, answers{"chat.postMessage": answerOf(200, `{"ok":true,"channel":"D1","ts":"1.2"}`)})
		note := notify.Post{Channel: "U1", Key: "k", Note: &notify.Note{Summary: "your lock was taken"}}
		if _, err := (Face{Client: c}).Post(t.Context(), note); err != nil || r.count() != 1 {
			t.Errorf("got %v after %d requests, want one post", err, r.count())
		}
	})
}
