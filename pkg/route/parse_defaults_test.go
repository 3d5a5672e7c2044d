package route

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

func TestParse_DefaultsProblems(t *testing.T) {
	for _, c := range []struct {
		name string
		text string
		want string // the whole error
	}{
		{
			name: "unknown key",
			text: "defaults:\n  timeuot: 30m\nroutes: [{repository: acme/api}]",
			want: `routes.yaml:2: defaults: unknown key "timeuot"; did you mean "timeout"?`,
		},
		{
			name: "list",
			text: "defaults: [timeout]\nroutes: [{repository: acme/api}]",
			want: "routes.yaml:1: defaults must be a mapping (key: value)",
		},
		{
			name: "once for all routes",
			text: "defaults:\n  timeout: x\nroutes:\n- repository: acme/api\n- repository: acme/web\n",
			want: `routes.yaml:2: timeout "x" is not a positive duration, such as 90s, 30m or 1h30m`,
		},
		{
			name: "taken by no route",
			text: "defaults:\n  timeout: x\nroutes:\n- repository: acme/api\n  timeout: 5m\n",
			want: `routes.yaml:2: timeout "x" is not a positive duration, such as 90s, 30m or 1h30m`,
		},
		{
			name: "taken by no route, whose own problems are reported once",
			text: "defaults: {logs: 5}\nroutes:\n- environment: ' x'\n  logs: true\n",
			want: "routes.yaml:1: logs must be true or false\n" +
				"routes.yaml:3: repository is required, such as acme/api or acme/*\n" +
				`routes.yaml:3: environment " x" begins or ends with white space, so that it matches nothing`,
		},
		{
			name: "with what a route says",
			text: "defaults:\n  approvals: {users: [alice]}\nroutes:\n- repository: acme/api\n  apps: [my-hubot]\n",
			want: "routes.yaml:2: approvals: a deployment by an app needs 2 approvals, because nobody knows who asked the " +
				"app, but only 1 could ever approve",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text), "routes.yaml", Options{})
			if err == nil || err.Error() != c.want {
				t.Errorf("got error\n%v\nwant\n%s", err, c.want)
			}
		})
	}

	for _, key := range []string{"repository: acme/api", "repository_id: 5", "name: api"} {
		t.Run("not a default: "+key, func(t *testing.T) {
			name, _, _ := strings.Cut(key, ":")
			checkParseError(t, "defaults: {"+key+"}\nroutes: [{repository: acme/web}]", `unknown key "`+name+`"`)
		})
	}
}

func TestParse_Defaults(t *testing.T) {
	table := parseTable(t, `
defaults:
  environment: staging
  timeout: 30m
  circleci: {branch: main, revision: strict}
  allow: {users: [alice]}
  parameters: {seraph_key: "{{ .Key }}"}
routes:
  - repository: acme/api
  - repository: acme/api
    environment: production
    timeout: 2h
    circleci: {project: gh/acme/other}
    allow: {users: [bob]}
`)

	type settings struct {
		Environment string
		Timeout     time.Duration
		Project     string
		Ref         string
		Allow       *policy.Subjects
		CarriesKey  bool
	}
	var got []settings
	for _, environment := range []string{"staging", "production"} {
		req := newRequest(toEnvironment(environment))
		target := table.Admit(req, "k").Target
		p, _ := table.Policy(req)
		got = append(got, settings{
			Environment: environment,
			Timeout:     target.Timeout,
			Project:     target.Project,
			Ref:         target.Ref.Full(),
			Allow:       p.Allow,
			CarriesKey:  target.CarriesKey,
		})
	}

	want := []settings{
		{
			Environment: "staging",
			Timeout:     30 * time.Minute,
			Project:     "gh/acme/api",
			Ref:         "refs/heads/main",
			Allow:       &policy.Subjects{Users: []string{"alice"}},
			CarriesKey:  true,
		},
		{
			Environment: "production",
			Timeout:     2 * time.Hour,
			Project:     "gh/acme/other",
			Ref:         "main",
			Allow:       &policy.Subjects{Users: []string{"bob"}},
			CarriesKey:  true,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if line := table.Routes()[0].Line; line != 9 {
		t.Errorf("got line %d for the first route, want 9", line)
	}
}
