package route

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/seraph-deploy/seraph/api"
)

// compileSchema compiles the JSON schema of the routes file, which also checks the schema itself.
func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(api.RoutesSchema))
	if err != nil {
		t.Fatal(err)
	}

	c := jsonschema.NewCompiler()
	if err := c.AddResource("routes.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("routes.schema.json")
	if err != nil {
		t.Fatal(err)
	}

	return schema
}

// validate returns what the schema says of a routes file.
func validate(t testing.TB, schema *jsonschema.Schema, text string) error {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}

	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(encoded)))
	if err != nil {
		t.Fatal(err)
	}

	return schema.Validate(document)
}

// askingTable has every key that is not a rule.
const askingTable = `
slack: {workspace: T0ACME001}
people:
  - {id: 583231, login: alice, slack: U0ALICE01}
  - {id: 7, login: bob_acme, hubot-shell: local/1, hubot-irc: libera/bob}
shared_accounts: [deploy-bot, "id:9"]
defaults:
  timeout: 30m
  logs: true
  rollback: {keep: 10}
routes:
  - repository: acme/api
    repository_id: 5
    name: api
    environment: live
    production: true
    deploys: true
    ask: [C0DEPLOYS1, "#deploys"]
    notify:
      - slack: C0DEPLOYS1
        as: card
        lists: true
        states: [waiting, running, held, ends]
        broadcast: [failed, errored]
        mention: {approvals: S0ONCALL1}
      - {slack: C0INCIDENT, as: post, states: [failed]}
    holds: {approve: {users: [carol], teams: [acme/leads]}}
    rollback: {keep: 3, allow: {permission: maintain}}
  - repository: acme/*
`

