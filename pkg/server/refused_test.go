package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/command"
)

// syncBuffer is a log that handlers write to while a test reads it.
type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// Who tries what they may not do is counted and, unless they are unknown, leaves one line in the log.
func TestRefusedCommand_LeavesTrace(t *testing.T) {
	notAllowed := &command.Error{Kind: command.KindForbidden, Code: "not_allowed", Message: "mallory may not"}
	for _, test := range []struct {
		name    string
		token   string
		path    string
		body    string
		err     error
		counted string
		want    map[string]any // the line; nil: there is none
	}{
		{
			name:    "a person whom the rules do not allow",
			token:   behalfToken,
			path:    "/deployments/42/force",
			body:    `{"actor":{"id":6,"login":"mallory"},"reason":"x"}`,
			err:     notAllowed,
			counted: "not_allowed",
			want: map[string]any{
				"token":      "behalfer",
				"actor":      "mallory",
				"actor_id":   6.0,
				"act":        "POST /api/v1/deployments/42/force",
				"deployment": 42.0,
				"code":       "not_allowed",
			},
		},
		{
			name:    "a token whose scope is too small",
			token:   readToken,
			path:    "/deployments/42/force",
			body:    `{"reason":"x"}`,
			counted: "forbidden",
			want: map[string]any{
				"token":      "reader",
				"actor":      "token reader",
				"actor_id":   0.0,
				"act":        "POST /api/v1/deployments/42/force",
				"deployment": 42.0,
				"code":       "forbidden",
			},
		},
		{
			name:    "a token that may not name a person",
			token:   deployToken,
			path:    "/locks/3/release",
			body:    "{" + aliceActor + "}",
			counted: "behalf_needed",
			want: map[string]any{
				"token":    "deployer",
				"actor":    "token deployer",
				"actor_id": 0.0,
				"act":      "POST /api/v1/locks/3/release",
				"code":     "behalf_needed",
			},
		},
		{
			name:    "a stranger of a chat",
			token:   chatToken,
			path:    "/deployments/42/force",
			body:    `{"person":{"face":"hubot-slack","workspace":"T0ACME001","user":"U0MALLORY"},"reason":"x"}`,
			counted: "not_linked",
			want: map[string]any{
				"token":      "hubot",
				"actor":      "token hubot",
				"actor_id":   0.0,
				"person":     "hubot-slack/T0ACME001/U0MALLORY",
				"act":        "POST /api/v1/deployments/42/force",
				"deployment": 42.0,
				"code":       "not_linked",
			},
		},
		{
			name:    "a token of another chat",
			token:   chatToken,
			path:    "/locks/3/release",
			body:    `{"person":{"face":"hubot-shell","workspace":"local","user":"1"}}`,
			counted: "forbidden",
			want: map[string]any{
				"token":    "hubot",
				"actor":    "token hubot",
				"actor_id": 0.0,
				"person":   "hubot-shell/local/1",
				"act":      "POST /api/v1/locks/3/release",
				"code":     "forbidden",
			},
		},
		{name: "an unknown token", token: "of nobody", path: "/deployments/42/force", counted: "unauthorized"},
		{name: "a command that is allowed", token: adminToken, path: "/deployments/42/force", body: `{"reason":"x"}`},
		{name: "a command that cannot be read", token: adminToken, path: "/deployments/42/force", body: `[]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log syncBuffer
			var counted []string
			s := newTestServer(t, func(o *Options) {
				o.Log = zerolog.New(&log).Level(zerolog.InfoLevel)
				o.ObserveRefused = func(code string) { counted = append(counted, code) }
			})
			s.commands.err = test.err
			s.api(t, test.token, http.MethodPost, test.path, test.body)

			if got := strings.Join(counted, " "); got != test.counted {
				t.Errorf("got counted %q, want %q", got, test.counted)
			}
			checkRefusedLine(t, log.String(), test.want)
		})
	}
}

func checkRefusedLine(t *testing.T, log string, want map[string]any) {
	t.Helper()
	if want == nil {
		if log != "" {
			t.Errorf("got log %q, want none", log)
		}
		return
	}

	var got map[string]any
	if err := json.Unmarshal([]byte(log), &got); err != nil {
		t.Fatalf("got log %q, want one line: %v", log, err)
	}
	if n := strings.Count(log, `"token"`); n != 1 {
		t.Errorf("got the token %d times, want once", n)
	}

	want["level"], want["message"] = "info", "command refused"
	delete(got, "request")
	delete(got, "client")
	if d := diff(want, got); d != "" {
		t.Errorf("line differs:\n%s", d)
	}
}

// Where no token opens the API, it says which variable does.
func TestAPI_Off(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.Tokens = nil })
	for _, path := range []string{"", "/", "/locks", "/deployments/42/approve"} {
		t.Run(path, func(t *testing.T) {
			got := s.api(t, adminToken, http.MethodPost, path, "{}")
			if got.code != http.StatusNotFound || !strings.Contains(got.body, "SERAPH_API_TOKENS") {
				t.Errorf("got %d %s, want 404 with the variable", got.code, got.body)
			}
		})
	}
}
