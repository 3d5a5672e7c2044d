package slack

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// TestClient_LimitStopsOnlyWhatIsLimited wants that after a 429 the limited method is not called before its time,
// and that all others are.
func TestClient_LimitStopsOnlyWhatIsLimited(t *testing.T) {
	limits := true
	limited := func(ok string) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			if limits {
				w.Header().Set("Retry-After", "20")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			answerOf(200, ok)(w, req)
		}
	}
	c, r := newRecorder(t, answers{
		"chat.update":      limited(`{"ok":true,"channel":"C1","ts":"1"}`),
		"chat.postMessage": limited(`{"ok":true,"channel":"C1","ts":"1"}`),
		"users.info":       answerOf(200, `{"ok":true,"user":{"id":"U1","team_id":"T1"}}`),
	})
	at := noon
	c.o.Now = func() time.Time { return at }
	c.gate.now = c.o.Now

	post := func(channel string) error {
		m := greeting
		m.Channel = channel
		_, err := c.PostMessage(t.Context(), m)
		return err
	}
	edit := func(channel string) error {
		return c.UpdateMessage(t.Context(), notify.MessageID{Channel: channel, Message: "1"}, greeting)
	}
	wantLimited := func(what string, err error, wait time.Duration, local bool) {
		t.Helper()
		e := sendError(t, err)
		if e.Kind != notify.SendLimited || e.Wait != wait || e.Local != local {
			t.Errorf("%s: got %+v, want limited for %s, local %t", what, e, wait, local)
		}
	}

	wantLimited("edit", edit("C1"), 20*time.Second, false)
	wantLimited("post", post("C1"), 20*time.Second, false)
	asked := r.count()

	at = at.Add(5 * time.Second)
	wantLimited("edit again", edit("C1"), 15*time.Second, true)
	wantLimited("edit in another channel", edit("C2"), 15*time.Second, true)
	wantLimited("post again", post("C1"), 15*time.Second, true)
	if got := r.count(); got != asked {
		t.Errorf("got %d requests within the wait, want none", got-asked)
	}

	limits = false
	if err := post("C2"); err != nil {
		t.Errorf("post to another channel: got %v, want success", err)
	}
	if _, err := c.User(t.Context(), "U1"); err != nil {
		t.Errorf("another method: got %v, want success", err)
	}

	at = at.Add(15 * time.Second)
	if err := edit("C1"); err != nil {
		t.Errorf("edit after the wait: got %v, want success", err)
	}
	if err := post("C1"); err != nil {
		t.Errorf("post after the wait: got %v, want success", err)
	}
}

func TestGate_DoesNotGrow(t *testing.T) {
	at := noon
	g := newGate(func() time.Time { return at })
	for i := range 10 * maxGates {
		g.close(methodPost, strconv.Itoa(i), time.Second)
		at = at.Add(time.Second)
	}
	if got := len(g.until); got > maxGates {
		t.Errorf("got %d keys, want at most %d", got, maxGates)
	}
}

func TestGate_NeverShortens(t *testing.T) {
	g := newGate(func() time.Time { return noon })
	g.close(methodUpdate, "", time.Minute)
	g.close(methodUpdate, "", time.Second)
	if got := g.wait(methodUpdate, ""); got != time.Minute {
		t.Errorf("got %s, want %s", got, time.Minute)
	}
}
