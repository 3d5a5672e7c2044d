package slack

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/test/sim"
)

// TestServer_Faults posts with slack-go through each fault and checks whether the message was posted.
func TestServer_Faults(t *testing.T) {
	posts := []string{
		"rate-limited-after", "empty-object-after", "fatal-error-after", "html-after", "error-after", "lost-answer",
		"half-answer",
	}
	tested := map[string]bool{"slow": true, "late-effect": true} // take seconds
	for _, name := range Faults() {
		if tested[name] {
			continue
		}

		t.Run(name, func(t *testing.T) {
			s := start(t, Options{})
			api, ctx := client(t, s), limitedContext(t)
			if err := s.NextNamed("chat.postMessage", name, 1); err != nil {
				t.Fatal(err)
			}

			_, ts, err := api.PostMessageContext(ctx, deploys, goslack.MsgOptionText("x", false))
			if err == nil && ts != "" {
				t.Errorf("got ts %s, want a failure", ts)
			}

			want := 0
			for _, post := range posts {
				if post == name {
					want = 1
				}
			}

			if got := len(s.Messages(deploys)); got != want {
				t.Errorf("got %d messages, want %d", got, want)
			}
			if call := s.Calls("chat.postMessage")[0]; call.Done != (want == 1) || call.Channel != deploys {
				t.Errorf("got call %+v, want it in the journal, and done only with an effect", call)
			}
			_, ts, err = api.PostMessageContext(ctx, deploys, goslack.MsgOptionText("x", false))
			if err != nil || ts == "" {
				t.Errorf("got %q, %v after the fault, want success", ts, err)
			}
		})
	}
}

func TestServer_Refusal(t *testing.T) {
	s := start(t, Options{})
	s.Next("chat.update", Refusal("edit_window_closed"), 1)
	_, _, _, err := client(t, s).UpdateMessageContext(limitedContext(t), deploys, "1.1", goslack.MsgOptionText("x", false))
	if err == nil || err.Error() != "edit_window_closed" {
		t.Errorf("got %v, want edit_window_closed", err)
	}
}

func TestServer_LateEffect(t *testing.T) {
	s := start(t, Options{})
	s.Next("chat.postMessage", sim.Fault{ResetBefore: true, LateEffect: time.Millisecond}, 1)
	_, _, err := client(t, s).PostMessageContext(limitedContext(t), deploys, goslack.MsgOptionText("x", false))
	if err == nil {
		t.Error("got no error, want a cut connection")
	}

	s.WaitLate()
	if _, err := s.WaitMessage(limitedContext(t), func(m Message) bool { return m.Text == "x" }); err != nil {
		t.Error(err)
	}
}

// TestServer_RedirectCarriesTheTokenAway shows what a redirect does to a caller that follows it: the other host gets
// the body, in which slack-go has the token.
func TestServer_RedirectCarriesTheTokenAway(t *testing.T) {
	var got atomic.Value
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.FormValue("token"))
		json.NewEncoder(w).Encode(Object{"ok": true, "channel": deploys, "ts": "1.000001"})
	}))
	defer other.Close()

	s := start(t, Options{RedirectTo: other.URL})
	if err := s.NextNamed("chat.postMessage", "redirect-307", 1); err != nil {
		t.Fatal(err)
	}

	_, _, err := client(t, s).PostMessageContext(limitedContext(t), deploys, goslack.MsgOptionText("x", false))
	if err != nil {
		t.Fatal(err)
	}
	if got.Load() != DefaultToken {
		t.Errorf("got token %v at the other host, want %s", got.Load(), DefaultToken)
	}
}

// TestServer_Limits empties the buckets of Slack's rate limits.
func TestServer_Limits(t *testing.T) {
	tests := []struct {
		name   string
		limits Limits
		method string
		calls  int // that are accepted
		wait   time.Duration
		other  string // a channel that is not limited; empty: all are
	}{
		{name: "updates", limits: *SlackLimits(), method: "chat.update", calls: 50, wait: 2 * time.Second},
		{
			name:   "posts in a channel",
			limits: *SlackLimits(),
			method: "chat.postMessage",
			calls:  5,
			wait:   time.Second,
			other:  private,
		},
		{
			name:   "posts in a workspace",
			limits: Limits{PostsAMinute: 4},
			method: "chat.postMessage",
			calls:  4,
			wait:   15 * time.Second,
		},
		{
			name:   "updates of a test",
			limits: Limits{UpdatesAMinute: 2},
			method: "chat.update",
			calls:  2,
			wait:   30 * time.Second,
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			clock := newClock()
			s := start(t, Options{Limits: &test.limits, Now: clock.Now})
			api, ctx := client(t, s), limitedContext(t)
			act := func(channel string) error {
				if test.method == "chat.update" {
					// a message that does not exist counts too
					text := goslack.MsgOptionText("x", false)
					_, _, _, err := api.UpdateMessageContext(ctx, channel, "1.000001", text)
					if err != nil && err.Error() == "message_not_found" {
						return nil
					}
					return err
				}

				_, _, err := api.PostMessageContext(ctx, channel, goslack.MsgOptionText("x", false))
				return err
			}

			for i := range test.calls {
				if err := act(deploys); err != nil {
					t.Fatalf("call %d: got %v", i, err)
				}
			}

			err := act(deploys)
			limited := &goslack.RateLimitedError{}
			if !errors.As(err, &limited) || limited.RetryAfter != test.wait {
				t.Fatalf("got %v, want a limit of %s", err, test.wait)
			}
			if test.other != "" {
				if err := act(test.other); err != nil {
					t.Errorf("got %v in another channel, want none", err)
				}
			}

			if a := callMethod(t, s, "users.info", url.Values{"user": {alice}}); a["ok"] != true {
				t.Errorf("got %v from another method, want success", a)
			}

			clock.advance(limited.RetryAfter)
			if err := act(deploys); err != nil {
				t.Errorf("got %v after the wait, want none", err)
			}
		})
	}
}
