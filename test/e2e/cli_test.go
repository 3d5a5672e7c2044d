package e2e

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

const badDefinition = "00000000-0000-4000-8000-000000000000"

// checks are runs of `seraph check`: what differs from a good configuration, and what is said. SLUG
// and DEFINITION are filled in.
var checks = map[string]struct {
	env    map[string]string
	args   []string
	code   int
	stdout []string
	stderr []string
}{
	"all is well": {
		code: 0,
		stdout: []string{
			"GitHub knows us as user seraph-bot",
			"CircleCI knows us as seraph-bot",
			"CircleCI project gh/acme/api",
		},
	},
	"offline": {args: []string{"--offline"}, code: 0, stdout: []string{"ok: the configuration is valid: 1 route"}},
	"offline asks nobody": {
		args:   []string{"--offline"},
		env:    map[string]string{"GITHUB_TOKEN": "wrong", "CIRCLECI_TOKEN": "wrong"},
		code:   0,
		stdout: []string{"ok: the configuration is valid"},
	},
	"GitHub refuses the token": {
		env:    map[string]string{"GITHUB_TOKEN": "ghp_wrong"},
		code:   1,
		stdout: []string{"wrong: GitHub does not take the credentials", "CircleCI knows us as"},
	},
	"CircleCI refuses the token": {
		env:    map[string]string{"CIRCLECI_TOKEN": "CCIPAT_wrong"},
		code:   1,
		stdout: []string{"wrong: CircleCI does not take SERAPH_CIRCLECI_TOKEN", "GitHub knows us as"},
	},
	"unknown project": {
		env:    route("project: gh/acme/nothing"),
		code:   1,
		stdout: []string{"wrong: ", "CircleCI project gh/acme/nothing"},
	},
	"known definition": {env: route("project: SLUG, definition: DEFINITION"), code: 0, stdout: []string{"ok: "}},
	"unknown definition": {
		env:    route("project: SLUG, definition: " + badDefinition),
		code:   1,
		stdout: []string{"has no pipeline definition " + badDefinition},
	},
	"no key": {
		env:    map[string]string{"ROUTES": "routes: [{repository: acme/api}]"},
		args:   []string{"--offline"},
		code:   0,
		stdout: []string{"warning: ", "no parameter carries {{ .Key }}"},
	},
	"nothing is right": {
		env: map[string]string{
			"GITHUB_WEBHOOK_SECRETS": "short", "CIRCLECI_TOKEN": "", "POLL_MIN": "yesterday", "ADDR": "nowhere",
			"ROUTES": "routes:\n  - repository: acme/api\n    colour: blue\n  - repository: '*/x'\n",
		},
		code: 2,
		stderr: []string{
			"SERAPH_GITHUB_WEBHOOK_SECRETS",
			"SERAPH_CIRCLECI_TOKEN",
			"SERAPH_POLL_MIN",
			"SERAPH_ADDR",
			"SERAPH_ROUTES:3: ",
			"SERAPH_ROUTES:4: ",
		},
	},
	"a misspelt name": {
		env:    map[string]string{"GITHUB_TOKENN": "x"},
		args:   []string{"--offline"},
		code:   0,
		stdout: []string{"warning: ", "SERAPH_GITHUB_TOKENN", "SERAPH_GITHUB_TOKEN"},
	},
}

func route(circleci string) map[string]string {
	return map[string]string{
		"ROUTES": "routes: [{repository: acme/api, circleci: {" + circleci + "}, parameters: {seraph_key: '{{ .Key }}'}}]",
	}
}

// `seraph check` says everything at once, and its exit code says how bad it is. No secret is ever
// shown.
func TestCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{routes: literal, ci: func(o *circleci.Options) { o.AnyProject = false }})
	w.gh.AddRepository("acme/api")
	project := w.ci.AddProject("gh/acme/api", "main")
	fill := strings.NewReplacer("SLUG", project.Slug, "DEFINITION", project.DefinitionID)
	for name, c := range checks {
		env := maps.Clone(w.env)
		for variable, value := range c.env {
			env[variable] = fill.Replace(value)
		}

		code, stdout, stderr := command(t, env, append([]string{"check"}, c.args...)...)
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d", name, code, c.code)
		}

		for _, part := range c.stdout {
			if !contains(stdout, part) {
				t.Errorf("%s: standard output does not hold %q:\n%s%s", name, part, stdout, stderr)
			}
		}

		for _, part := range c.stderr {
			if !contains(stderr, part) {
				t.Errorf("%s: standard error does not hold %q:\n%s", name, part, stderr)
			}
		}

		for _, hidden := range []string{"ghp_", "CCIPAT_", secret, apiToken} {
			if contains(stdout+stderr, hidden) {
				t.Errorf("%s: the output shows a secret:\n%s%s", name, stdout, stderr)
			}
		}
	}
}

// A bad configuration ends `seraph` with 2 and one line a problem, before it touches anything.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := command(t, map[string]string{"ADDR": "nowhere", "LOG_FORMAT": "xml"})
	if code != 2 || stdout != "" {
		t.Errorf("exit code %d, want 2; standard output %q", code, stdout)
	}

	for _, name := range []string{"ADDR", "LOG_FORMAT", "GITHUB_WEBHOOK_SECRETS", "GITHUB_TOKEN", "CIRCLECI_TOKEN", "ROUTES"} {
		if !regexp.MustCompile(`(?m)^SERAPH_` + name).MatchString(stderr) {
			t.Errorf("no line about SERAPH_%s:\n%s", name, stderr)
		}
	}
}

// commands are the other ways to call the program.
func TestCommands(t *testing.T) {
	t.Parallel()
	if code, stdout, _ := command(t, nil, "version"); code != 0 ||
		!regexp.MustCompile(`^seraph v1\.2\.3-e2e \(commit 0123abc, go1\.\S+\)\n$`).MatchString(stdout) {
		t.Errorf("seraph version: %d %q", code, stdout)
	}

	for _, args := range [][]string{{"nonsense"}, {"serve", "more"}, {"check", "--online"}, {"version", "--long"}} {
		if code, _, stderr := command(t, nil, args...); code != 2 || !contains(stderr, "usage: ") {
			t.Errorf("seraph %q: %d %q, want 2 and the usage", args, code, stderr)
		}
	}
}
