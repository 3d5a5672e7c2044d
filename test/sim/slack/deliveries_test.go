package slack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// TestServer_RetriesEventsOnly answers with errors and checks what is sent again.
func TestServer_RetriesEventsOnly(t *testing.T) {
	tests := []struct {
		name     string
		failures int
		noRetry  bool
		want     int // attempts of the event
	}{
		{name: "accepted", want: 1},
		{name: "second attempt", failures: 1, want: 2},
		{name: "always refused", failures: 100, want: 4},
		{name: "repetition refused", failures: 100, noRetry: true, want: 1},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, Options{RetryAfter: []time.Duration{0, time.Millisecond, time.Millisecond}})
			var seen atomic.Int32
			startApp(t, s, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
				if int(seen.Add(1)) <= test.failures {
					if test.noRetry {
						w.Header().Set("X-Slack-No-Retry", "1")
					}
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			})

			if _, _, err := s.Say(alice, deploys, "<@U0SERAPHBOT> hello", ""); err != nil {
				t.Fatal(err)
			}

			ctx := limitedContext(t)
			if err := s.Wait(ctx, func() bool { return len(s.Deliveries()) >= test.want }); err != nil {
				t.Fatal(err)
			}

			s.running.Wait()
			all := s.Deliveries()
			if len(all) != test.want {
				t.Fatalf("got %d attempts, want %d", len(all), test.want)
			}
			for i, d := range all {
				num, reason := d.Header.Get("X-Slack-Retry-Num"), d.Header.Get("X-Slack-Retry-Reason")
				if i == 0 && num != "" || i > 0 && (num != fmt.Sprint(i) || reason != "http_error") {
					t.Errorf("attempt %d: got headers %q, %q, want the number, and http_error after the first", i, num, reason)
				}
				if !bytes.Equal(d.Body, all[0].Body) {
					t.Errorf("attempt %d: got another body", i)
				}
			}

			seen.Store(0)
			if d, err := s.Slash(alice, deploys, "/deploy", "x"); err != nil || d.Accepted() != (test.failures == 0) {
				t.Errorf("got %+v, %v, want accepted %t", d, err, test.failures == 0)
			}
			if got := len(s.Deliveries()); got != test.want+1 {
				t.Errorf("got %d attempts after a command, want one more than %d", got, test.want)
			}
		})
	}
}

func TestServer_WaitsUntilAckTimeout(t *testing.T) {
	s := start(t, Options{AckTimeout: 20 * time.Millisecond, RetryAfter: []time.Duration{}})
	ended := make(chan struct{})
	startApp(t, s, func(http.ResponseWriter, *http.Request, []byte) { <-ended })
	defer close(ended)
	if d, err := s.Slash(alice, deploys, "/deploy", "x"); err != nil || d.Failure != "http_timeout" || d.Status != 0 {
		t.Errorf("got %+v, %v, want http_timeout", d, err)
	}
}

func TestServer_NobodyListens(t *testing.T) {
	s := start(t, Options{RequestURL: "http://127.0.0.1:1"})
	if d, err := s.Slash(alice, deploys, "/deploy", "x"); err != nil || d.Failure != "connection_failed" {
		t.Errorf("got %+v, %v, want connection_failed", d, err)
	}
}

