package slack

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func TestClassify_Words(t *testing.T) {
	for _, test := range []struct {
		word   string
		method string // empty: chat.postMessage
		want   notify.SendKind
	}{
		{word: "message_not_found", want: notify.SendGone},
		{word: "cant_update_message", want: notify.SendFinal},
		{word: "edit_window_closed", want: notify.SendFinal},
		{word: "is_inactive", want: notify.SendFinal},
		{word: "block_mismatch", want: notify.SendFinal},
		{word: "channel_not_found", want: notify.SendChannel},
		{word: "not_in_channel", want: notify.SendChannel},
		{word: "is_archived", want: notify.SendChannel},
		{word: "restricted_action", want: notify.SendChannel},
		{word: "restricted_action_of_tomorrow", want: notify.SendChannel},
		{word: "messages_tab_disabled", want: notify.SendChannel},
		{word: "ekm_access_denied", want: notify.SendChannel},
		{word: "invalid_auth", want: notify.SendFace},
		{word: "not_authed", want: notify.SendFace},
		{word: "account_inactive", want: notify.SendFace},
		{word: "token_revoked", want: notify.SendFace},
		{word: "token_expired", want: notify.SendFace},
		{word: "team_access_not_granted", want: notify.SendFace},
		{word: "missing_scope", want: notify.SendFace},
		{word: "missing_scope", method: methodUpdate, want: notify.SendFace},
		{word: "missing_scope", method: methodHistory, want: notify.SendForbidden},
		{word: "missing_scope", method: methodUser, want: notify.SendForbidden},
		{word: "invalid_auth", method: methodHistory, want: notify.SendFace},
		{word: "invalid_blocks", want: notify.SendContent},
		{word: "msg_blocks_too_long", want: notify.SendContent},
		{word: "msg_too_long", want: notify.SendContent},
		{word: "no_text", want: notify.SendContent},
		{word: "metadata_too_large", want: notify.SendContent},
		{word: "metadata_of_tomorrow", want: notify.SendContent},
		{word: "expired_trigger_id", method: methodOpenView, want: notify.SendFinal},
		{word: "fatal_error", want: notify.SendUnknown},
		{word: "internal_error", want: notify.SendUnknown},
		{word: "service_unavailable", want: notify.SendUnknown},
		{word: "request_timeout", want: notify.SendUnknown},
		{word: "word_of_tomorrow", want: notify.SendUnknown},
		{word: "ratelimited", want: notify.SendLimited},
		{word: "rate_limited", want: notify.SendLimited},
	} {
		t.Run(test.word+" "+test.method, func(t *testing.T) {
			method := test.method
			if method == "" {
				method = methodPost
			}
			e := exchange{status: 200, body: []byte(`{"ok":false,"error":"` + test.word + `"}`)}
			got := classify(method, e, noon)
			if got == nil || got.Kind != test.want || got.Code != test.word {
				t.Errorf("got %v, want %s with the word", got, test.want)
			}
		})
	}
}

func TestClassify_Statuses(t *testing.T) {
	const ok = `{"ok":true}`
	for _, test := range []struct {
		name string
		in   exchange
		want notify.SendKind // empty: success
		code string
	}{
		{name: "success", in: exchange{status: 200, body: []byte(ok)}},
		{
			name: "success cut",
			in:   exchange{status: 200, body: []byte(ok), err: errors.New("cut")},
			want: notify.SendUnknown,
			code: "unreadable",
		},
		{
			name: "page of a proxy",
			in:   exchange{status: 200, body: []byte("<html>")},
			want: notify.SendUnknown,
			code: "unreadable",
		},
		{
			name: "success with an odd status",
			in:   exchange{status: 201, body: []byte(ok)},
			want: notify.SendUnknown,
			code: "201",
		},
		{name: "500", in: exchange{status: 500}, want: notify.SendUnknown, code: "500"},
		{name: "502 that says ok", in: exchange{status: 502, body: []byte(ok)}, want: notify.SendUnknown, code: "502"},
		{
			name: "503 with a word",
			in:   exchange{status: 503, body: []byte(`{"ok":false,"error":"is_archived"}`)},
			want: notify.SendChannel,
			code: "is_archived",
		},
		{name: "408", in: exchange{status: 408}, want: notify.SendUnknown, code: "408"},
		{name: "401", in: exchange{status: 401}, want: notify.SendFace, code: "401"},
		{name: "403", in: exchange{status: 403}, want: notify.SendFace, code: "403"},
		{name: "404", in: exchange{status: 404, body: []byte("not found")}, want: notify.SendFace, code: "404"},
		{name: "413", in: exchange{status: 413}, want: notify.SendContent, code: "413"},
		{name: "307", in: exchange{status: 307}, want: notify.SendUnknown, code: "307"},
		{name: "no answer", in: exchange{err: errors.New("cut")}, want: notify.SendUnknown, code: "no_answer"},
		{
			name: "word of another shape",
			in:   exchange{status: 200, body: []byte(`{"ok":false,"error":{"a":1}}`)},
			want: notify.SendUnknown,
			code: "unreadable",
		},
		{
			name: "word that is no word",
			in:   exchange{status: 200, body: []byte(`{"ok":false,"error":"<b>"}`)},
			want: notify.SendUnknown,
			code: "unreadable",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := classify(methodPost, test.in, noon)
			if test.want == "" {
				if got != nil {
					t.Errorf("got %v, want success", got)
				}
				return
			}
			if got == nil || got.Kind != test.want || got.Code != test.code {
				t.Errorf("got %v, want %s %s", got, test.want, test.code)
			}
		})
	}
}

