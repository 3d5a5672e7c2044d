package slackapp

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/slack"
)

func TestHandler_Signature(t *testing.T) {
	body := slash("T1", "api", "1.1")
	upper := func(r request) request {
		r.signature = "v0=" + strings.ToUpper(strings.TrimPrefix(r.signature, "v0="))
		return r
	}

	for name, c := range map[string]struct {
		first  bool // whether the same request came before
		change func(request) request
		age    time.Duration
		want   int
	}{
		"4 minutes old":          {age: 4 * time.Minute, want: http.StatusOK},
		"6 minutes old":          {age: 6 * time.Minute, want: http.StatusUnauthorized},
		"4 minutes early":        {age: -4 * time.Minute, want: http.StatusOK},
		"6 minutes early":        {age: -6 * time.Minute, want: http.StatusUnauthorized},
		"replayed":               {first: true, want: http.StatusUnauthorized},
		"upper-case hex":         {change: upper, want: http.StatusOK},
		"replayed in upper case": {first: true, change: upper, want: http.StatusUnauthorized},
		"V0": {
			change: func(r request) request { r.signature = "V" + r.signature[1:]; return r },
			want:   http.StatusUnauthorized,
		},
		"no headers": {
			change: func(r request) request { r.signature = ""; return r },
			want:   http.StatusUnauthorized,
		},
		"other body": {
			change: func(r request) request { r.body += "&text=other"; return r },
			want:   http.StatusUnauthorized,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newInbox(t)
			r := signed(formMedia, body, b.clock().Add(-c.age))
			want := 0
			if c.first {
				want++
				if got := b.send(r); got.status != http.StatusOK {
					t.Fatalf("first: got %+v", got)
				}
			}
			if c.want == http.StatusOK {
				want++
			}
			if c.change != nil {
				r = c.change(r)
			}

			if got := b.send(r); got.status != c.want {
				t.Errorf("got %+v, want status %d", got, c.want)
			}
			for range want {
				b.wantDone()
			}
			b.wantNothingDue()
		})
	}
}

// A signature counts once, and a request once, also for another process after a crash.
func TestHandler_ReplayAfterRestart(t *testing.T) {
	b := newInbox(t)
	first := signed(formMedia, slash("T1", "api", "1.1"), b.clock())
	b.send(first)
	b.wantDone()
	b.close(t.Context())

	b.open()
	if got := b.send(first); got.status != http.StatusUnauthorized || !got.noRetry {
		t.Errorf("got %+v for a replayed request, want 401 that is not to be repeated", got)
	}
	b.wantCounted("slack command unauthorized")

	b.later(time.Second)
	if got := b.post(formMedia, slash("T1", "api", "1.1")); got != (reply{status: http.StatusOK}) {
		t.Errorf("got %+v for a copy with a new signature, want 200", got)
	}
	b.wantCounted("slack command duplicate")
	b.wantNothingDue()
}

// The same command typed twice is two requests; one that Slack sends twice is one.
func TestHandler_CommandTwice(t *testing.T) {
	b := newInbox(t)
	for _, trigger := range []string{"1.1", "1.2", "1.1"} {
		if got := b.post(formMedia, slash("T1", "api", trigger)); got != (reply{status: http.StatusOK}) {
			t.Errorf("got %+v, want an empty 200", got)
		}
		b.later(time.Second)
	}

	keys := map[string]bool{b.wantDone().Key: true, b.wantDone().Key: true}
	if len(keys) != 2 {
		t.Errorf("got the keys %v, want two", keys)
	}
	b.wantNothingDue()
}

// A message that comes as a mention and as a direct message, and both again, is one request. So is its copy with
// another ts.
func TestHandler_MentionAndDirect(t *testing.T) {
	b := newInbox(t)
	withID := func(inner, ts, id string) string {
		return strings.Replace(strings.Replace(inner, "17.1", ts, 1), `{`, `{"client_msg_id":"`+id+`",`, 1)
	}
	laterMention := strings.Replace(mentionOf, "17.1", "19.1", 1)
	for _, c := range []struct { // each row sees what the ones before it have stored
		name     string
		event    string
		inner    string
		kind     string
		accepted bool
	}{
		{name: "a mention", event: "Ev1", inner: mentionOf, kind: "mention", accepted: true},
		{name: "as a direct message", event: "Ev2", inner: withID(directOf, "17.1", "m1"), kind: "direct"},
		{name: "the mention again", event: "Ev1", inner: mentionOf, kind: "mention"},
		{name: "the direct message again", event: "Ev2", inner: directOf, kind: "direct"},
		{name: "its id with another ts", event: "Ev3", inner: withID(directOf, "18.1", "m1"), kind: "direct"},
		{name: "its event with another ts", event: "Ev1", inner: laterMention, kind: "mention"},
		{name: "another message", event: "Ev4", inner: withID(directOf, "20.1", "m2"), kind: "direct", accepted: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := "slack " + c.kind + " duplicate"
			if c.accepted {
				want = "slack " + c.kind + " accepted"
			}
			if got := b.post(jsonMedia, event("T1", c.event, c.inner)); got != (reply{status: http.StatusOK}) {
				t.Errorf("got %+v, want an empty 200", got)
			}
			b.wantCounted(want)
			b.later(time.Second)
		})
	}

	if got := b.wantDone(); got.Text != "deploy api" {
		t.Errorf("got the text %q, want it without the mention", got.Text)
	}
	b.wantDone()
	b.wantNothingDue()
}

