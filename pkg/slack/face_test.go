package slack

import (
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
)

// TestFace_PostsEditsAndFinds posts a card and a note, edits the card, and finds it.
func TestFace_PostsEditsAndFinds(t *testing.T) {
	c, r := newRecorder(t, answers{
		"auth.test":             answerOf(200, whoIsAsking),
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
		"chat.postMessage": answerOf(200, `{"ok":true,"channel":"C1","ts":"1.2"}`),
		"chat.update":      answerOf(200, `{"ok":true,"channel":"C1","ts":"1.2"}`),
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
