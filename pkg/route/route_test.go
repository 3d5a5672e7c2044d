package route

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

const example = `
routes:
  - repository: acme/api
    environment: production
    task: deploy
    apps: [my-hubot]
    circleci:
      project: circleci/ORG/PROJ
      definition: 3f0c9f6e-0000
      ref: "{{ .Ref }}"
      config_ref: main
      revision: auto
    parameters:
      seraph_key: "{{ .Key }}"
      deploy_sha: "{{ .SHA }}"
      deployment_id: {value: "{{ .ID }}", type: integer}
      hosts: {value: "{{ .Payload.hosts }}", match: "[a-z0-9,-]*"}
      verbose: true
      count: 7
    timeout: 30m
    hold_timeout: 2h
    environment_url: "https://{{ .Environment }}.example.com/{{ .Payload.path }}"
  - repository: acme/*
`

var sha = strings.Repeat("a1b2c3d4e5", 4)

func request(change ...func(*deployment.Request)) deployment.Request {
	r := deployment.Request{
		ID:          9007199254740993,
		Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
		Environment: "production",
		Ref:         "main",
		SHA:         sha,
		Task:        "deploy",
		Payload: json.RawMessage(
			`{"hosts":"web-1,web-2","path":"a/b","n":12345678901234567890,"deep":{"a":[1,{"b":null}]}}`,
		),
		Creator: deployment.Creator{Login: "alice", Type: "User"},
	}

	for _, c := range change {
		c(&r)
	}

	return r
}

func table(t *testing.T, text string) *Table {
	t.Helper()
	tab, err := Parse([]byte(text), "routes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestAdmitRendersOnce(t *testing.T) {
	got := table(t, example).Admit(request(), "k-1")
	want := deployment.Admission{Target: deployment.Target{
		Project:        "circleci/ORG/PROJ",
		Definition:     "3f0c9f6e-0000",
		Ref:            deployment.Ref{Kind: deployment.RefBare, Name: "main"},
		ConfigRef:      deployment.Ref{Kind: deployment.RefBranch, Name: "main"},
		Revision:       deployment.RevisionNote,
		Key:            "k-1",
		CarriesKey:     true,
		KeyParameters:  []string{"seraph_key"},
		Timeout:        30 * time.Minute,
		HoldTimeout:    2 * time.Hour,
		EnvironmentURL: "https://production.example.com/a%2Fb",
		Parameters: []deployment.Parameter{
			{
				Name:  "seraph_key",
				Value: json.RawMessage(`"k-1"`),
			}, {
				Name:  "deploy_sha",
				Value: json.RawMessage(`"` + sha + `"`),
			},
			{
				Name:  "deployment_id",
				Value: json.RawMessage(`9007199254740993`),
			}, {
				Name:  "hosts",
				Value: json.RawMessage(`"web-1,web-2"`),
			},
			{Name: "verbose", Value: json.RawMessage(`true`)}, {Name: "count", Value: json.RawMessage(`7`)},
		},
	}}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	plain := table(t, example).Admit(request(func(r *deployment.Request) { r.Repository.Name = "web" }), "k")
	if plain.Target.Project != "gh/acme/web" || plain.Target.Revision != deployment.RevisionStrict ||
		plain.Target.Timeout != time.Hour ||
		plain.Target.HoldTimeout != 24*time.Hour {
		t.Errorf("%+v", plain.Target)
	}
}

func TestWhoCounts(t *testing.T) {
	app := func(slug string, id int64) func(*deployment.Request) {
		return func(r *deployment.Request) { r.App = deployment.App{ID: id, Slug: slug} }
	}
	bot := func(r *deployment.Request) { r.Creator = deployment.Creator{Login: "my-hubot[bot]", Type: "Bot"} }
	other := func(r *deployment.Request) { r.Creator = deployment.Creator{Login: "dependabot[bot]", Type: "Bot"} }
	for name, c := range map[string]struct {
		req     deployment.Request
		ignored bool
	}{
		"a person":            {request(), false},
		"an app that counts":  {request(app("My-Hubot", 5)), false},
		"a bot that counts":   {request(bot), false},
		"another app":         {request(app("vercel", 6)), true},
		"another bot":         {request(other), true},
		"our own app":         {request(app("whatever", 99)), false},
		"GitHub Actions":      {request(func(r *deployment.Request) { r.WorkflowRun = true }), true},
		"GitHub Pages":        {request(func(r *deployment.Request) { r.Environment = "github-pages"; r.Repository.Name = "web" }), true},
		"other environment":   {request(func(r *deployment.Request) { r.Environment = "x"; r.Repository.Owner = "else" }), true},
		"lock, by any case":   {request(func(r *deployment.Request) { r.Task = "Deploy:Lock" }), false},
		"another task":        {request(func(r *deployment.Request) { r.Task = "test"; r.Repository.Name = "web" }), true},
		"deploy:migrations":   {request(func(r *deployment.Request) { r.Task = "deploy:migrations"; r.Repository.Name = "web" }), false},
		"any case of letters": {request(func(r *deployment.Request) { r.Repository.Owner, r.Environment = "ACME", "Production" }), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := table(t, example).For(Own{AppID: 99}).Admit(c.req, "k"); (got.Ignored != "") != c.ignored {
				t.Errorf("ignored: %q", got.Ignored)
			}
		})
	}
}