func TestHandler_Ignored(t *testing.T) {
	b := newInbox(t)
	for name, body := range map[string]string{
		"unknown event":   event("T1", "Ev1", `{"type":"star_added"}`),
		"bot":             event("T1", "Ev2", strings.Replace(directOf, `{`, `{"bot_id":"B1",`, 1)),
		"our own message": event("T1", "Ev3", strings.Replace(directOf, `"U1"`, `"UBOT"`, 1)),
		"edit":            event("T1", "Ev4", strings.Replace(directOf, `{`, `{"subtype":"message_changed",`, 1)),
		"rate limit":      `{"type":"app_rate_limited","team_id":"T1","minute_rate_limited":1}`,
		"of another team": event("T9", "Ev5", `{"type":"star_added"}`),
	} {
		t.Run(name, func(t *testing.T) {
			if got := b.post(jsonMedia, body); got != (reply{status: http.StatusOK}) {
				t.Errorf("got %+v, want an empty 200", got)
			}
			b.wantCounted("slack other ignored")
		})
	}
	b.wantNothingDue()
}

func TestHandler_Probes(t *testing.T) {
	b := newInbox(t)
	challenge := signed(jsonMedia, `{"type":"url_verification","challenge":"3eZbrw1a"}`, b.clock())
	if got := b.send(challenge); got != (reply{status: http.StatusOK, body: "3eZbrw1a"}) {
		t.Errorf("got %+v, want the challenge", got)
	}
	b.wantCounted("slack challenge pong")
	if got := b.send(challenge); got.status != http.StatusUnauthorized || strings.Contains(got.body, "3eZbrw1a") {
		t.Errorf("got %+v for the same signature again, want 401", got)
	}

	challenge.signature = ""
	if got := b.send(challenge); got.status != http.StatusUnauthorized {
		t.Errorf("got %+v for an unsigned challenge, want 401", got)
	}
	if got := b.send(request{media: formMedia, body: "ssl_check=1&token=x"}); got != (reply{status: http.StatusOK}) {
		t.Errorf("got %+v for an unsigned probe, want an empty 200", got)
	}
	b.wantCounted("slack probe pong")
	if got := b.send(request{media: formMedia, body: "ssl_check=1&" + slash("T1", "api", "1.1")}); got.status != 401 {
		t.Errorf("got %+v for an unsigned command that says it is a probe, want 401", got)
	}
	b.wantNothingDue()
}

// Only the body is signed: what stands in the address is not read.
func TestHandler_QueryIsNotRead(t *testing.T) {
	b := newInbox(t)
	r := signed(jsonMedia, event("T1", "Ev1", `{"type":"star_added"}`), b.clock())
	r.query = "/?" + click("T1", "1.1") + "&" + slash("T1", "api", "1.2")
	if got := b.send(r); got.status != http.StatusOK {
		t.Errorf("got %+v, want 200", got)
	}

	r = signed(formMedia, "", b.clock())
	r.query = "/?" + click("T1", "1.1")
	if got := b.send(r); got.status != http.StatusBadRequest || !got.noRetry {
		t.Errorf("got %+v for an empty body, want 400", got)
	}
	b.wantNothingDue()
}

func TestHandler_TooLarge(t *testing.T) {
	b := newInbox(t)
	got := b.post(formMedia, slash("T1", strings.Repeat("x", maxBody), "1.1"))
	if got.status != http.StatusRequestEntityTooLarge || !got.noRetry {
		t.Errorf("got %+v, want 413", got)
	}
	b.wantCounted("slack other too_large")
	b.wantNothingDue()
}

func TestHandler_OtherWorkspace(t *testing.T) {
	b := newInbox(t)
	got := b.post(formMedia, slash("T2", "api", "1.1"))
	if got.status != http.StatusOK || !strings.Contains(got.body, otherWorkspace) {
		t.Errorf("command: got %+v, want words for whoever typed it", got)
	}
	b.wantCounted("slack command other_workspace")
	if got := b.post(formMedia, click("T2", "1.2")); got.status != http.StatusForbidden {
		t.Errorf("click: got %+v, want 403", got)
	}
	if got := b.post(jsonMedia, event("T2", "Ev1", directOf)); got.status != http.StatusForbidden || !got.noRetry {
		t.Errorf("event: got %+v, want 403 that is not to be repeated", got)
	}
	b.locked(func() {
		if len(b.responses) != 0 {
			t.Errorf("got %q sent to a response URL of another workspace", b.responses)
		}
	})
	b.wantNothingDue()
}