func TestSchema_AcceptsWhatTheParserAccepts(t *testing.T) {
	schema := compileSchema(t)
	for _, c := range []struct{ name, text string }{
		{name: "example", text: exampleTable},
		{name: "rules", text: ruledTable},
		{name: "asking", text: askingTable},
		{name: "numbers as text", text: "routes: [{repository: acme/api, environment: 5, task: true, refs: [1.0]}]"},
		{name: "JSON", text: `{"routes":[{"repository":"acme/api","parameters":{"a":"x","b":true,"c":5,"d":1.5}}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			parseTable(t, c.text)
			if err := validate(t, schema, c.text); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSchema_RefusesWhatItCanExpress wants that the schema and the parser refuse alike what a schema can say.
func TestSchema_RefusesWhatItCanExpress(t *testing.T) {
	schema := compileSchema(t)
	for _, c := range []struct {
		name string
		text string
		want string // where the schema finds it
	}{
		{name: "no routes", text: "freeze: []", want: "missing property 'routes'"},
		{name: "empty routes", text: "routes: []", want: "/routes"},
		{name: "list", text: "[]", want: "got array"},
		{name: "unknown key of the file", text: routeOf("task: x") + "\nroute: []", want: "'route' not allowed"},
		{name: "unknown key", text: routeOf("enviroment: x"), want: "'enviroment' not allowed"},
		{name: "no repository", text: "routes: [{environment: x}]", want: "missing property 'repository'"},
		{name: "repository without owner", text: "routes: [{repository: api}]", want: "/routes/0/repository"},
		{name: "owner with a pattern", text: "routes: [{repository: '*/api'}]", want: "/routes/0/repository"},
		{name: "repository with .git", text: "routes: [{repository: acme/api.git}]", want: "/routes/0/repository"},
		{name: "repository that is a step", text: "routes: [{repository: acme/..}]", want: "/routes/0/repository"},
		{name: "repository_id of zero", text: routeOf("repository_id: 0"), want: "/routes/0/repository_id"},
		{name: "environment with a space", text: routeOf("environment: 'x '"), want: "/routes/0/environment"},
		{name: "null", text: routeOf("environment: null"), want: "/routes/0/environment"},
		{name: "empty task", text: routeOf("task: ''"), want: "/routes/0/task"},
		{name: "app with a space", text: routeOf("apps: [a b]"), want: "/routes/0/apps/0"},
		{name: "project of two parts", text: routeOf("circleci: {project: a/b}"), want: "/routes/0/circleci/project"},
		{name: "ref and branch", text: routeOf("circleci: {ref: a, branch: b}"), want: "/routes/0/circleci"},
		{name: "config_ref alone", text: routeOf("circleci: {config_ref: a}"), want: "missing property 'definition'"},
		{name: "revision", text: routeOf("circleci: {revision: maybe}"), want: "/routes/0/circleci/revision"},
		{name: "parameter name", text: routeOf("parameters: {1a: x}"), want: "'1a'"},
		{name: "parameter list", text: routeOf("parameters: {a: [x]}"), want: "/routes/0/parameters/a"},
		{name: "parameter key", text: routeOf("parameters: {a: {value: x, kind: y}}"), want: "/routes/0/parameters/a"},
		{name: "parameter without value", text: routeOf("parameters: {a: {type: string}}"), want: "/parameters/a"},
		{name: "parameter type", text: routeOf("parameters: {a: {value: x, type: int}}"), want: "/parameters/a"},
		{name: "timeout of words", text: routeOf("timeout: soon"), want: "/routes/0/timeout"},
		{name: "timeout of zero", text: routeOf("timeout: 0s"), want: "/routes/0/timeout"},
		{name: "timeout without a unit", text: routeOf("timeout: 5"), want: "/routes/0/timeout"},
		{name: "negative timeout", text: routeOf("hold_timeout: -5m"), want: "/routes/0/hold_timeout"},
		{name: "name with a slash", text: routeOf("name: a/b"), want: "/routes/0/name"},
		{name: "name that is a word", text: routeOf("name: Because"), want: "/routes/0/name"},
		{name: "production", text: routeOf("production: 1"), want: "/routes/0/production"},
		{name: "deploys", text: routeOf("deploys: 'no'"), want: "/routes/0/deploys"},
		{name: "ask", text: routeOf("ask: C0A"), want: "/routes/0/ask"},
		{name: "ask twice", text: routeOf("ask: [C0A, C0A]"), want: "/routes/0/ask"},
		{name: "notify without a channel", text: routeOf("notify: [{as: card}]"), want: "missing property 'slack'"},
		{name: "notify by name", text: routeOf("notify: [{slack: '#x'}]"), want: "/routes/0/notify/0/slack"},
		{name: "notify as", text: routeOf("notify: [{slack: C0A, as: x}]"), want: "/routes/0/notify/0/as"},
		{name: "notify state", text: routeOf("notify: [{slack: C0A, states: [x]}]"), want: "/notify/0/states/0"},
		{name: "notify mention", text: routeOf("notify: [{slack: C0A, mention: {approvals: x}}]"), want: "/mention/approvals"},
		{name: "logs", text: routeOf("logs: last"), want: "/routes/0/logs"},
		{name: "allow nobody", text: routeOf("allow: {}"), want: "/routes/0/allow"},
		{name: "allow a mention", text: routeOf("allow: {users: ['@bob']}"), want: "/routes/0/allow/users/0"},
		{name: "allow a bot", text: routeOf("allow: {users: ['x[bot]']}"), want: "/routes/0/allow/users/0"},
		{name: "allow a team by name", text: routeOf("allow: {teams: [sre]}"), want: "/routes/0/allow/teams/0"},
		{name: "allow readers", text: routeOf("allow: {permission: read}"), want: "/routes/0/allow/permission"},
		{name: "refs", text: routeOf("refs: main"), want: "/routes/0/refs"},
		{name: "no refs", text: routeOf("refs: []"), want: "/routes/0/refs"},
		{name: "require_ahead", text: routeOf("require_ahead: 'yes'"), want: "/routes/0/require_ahead"},
		{name: "checks", text: routeOf("checks: some"), want: "/routes/0/checks"},
		{name: "checks without require", text: routeOf("checks: {wait: 5m}"), want: "/routes/0/checks"},
		{name: "after with a pattern", text: routeOf("after: ['stag*']"), want: "/routes/0/after/0"},
		{name: "concurrency", text: routeOf("concurrency: skip"), want: "/routes/0/concurrency"},
		{name: "freeze of nothing", text: routeOf("freeze: [{}]"), want: "/routes/0/freeze/0"},
		{name: "freeze without end", text: routeOf("freeze: [{from: 2026-12-24 18:00}]"), want: "/routes/0/freeze/0"},
		{name: "freeze of both", text: routeOf("freeze: [{cron: 0 1 * * *, duration: 1h, to: x}]"), want: "/freeze/0"},
		{name: "freeze mode", text: "freeze: [{cron: 0 1 * * *, duration: 1h, mode: x}]\n" + routeOf(), want: "/freeze/0/mode"},
		{name: "approvals by nobody", text: routeOf("approvals: {count: 1}"), want: "/routes/0/approvals"},
		{name: "approvals of zero", text: routeOf("approvals: {count: 0, users: [a]}"), want: "/approvals/count"},
		{name: "force", text: routeOf("force: {}"), want: "/routes/0/force"},
		{name: "holds", text: routeOf("holds: {}"), want: "missing property 'approve'"},
		{name: "holds by permission", text: routeOf("holds: {approve: {permission: write}}"), want: "/holds/approve"},
		{name: "rollback of zero", text: routeOf("rollback: {keep: 0}"), want: "/routes/0/rollback/keep"},
		{name: "locked", text: routeOf("locked: skip"), want: "/routes/0/locked"},
		{name: "max_wait", text: routeOf("max_wait: 1d"), want: "/routes/0/max_wait"},
		{name: "defaults of a name", text: "defaults: {name: x}\n" + routeOf(), want: "'name' not allowed"},
		{name: "bad default", text: "defaults: {timeout: x}\n" + routeOf(), want: "/defaults/timeout"},
		{name: "people without id", text: peopleOf("{login: a}"), want: "missing property 'id'"},
		{name: "people without login", text: peopleOf("{id: 5}"), want: "missing property 'login'"},
		{name: "people by name", text: peopleOf("{id: 5, login: a, slack: '@a'}"), want: "/people/0/slack"},
		{name: "people of another face", text: peopleOf("{id: 5, login: a, teams: x/y}"), want: "'teams' not allowed"},
		{name: "people of a Hubot", text: peopleOf("{id: 5, login: a, hubot-irc: x}"), want: "/people/0/hubot-irc"},
		{name: "people of a Hubot in Slack", text: peopleOf("{id: 5, login: a, hubot-slack: T0/U0}"), want: "/people/0"},
		{name: "workspace by name", text: routeOf() + "\nslack: {workspace: acme}", want: "/slack/workspace"},
		{name: "shared bot", text: "shared_accounts: ['x[bot]']\n" + routeOf(), want: "/shared_accounts/0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse([]byte(c.text), "routes.yaml", Options{}); err == nil {
				t.Error("the parser found nothing, want the schema to say no more than it")
			}
			err := validate(t, schema, c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestSchema_HasEveryKey compares the keys of the schema with those of the parser.
func TestSchema_HasEveryKey(t *testing.T) {
	type object struct {
		Properties map[string]json.RawMessage
	}
	var schema struct {
		Properties  map[string]object
		Definitions map[string]object
	}
	if err := json.Unmarshal([]byte(api.RoutesSchema), &schema); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name      string
		got, want []string
	}{
		{name: "file", got: slices.Sorted(maps.Keys(schema.Properties)), want: fileKeys},
		{name: "route", got: slices.Sorted(maps.Keys(schema.Definitions["route"].Properties)), want: routeKeys},
		{name: "defaults", got: slices.Sorted(maps.Keys(schema.Properties["defaults"].Properties)), want: defaultKeys()},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(slices.Sorted(slices.Values(c.want)), c.got); diff != "" {
				t.Errorf("keys (-parser +schema):\n%s", diff)
			}
		})
	}
}

// FuzzSchema checks that the schema accepts every file that the parser accepts: an editor must not mark as wrong
// what is right.
func FuzzSchema(f *testing.F) {
	schema := compileSchema(f)
	for _, text := range []string{
		exampleTable,
		ruledTable,
		askingTable,
		"routes: [{repository: a/b, timeout: +1.5h, environment: 0x1F, allow: {users: ['id:1']}, checks: {require: [a]}}]",
		`{"routes": [{"repository": "a/b", "approvals": {"count": "3", "teams": ["a/b"]}, "rollback": {"keep": "7"}}]}`,
	} {
		f.Add(text)
	}

	f.Fuzz(func(t *testing.T, text string) {
		if _, err := Parse([]byte(text), "routes.yaml", Options{}); err != nil {
			return
		}
		if err := validate(t, schema, text); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	})
}