// One route with one parameter p, one line of it given.
func one(line string) string {
	return "routes:\n- repository: acme/api\n  circleci: {branch: main}\n  parameters:\n    p: " + line + "\n"
}

func TestParameterValues(t *testing.T) {
	for name, c := range map[string]struct{ line, payload, want, problem string }{
		"string":                {`"{{ .Payload.v }}"`, `{"v":"ok"}`, `"ok"`, ""},
		"number keeps digits":   {`"{{ .Payload.v }}"`, `{"v":12345678901234567890}`, `"12345678901234567890"`, ""},
		"object as JSON":        {`{value: "{{ .Payload.v }}", match: ".*"}`, `{"v":{"b":1,"a":"<x>"}}`, `"{\"a\":\"\u003cx\u003e\",\"b\":1}"`, ""},
		"list as JSON":          {`{value: "{{ .Payload.v }}", match: ".*"}`, `{"v":[1,"a"]}`, `"[1,\"a\"]"`, ""},
		"missing":               {`"{{ .Payload.v }}"`, `{}`, `""`, ""},
		"missing at depth":      {`"{{ .Payload.a.b.c }}"`, `{"a":{"b":7}}`, `""`, ""},
		"missing in a pipeline": {`'{{ .Payload.a.b | printf "x%v" }}'`, `{}`, `"x"`, ""},
		"missing in if":         {`'{{ if .Payload.a.b }}yes{{ else }}no{{ end }}'`, `{}`, `"no"`, ""},
		"compared":              {`'{{ if eq .Payload.a "x" }}yes{{ end }}'`, `{"a":"x"}`, `"yes"`, ""},
		"null":                  {`"{{ .Payload.v }}"`, `{"v":null}`, `""`, ""},
		"payload in a string":   {`"{{ .Payload.v }}"`, `"{\"v\":\"ok\"}"`, `"ok"`, ""},
		"payload is text":       {`"{{ .PayloadText }}"`, `"hello"`, `"hello"`, ""},
		"payload is a list":     {`{value: "{{ .PayloadText }}", match: ".*"}`, `[1,2]`, `"[1,2]"`, ""},
		"payload is absent":     {`"{{ .PayloadText }}{{ .Payload.v }}"`, ``, `""`, ""},
		"integer":               {`{value: "{{ .Payload.v }}", type: integer}`, `{"v":"-5"}`, `-5`, ""},
		"no integer":            {`{value: "{{ .Payload.v }}", type: integer}`, `{"v":"5.0"}`, ``, "it is no integer"},
		"integer, empty":        {`{value: "{{ .Payload.v }}", type: integer}`, `{}`, ``, ""},
		"boolean":               {`{value: "{{ .Payload.v }}", type: boolean}`, `{"v":true}`, `true`, ""},
		"no boolean":            {`{value: "{{ .Payload.v }}", type: boolean}`, `{"v":"yes"}`, ``, "neither true nor false"},
		"required":              {`{value: "{{ .Payload.v }}", required: true}`, `{}`, ``, "it is required"},
		"match":                 {`{value: "{{ .Payload.v }}", match: "a|b"}`, `{"v":"ab"}`, ``, "does not match a|b"},
		"shell text":            {`"{{ .Payload.v }}"`, `{"v":"x; rm -rf /"}`, ``, "one of"},
		"control character":     {`"{{ .Payload.v }}"`, `{"v":"a\u0007"}`, ``, "control character"},
		"512 characters":        {`"{{ .Payload.v }}"`, `{"v":"` + strings.Repeat("ü", 512) + `"}`, `"` + strings.Repeat("ü", 512) + `"`, ""},
		"513 characters":        {`"{{ .Payload.v }}"`, `{"v":"` + strings.Repeat("ü", 513) + `"}`, ``, "longer than 512"},
		"renders too long":      {`'{{ range .Payload.v }}{{ $.Payload.t }}{{ end }}'`, `{"v":[` + strings.Repeat("1,", 999) + `1],"t":"` + strings.Repeat("x", 100) + `"}`, ``, "64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			a := table(
				t,
				one(c.line),
			).Admit(request(func(r *deployment.Request) { r.Payload = json.RawMessage(c.payload) }), "k")

			if c.problem != "" {
				if !strings.Contains(a.Problem, c.problem) || !strings.HasPrefix(a.Problem, "parameter p: ") ||
					strings.Contains(a.Problem, "rm -rf") {
					t.Errorf("problem %q", a.Problem)
				}

				return
			}

			got := ""
			if len(a.Target.Parameters) > 0 {
				got = string(a.Target.Parameters[0].Value)
			}
			if a.Problem != "" || got != c.want {
				t.Errorf("got %s (%s), want %s", got, a.Problem, c.want)
			}
		})
	}
}

