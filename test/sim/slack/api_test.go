package slack

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// What the tests show.
const (
	modalJSON = `{"type":"modal","callback_id":"confirm","private_metadata":"k1","notify_on_close":true,
		"title":{"type":"plain_text","text":"Sure?"},"submit":{"type":"plain_text","text":"Yes"},
		"blocks":[{"type":"input","block_id":"word","label":{"type":"plain_text","text":"Environment"},
			"element":{"type":"plain_text_input","action_id":"typed","max_length":20,"min_length":2}}]}`
	homeJSON   = `{"type":"home","blocks":[{"type":"divider"}]}`
	blocksJSON = `[{"type":"section","text":{"type":"mrkdwn","text":"*api*"}},
		{"type":"actions","block_id":"b1","elements":[
		{"type":"button","action_id":"approve","text":{"type":"plain_text","text":"Approve"},"value":"v1 7 abc",
			"style":"primary",
			"confirm":{"title":{"type":"plain_text","text":"Sure?"},"text":{"type":"plain_text","text":"?"}}},
		{"type":"button","action_id":"open","text":{"type":"plain_text","text":"Open"},"url":"https://example.com"}]}]`
)

// cardArguments are the arguments of chat.postMessage for a card.
func cardArguments(channel string) url.Values {
	return url.Values{
		"channel":  {channel},
		"text":     {"api waits"},
		"blocks":   {blocksJSON},
		"metadata": {`{"event_type":"seraph_card","event_payload":{"key":"k1"}}`},
	}
}

// roundTrip sends a request and returns status, header and body.
func roundTrip(t *testing.T, req *http.Request) (int, http.Header, []byte) {
	t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}

	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}

	return resp.StatusCode, resp.Header, raw
}

// callMethod calls a method with a form and the token in the header.
func callMethod(t *testing.T, s *Server, method string, args url.Values) Object {
	t.Helper()
	body := strings.NewReader(args.Encode())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+method, body)
	if err != nil {
		t.Fatal(err)
	}

	req.Header.Set("Authorization", "Bearer "+DefaultToken)
	req.Header.Set("Content-Type", form)
	_, _, raw := roundTrip(t, req)
	var o Object
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}

	return o
}