func TestHandler_UnknownWorkspace(t *testing.T) {
	b := newInbox(t)
	b.locked(func() { b.workspace = "" })
	got := b.post(formMedia, slash("", "api", "1.1"))
	if got.status != http.StatusOK || !strings.Contains(got.body, unknownWorkspace) {
		t.Errorf("command: got %+v, want words for whoever typed it", got)
	}
	if got := b.post(jsonMedia, event("T1", "Ev1", directOf)); got.status != 503 || got.noRetry {
		t.Errorf("event: got %+v, want 503 that is repeated", got)
	}
	b.wantNothingDue()

	b.locked(func() { b.workspace = "T1" })
	b.later(time.Second)
	if got := b.post(jsonMedia, event("T1", "Ev1", directOf)); got.status != http.StatusOK {
		t.Errorf("event that is repeated: got %+v, want 200", got)
	}
	b.wantDone()
}

func TestHandler_Submit(t *testing.T) {
	b := newInbox(t)
	got := b.post(formMedia, submit("wrong", "1.1"))
	want := `{"response_action":"errors","errors":{"word":"type it again"}}`
	if got != (reply{status: http.StatusOK, body: want}) {
		t.Errorf("got %+v, want %s", got, want)
	}
	b.wantCounted("slack submit refused")
	b.wantNothingDue()

	if got := b.post(formMedia, submit("production", "1.2")); got != (reply{status: http.StatusOK}) {
		t.Errorf("got %+v, want an empty 200, which closes the modal", got)
	}
	if in := b.wantDone(); in.Kind != slack.KindSubmit || in.Values["word"] != "production" {
		t.Errorf("got %+v", in)
	}
}

// If the database takes nothing, whoever asked gets an answer, and Slack repeats events.
func TestHandler_NotStored(t *testing.T) {
	b := newInbox(t)
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}

	if got := b.post(formMedia, slash("T1", "api", "1.1")); got.status != http.StatusOK ||
		!strings.Contains(got.body, `"ephemeral"`) || !strings.Contains(got.body, "could not store") {
		t.Errorf("command: got %+v, want words for whoever typed it", got)
	}
	b.wantCounted("slack command unavailable")

	if got := b.post(formMedia, click("T1", "1.2")); got.status != 200 || !strings.Contains(got.body, "could not store") {
		t.Errorf("click: got %+v, want 200", got)
	}
	b.locked(func() {
		if len(b.responses) != 1 || !strings.HasPrefix(b.responses[0], "https://hooks.slack.com/actions/1.2 Seraph could not") {
			t.Errorf("got %q, want that it was not stored", b.responses)
		}
		b.tellErr = errors.New("Slack is down")
	})
	if got := b.post(formMedia, click("T1", "1.3")); got.status != http.StatusServiceUnavailable {
		t.Errorf("click that cannot be answered: got %+v, want 503, which shows a warning sign", got)
	}

	if got := b.post(formMedia, submit("production", "1.4")); got.status != 200 ||
		!strings.Contains(got.body, `"errors":{"word":"Seraph could not store`) {
		t.Errorf("submit: got %+v, want the modal to stay open", got)
	}
	if got := b.post(jsonMedia, event("T1", "Ev1", directOf)); got.status != 503 || got.noRetry {
		t.Errorf("event: got %+v, want 503 that is repeated", got)
	}
	if got := b.post(jsonMedia, event("T1", "Ev2", `{"type":"star_added"}`)); got.status != http.StatusOK {
		t.Errorf("ignored event: got %+v, want 200", got)
	}
}

// No log shows what gives rights at Slack.
func TestHandler_LogsNoSecret(t *testing.T) {
	b := newInbox(t)
	b.locked(func() {
		b.do = func(_ context.Context, in slack.Incoming) error {
			return errors.New("failed for " + in.TriggerID.String())
		}
	})
	b.post(formMedia, slash("T1", "api", "hidden-trigger-1"))
	b.post(formMedia, slash("T2", "api", "hidden-trigger-2"))
	b.wantDone()
	_ = b.db.Close()
	b.post(formMedia, click("T1", "hidden-trigger-3"))
	b.post(formMedia, "payload="+"%7Bhidden-trigger-4")

	for _, secret := range []string{"hidden-trigger", "hooks.slack.com", signingSecret} {
		if strings.Contains(b.logs.String(), secret) {
			t.Errorf("the log shows %q: %s", secret, b.logs.String())
		}
	}
	if !strings.Contains(b.logs.String(), "webhook rejected") {
		t.Error("the log says nothing of what was rejected")
	}
}
