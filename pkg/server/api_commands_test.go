package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/command"
)

// Answer answers every line with a deployment, except the line "status".
func (f *fakeCommands) Answer(_ context.Context, c command.Caller, l command.Line) (command.Answer, error) {
	text := fmt.Sprintf("%s said %q in %q through %q", c.By, l.Prefix+l.Text, l.Place, l.Face)
	if err := f.call("answer %s %s %s", l.Asker, l.Request, text); err != nil || l.Text == "status" {
		return command.Answer{Text: text}, err
	}
	return command.Answer{Text: text, Deployment: &testDeployment, Refused: f.refused}, nil
}

// AsksGitHub is true for every line but "status".
func (f *fakeCommands) AsksGitHub(text string) bool { return text != "status" }

func TestRunCommand(t *testing.T) {
	reused := &command.Error{Kind: command.KindConflict, Code: "request_reused", Message: "another message had this id"}
	unknown := &command.Error{Kind: command.KindUnavailable, Code: "unavailable", Message: "GitHub did not answer"}

	for _, test := range []struct {
		name   string
		token  string
		body   string // in braces
		err    error
		code   int
		about  string
		called string
	}{
		{
			name:   "by a person of a chat",
			token:  chatToken,
			body:   alicePerson + `,"text":"deploy api to staging","place":"C1","request":"m1"`,
			code:   200,
			about:  `{"text":"alice said \"deploy api to staging\" in \"C1\" through \"hubot-slack\"","deployment":{"id":42`,
			called: `answer hubot m1 alice said "deploy api to staging" in "C1" through "hubot-slack"`,
		},
		{
			name:   "by a person whom the client knows, without a deployment",
			token:  behalfToken,
			body:   aliceActor + `,"text":"status","request":"m1"`,
			code:   200,
			about:  `{"text":"alice said \"status\" in \"\" through \"\""}`,
			called: `answer behalfer m1 alice said "status" in "" through ""`,
		},
		{
			name:   "by a token",
			token:  deployToken,
			body:   `"text":"status","request":"m1"`,
			code:   200,
			called: `answer deployer m1 token deployer said "status" in "" through ""`,
		},
		{
			name:  "by a stranger",
			token: chatToken,
			body:  person("hubot-slack", "T0ACME001", "U0MALLORY") + `,"text":"deploy api","request":"m1"`,
			code:  403,
			about: `"code":"not_linked"`,
		},
		{name: "by a token that may read", token: readToken, body: `"text":"status","request":"m1"`, code: 403},
		{name: "no id", token: deployToken, body: `"text":"status"`, code: 400, about: `\"request\" is required`},
		{name: "id that is too long", token: deployToken, body: `"text":"x","request":"` + strings.Repeat("m", 151) + `"`, code: 400},
		{name: "id of two lines", token: deployToken, body: `"text":"x","request":"a\nb"`, code: 400},
		{
			name:   "after the name of a bot",
			token:  deployToken,
			body:   `"text":"status","prefix":"hubot","request":"m1"`,
			code:   200,
			called: `answer deployer m1 token deployer said "hubot status" in "" through ""`,
		},
		{name: "prefix of two lines", token: deployToken, body: `"text":"x","request":"m1","prefix":"a\nb"`, code: 400},
		{name: "prefix that calls people", token: deployToken, body: `"text":"x","request":"m1","prefix":"<!here>"`, code: 400},
		{name: "place of two lines", token: deployToken, body: `"text":"x","request":"m1","place":"a\nb"`, code: 400},
		{
			name:   "id of another message",
			token:  deployToken,
			body:   `"text":"x","request":"m1"`,
			err:    reused,
			code:   409,
			about:  `"code":"request_reused"`,
			called: `answer deployer m1 token deployer said "x" in "" through ""`,
		},
		{
			name:   "not known now",
			token:  deployToken,
			body:   `"text":"x","request":"m1"`,
			err:    unknown,
			code:   503,
			about:  "GitHub did not answer",
			called: `answer deployer m1 token deployer said "x" in "" through ""`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestServer(t)
			s.commands.err = test.err
			got := s.api(t, test.token, http.MethodPost, "/commands", "{"+test.body+"}")
			if got.code != test.code || !strings.Contains(got.body, test.about) {
				t.Errorf("got %d %s, want %d with %s", got.code, got.body, test.code, test.about)
			}
			if s.commands.called != test.called {
				t.Errorf("got call %q, want %q", s.commands.called, test.called)
			}
		})
	}
}