// TestServer_Errors calls methods in ways that Slack refuses.
func TestServer_Errors(t *testing.T) {
	long := strings.Repeat("x", 4001)
	tests := []struct {
		name   string
		method string
		args   url.Values
		scopes []string // nil: the default ones
		refuse string
		want   string // the error; empty: ok
	}{
		{name: "post", method: "chat.postMessage", args: url.Values{"channel": {deploys}, "text": {"x"}}},
		{name: "post long text", method: "chat.postMessage", args: url.Values{"channel": {deploys}, "text": {long}}},
		{name: "post nothing", method: "chat.postMessage", args: url.Values{"channel": {deploys}}, want: "no_text"},
		{
			name:   "post to no channel",
			method: "chat.postMessage",
			args:   url.Values{"channel": {"C1"}, "text": {"x"}},
			want:   "channel_not_found",
		},
		{name: "post to a name", method: "chat.postMessage", args: url.Values{"channel": {"#deploys"}, "text": {"x"}}},
		{
			name:   "post where the app is not",
			method: "chat.postMessage",
			args:   url.Values{"channel": {elsewhere}, "text": {"x"}},
			want:   "not_in_channel",
		},
		{
			name:   "post to public channels",
			method: "chat.postMessage",
			args:   url.Values{"channel": {elsewhere}, "text": {"x"}},
			scopes: []string{"chat:write", "chat:write.public"},
		},
		{
			name:   "post to a hidden channel",
			method: "chat.postMessage",
			args:   url.Values{"channel": {"G0HIDDEN01"}, "text": {"x"}},
			want:   "channel_not_found",
		},
		{
			name:   "post to an archive",
			method: "chat.postMessage",
			args:   url.Values{"channel": {"C0ARCHIVE1"}, "text": {"x"}},
			want:   "is_archived",
		},
		{name: "post to a person", method: "chat.postMessage", args: url.Values{"channel": {alice}, "text": {"x"}}},
		{
			name:   "post where only admins may",
			method: "chat.postMessage",
			args:   url.Values{"channel": {"C0NEWS0001"}, "text": {"x"}},
			want:   "restricted_action",
		},
		{
			name:   "post to a bot",
			method: "chat.postMessage",
			args:   url.Values{"channel": {"U0SERAPHBOT"}, "text": {"x"}},
			want:   "cannot_dm_bot",
		},
		{
			name:   "post to a former colleague",
			method: "chat.postMessage",
			args:   url.Values{"channel": {"U0GONE0001"}, "text": {"x"}},
			want:   "user_disabled",
		},
		{
			name:   "reply to nothing",
			method: "chat.postMessage",
			args:   url.Values{"channel": {deploys}, "text": {"x"}, "thread_ts": {"1.000001"}},
			want:   "thread_not_found",
		},
		{
			name:   "blocks are no list",
			method: "chat.postMessage",
			args:   url.Values{"channel": {deploys}, "blocks": {"{"}},
			want:   "invalid_blocks_format",
		},
		{
			name:   "wrong block",
			method: "chat.postMessage",
			args:   url.Values{"channel": {deploys}, "blocks": {`[{"type":"x"}]`}},
			want:   "invalid_blocks",
		},
		{
			name:   "metadata without a type",
			method: "chat.postMessage",
			args:   url.Values{"channel": {deploys}, "text": {"x"}, "metadata": {`{"event_payload":{}}`}},
			want:   "invalid_metadata_schema",
		},
		{
			name:   "metadata is no object",
			method: "chat.postMessage",
			args:   url.Values{"channel": {deploys}, "text": {"x"}, "metadata": {`7`}},
			want:   "invalid_metadata_format",
		},
		{
			name:   "no scope",
			method: "chat.postMessage",
			args:   url.Values{"channel": {deploys}, "text": {"x"}},
			scopes: []string{"commands"},
			want:   "missing_scope",
		},
		{
			name:   "revoked",
			method: "chat.postMessage",
			args:   url.Values{"channel": {deploys}, "text": {"x"}},
			refuse: "token_revoked",
			want:   "token_revoked",
		},
		{
			name:   "update nothing",
			method: "chat.update",
			args:   url.Values{"channel": {deploys}, "ts": {"1.1"}, "text": {"x"}},
			want:   "message_not_found",
		},
		{
			name:   "update by a person's id",
			method: "chat.update",
			args:   url.Values{"channel": {alice}, "ts": {"1.1"}, "text": {"x"}},
			want:   "channel_not_found",
		},
		{
			name:   "update that of another",
			method: "chat.update",
			args:   url.Values{"channel": {deploys}, "ts": {"of alice"}, "text": {"x"}},
			want:   "cant_update_message",
		},
		{
			name:   "update with a long text",
			method: "chat.update",
			args:   url.Values{"channel": {deploys}, "ts": {"own"}, "text": {long}},
			want:   "msg_too_long",
		},
		{
			name:   "delete that of another",
			method: "chat.delete",
			args:   url.Values{"channel": {deploys}, "ts": {"of alice"}},
			want:   "cant_delete_message",
		},
		{name: "delete", method: "chat.delete", args: url.Values{"channel": {deploys}, "ts": {"own"}}},
		{
			name:   "ephemeral for a stranger",
			method: "chat.postEphemeral",
			args:   url.Values{"channel": {deploys}, "user": {"U1"}, "text": {"x"}},
			want:   "user_not_in_channel",
		},
		{name: "link", method: "chat.getPermalink", args: url.Values{"channel": {deploys}, "message_ts": {"own"}}},
		{name: "unknown user", method: "users.info", args: url.Values{"user": {"U1"}}, want: "user_not_found"},
		{
			name:   "user elsewhere",
			method: "users.info",
			args:   url.Values{"user": {"U0STRANGER"}},
			want:   "user_not_visible",
		},
		{
			name:   "hidden channel",
			method: "conversations.info",
			args:   url.Values{"channel": {"G0HIDDEN01"}},
			want:   "channel_not_found",
		},
		{
			name:   "direct without scope",
			method: "conversations.info",
			args:   url.Values{"channel": {"D"}},
			scopes: []string{"channels:read"},
			want:   "missing_scope",
		},
		{
			name:   "history without scope",
			method: "conversations.history",
			args:   url.Values{"channel": {private}},
			scopes: []string{"channels:history"},
			want:   "missing_scope",
		},
		{
			name:   "history where the app is not",
			method: "conversations.history",
			args:   url.Values{"channel": {elsewhere}},
			want:   "not_in_channel",
		},
		{
			name:   "wrong cursor",
			method: "conversations.history",
			args:   url.Values{"channel": {deploys}, "cursor": {"x"}},
			want:   "invalid_cursor",
		},
		{
			name:   "no thread",
			method: "conversations.replies",
			args:   url.Values{"channel": {deploys}, "ts": {"1.1"}},
			want:   "thread_not_found",
		},
		{
			name:   "no trigger",
			method: "views.open",
			args:   url.Values{"trigger_id": {"x"}, "view": {modalJSON}},
			want:   "invalid_trigger_id",
		},
		{
			name:   "no view",
			method: "views.update",
			args:   url.Values{"view_id": {"V1"}, "view": {modalJSON}},
			want:   "not_found",
		},
		{
			name:   "home is a modal",
			method: "views.publish",
			args:   url.Values{"user_id": {alice}, "view": {modalJSON}},
			want:   "invalid_arguments",
		},
		{name: "unknown method", method: "chat.shout", want: "unknown_method"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, Options{Scopes: test.scopes})
			s.AddUser(User{ID: "U0GONE0001", Deleted: true})
			s.AddUser(User{ID: "U0STRANGER", Team: "T0OTHER001"})
			s.AddChannel(Channel{ID: "G0HIDDEN01", Private: true, Away: true})
			s.AddChannel(Channel{ID: "C0ARCHIVE1", Archived: true})
			s.AddChannel(Channel{ID: "C0NEWS0001", Refused: "restricted_action"})
			said, _, err := s.Say(alice, deploys, "hello", "")
			if err != nil {
				t.Fatal(err)
			}

			own, _ := callMethod(t, s, "chat.postMessage", cardArguments(deploys))["ts"].(string)
			for name, value := range test.args {
				for placeholder, ts := range map[string]string{"own": own, "of alice": said.TS, "D": s.Direct(alice)} {
					if value[0] == placeholder {
						test.args.Set(name, ts)
					}
				}
			}

			s.Refuse(test.refuse)
			a := callMethod(t, s, test.method, test.args)
			if word, _ := a["error"].(string); word != test.want || a["ok"] != (test.want == "") {
				t.Errorf("got %v, want error %q", a, test.want)
			}
		})
	}
}

