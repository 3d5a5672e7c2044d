package config

import (
	"strings"
	"testing"
)

func TestLoad_DatabaseURL(t *testing.T) {
	const inMemory = "SERAPH_DATABASE_URL: a database in memory loses everything at a restart"
	for _, test := range []struct{ name, url, want string }{
		{name: "another database", url: "mysql://u:hunter2hunter2@x", want: "not a database URL: write sqlite:PATH or postgres://"},
		{name: "no scheme", url: "seraph.db", want: "not a database URL"},
		{name: "no path", url: "sqlite:", want: "names no file"},
		{name: "in memory", url: "sqlite::memory:", want: inMemory},
		{name: "in memory, shared", url: "sqlite:file::memory:?cache=shared", want: inMemory},
		{name: "in memory by an option", url: "sqlite:x?mode=memory", want: inMemory},
		{name: "URL of SQLite", url: "sqlite:file:x.db", want: "must be a plain path"},
		{name: "option", url: "sqlite:x.db?cache=private", want: "must be a plain path"},
		{name: "two slashes", url: "sqlite://x.db", want: "must be a plain path"},
		{name: "folder", url: "sqlite:/var/lib/", want: "names a folder"},
		{name: "space at the end", url: "sqlite:x.db ", want: "a space at an end"},
		{name: "tab", url: "sqlite:x\t.db", want: "a control character"},
	} {
		t.Run(test.name, func(t *testing.T) { wantProblem(t, map[string]string{"DATABASE_URL": test.url}, test.want) })
	}

	for _, url := range []string{"sqlite:seraph.db", "sqlite:/x y/ä.db", "sqlite:///x.db", "postgresql://u:p@h/n?sslmode=disable"} {
		t.Run(url, func(t *testing.T) {
			if got := load(t, map[string]string{"DATABASE_URL": url}).DatabaseURL.Reveal(); got != url {
				t.Errorf("got %q, want %q", got, url)
			}
		})
	}
}

// TestLoad_APITokens_Problems wants that a name and a token stand for each other. A token under two
// names would have the scope of the last one, and a name is an identity.
func TestLoad_APITokens_Problems(t *testing.T) {
	const long = "hunter2hunter2hunter2hunter2hunter2"
	for _, test := range []struct{ name, tokens, want string }{
		{name: "short", tokens: "ci:deploy:hunter2", want: "element 1: the token has 7 characters, at least 32"},
		{name: "unknown scope", tokens: "ci:write:" + long, want: "element 1: the scope is unknown: write one of read, deploy"},
		{name: "space in the name", tokens: "c i:read:" + long, want: "element 1: the name is not usable"},
		{
			name:   "chat of another scope",
			tokens: "ci:deploy=hubot-slack/T0ACME001:" + long,
			want:   "element 1: only the scope behalf can be bound to a chat: write behalf=FACE/WORKSPACE",
		},
		{name: "empty chat", tokens: "bot:behalf=:" + long, want: "element 1: the chat is not usable"},
		{name: "chat without workspace", tokens: "bot:behalf=hubot-slack:" + long, want: "the chat is not usable"},
		{name: "empty workspace", tokens: "bot:behalf=hubot-slack/:" + long, want: "the chat is not usable"},
		{name: "chat of three parts", tokens: "bot:behalf=slack/T0/U0:" + long, want: "the chat is not usable"},
		{name: "face in another case", tokens: "bot:behalf=Slack/T0:" + long, want: "the chat is not usable"},
		{name: "two parts", tokens: "ci:" + long, want: "write NAME:SCOPE:TOKEN or TOKEN"},
		{name: "spaces in place of a token", tokens: "x:admin:" + strings.Repeat(" ", 40) + "x", want: "the token contains a space"},
		{name: "not ASCII", tokens: "x:admin:" + long + "é", want: "a character that no header takes"},
		{
			name:   "one token twice",
			tokens: "page:read:" + long + ",root:admin:" + long,
			want:   "element 2 has the same token as element 1",
		},
		{
			name:   "one token with a name and bare",
			tokens: "page:admin:" + long + "," + long,
			want:   "element 2 has the same token as element 1",
		},
		{
			name:   "one name twice",
			tokens: "page:read:" + long + ",page:admin:" + otherAPIToken,
			want:   "element 2 has the same name as element 1 (page)",
		},
		{
			name:   "one name in two cases",
			tokens: "Page:deploy:" + long + ",page:deploy:" + otherAPIToken,
			want:   "element 2 has the same name as element 1 (page)",
		},
		{
			name:   "name of a bare token",
			tokens: long + ",Token-1:admin:" + otherAPIToken,
			want:   "element 2 has the same name as element 1 (Token-1)",
		},
		{
			name:   "name of a later bare token",
			tokens: "token-2:admin:" + long + "," + otherAPIToken,
			want:   "element 2 has the same name as element 1 (token-2)",
		},
	} {
		t.Run(test.name, func(t *testing.T) { wantProblem(t, map[string]string{"API_TOKENS": test.tokens}, test.want) })
	}
}
