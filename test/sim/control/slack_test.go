package control

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// startSlackApp makes Slack send to an app that answers commands with their text and says ok to the rest. A submitted
// modal is refused unless the input holds "yes".
func startSlackApp(t *testing.T, s *slack.Server) {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text := r.PostFormValue("text"); text != "" {
			fmt.Fprint(w, "got ", text)
		}
		payload := r.PostFormValue("payload")
		if strings.Contains(payload, "view_submission") && !strings.Contains(payload, `"value":"yes"`) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"response_action":"errors","errors":{"b":"no"}}`)
		}
	}))
	t.Cleanup(app.Close)
	s.SetRequestURL(app.URL)
	s.AddUser(slack.User{ID: "U0ALICE01", Name: "alice"})
	s.AddChannel(slack.Channel{ID: "C0DEPLOYS1", Name: "deploys"})
}

// slackAPI calls a method of the simulated Slack as the app.
func slackAPI(t *testing.T, s *slack.Server, method string, args url.Values) map[string]any {
	t.Helper()
	args.Set("token", slack.DefaultToken)
	resp, err := http.PostForm(s.URL()+method, args)
	if err != nil {
		t.Fatal(err)
	}

	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out["ok"] != true {
		t.Fatalf("%s: got %v, %v", method, out, err)
	}

	return out
}

// read reads one list or object of the control API.
func (b fixture) read(t *testing.T, path string) string {
	t.Helper()
	resp, err := http.Get(b.url + path)
	if err != nil {
		t.Fatal(err)
	}

	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %d %s, %v", path, resp.StatusCode, raw, err)
	}

	return string(raw)
}

// want sends a body and wants a status, and parts of the answer.
func (b fixture) want(t *testing.T, path, body string, status int, parts ...string) {
	t.Helper()
	got, answer := b.post(t, path, body)
	raw, err := json.Marshal(answer)
	if err != nil || got != status {
		t.Errorf("%s %s: got %d %s, %v, want %d", path, body, got, raw, err, status)
	}
	for _, part := range parts {
		if !strings.Contains(string(raw), part) {
			t.Errorf("%s %s: got %s, want %s in it", path, body, raw, part)
		}
	}
}

func TestControl_SlackPeopleActAndSee(t *testing.T) {
	b := setup(t)
	startSlackApp(t, b.slack)
	b.want(t, "/slack/say", `{"user":"alice","channel":"deploys","text":"/deploy api"}`, 200, `"status":200`)
	b.want(t, "/slack/say", `{"user":"alice","channel":"#deploys","text":"<@U0SERAPHBOT> hello"}`, 200, "app_mention")
	b.want(t, "/slack/say", `{"user":"alice","text":"hello"}`, 200, `"channel":"D0`, `"name":"message"`)

	posted := slackAPI(t, b.slack, "chat.postMessage", url.Values{
		"channel": {"C0DEPLOYS1"},
		"text":    {"api waits"},
		"blocks": {`[{"type":"actions","elements":[{"type":"button","action_id":"go","value":"v1",
			"text":{"type":"plain_text","text":"Go"}}]}]`},
	})
	ts := posted["ts"].(string)
	list := b.read(t, "/slack/messages?channel=deploys&user=alice")
	for _, part := range []string{`"text":"got api"`, `"only_for":"U0ALICE01"`, `"action":"go"`, `"value":"v1"`, ts} {
		if !strings.Contains(list, part) {
			t.Errorf("got %s, want %s in it", list, part)
		}
	}

	click := fmt.Sprintf(`{"user":"U0ALICE01","channel":"deploys","ts":%q,"action":"go"}`, ts)
	b.want(t, "/slack/click", click, 200, `"name":"block_actions"`)
	b.want(t, "/slack/click", strings.Replace(click, `}`, `,"value":"v1"}`, 1), 200, `"status":200`)
	b.want(t, "/slack/click", strings.Replace(click, `}`, `,"value":"v2"}`, 1), 400, "no button")
	slackAPI(t, b.slack, "chat.update", url.Values{"channel": {"C0DEPLOYS1"}, "ts": {ts}, "text": {"done"}})
	b.want(t, "/slack/click", click, 400, "no button")
	b.want(t, "/slack/click", strings.Replace(click, `}`, `,"version":1}`, 1), 200, `"status":200`)
	b.want(t, "/slack/click", strings.Replace(click, `}`, `,"version":7}`, 1), 400, "version 7")

	events := b.read(t, "/events?follow=false")
	for _, part := range []string{"event: slack_message", "event: slack_delivery", `"text":"done"`} {
		if !strings.Contains(events, part) {
			t.Errorf("got events %s, want %s in them", events, part)
		}
	}
}