// TestServer_Token calls a method with the token in different places.
func TestServer_Token(t *testing.T) {
	tests := []struct {
		name       string
		header     string
		query      string
		body       string
		kind       string
		headerOnly bool
		want       string
		place      Place
	}{
		{name: "none", want: "not_authed"},
		{name: "header", header: "Bearer " + DefaultToken, place: InHeader},
		{name: "another token", header: "Bearer xoxb-1", want: "invalid_auth", place: InHeader},
		{name: "form", body: "token=" + DefaultToken, kind: form, place: InBody},
		{
			name:       "form refused",
			body:       "token=" + DefaultToken,
			kind:       form,
			headerOnly: true,
			want:       "not_authed",
			place:      InBody,
		},
		{
			name:  "JSON",
			body:  `{"token":"` + DefaultToken + `"}`,
			kind:  "application/json; charset=utf-8",
			place: InBody,
		},
		{name: "query", query: "?token=" + DefaultToken, want: "not_authed", place: InQuery},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, Options{HeaderOnly: test.headerOnly})
			url := s.URL() + "auth.test" + test.query
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}

			req.Header.Set("Authorization", test.header)
			req.Header.Set("Content-Type", test.kind)
			_, header, raw := roundTrip(t, req)
			var a struct{ Error string }
			if err := json.Unmarshal(raw, &a); err != nil || a.Error != test.want {
				t.Errorf("got %s, want error %q", raw, test.want)
			}
			if scopes := header.Get("X-OAuth-Scopes"); (scopes == "") != (test.want != "") {
				t.Errorf("got scopes %q, want some only for a valid token", scopes)
			}
			if got := s.Calls("auth.test")[0].Token; got != test.place {
				t.Errorf("got token in %q, want %q", got, test.place)
			}
		})
	}
}

// TestServer_ViewsExpire checks the life of a trigger_id and the hash of a view.
func TestServer_ViewsExpire(t *testing.T) {
	clock := newClock()
	s := start(t, Options{Now: clock.Now})
	startApp(t, s, nil)
	slash, err := s.Slash(alice, deploys, "/deploy", "api")
	if err != nil {
		t.Fatal(err)
	}

	clock.advance(3*time.Second + time.Millisecond)
	a := callMethod(t, s, "views.open", url.Values{"trigger_id": {slash.Key}, "view": {modalJSON}})
	if a["error"] != "expired_trigger_id" {
		t.Errorf("got %v, want expired_trigger_id", a)
	}

	slash, err = s.Slash(alice, deploys, "/deploy", "api")
	if err != nil {
		t.Fatal(err)
	}

	view := callMethod(t, s, "views.open", url.Values{"trigger_id": {slash.Key}, "view": {modalJSON}})["view"].(Object)
	update := url.Values{"view_id": {view["id"].(string)}, "hash": {view["hash"].(string)}, "view": {modalJSON}}
	if a := callMethod(t, s, "views.update", update); a["ok"] != true {
		t.Errorf("got %v, want the update accepted", a)
	}
	if a := callMethod(t, s, "views.update", update); a["error"] != "hash_conflict" {
		t.Errorf("got %v, want hash_conflict", a)
	}
}

// TestServer_CutsLongPosts checks that a post is cut where an update would be refused.
func TestServer_CutsLongPosts(t *testing.T) {
	s := start(t, Options{})
	long := strings.Repeat("ü", maxPostText+1)
	if a := callMethod(t, s, "chat.postMessage", url.Values{"channel": {deploys}, "text": {long}}); a["ok"] != true {
		t.Fatalf("got %v", a)
	}
	if got := len([]rune(s.Messages(deploys)[0].Text)); got != maxPostText {
		t.Errorf("got %d characters, want %d", got, maxPostText)
	}
}