func TestPayloadThatIsTooLarge(t *testing.T) {
	large := func(r *deployment.Request) { r.Payload, r.PayloadTooLarge = nil, true }
	if a := table(t, one(`"{{ .Payload.v }}"`)).Admit(request(large), "k"); !strings.Contains(
		a.Problem,
		"larger than 1 MiB",
	) {
		t.Errorf("%q", a.Problem)
	}

	if a := table(t, one(`"{{ .SHA }}"`)).Admit(request(large), "k"); a.Problem != "" {
		t.Errorf("a route that does not use the payload: %q", a.Problem)
	}
}

func TestRefs(t *testing.T) {
	for ref, want := range map[string]deployment.Ref{
		"main": {
			Kind: deployment.RefBare,
			Name: "main",
		}, "refs/heads/a/b": {
			Kind: deployment.RefBranch,
			Name: "a/b",
		}, "refs/tags/v1": {
			Kind: deployment.RefTag,
			Name: "v1",
		},
	} {
		if got := table(t, "routes: [{repository: acme/api}]").Admit(request(func(r *deployment.Request) { r.Ref = ref }), "k").Target.Ref; got != want {
			t.Errorf("%s: %+v", ref, got)
		}
	}

	commit := func(r *deployment.Request) { r.Ref = sha }
	if a := table(t, "routes: [{repository: acme/api}]").Admit(request(commit), "k"); !strings.Contains(
		a.Problem,
		"set circleci.ref",
	) {
		t.Errorf("%q", a.Problem)
	}

	for glob, kind := range map[string]deployment.RefKind{
		"main":         deployment.RefBranch,
		"refs/heads/*": deployment.RefBranch,
		"refs/*/main":  deployment.RefBare,
		"refs/tags/*":  deployment.RefBare,
	} {
		ruled := table(t, `routes: [{repository: acme/api, refs: ["`+glob+`"]}]`)
		if a := ruled.Admit(request(func(r *deployment.Request) { r.Ref = "main" }), "k"); a.Target.Ref != (deployment.Ref{
			Kind: kind,
			Name: "main",
		}) {
			t.Errorf("under the rule %s a bare name is built as %+v", glob, a.Target.Ref)
		}
	}

	if a := table(t, "routes: [{repository: acme/api, circleci: {branch: main}}]").Admit(request(commit), "k"); a.Problem != "" ||
		a.Target.Ref.Kind != deployment.RefBranch {
		t.Errorf("%+v", a)
	}
}

