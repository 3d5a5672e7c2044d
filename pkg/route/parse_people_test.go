package route

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// peopleOf is a table with some elements of people. The first is in line 4.
func peopleOf(elements ...string) string {
	text := "routes: [{repository: acme/api}]\nslack: {workspace: T0ACME001}\npeople:\n"
	for _, e := range elements {
		text += "- " + e + "\n"
	}
	return text
}

func TestParse_PeopleProblems(t *testing.T) {
	const alice = "{id: 583231, login: alice, slack: U0ALICE01}"

	for _, c := range []struct {
		name string
		text string
		want string // part of the error
	}{
		{
			name: "people: mapping",
			text: "routes: [{repository: a/b}]\npeople: {alice: 5}",
			want: "routes.yaml:2: people must be a list",
		},
		{name: "people: empty", text: "routes: [{repository: a/b}]\npeople: []", want: "people must be a list"},
		{name: "people: text", text: peopleOf("alice"), want: "routes.yaml:4: people must be a mapping"},
		{name: "people: no id", text: peopleOf("{login: alice}"), want: "routes.yaml:4: people: an element needs id"},
		{name: "people: no login", text: peopleOf("{id: 5}"), want: "an element needs login"},
		{name: "people: id of zero", text: peopleOf("{id: 0, login: a}"), want: `id "0" is not the id of a person`},
		{name: "people: id of words", text: peopleOf("{id: alice, login: a}"), want: "is not the id of a person"},
		{name: "people: octal id", text: peopleOf("{id: 0123, login: a}"), want: "is not the id of a person"},
		{name: "people: id too large", text: peopleOf("{id: 9223372036854775808, login: a}"), want: "is not the id"},
		{name: "people: bot", text: peopleOf("{id: 5, login: 'x[bot]'}"), want: "is not the login of a person"},
		{name: "people: mention", text: peopleOf("{id: 5, login: '@a'}"), want: "is not the login of a person"},
		{
			name: "people: Slack name",
			text: peopleOf("{id: 5, login: a, slack: '@alice'}"),
			want: `slack "@alice" is not the id of a Slack user`,
		},
		{
			name: "people: Slack without workspace",
			text: "routes: [{repository: a/b}]\npeople: [{id: 5, login: a, slack: U0A1}]",
			want: "slack ids need their workspace",
		},
		{name: "people: typing error", text: peopleOf("{id: 5, login: a, slak: U0A1}"), want: `did you mean "slack"?`},
		{name: "people: unknown face", text: peopleOf("{id: 5, login: a, teams: x/y}"), want: `unknown key "teams"`},
		{
			name: "people: Hubot of Slack",
			text: peopleOf("{id: 5, login: a, hubot-slack: T0A/U0A}"),
			want: "write slack in place of hubot-slack",
		},
		{
			name: "people: without workspace",
			text: peopleOf("{id: 5, login: a, hubot-shell: 1}"),
			want: `hubot-shell "1" must be WORKSPACE/USER`,
		},
		{name: "people: space", text: peopleOf("{id: 5, login: a, hubot-irc: 'x/a b'}"), want: "must be WORKSPACE/USER"},
		{
			name: "people: id twice",
			text: peopleOf(alice, "{id: 583231, login: bob}"),
			want: "routes.yaml:5: people: id 583231 is given twice (first in line 4)",
		},
		{
			name: "people: login twice",
			text: peopleOf(alice, "{id: 2, login: Alice}"),
			want: `people: login "Alice" is given twice`,
		},
		{
			name: "people: Slack user twice",
			text: peopleOf(alice, "{id: 2, login: bob, slack: U0ALICE01}"),
			want: `people: slack user "U0ALICE01" is given twice (first in line 4)`,
		},
		{
			name: "people: user of a Hubot twice",
			text: peopleOf("{id: 1, login: a, hubot-irc: x/n}", "{id: 2, login: b, hubot-irc: x/n}"),
			want: `hubot-irc user "n" is given twice`,
		},
		{name: "slack: no workspace", text: routeOf("task: x") + "\nslack: {}", want: "slack needs workspace"},
		{name: "slack: name", text: routeOf("task: x") + "\nslack: {workspace: acme}", want: "is not the id of a Slack workspace"},
		{name: "slack: text", text: routeOf("task: x") + "\nslack: T0ACME001", want: "slack must be a mapping"},
		{name: "slack: unknown key", text: routeOf("task: x") + "\nslack: {workspce: T0}", want: `did you mean "workspace"?`},
	} {
		t.Run(c.name, func(t *testing.T) { checkParseError(t, c.text, c.want) })
	}
}

func TestTable_Person(t *testing.T) {
	table := parseTable(t, peopleOf(
		"{id: 583231, login: alice, slack: U0ALICE01}",
		"{id: 7, login: bob, slack: W0BOB, hubot-shell: local/1, hubot-irc: libera/bob}",
		"{id: 8, login: carol}",
	))
	alice, bob := deployment.Actor{ID: 583231, Login: "alice"}, deployment.Actor{ID: 7, Login: "bob"}

	for _, c := range []struct {
		name                  string
		face, workspace, user string
		want                  deployment.Actor // the zero Actor: nobody
	}{
		{name: "Slack", face: "slack", workspace: "T0ACME001", user: "U0ALICE01", want: alice},
		{name: "Hubot in Slack", face: "hubot-slack", workspace: "T0ACME001", user: "U0ALICE01", want: alice},
		{name: "organization's user", face: "slack", workspace: "T0ACME001", user: "W0BOB", want: bob},
		{name: "shell", face: "hubot-shell", workspace: "local", user: "1", want: bob},
		{name: "IRC", face: "hubot-irc", workspace: "libera", user: "bob", want: bob},
		{name: "other workspace", face: "slack", workspace: "T0OTHER", user: "U0ALICE01"},
		{name: "no workspace", face: "slack", user: "U0ALICE01"},
		{name: "other face", face: "hubot-shell", workspace: "T0ACME001", user: "U0ALICE01"},
		{name: "other case", face: "slack", workspace: "T0ACME001", user: "u0alice01"},
		{name: "face in another case", face: "Slack", workspace: "T0ACME001", user: "U0ALICE01"},
		{name: "stranger", face: "slack", workspace: "T0ACME001", user: "U0MALLORY"},
		{name: "nobody", face: "slack", workspace: "T0ACME001"},
		{name: "nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := table.Person(c.face, c.workspace, c.user)
			if got != c.want || ok != (c.want.ID != 0) {
				t.Errorf("got %v, %v, want %v", got, ok, c.want)
			}
		})
	}

	for _, c := range []struct {
		face, workspace string
		want            bool
	}{
		{face: "slack", workspace: "T0ACME001", want: true},
		{face: "hubot-slack", workspace: "T0ACME001", want: true},
		{face: "hubot-slack", workspace: "T0OTHER"},
		{face: "hubot-irc", workspace: "libera", want: true},
		{face: "hubot-irc", workspace: "local"},
	} {
		t.Run("knows "+c.face+"/"+c.workspace, func(t *testing.T) {
			if got := table.KnowsChat(c.face, c.workspace); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}

	var people []Person
	for _, p := range table.People() {
		p.users = nil
		people = append(people, p)
	}
	want := []Person{
		{ID: 583231, Login: "alice", Slack: "U0ALICE01", Line: 4},
		{ID: 7, Login: "bob", Slack: "W0BOB", Line: 5},
		{ID: 8, Login: "carol", Line: 6},
	}
	if diff := cmp.Diff(want, people, cmp.AllowUnexported(Person{})); diff != "" {
		t.Errorf("people (-want +got):\n%s", diff)
	}
}
