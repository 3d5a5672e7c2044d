package chat

import (
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// linked is alice, who has linked her user of a chat system.
var linked = command.Caller{
	Channel: alice.Channel,
	By:      alice.By,
	Chat:    command.ChatUser{Face: "hubot-slack", Workspace: "T1", User: "U1"},
}

// TestChat_Link wants an answer to say who can change the account of whoever asks: they themselves only if they have
// linked it themselves.
func TestChat_Link(t *testing.T) {
	for _, c := range []struct {
		name   string
		caller command.Caller
		listed string // the user whom the routes file names
		want   string
	}{
		{name: "linked", caller: linked, listed: "U2", want: `If that is wrong, say "hubot unlink".`},
		{
			name:   "listed",
			caller: linked,
			listed: linked.Chat.User,
			want: `You need no link: the routes file says that you are alice at GitHub. If that is wrong, whoever looks ` +
				`after Seraph can correct it in "people" there.`,
		},
		{name: "named by a program", caller: alice, want: "whoever looks after that program can correct it."},
		{
			name:   "a token",
			caller: command.Caller{By: deployment.Actor{Token: "ci"}},
			want:   "An API token has no account to link or to unlink.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, w := newTestService()
			w.listed = c.listed
			line := command.Line{Text: "link", Asker: "hubot", Request: "m1", Prefix: "hubot "}
			got, err := s.Answer(t.Context(), c.caller, line)
			if err != nil || !strings.Contains(got.Text, c.want) {
				t.Errorf("got %q, %v, want %q", got.Text, err, c.want)
			}
			helps := c.caller == linked && c.listed != linked.Chat.User
			if !helps && strings.Contains(got.Text, "unlink\"") {
				t.Errorf("got %q, want no advice that does not help", got.Text)
			}
		})
	}
}

// TestChat_Unlink ends the link of whoever asks, once for each message, and of nobody where there is no link to end.
func TestChat_Unlink(t *testing.T) {
	listed := &command.Error{Kind: command.KindConflict, Code: "operator_entry", Message: "the routes file says so"}
	for _, c := range []struct {
		name   string
		caller command.Caller
		listed string // the user whom the routes file names
		err    error
		want   string
		ended  bool
	}{
		{name: "linked", caller: linked, want: "You are not linked to alice at GitHub any more.", ended: true},
		{name: "listed", caller: linked, err: listed, want: "That was not done: the routes file says so.", ended: true},
		{
			name:   "linked and listed",
			caller: linked,
			listed: linked.Chat.User,
			want:   "The routes file says that you are alice at GitHub.",
			ended:  true,
		},
		{name: "named by a program", caller: alice, want: "The program that sends your lines to Seraph says that you are"},
		{
			name:   "a token",
			caller: command.Caller{By: deployment.Actor{Token: "ci"}},
			want:   "An API token has no account to link or to unlink.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, w := newTestService()
			w.err, w.listed = c.err, c.listed
			for range 2 {
				got, err := s.Answer(t.Context(), c.caller, command.Line{Text: "unlink", Asker: "hubot", Request: "m1"})
				if err != nil || !strings.HasPrefix(got.Text, c.want) {
					t.Errorf("got %q, %v, want %q", got.Text, err, c.want)
				}
			}
			if ended := len(w.ended) == 1 && w.ended[0] == linked.Chat; ended != c.ended {
				t.Errorf("got the links of %v ended, want one: %v", w.ended, c.ended)
			}
		})
	}
}

// TestChat_LinkIsNeverBegun wants that a line answers no address and keeps no code, because others may read the answer.
func TestChat_LinkIsNeverBegun(t *testing.T) {
	for _, text := range []string{"link", "link 7KQM-2XWA-9HDT"} {
		t.Run(text, func(t *testing.T) {
			s, w := newTestService()
			got, err := s.Answer(t.Context(), linked, command.Line{Text: text, Asker: "hubot", Request: "m1"})
			inSlack := strings.Contains(got.Text, `type "/seraph link" in Slack itself`)
			if err != nil || !inSlack || strings.Contains(got.Text, "http") {
				t.Errorf("got %q, %v, want how it is done in Slack", got.Text, err)
			}
			for _, kept := range w.answers {
				if strings.Contains(kept.Text, "7KQM") {
					t.Errorf("got %+v kept, want no code", kept)
				}
			}
		})
	}
}

// TestAnswer_Prefix wants every answer to name commands as they are typed where the line came from.
func TestAnswer_Prefix(t *testing.T) {
	tooLate := &command.Error{Kind: command.KindConflict, Code: "too_late", Message: "it has ended"}
	for _, row := range []struct {
		text string
		err  error
		want string
	}{
		{text: "deploy api", want: `Write "hubot deploy api to ENV".`},
		{text: "deploy api to stagin", want: `"hubot deploy api to staging"?`},
		{text: "deploy api to staging", want: `"hubot status api in staging"`},
		{text: "rollback api in staging", want: `"hubot status api in staging"`},
		{text: "rollback api in staging to #41", err: tooLate, want: `"hubot why #`},
		{text: lockLine, want: `"hubot unlock api in staging"`},
		{text: "unlock api in staging", want: `"hubot locks"`},
		{text: "where can I deploy api", want: `"hubot deploy api to staging"`},
		{text: "link", want: `"hubot unlink"`},
		{text: "help", want: `"hubot help deploy"`},
	} {
		t.Run(row.text, func(t *testing.T) {
			s, w := newTestService()
			w.err = row.err
			line := command.Line{Text: row.text, Asker: "hubot", Request: "m1", Prefix: "hubot "}
			a, err := s.Answer(t.Context(), linked, line)
			if err != nil || !strings.Contains(a.Text, row.want) {
				t.Errorf("got %q, %v, want %s in it", a.Text, err, row.want)
			}
		})
	}
}