// TestSign_Vector is the example of Slack's documentation.
func TestSign_Vector(t *testing.T) {
	body := "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V" +
		"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
		"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" +
		"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	const want = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
	if got := Sign("8f742231b10e8888abcd99yyyzzz85a5", time.Unix(1531420618, 0), []byte(body)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestServer_ReplayIsTheSameRequest(t *testing.T) {
	clock := newClock()
	s := start(t, Options{Now: clock.Now})
	startApp(t, s, nil)
	first, err := s.Slash(alice, deploys, "/deploy", "x")
	if err != nil {
		t.Fatal(err)
	}

	clock.advance(time.Minute)
	replayed, err := s.Replay(first.ID)
	if err != nil || !replayed.Accepted() {
		t.Fatalf("got %+v, %v, want it accepted", replayed, err)
	}

	again, err := s.Redeliver(first.ID, "http_timeout")
	if err != nil {
		t.Fatal(err)
	}

	signature := first.Header.Get("X-Slack-Signature")
	if replayed.Header.Get("X-Slack-Signature") != signature || again.Header.Get("X-Slack-Signature") == signature {
		t.Error("want the same signature in a replay and a new one in a redelivery")
	}
}

// TestServer_ResponseURL uses a response URL until it is used up, and another one too late.
func TestServer_ResponseURL(t *testing.T) {
	clock := newClock()
	s := start(t, Options{Now: clock.Now})
	startApp(t, s, nil)
	ts := callMethod(t, s, "chat.postMessage", cardArguments(deploys))["ts"].(string)
	click, err := s.Click(bob, deploys, ts, "approve")
	if err != nil {
		t.Fatal(err)
	}

	address := payloadOf(t, click)["response_url"].(string)
	for i, text := range []string{"1", "2", "3", "4", "5", "6"} {
		status, word := use(t, address, Object{"text": text})
		if (status == http.StatusOK) != (i < responseUses) || i >= responseUses && word != "used_url" {
			t.Errorf("use %d: got %d %s, want success %d times, then used_url", i+1, status, word, responseUses)
		}
	}
	if all := s.Ephemerals(bob); len(all) != responseUses || all[0].Channel != deploys {
		t.Errorf("got %+v, want ephemeral messages", all)
	}

	slash, err := s.Slash(alice, deploys, "/deploy", "x")
	if err != nil {
		t.Fatal(err)
	}

	values, err := url.ParseQuery(string(slash.Body))
	if err != nil {
		t.Fatal(err)
	}

	address = values.Get("response_url")
	use(t, address, Object{"text": "all", "response_type": "in_channel", "thread_ts": ts, "replace_original": false})
	if m, found := s.Message(deploys, ts); !found || m.Text != "api waits" {
		t.Errorf("got %+v, want the message as it was", m)
	}
	if all := s.Messages(deploys); len(all) != 2 || all[1].Thread != ts {
		t.Errorf("got %+v, want a public reply", all)
	}

	clock.advance(responseLife + time.Second)
	if status, word := use(t, address, Object{"text": "late"}); status != http.StatusNotFound || word != "expired_url" {
		t.Errorf("got %d %s, want expired_url", status, word)
	}
}

func TestServer_ResponseURLReplaces(t *testing.T) {
	s := start(t, Options{})
	startApp(t, s, nil)
	args := cardArguments(deploys)
	args.Set("user", bob)
	ts := callMethod(t, s, "chat.postEphemeral", args)["message_ts"].(string)
	click, err := s.Click(bob, deploys, ts, "approve")
	if err != nil {
		t.Fatal(err)
	}

	payload := payloadOf(t, click)
	if payload["message"] != nil || payload["container"].(Object)["is_ephemeral"] != true {
		t.Errorf("got %v, want no message and a container that is ephemeral", payload)
	}

	address := payload["response_url"].(string)
	use(t, address, Object{"text": "done", "replace_original": true, "response_type": "in_channel"})
	if m, found := s.Message(deploys, ts); !found || m.Text != "done" || m.OnlyFor != bob || len(m.Buttons()) != 0 {
		t.Errorf("got %+v, want it replaced and still ephemeral", m)
	}

	use(t, address, Object{"delete_original": true})
	if _, found := s.Message(deploys, ts); found {
		t.Error("got the message, want it deleted")
	}
}

// use sends a body to a response URL and returns the status and the error.
func use(t *testing.T, address string, body Object) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(encode(body)))
	if err != nil {
		t.Fatal(err)
	}

	req.Header.Set("Content-Type", "application/json")
	status, _, raw := roundTrip(t, req)
	var a struct{ Error string }
	if status == http.StatusOK {
		if string(raw) != "ok" {
			t.Errorf("got %q, want ok", raw)
		}
		return status, ""
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}

	return status, a.Error
}

// TestServer_OldButtons presses a button that a message does not have any more.
func TestServer_OldButtons(t *testing.T) {
	s := start(t, Options{})
	startApp(t, s, nil)
	ts := callMethod(t, s, "chat.postMessage", cardArguments(deploys))["ts"].(string)
	callMethod(t, s, "chat.update", url.Values{"channel": {deploys}, "ts": {ts}, "text": {"done"}, "blocks": {"[]"}})
	if _, err := s.Click(bob, deploys, ts, "approve"); err == nil {
		t.Error("got no error, want one: the button is gone")
	}

	old := s.Versions(deploys, ts)[0]
	button, found := old.Button("approve")
	if !found || button.Value != "v1 7 abc" || !button.Confirm {
		t.Fatalf("got %+v, want the button approve", old.Buttons())
	}

	d, err := s.ClickButton(bob, deploys, ts, button)
	if err != nil {
		t.Fatal(err)
	}
	action := payloadOf(t, d)["actions"].([]any)[0].(Object)
	if action["value"] != "v1 7 abc" || action["block_id"] != "b1" {
		t.Errorf("got %v, want the old value and block", action)
	}
}
