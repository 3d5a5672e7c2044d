package server

import (
	"net/http"
	"strings"
	"testing"
)

// alicePerson is the person field of a request for alice, as a user of Slack.
const alicePerson = `"person":{"face":"hubot-slack","workspace":"T0ACME001","user":"U0ALICE01"}`

// person is the person field of a request for somebody.
func person(face, workspace, user string) string {
	return `"person":{"face":"` + face + `","workspace":"` + workspace + `","user":"` + user + `"}`
}

func TestCallerOf_ChatUsers(t *testing.T) {
	const (
		asAlice = "approve api:1:alice:hubot:false 42 "
		asBob   = "approve api:2:bob:behalfer:false 42 "
	)

	for _, c := range []struct {
		name   string
		token  string
		body   string // in braces
		code   int
		about  string // part of the answer
		called string
	}{
		{name: "somebody of the token's chat", token: chatToken, body: alicePerson, code: 200, called: asAlice},
		{
			name:   "somebody of any chat, by a token of all",
			token:  behalfToken,
			body:   person("hubot-shell", "local", "1"),
			code:   200,
			called: asBob,
		},
		{
			name:   "Slack's own ids, by a token of all",
			token:  behalfToken,
			body:   person("slack", "T0ACME001", "U0ALICE01"),
			code:   200,
			called: "approve api:1:alice:behalfer:false 42 ",
		},
		{
			name:  "a stranger",
			token: chatToken,
			body:  person("hubot-slack", "T0ACME001", "U0MALLORY"),
			code:  403,
			about: `"code":"not_linked","message":"the user U0MALLORY of hubot-slack/T0ACME001 is not linked to a GitHub ` +
				`account: type \"/seraph link\" in Slack, or ask the operator to add {id: ID, login: LOGIN, slack: U0MALLORY} to people in the routes file; ` +
				`https://api.github.com/users/LOGIN shows the id"`,
		},
		{
			name:  "a stranger of another chat",
			token: behalfToken,
			body:  person("hubot-irc", "libera", "mallory"),
			code:  403,
			about: "login: LOGIN, hubot-irc: libera/mallory}",
		},
		{
			name:  "another workspace",
			token: chatToken,
			body:  person("hubot-slack", "T0OTHER", "U0ALICE01"),
			code:  403,
			about: `"code":"forbidden","message":"this token may speak only for people of hubot-slack/T0ACME001`,
		},
		{
			name:  "another face of the same workspace",
			token: chatToken,
			body:  person("slack", "T0ACME001", "U0ALICE01"),
			code:  403,
			about: `"code":"forbidden"`,
		},
		{name: "a GitHub id by a token of a chat", token: chatToken, body: aliceActor, code: 403, about: `"forbidden"`},
		{name: "nobody by a token of a chat", token: chatToken, code: 400, about: `in \"person\"`},
		{
			name:  "both",
			token: chatToken,
			body:  aliceActor + "," + alicePerson,
			code:  400,
			about: `by \"actor\" or by \"person\", not by both`,
		},
		{name: "both by a token of all", token: behalfToken, body: aliceActor + "," + alicePerson, code: 400},
		{name: "both by another token", token: adminToken, body: aliceActor + "," + alicePerson, code: 400},
		{name: "by a token with another scope", token: deployToken, body: alicePerson, code: 403, about: `"behalf_needed"`},
		{name: "by an admin", token: adminToken, body: alicePerson, code: 403, about: `"behalf_needed"`},
		{name: "by a token that may read", token: readToken, body: alicePerson, code: 403, about: `"forbidden"`},
		{name: "no user", token: chatToken, body: person("hubot-slack", "T0ACME001", ""), code: 400, about: `\"person\" needs`},
		{name: "no workspace", token: behalfToken, body: person("slack", "", "U0ALICE01"), code: 400},
		{name: "no face", token: behalfToken, body: person("", "T0ACME001", "U0ALICE01"), code: 400},
		{name: "empty person", token: behalfToken, body: `"person":{}`, code: 400},
		{name: "a user with a space", token: chatToken, body: person("hubot-slack", "T0ACME001", "U0 A"), code: 400},
		{name: "a user of two lines", token: chatToken, body: person("hubot-slack", "T0ACME001", `U0\nA`), code: 400},
		{
			name:  "a user that is too long",
			token: chatToken,
			body:  person("hubot-slack", "T0ACME001", strings.Repeat("U", 101)),
			code:  400,
		},
		{name: "misspelt field", token: chatToken, body: `"person":{"face":"slack","team":"T0"}`, code: 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestServer(t)
			got := s.api(t, c.token, http.MethodPost, "/deployments/42/approve", "{"+c.body+"}")
			if got.code != c.code || !strings.Contains(got.body, c.about) {
				t.Errorf("got %d %s, want %d with %q", got.code, got.body, c.code, c.about)
			}
			if s.commands.called != c.called {
				t.Errorf("got call %q, want %q", s.commands.called, c.called)
			}
		})
	}
}

// Where nobody is known, nobody can ask by a chat.
func TestCallerOf_NobodyIsKnown(t *testing.T) {
	s := newTestServer(t, func(o *Options) { o.Persons = nil })
	got := s.api(t, chatToken, http.MethodPost, "/deployments/42/approve", "{"+alicePerson+"}")
	if got.code != http.StatusForbidden || !strings.Contains(got.body, "not_linked") {
		t.Errorf("got %d %s, want 403 not_linked", got.code, got.body)
	}
}
