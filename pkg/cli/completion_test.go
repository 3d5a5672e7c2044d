package cli

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompletion_Scripts(t *testing.T) {
	for _, test := range []struct{ shell, want string }{
		{shell: "bash", want: "complete -o default -F __start_seraph seraph"},
		{shell: "zsh", want: "#compdef seraph"},
		{shell: "fish", want: "complete -c seraph"},
		{shell: "powershell", want: "Register-ArgumentCompleter -CommandName 'seraph'"},
	} {
		t.Run(test.shell, func(t *testing.T) {
			term := newTerminal(t, "http://127.0.0.1:1")
			if code := term.run("completion", test.shell); code != ExitOK || !strings.Contains(term.stdout.String(), test.want) {
				t.Errorf("got exit code %d and no %q, want the script", code, test.want)
			}
		})
	}

	t.Run("unknown", func(t *testing.T) {
		newTerminal(t, "http://127.0.0.1:1").expect(t, ExitUsage, "",
			"there is no script for the shell \"tcsh\", only for bash, zsh, fish, powershell\n", "completion", "tcsh")
	})
}

// TestCompletion_LiveValues asks for completions as the scripts do.
func TestCompletion_LiveValues(t *testing.T) {
	list := `{"deployments":[` + deploymentJSON(43, "waiting") + `,` + deploymentJSON(42, "succeeded") + `,` +
		deploymentJSON(41, "held", `"ref":"main"`, `"ref":"release/2"`) + `],"next_cursor":""}`
	full := map[string][]answer{
		"GET /api/v1/environments": {{body: environmentsJSON()}},
		"GET /api/v1/deployments":  {{body: list}},
	}
	onlyList := map[string][]answer{"GET /api/v1/deployments": full["GET /api/v1/deployments"]}
	for _, test := range []struct {
		name    string
		args    []string
		answers map[string][]answer
		want    []string // without the number of the directive
	}{
		{name: "repositories", args: []string{"status", ""}, answers: full, want: []string{"acme/api", "acme/web"}},
		{name: "environments", args: []string{"status", "acme/api", ""}, answers: full, want: []string{"production"}},
		{name: "older service", args: []string{"lock", ""}, answers: onlyList, want: []string{"acme/api"}},
		{name: "what to deploy", args: []string{"deploy", ""}, answers: full, want: []string{"acme/api@", "acme/web@"}},
		{
			name:    "refs that were deployed",
			args:    []string{"deploy", "acme/api@"},
			answers: full,
			want:    []string{"acme/api@main", "acme/api@release/2"},
		},
		{name: "where to deploy", args: []string{"deploy", "acme/web@main", ""}, answers: full, want: []string{"staging"}},
		{
			name:    "what waits",
			args:    []string{"approve", ""},
			answers: full,
			want:    []string{"43\tacme/api to production, main (11d6e37): waiting"},
		},
		{
			name:    "what is held",
			args:    []string{"approve-hold", ""},
			answers: full,
			want:    []string{"41\tacme/api to production, release/2 (11d6e37): held"},
		},
		{
			name:    "what can be canceled",
			args:    []string{"cancel", ""},
			answers: full,
			want: []string{
				"43\tacme/api to production, main (11d6e37): waiting",
				"41\tacme/api to production, release/2 (11d6e37): held",
			},
		},
		{name: "contexts", args: []string{"list", "--context", ""}, answers: full, want: []string{"test\tURL"}},
		{name: "forms of output", args: []string{"list", "--output", ""}, want: []string{"table", "json"}},
		{name: "shells", args: []string{"completion", ""}, want: []string{"bash", "zsh", "fish", "powershell"}},
		{name: "nothing after an id", args: []string{"approve", "43", ""}, answers: full},
		{name: "no service", args: []string{"status", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startService(t, test.answers)
			term := newTerminal(t, s.server.URL)
			code := term.run(append([]string{"__complete"}, test.args...)...)
			out := strings.ReplaceAll(term.stdout.String(), s.server.URL, "URL")
			lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
			got := strings.Join(lines[:len(lines)-1], "\n")
			if want := strings.Join(test.want, "\n"); code != ExitOK || got != want {
				t.Errorf("got exit code %d and %q, want 0 and %q", code, got, want)
			}
		})
	}
}

// TestCompletion_SlowService wants that a person who pressed Tab does not wait for long.
func TestCompletion_SlowService(t *testing.T) {
	t.Parallel()
	never := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() } // until the client leaves
	s := startService(t, map[string][]answer{"GET /api/v1/deployments": {{then: never}}})
	term := newTerminal(t, s.server.URL)
	term.options.pace.complete = usualPace.complete
	if code := term.run("__complete", "approve", ""); code != ExitOK || strings.Contains(term.stdout.String(), "43") {
		t.Errorf("got exit code %d and %q, want 0 and nothing", code, &term.stdout)
	}
}

// TestCompletion_EnvFiles wants completions to ask the service that --env-file names.
func TestCompletion_EnvFiles(t *testing.T) {
	s := startService(t, map[string][]answer{"GET /api/v1/environments": {{body: environmentsJSON()}}})
	t.Setenv("SERAPH_API_URL", "") // remembers that they are not set
	t.Setenv("SERAPH_API_TOKEN", "")
	_, _ = os.Unsetenv("SERAPH_API_URL"), os.Unsetenv("SERAPH_API_TOKEN")

	file := filepath.Join(t.TempDir(), "env")
	text := "SERAPH_API_URL=" + s.server.URL + "\nSERAPH_API_TOKEN=" + testToken + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	term := newTerminal(t, "http://127.0.0.1:1")
	term.options.EnvFiles = &[]string{file}
	term.run("__complete", "status", "")
	if got := term.stdout.String(); !strings.HasPrefix(got, "acme/api\nacme/web\n") {
		t.Errorf("got %q, want the repositories of the service", got)
	}
}
