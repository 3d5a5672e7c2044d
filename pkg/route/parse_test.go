package route

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// routeOf is a table of one route with some lines.
func routeOf(lines ...string) string {
	return "routes:\n- repository: acme/api\n  " + strings.Join(lines, "\n  ")
}

func TestParse_Problems(t *testing.T) {
	manyParameters := make([]string, 101)
	for i := range manyParameters {
		manyParameters[i] = fmt.Sprintf("p%d: 1", i)
	}

	for _, c := range []struct {
		name string
		text string
		want string // part of the error
	}{
		{name: "empty", want: "one document"},
		{name: "not YAML", text: "routes: [", want: "routes.yaml:1: not valid YAML"},
		{name: "list", text: "- a", want: "must be a mapping"},
		{name: "no routes", text: "routes: []", want: "at least one route"},
		{
			name: "unknown key",
			text: routeOf("enviroment: x"),
			want: `routes.yaml:3: a route: unknown key "enviroment"; did you mean "environment"?`,
		},
		{name: "key given twice", text: routeOf("task: a", "task: b"), want: "routes.yaml:4: "},
		{
			name: "repository missing",
			text: "routes:\n- environment: x",
			want: "routes.yaml:2: repository is required",
		},
		{name: "owner glob", text: "routes:\n- repository: '*/api'", want: "the owner must be written out"},
		{name: "three parts", text: "routes:\n- repository: a/b/c", want: "must be OWNER/NAME"},
		{name: "owner with a space", text: "routes:\n- repository: 'ac me/api'", want: "no owner of such a name"},
		{name: "owner too long", text: "routes:\n- repository: " + strings.Repeat("a", 40) + "/api", want: "no owner"},
		{
			name: "repository with a space",
			text: "routes:\n- repository: 'acme/api '",
			want: "no repository of such a name",
		},
		{name: "repository with a newline", text: "routes:\n- repository: |\n    acme/api\n", want: `"acme/api\n"`},
		{name: "repository with a look-alike", text: "routes:\n- repository: acme/аpi", want: `"acme/\u0430pi"`},
		{
			name: "repository with .git",
			text: "routes:\n- repository: acme/api.git",
			want: "no repository of such a name",
		},
		{
			name: "repository that is a step",
			text: "routes:\n- repository: acme/..",
			want: "no repository of such a name",
		},
		{
			name: "repository too long",
			text: "routes:\n- repository: acme/*" + strings.Repeat("a", 101),
			want: "no repository of such a name",
		},
		{
			name: "environment with a newline",
			text: routeOf("environment: |", "  production\n"),
			want: `environment "production\n" begins or ends with white space`,
		},
		{name: "environment with a space", text: routeOf(`environment: "production "`), want: "white space"},
		{name: "environment with a tab", text: routeOf(`environment: "a\tb"`), want: "nobody sees"},
		{name: "environment with an escape", text: routeOf(`environment: "a\eb"`), want: "nobody sees"},
		{name: "environment with a zero width space", text: routeOf(`environment: "a\u200bb"`), want: `"a\u200bb"`},
		{name: "environment too long", text: routeOf("environment: " + strings.Repeat("a", 256)), want: "255"},
		{name: "task with a space", text: routeOf(`task: " deploy"`), want: `task " deploy" begins or ends`},
		{name: "task with a format character", text: routeOf(`task: "de\u2060ploy"`), want: "nobody sees"},
		{name: "app with a space", text: routeOf(`apps: ["my-hubot "]`), want: `apps: "my-hubot "`},
		{name: "repository_id of zero", text: routeOf("repository_id: 0"), want: "not the id of a repository"},
		{
			name: "repository_id with a pattern",
			text: "routes:\n- repository: acme/*\n  repository_id: 7",
			want: "needs a repository without",
		},
		{name: "reserved task", text: routeOf("task: deploy:lock"), want: "reserved"},
		{
			name: "shadowed route",
			text: "routes:\n- repository: acme/*\n- repository: acme/api\n  environment: x",
			want: "routes.yaml:3: this route is never reached: the route in line 2",
		},
		{name: "ref and branch", text: routeOf("circleci: {ref: a, branch: b}"), want: "branch is short for ref"},
		{name: "config_ref alone", text: routeOf("circleci: {config_ref: main}"), want: "only with a definition"},
		{name: "app project", text: routeOf("circleci: {project: circleci/a/b}"), want: "needs a definition"},
		{name: "project of two parts", text: routeOf("circleci: {project: acme/api}"), want: "three parts"},
		{name: "revision", text: routeOf("circleci: {revision: maybe}"), want: "strict, note or auto"},
		{name: "template syntax", text: routeOf(`environment_url: "{{ .Ref"`), want: "bad template"},
		{name: "template field", text: routeOf(`parameters: {a: "{{ .Reff }}"}`), want: "unknown field .Reff"},
		{name: "template function", text: routeOf(`parameters: {a: "{{ env }}"}`), want: "bad template"},
		{
			name: "template that defines another",
			text: routeOf(`environment_url: '{{ define "h" }}x{{ end }}https://x'`),
			want: "not supported",
		},
		{
			name: "template with a block",
			text: routeOf(`parameters: {a: '{{ block "b" . }}{{ .SHA }}{{ end }}'}`),
			want: "not supported",
		},
		{
			name: "template that calls another",
			text: routeOf(`parameters: {a: '{{ template "b" . }}'}`),
			want: "not supported",
		},
		{
			name: "template field beside with",
			text: routeOf(`parameters: {a: '{{ with .Ref }}{{ end }}{{ .Reff }}'}`),
			want: "unknown field .Reff",
		},
		{
			name: "template field of the data in a range",
			text: routeOf(`parameters: {a: '{{ range .Payload.a }}{{ $.Reff }}{{ end }}'}`),
			want: "unknown field .Reff",
		},
		{
			name: "match that leaves its group",
			text: routeOf(`parameters: {a: {value: x, match: 'a)|(?:b'}}`),
			want: "not a regular expression",
		},
		{name: "parameter name", text: routeOf(`parameters: {1a: x}`), want: "must start with a letter"},
		{
			name: "parameter key",
			text: routeOf(`parameters: {a: {value: x, matches: y}}`),
			want: `did you mean "match"?`,
		},
		{
			name: "parameter type",
			text: routeOf(`parameters: {a: {value: x, type: int}}`),
			want: "string, boolean or integer",
		},
		{
			name: "parameter match",
			text: routeOf(`parameters: {a: {value: x, match: "("}}`),
			want: "not a regular expression",
		},
		{name: "parameter list", text: routeOf(`parameters: {a: [1]}`), want: "must be a scalar"},
		{
			name: "fixed too long",
			text: routeOf(`parameters: {a: "` + strings.Repeat("x", 513) + `"}`),
			want: "longer than 512",
		},
		{
			name: "fixed, not an integer",
			text: routeOf(`parameters: {a: {value: x, type: integer}}`),
			want: "not an integer",
		},
		{
			name: "fixed fraction",
			text: routeOf(`parameters: {a: {value: 1.5, type: integer}}`),
			want: "not an integer",
		},
		{
			name: "too many parameters",
			text: routeOf("parameters: {" + strings.Join(manyParameters, ", ") + "}"),
			want: "at most 100",
		},
		{name: "timeout of zero", text: routeOf("timeout: 0s"), want: "not a positive duration"},
		{name: "timeout without a unit", text: routeOf("hold_timeout: 5"), want: "not a positive duration"},
		{name: "anchor and alias", text: "routes: &a\n- *a", want: "anchors, aliases and tags"},
		{name: "two documents", text: "routes: [{repository: a/b}]\n---\nx: y", want: "one document"},
		{name: "too large", text: strings.Repeat(" ", maxTableSize+1), want: "at most"},
		{name: "apps", text: routeOf("apps: hubot"), want: "apps must be a list"},
		{
			name: "several problems",
			text: routeOf("task: deploy:lock", "timeout: x", "circleci: {revision: maybe}"),
			want: "routes.yaml:5: revision",
		},
		{name: "null in place of text", text: routeOf("environment: null"), want: "environment must be text"},
		{name: "empty text", text: routeOf(`environment: ""`), want: "environment is empty"},
	} {
		t.Run(c.name, func(t *testing.T) { checkParseError(t, c.text, c.want) })
	}
}

