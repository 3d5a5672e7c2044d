package route

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse_AskingProblems(t *testing.T) {
	for _, c := range []struct {
		name string
		text string
		want string // part of the error
	}{
		{name: "name: space", text: routeOf("name: my api"), want: `routes.yaml:3: name "my api" must be letters, digits`},
		{name: "name: slash", text: routeOf("name: acme/api"), want: "must be letters, digits"},
		{name: "name: look-alike", text: routeOf("name: аpi"), want: `"\u0430pi" must be letters`},
		{name: "name: too long", text: routeOf("name: " + strings.Repeat("a", 101)), want: "must be letters"},
		{name: "name: word of the commands", text: routeOf("name: Because"), want: "is a word of the commands"},
		{name: "name: list", text: routeOf("name: [api]"), want: "name must be text"},
		{
			name: "name: of a pattern",
			text: "routes:\n- {repository: acme/*, name: api}",
			want: "name needs a repository without",
		},
		{
			name: "name: given to two repositories",
			text: "routes:\n- repository: acme/api\n  name: x\n- repository: acme/web\n  name: X",
			want: `routes.yaml:5: name "X" is that of acme/api in line 3`,
		},
		{name: "production: text", text: routeOf("production: maybe"), want: "production must be true or false"},
		{name: "logs: text", text: routeOf("logs: last"), want: "routes.yaml:3: logs must be true or false"},
		{name: "ask: text", text: routeOf("ask: C0DEPLOYS1"), want: "ask must be a list"},
		{name: "ask: empty", text: routeOf("ask: []"), want: "ask is empty"},
		{name: "ask: twice", text: routeOf("ask: [C0A, C0A]"), want: "is given twice"},
		{name: "ask: space", text: routeOf("ask: ['a b']"), want: `ask: "a b" is not the id of a channel`},
		{name: "ask: too long", text: routeOf("ask: [" + strings.Repeat("C", 101) + "]"), want: "is not the id"},
		{name: "notify: mapping", text: routeOf("notify: {slack: C0A1}"), want: "routes.yaml:3: notify must be a list"},
		{name: "notify: empty", text: routeOf("notify: []"), want: "notify must be a list"},
		{name: "notify: text", text: routeOf("notify: [C0A1]"), want: "notify must be a mapping"},
		{name: "notify: no channel", text: routeOf("notify: [{as: card}]"), want: "an element needs slack"},
		{
			name: "notify: name of a channel",
			text: routeOf("notify:", "- slack: '#deploys'"),
			want: `routes.yaml:4: slack "#deploys" is not the id of a channel`,
		},
		{name: "notify: lists of posts", text: routeOf("notify: [{slack: C0A1, as: post, lists: true}]"), want: "lists is for as: card"},
		{name: "notify: lists", text: routeOf("notify: [{slack: C0A1, lists: 1}]"), want: "lists must be true or false"},
		{name: "notify: as", text: routeOf("notify: [{slack: C0A1, as: mail}]"), want: `"mail" must be card or post`},
		{
			name: "notify: state",
			text: routeOf("notify:", "- {slack: C0A1, states: [failed, broken]}"),
			want: `routes.yaml:4: states: "broken" is no state; known are ends, waiting`,
		},
		{name: "notify: broadcast", text: routeOf("notify: [{slack: C0A1, broadcast: [x]}]"), want: `"x" is no state`},
		{name: "notify: mention", text: routeOf("notify: [{slack: C0A1, mention: S0A}]"), want: "must be a mapping"},
		{name: "notify: empty mention", text: routeOf("notify: [{slack: C0A1, mention: {}}]"), want: "needs approvals"},
		{
			name: "notify: mention of a name",
			text: routeOf("notify: [{slack: C0A1, mention: {approvals: '@oncall'}}]"),
			want: `approvals "@oncall" is not the id of a user group`,
		},
		{
			name: "notify: channel twice",
			text: routeOf("notify:", "- {slack: C0A1}", "- {slack: C0A1, as: post}"),
			want: `routes.yaml:5: notify: channel "C0A1" is given twice (first in line 4)`,
		},
		{name: "notify: face", text: routeOf("notify: [{slak: C0A1}]"), want: `unknown key "slak"; did you mean "slack"?`},
	} {
		t.Run(c.name, func(t *testing.T) { checkParseError(t, c.text, c.want) })
	}
}

func TestParse_Notify(t *testing.T) {
	table := parseTable(t, routeOf(
		"notify:",
		"- slack: C0DEPLOYS1",
		"  lists: true",
		"  states: [waiting, running, held, ends]",
		"  broadcast: [failed, errored]",
		"  mention: {approvals: S0ONCALL1}",
		"- {slack: C0INCIDENT, as: post, states: [failed]}",
	))
	want := []Notification{
		{
			Face:             "slack",
			Channel:          "C0DEPLOYS1",
			As:               "card",
			Lists:            true,
			States:           []string{"waiting", "running", "held", "ends"},
			Broadcast:        []string{"failed", "errored"},
			MentionApprovals: "S0ONCALL1",
		},
		{Face: "slack", Channel: "C0INCIDENT", As: "post", States: []string{"failed"}},
	}
	if diff := cmp.Diff(want, table.Routes()[0].Notify); diff != "" {
		t.Errorf("notify (-want +got):\n%s", diff)
	}
}