func TestEnvironmentURL(t *testing.T) {
	for name, c := range map[string]struct{ url, environment, want string }{
		"host":         {"https://{{ .Environment }}.example.com", "Feature/X_1", "https://feature-x-1.example.com"},
		"path":         {"https://x.example.com/{{ .Environment }}?q={{ .Environment }}", "a/b?c&d", "https://x.example.com/a%2Fb%3Fc&d?q=a%2Fb%3Fc&d"},
		"no scheme":    {"{{ .Environment }}", "javascript:alert(1)", ""},
		"scheme":       {"ftp://x.example.com", "a", ""},
		"user":         {"https://u:p@x.example.com", "a", ""},
		"host in if":   {`https://{{ if .Environment }}{{ .Environment }}{{ end }}.example.com`, "evil.com/", "https://evil-com-.example.com"},
		"empty host":   {"https://{{ .Payload.none }}/x", "a", ""},
		"host at last": {"https://{{ .Environment }}", "evil.com", "https://evil-com"},
	} {
		t.Run(name, func(t *testing.T) {
			a := table(t, fmt.Sprintf("routes: [{repository: acme/api, environment_url: %q}]", c.url)).
				Admit(request(func(r *deployment.Request) { r.Environment = c.environment }), "k")
			if got := a.Target.EnvironmentURL; got != c.want || (got == "") != (len(a.Notes) == 1) || a.Problem != "" {
				t.Errorf("got %q, want %q; %q", got, c.want, a.Notes)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	route := func(lines ...string) string {
		return "routes:\n- repository: acme/api\n  " + strings.Join(lines, "\n  ")
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("p%d: 1", i)
	}

	for name, c := range map[string]struct{ text, want string }{
		"empty":               {"", "one document"},
		"no YAML":             {"routes: [", "routes.yaml:1: this is no YAML"},
		"list":                {"- a", "must be a mapping"},
		"no routes":           {"routes: []", "at least one route"},
		"unknown key":         {route("enviroment: x"), `routes.yaml:3: a route: unknown key "enviroment"; did you mean "environment"?`},
		"twice":               {route("task: a", "task: b"), "routes.yaml:4: "},
		"repository missing":  {"routes:\n- environment: x", "routes.yaml:2: repository is required"},
		"owner glob":          {"routes:\n- repository: '*/api'", "the owner must be written out"},
		"three parts":         {"routes:\n- repository: a/b/c", "must be OWNER/NAME"},
		"reserved task":       {route("task: deploy:lock"), "reserved"},
		"hidden":              {"routes:\n- repository: acme/*\n- repository: acme/api\n  environment: x", "routes.yaml:3: this route is never reached: the route in line 2"},
		"ref and branch":      {route("circleci: {ref: a, branch: b}"), "branch is short for ref"},
		"config_ref alone":    {route("circleci: {config_ref: main}"), "only with a definition"},
		"app project":         {route("circleci: {project: circleci/a/b}"), "needs a definition"},
		"slug":                {route("circleci: {project: acme/api}"), "three parts"},
		"revision":            {route("circleci: {revision: maybe}"), "strict, note or auto"},
		"template syntax":     {route(`environment_url: "{{ .Ref"`), "bad template"},
		"template field":      {route(`parameters: {a: "{{ .Reff }}"}`), "there is no .Reff"},
		"template function":   {route(`parameters: {a: "{{ env }}"}`), "bad template"},
		"parameter name":      {route(`parameters: {1a: x}`), "must start with a letter"},
		"parameter key":       {route(`parameters: {a: {value: x, matches: y}}`), `did you mean "match"?`},
		"parameter type":      {route(`parameters: {a: {value: x, type: int}}`), "string, boolean or integer"},
		"parameter match":     {route(`parameters: {a: {value: x, match: "("}}`), "no regular expression"},
		"parameter list":      {route(`parameters: {a: [1]}`), "must be a scalar"},
		"fixed too long":      {route(`parameters: {a: "` + strings.Repeat("x", 513) + `"}`), "longer than 512"},
		"fixed no integer":    {route(`parameters: {a: {value: x, type: integer}}`), "no integer"},
		"fractional":          {route(`parameters: {a: {value: 1.5, type: integer}}`), "no integer"},
		"too many":            {route("parameters: {" + strings.Join(many, ", ") + "}"), "at most 100"},
		"timeout":             {route("timeout: 0s"), "no positive duration"},
		"timeout without s":   {route("hold_timeout: 5"), "no positive duration"},
		"alias":               {"routes: &a\n- *a", "anchors, aliases and tags"},
		"two documents":       {"routes: [{repository: a/b}]\n---\nx: y", "one document"},
		"too large":           {strings.Repeat(" ", maxTable+1), "at most"},
		"apps":                {route("apps: hubot"), "apps must be a list"},
		"all at once":         {route("task: deploy:lock", "timeout: x", "circleci: {revision: maybe}"), "routes.yaml:5: revision"},
		"null where text is":  {route("environment: null"), "environment must be text"},
		"empty where text is": {route(`environment: ""`), "environment is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			tab, err := Parse([]byte(c.text), "routes.yaml")
			if tab != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}

	_, err := Parse([]byte(route("task: deploy:lock", "timeout: x", "circleci: {revision: maybe}")), "routes.yaml")
	if n := strings.Count(err.Error(), "\n"); n != 2 {
		t.Errorf("not every problem is told: %v", err)
	}
}

func TestJSONTable(t *testing.T) {
	tab := table(t, `{"routes":[{"repository":"acme/api","parameters":{"a":"x","b":true,"c":5,"d":"5"}}]}`)
	var got []string
	for _, p := range tab.Admit(request(), "k").Target.Parameters {
		got = append(got, string(p.Value))
	}
	if want := `"x" true 5 "5"`; strings.Join(got, " ") != want {
		t.Errorf("%v", got)
	}
}

func TestExampleInDeployIsRight(t *testing.T) {
	text, err := os.ReadFile("../../deploy/routes.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	table(t, string(text))
}

// Globs agree with the regular expression they stand for, and what covers another takes all of it.
func TestGlobs(t *testing.T) {
	pattern, text := rapid.StringOfN(
		rapid.RuneFrom([]rune("ab/*?")),
		0,
		6,
		-1,
	), rapid.StringOfN(
		rapid.RuneFrom([]rune("abAB/")),
		0,
		6,
		-1,
	)

	oracle := func(p string) *regexp.Regexp {
		return regexp.MustCompile(
			`(?is)^` + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(p)) + `$`,
		)
	}

	rapid.Check(t, func(r *rapid.T) {
		p, q, s := pattern.Draw(r, "p"), pattern.Draw(r, "q"), text.Draw(r, "s")
		if got, want := glob(p).match(s), oracle(p).MatchString(s); got != want {
			r.Fatalf("%q on %q: %v, want %v", p, s, got, want)
		}
		if glob(p).covers(glob(q)) && glob(q).match(s) && !glob(p).match(s) {
			r.Fatalf("%q is said to cover %q, but not %q", p, q, s)
		}
	})

	for _, c := range []struct {
		p, q string
		want bool
	}{
		{"*", "prod*", true},
		{"prod*", "*", false},
		{"a/*", "A/b", true},
		{"?", "a", true},
		{"?", "*", false},
		{"*a*", "*a", true},
		{"a*", "a", true},
	} {
		if got := glob(c.p).covers(glob(c.q)); got != c.want {
			t.Errorf("%s covers %s: %v", c.p, c.q, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add(ruled)
	f.Add(
		`routes: [{repository: a/b, freeze: [{cron: "*/5 9-17 * * 1-5", duration: 4m, zone: America/New_York}], checks: {require: all}, approvals: {users: [a]}}]`,
	)
	f.Add(
		`{"freeze": [{"from": "2026-03-29 02:30", "to": "2026-12-24T18:00:00+01:00", "zone": "Europe/Berlin"}], "routes": [{"repository": "a/b", "allow": {}}]}`,
	)
	f.Add("routes: [{repository: a/b, parameters: {x: {value: '{{ .Payload.a }}', match: 'a+'}}}]")
	f.Fuzz(func(t *testing.T, text string) {
		tab, err := Parse([]byte(text), "f")
		if (tab == nil) == (err == nil) {
			t.Fatalf("%v %v", tab, err)
		}

		if tab != nil {
			tab.Admit(request(), "k")
			p, _ := tab.Policy(request())
			if v := p.Evaluate(policy.Request{
				Deployment: 1,
			}, policy.Facts{}, time.Unix(1795608000, 0)); v.Decision == policy.DecisionAllow || p.Digest() == "" {
				t.Fatalf("no fact is known, and %+v", v)
			}
		}
	})
}

func FuzzPayload(f *testing.F) {
	for _, s := range []string{`{}`, `"{\"a\":1}"`, `null`, `[[[]]]`, `"`, ``, `{"hosts":{"a":[1]}}`} {
		f.Add([]byte(s))
	}

	tab, err := Parse([]byte(example), "f")
	if err != nil {
		f.Fatal(err)
	}

	f.Fuzz(func(t *testing.T, payload []byte) {
		a := tab.Admit(request(func(r *deployment.Request) { r.Payload = payload }), "k")
		for _, p := range a.Target.Parameters {
			if !json.Valid(p.Value) {
				t.Fatalf("parameter %s is no JSON: %s", p.Name, p.Value)
			}
		}
	})
}

func FuzzTemplate(f *testing.F) {
	f.Add("{{ .Payload.a.b }}{{ range $k, $v := .Payload }}{{ $k }}{{ end }}")
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 200 {
			return
		}
		if x, err := newURL(source); err == nil {
			_, _ = x.render(newData(request(), "k"))
		}
	})
}