func TestControl_SlackModalsAndHome(t *testing.T) {
	b := setup(t)
	startSlackApp(t, b.slack)
	b.want(t, "/slack/say", `{"user":"alice","channel":"deploys","text":"/deploy api"}`, 200)
	trigger := b.slack.Deliveries()[0].Key
	opened := slackAPI(t, b.slack, "views.open", url.Values{"trigger_id": {trigger}, "view": {`{"type":"modal",
		"title":{"type":"plain_text","text":"Sure?"},"submit":{"type":"plain_text","text":"Go"},
		"blocks":[{"type":"input","block_id":"b","label":{"type":"plain_text","text":"Word"},
			"element":{"type":"plain_text_input","action_id":"a"}}]}`}})
	id := opened["view"].(map[string]any)["id"].(string)
	if views := b.read(t, "/slack/views?user=alice"); !strings.Contains(views, `"title":"Sure?"`) {
		t.Errorf("got %s, want the modal", views)
	}

	b.want(t, "/slack/submit", fmt.Sprintf(`{"view":%q,"values":{"b":"no"}}`, id), 200, `"errors":{"b":"no"}`)
	b.want(t, "/slack/submit", fmt.Sprintf(`{"view":%q,"values":{"b":"yes"}}`, id), 200, `"closed":true`)
	b.want(t, "/slack/close", fmt.Sprintf(`{"view":%q}`, id), 400, "no open modal")

	b.want(t, "/slack/home", `{"user":"alice"}`, 200, "app_home_opened")
	slackAPI(t, b.slack, "views.publish", url.Values{
		"user_id": {"U0ALICE01"},
		"view":    {`{"type":"home","blocks":[{"type":"divider"}]}`},
	})
	if views := b.read(t, "/slack/views?user=alice"); !strings.Contains(views, `"type":"home"`) {
		t.Errorf("got %s, want the home tab", views)
	}
}

func TestControl_SlackFaultsAndPeople(t *testing.T) {
	b := setup(t)
	startSlackApp(t, b.slack)
	b.want(t, "/faults", `{"side":"slack","operation":"chat.postMessage","fault":"lost-answer"}`, 200)
	b.want(t, "/faults", `{"side":"slack","operation":"chat.postMessage","fault":"x"}`, 400, "no fault")
	b.want(t, "/slack/person", `{"id":"U0ALICE01","name":"alice","deleted":true}`, 200, "user_change")
	if workspace := b.read(t, "/slack"); !strings.Contains(workspace, `"deleted":true`) {
		t.Errorf("got %s, want alice deleted", workspace)
	}

	b.want(t, "/slack/say", `{"user":"dave","text":"hello"}`, 400, "no Slack user")
	b.want(t, "/slack/say", `{"user":"alice","channel":"nowhere","text":"hello"}`, 400, "no Slack channel")
	if calls := b.read(t, "/slack/calls"); calls != "[]\n" {
		t.Errorf("got calls %s, want none", calls)
	}
	if sent := b.read(t, "/slack/deliveries"); !strings.Contains(sent, `"name":"user_change"`) {
		t.Errorf("got deliveries %s", sent)
	}
}