func TestClassify_RetryAfter(t *testing.T) {
	for _, test := range []struct {
		name, header string
		want         time.Duration
	}{
		{name: "seconds", header: "7", want: 7 * time.Second},
		{name: "an hour", header: "3600", want: time.Hour},
		{name: "a day is capped", header: "86400", want: time.Hour},
		{name: "more than an integer holds", header: "99999999999999999999", want: time.Hour},
		{name: "date", header: "Sat, 28 Nov 2026 12:00:45 GMT", want: 45 * time.Second},
		{name: "past date", header: "Sat, 28 Nov 2026 11:00:00 GMT", want: time.Second},
		{name: "zero", header: "0", want: time.Second},
		{name: "negative", header: "-5", want: time.Second},
		{name: "absent", want: 30 * time.Second},
		{name: "not readable", header: "soon", want: 30 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := http.Header{}
			if test.header != "" {
				h.Set("Retry-After", test.header)
			}
			for _, in := range []exchange{
				{status: 429, header: h},
				{status: 429, header: h, body: []byte(`{"ok":false,"error":"ratelimited"}`)},
				{status: 200, header: h, body: []byte(`{"ok":false,"error":"ratelimited"}`)},
			} {
				got := classify(methodPost, in, noon)
				if got == nil || got.Kind != notify.SendLimited || got.Wait != test.want || got.Local {
					t.Errorf("status %d: got %+v, want %s with wait %s", in.status, got, notify.SendLimited, test.want)
				}
			}
		})
	}
}

func TestClassify_Details(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{
			name: "scopes",
			body: `{"ok":false,"error":"missing_scope","needed":"channels:history","provided":"chat:write,commands"}`,
			want: "needs the scope channels:history, has chat:write,commands",
		},
		{
			name: "blocks",
			body: `{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":` +
				`["[ERROR] must be a string\n[json-pointer:/blocks/0/text]"]}}`,
			want: "[ERROR] must be a string [json-pointer:/blocks/0/text]",
		},
		{
			name: "uninstalled app",
			body: `{"ok":false,"error":"account_inactive"}`,
			want: "install the app again, and set SERAPH_SLACK_BOT_TOKEN to its new bot token",
		},
		{
			name: "revoked token",
			body: `{"ok":false,"error":"token_revoked","response_metadata":{"messages":[]}}`,
			want: "install the app again, and set SERAPH_SLACK_BOT_TOKEN to its new bot token",
		},
		{
			name: "no token",
			body: `{"ok":false,"error":"invalid_auth"}`,
			want: "set SERAPH_SLACK_BOT_TOKEN to the bot token of the app's page, under Install App",
		},
		{
			name: "rotated token",
			body: `{"ok":false,"error":"token_expired"}`,
			want: `the app rotates its tokens, which Seraph cannot follow: make another app with "seraph slack manifest"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := classify(methodHistory, exchange{status: 200, body: []byte(test.body)}, noon)
			if got == nil || got.Err == nil || got.Err.Error() != test.want {
				t.Errorf("got %v, want %q", got, test.want)
			}
		})
	}
}

// FuzzClassify wants of every answer that it is either Slack's success or one of the kinds, with a code that can be a
// label and a text that fits into one line of a log.
func FuzzClassify(f *testing.F) {
	for _, seed := range []string{
		`{"ok":true,"channel":"C1","ts":"1.2"}`,
		`{"ok":false,"error":"missing_scope","needed":"a","provided":"b"}`,
		`{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[json-pointer:/blocks/0]",7]}}`,
		`{"ok":false,"error":["x"],"errors":[{}]}`,
		`{"OK":true,"ok":false}`,
		`ok`, `used_url`, `<html>`, `null`, `{"ok":false,"error":"` + strings.Repeat("a", 100) + `"}`,
	} {
		f.Add(200, "", []byte(seed))
		f.Add(429, "5", []byte(seed))
	}

	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		e := exchange{tried: true, status: status, header: http.Header{"Retry-After": {retryAfter}}, body: body}
		c := New(Options{BaseURL: mustURL(t, "https://slack.com/api/")})
		for name, got := range map[string]*notify.SendError{
			"method":   classify(methodPost, e, noon),
			"response": c.classifyResponse(e),
		} {
			if got == nil {
				if status != http.StatusOK {
					t.Errorf("%s: got success for status %d", name, status)
				}
				continue
			}

			text := got.Error()
			if got.Kind == "" || got.Code == "" || !utf8.ValidString(text) || len(text) > 4000 ||
				strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("%s: got %q", name, text)
			}
			if got.Kind == notify.SendLimited && (got.Wait < minWait || got.Wait > maxWait) {
				t.Errorf("%s: got wait %s, want %s to %s", name, got.Wait, minWait, maxWait)
			}
		}
	})
}

func TestMetricCode_IsAClosedSet(t *testing.T) {
	for code, want := range map[string]string{
		"invalid_auth":     "invalid_auth",
		"429":              "429",
		"timeout":          "timeout",
		"word_of_tomorrow": "other",
		"1234":             "other",
		"":                 "other",
	} {
		t.Run(code, func(t *testing.T) {
			if got := metricCode(code); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
