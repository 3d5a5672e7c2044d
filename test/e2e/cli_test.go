package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
)

const badDefinition = "00000000-0000-4000-8000-000000000000"

// checkRuns are runs of `seraph check`: what differs from a valid configuration, and what the output must
// contain. SLUG and DEFINITION are replaced with those of the project.
var checkRuns = map[string]struct {
	env    map[string]string
	args   []string
	code   int
	stdout []string
	stderr []string
}{
	"valid": {
		code: 0,
		stdout: []string{
			"GitHub: authenticated as user seraph-bot",
			"CircleCI: authenticated as seraph-bot",
			"CircleCI project gh/acme/api",
		},
	},
	"offline": {args: []string{"--offline"}, code: 0, stdout: []string{"ok: the configuration is valid: 1 route"}},
	"offline makes no calls": {
		args:   []string{"--offline"},
		env:    map[string]string{"GITHUB_TOKEN": "wrong", "CIRCLECI_TOKEN": "wrong"},
		code:   0,
		stdout: []string{"ok: the configuration is valid"},
	},
	"GitHub refuses the token": {
		env:    map[string]string{"GITHUB_TOKEN": "ghp_wrong"},
		code:   1,
		stdout: []string{"wrong: cannot authenticate at GitHub", "CircleCI: authenticated as"},
	},
	"CircleCI refuses the token": {
		env:    map[string]string{"CIRCLECI_TOKEN": "CCIPAT_wrong"},
		code:   1,
		stdout: []string{"wrong: cannot authenticate at CircleCI with SERAPH_CIRCLECI_TOKEN", "GitHub: authenticated as"},
	},
	"unknown project": {
		env:    oneRoute("project: gh/acme/nothing"),
		code:   1,
		stdout: []string{"wrong: ", "CircleCI project gh/acme/nothing"},
	},
	"known definition": {env: oneRoute("project: SLUG, definition: DEFINITION"), code: 0, stdout: []string{"ok: "}},
	"unknown definition": {
		env:    oneRoute("project: SLUG, definition: " + badDefinition),
		code:   1,
		stdout: []string{"has no pipeline definition " + badDefinition},
	},
	"no key": {
		env:    map[string]string{"ROUTES": "routes: [{repository: acme/api}]"},
		args:   []string{"--offline"},
		code:   0,
		stdout: []string{"warning: ", "no parameter carries {{ .Key }}"},
	},
	"people whose ids are another's": {
		env: map[string]string{"ROUTES": "people:\n  - {id: ALICE, login: alice}\n  - {id: ALICE0, login: erin}\n" +
			"  - {id: BOB, login: carol}\nroutes: [{repository: acme/api, parameters: {seraph_key: '{{ .Key }}'}}]"},
		code: 0,
		stdout: []string{
			"warning: people in line 3: GitHub shows no account with id ALICE0 (erin)",
			"warning: people in line 4: the account with id BOB is called bob, not carol",
		},
	},
	"token of a chat that nobody knows": {
		env:    map[string]string{"API_TOKENS": "hubot:behalf=hubot-slack/T0ACME001:" + apiToken},
		args:   []string{"--offline"},
		code:   0,
		stdout: []string{"warning: the token hubot of SERAPH_API_TOKENS may speak only for people of hubot-slack/T0ACME001"},
	},
	"a later route with fewer rules": {
		env: map[string]string{
			"ROUTES": "routes:\n  - {repository: acme/api, environment: production, task: deploy, refs: [main]}\n" +
				"  - {repository: acme/*}\n",
		},
		args:   []string{"--offline"},
		code:   0,
		stdout: []string{"warning: ", "is for the same place without refs, and takes other tasks there"},
	},
	"everything wrong": {
		env: map[string]string{
			"GITHUB_WEBHOOK_SECRETS": "short",
			"CIRCLECI_TOKEN":         "",
			"POLL_MIN":               "yesterday",
			"ADDR":                   "nowhere",
			"ROUTES":                 "routes:\n  - repository: acme/api\n    colour: blue\n  - repository: '*/x'\n",
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
	"misspelled name": {
		env:    map[string]string{"GITHUB_TOKENN": "x"},
		args:   []string{"--offline"},
		code:   0,
		stdout: []string{"warning: ", "SERAPH_GITHUB_TOKENN", "SERAPH_GITHUB_TOKEN"},
	},
}

// oneRoute returns the variable with a route of acme/api.
func oneRoute(circleci string) map[string]string {
	const text = "routes: [{repository: acme/api, circleci: {%s}, parameters: {seraph_key: '{{ .Key }}'}}]"
	return map[string]string{"ROUTES": fmt.Sprintf(text, circleci)}
}

// TestCheck_Findings checks that `seraph check` reports everything at once, that its exit code says how
// bad it is, and that it never shows a secret.
func TestCheck_Findings(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{routes: namedRoutes, ci: func(o *circleci.Options) { o.AnyProject = false }})
	h.gh.AddRepository("acme/api")
	project := h.ci.AddProject("gh/acme/api", "main")
	fill := strings.NewReplacer(
		"SLUG", project.Slug,
		"DEFINITION", project.DefinitionID,
		"ALICE", strconv.FormatInt(h.gh.AddUser("alice"), 10),
		"BOB", strconv.FormatInt(h.gh.AddUser("bob"), 10),
	)

	for name, c := range checkRuns {
		t.Run(name, func(t *testing.T) {
			env := maps.Clone(h.env)
			for variable, value := range c.env {
				env[variable] = fill.Replace(value)
			}

			code, stdout, stderr := command(t, env, append([]string{"check"}, c.args...)...)
			if code != c.code {
				t.Errorf("exit code: got %d, want %d", code, c.code)
			}
			for _, part := range c.stdout {
				if part = fill.Replace(part); !contains(stdout, part) {
					t.Errorf("standard output: got no %q:\n%s%s", part, stdout, stderr)
				}
			}
			for _, part := range c.stderr {
				if !contains(stderr, part) {
					t.Errorf("standard error: got no %q:\n%s", part, stderr)
				}
			}
			for _, hidden := range []string{"ghp_", "CCIPAT_", secret, apiToken} {
				if contains(stdout+stderr, hidden) {
					t.Errorf("the output shows a secret:\n%s%s", stdout, stderr)
				}
			}
		})
	}
}

// TestServe_InvalidConfiguration checks that `seraph` exits with 2 and one line per problem, before it
// opens anything.
func TestServe_InvalidConfiguration(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := command(t, map[string]string{"ADDR": "nowhere", "LOG_FORMAT": "xml"})
	if code != 2 || stdout != "" {
		t.Errorf("got exit code %d and output %q, want 2 and none", code, stdout)
	}

	for _, name := range []string{
		"ADDR",
		"LOG_FORMAT",
		"GITHUB_WEBHOOK_SECRETS",
		"GITHUB_TOKEN",
		"CIRCLECI_TOKEN",
		"ROUTES",
	} {
		if !regexp.MustCompile(`(?m)^SERAPH_` + name).MatchString(stderr) {
			t.Errorf("got no line about SERAPH_%s:\n%s", name, stderr)
		}
	}
}

func TestCommands_VersionAndUsage(t *testing.T) {
	t.Parallel()
	want := regexp.MustCompile(`^seraph v1\.2\.3-e2e \(commit 0123abc, go1\.\S+\)\n$`)
	if code, stdout, _ := command(t, nil, "version"); code != 0 || !want.MatchString(stdout) {
		t.Errorf("seraph version: got %d %q, want 0 and %s", code, stdout, want)
	}

	for _, args := range [][]string{{"nonsense"}, {"serve", "more"}, {"check", "--online"}, {"version", "--long"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			if code, _, stderr := command(t, nil, args...); code != 2 || !contains(stderr, "usage: ") {
				t.Errorf("got %d %q, want 2 and the usage", code, stderr)
			}
		})
	}
}