// checkParseError checks that a text is refused with an error that contains want.
func checkParseError(t *testing.T, text, want string) {
	t.Helper()
	table, err := Parse([]byte(text), "routes.yaml", Options{})
	if table != nil || err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got table %v, error %v, want an error with %q", table, err, want)
	}
}

func TestParse_ListsEveryProblemOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		text string
		want int
	}{
		{name: "route", text: routeOf("task: deploy:lock", "timeout: x", "circleci: {revision: maybe}"), want: 3},
		{
			name: "rules",
			text: routeOf(
				"environment: production",
				"allow: {users: [a b], teams: [x], permission: root}",
				"checks: some",
				"freeze: [{}]",
			),
			want: 5,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text), "routes.yaml", Options{})
			if err == nil {
				t.Fatal("got no error")
			}
			if got := len(strings.Split(err.Error(), "\n")); got != c.want {
				t.Errorf("got %d problems, want %d: %v", got, c.want, err)
			}
		})
	}
}

func TestParse_JSON(t *testing.T) {
	const text = `{"routes":[{"repository":"acme/api","parameters":{"a":"x","b":true,"c":5,"d":"5"}}]}`
	var values []string
	for _, p := range admit(t, text).Target.Parameters {
		values = append(values, string(p.Value))
	}
	if got, want := strings.Join(values, " "), `"x" true 5 "5"`; got != want {
		t.Errorf("got values %s, want %s", got, want)
	}
}

func TestParse_ExampleFile(t *testing.T) {
	text, err := os.ReadFile("../../deploy/routes.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parseTable(t, string(text))
}
