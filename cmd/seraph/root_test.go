package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/deploy/docs"
	"github.com/seraph-deploy/seraph/pkg/cli"
	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/pkg/store"
)

// clearEnvironment unsets every variable of Seraph until the test ends, also those that the test
// reads from files.
func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, variable := range config.Variables() {
		for _, name := range []string{variable.Name, variable.Name + "_FILE"} {
			t.Setenv(name, "") // remembers the value
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// call runs the program in a folder of its own.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = run(context.Background(), args, &out, &problems, nil)
	return code, out.String(), problems.String()
}

func TestRun_HelpOfEveryCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range append(names((&program{}).rootCommand()), "") {
		t.Run(path, func(t *testing.T) {
			args := append(strings.Fields(path), "--help")
			code, stdout, stderr := call(t, args...)
			if code != cli.ExitOK || stderr != "" {
				t.Errorf("got exit code %d and %q on standard error, want 0 and nothing", code, stderr)
			}

			usage := "Usage:\n  seraph " + usageOf(path)
			for _, want := range []string{usage, "--env-file FILE", "--help", "Example:\n  seraph"} {
				if !strings.Contains(stdout, want) {
					t.Errorf("got %q, want %q in it", stdout, want)
				}
			}
		})
	}

	files, err := os.ReadDir(".")
	if err != nil || len(files) > 0 {
		t.Errorf("got files %v (%v), want none: help writes nothing", files, err)
	}
}

// usageOf is how the line of usage of a command begins: for the other name of a command with its first.
func usageOf(path string) string {
	if path == "why" {
		return "explain ID"
	}
	return path
}

func TestRun_HelpTopics(t *testing.T) {
	for _, topic := range docs.Topics() {
		t.Run(topic, func(t *testing.T) {
			want, _ := docs.Page(topic)
			if code, got, _ := call(t, "help", topic); code != cli.ExitOK || got != want {
				t.Errorf("got exit code %d and %q, want the page", code, got)
			}
		})
	}

	t.Run("a command", func(t *testing.T) {
		if code, got, _ := call(t, "help", "audit", "verify"); code != cli.ExitOK ||
			!strings.Contains(got, "--head SEQ:HASH") {
			t.Errorf("got exit code %d and %q, want the help of audit verify", code, got)
		}
	})

	t.Run("none", func(t *testing.T) {
		code, got, _ := call(t, "help")
		if code != cli.ExitOK || !strings.Contains(got, "Commands:\n  deploy") ||
			!strings.Contains(got, "Commands for operators:\n  serve") || !strings.Contains(got, docs.Topics()[0]) {
			t.Errorf("got exit code %d and %q, want the commands and the topics", code, got)
		}
	})
}

func TestRun_Mistakes(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{name: "unknown command", args: []string{"frobnicate"}, want: `"frobnicate"` + "\nusage: seraph [COMMAND]"},
		{name: "mistyped command", args: []string{"chek"}, want: `unknown command "chek"; did you mean check?`},
		{
			name: "another word for a command",
			args: []string{"environments"},
			want: `unknown command "environments"; did you mean status?`,
		},
		{
			name: "the word of chats for list",
			args: []string{"deploys"},
			want: `unknown command "deploys"; did you mean list?`,
		},
		{name: "first letters of a command", args: []string{"ver"}, want: "did you mean version?"},
		{
			name: "help of an unknown command",
			args: []string{"frobnicate", "--help"},
			want: `unknown command "frobnicate"`,
		},
		{
			name: "mistyped second word",
			args: []string{"audit", "verfy"},
			want: `"audit verfy"; did you mean audit verify?`,
		},
		{name: "no second word", args: []string{"audit"}, want: "audit needs a command: verify or export"},
		{name: "mistyped flag", args: []string{"check", "--ofline"}, want: "flag --ofline; did you mean --offline?"},
		{name: "first letters of a flag", args: []string{"gate", "--repo", "a/b"}, want: "did you mean --repository?"},
		{
			name: "flag of another command",
			args: []string{"backup", "file", "--offline"},
			want: "unknown flag --offline\n",
		},
		{
			name: "flag without a value",
			args: []string{"check", "--env-file"},
			want: "flag needs an argument: --env-file",
		},
		{name: "argument too many", args: []string{"serve", "more"}, want: `unexpected argument "more"`},
		{name: "argument too few", args: []string{"backup"}, want: "backup needs one file to write to\nusage: "},
		{
			name: "flag missing",
			args: []string{"gate", "--repository", "a/b", "--environment", "c"},
			want: "gate needs --sha",
		},
		{name: "bad head", args: []string{"audit", "verify", "--head", "7"}, want: "--head must be SEQ:HASH"},
		{name: "other name of a command", args: []string{"wyh"}, want: `unknown command "wyh"; did you mean why?`},
		{
			name: "mistyped word of config",
			args: []string{"config", "set-contxt"},
			want: `"config set-contxt"; did you mean config set-context?`,
		},
		{name: "mistyped flag of deploy", args: []string{"deploy", "a/b@c", "d", "--wacth"}, want: "did you mean --watch?"},
		{name: "unknown short flag", args: []string{"list", "-x"}, want: "unknown shorthand flag: 'x' in -x\nusage: "},
		{
			name: "bad duration",
			args: []string{"watch", "42", "--timeout", "2d"},
			want: `--timeout must be a duration such as 30m or 2h, not "2d"`,
		},
		{name: "flag of other programs", args: []string{"list", "--json"}, want: "--json; did you mean --output json?"},
		{name: "flag of other programs, not here", args: []string{"serve", "--json"}, want: "unknown flag --json\n"},
		{name: "em dash", args: []string{"list", "\u2014state", "waiting"}, want: "a dash that is no hyphen: type --state"},
		{name: "en dash and hyphen", args: []string{"list", "\u2013-output", "json"}, want: "no hyphen: type --output"},
		{name: "no commit", args: []string{"gate", "--repository", "a/b", "--environment", "c", "--sha", "main"},
			want: `--sha must be the 40 or 64 hex digits of a commit, as ` + "`git rev-parse`" + ` prints them, not "main"`},
		{
			name: "repository in quotes",
			args: []string{"deploy", "\u201cacme/api@main\u201d", "staging"},
			want: "write the repository as OWNER/NAME, such as acme/api, not \"\u201cacme/api\"",
		},
		{name: "spaces about a repository", args: []string{"status", " acme/api"}, want: `not " acme/api"`},
		{name: "bad value", args: []string{"list", "-o", "xml"}, want: `table or json, not "xml"` + "\nusage: "},
		{name: "help of an unknown word", args: []string{"audit", "verfy", "--help"}, want: "did you mean audit verify?"},
		{name: "unknown topic", args: []string{"help", "stats"}, want: `is called "stats"; did you mean states?`},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			clearEnvironment(t)
			code, stdout, stderr := call(t, test.args...)
			if code != cli.ExitUsage || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf(
					"got exit code %d, %q and %q, want 2 and %q on standard error",
					code,
					stdout,
					stderr,
					test.want,
				)
			}
		})
	}
}

func TestRun_EnvFile(t *testing.T) {
	const settings = "SERAPH_GITHUB_WEBHOOK_SECRETS=0123456789abcdef\n" +
		"SERAPH_GITHUB_TOKEN=ghp_hunter2\n" +
		"SERAPH_CIRCLECI_TOKEN=CCIPAT_hunter2\n" +
		"SERAPH_ROUTES='routes: [{repository: acme/api, parameters: {key: \"{{ .Key }}\"}}]'\n"

	checkOffline := []string{"check", "--offline"}
	tests := []struct {
		name        string
		environment map[string]string
		files       []string
		args        []string
		wantCode    int
		wantText    string
	}{
		{
			name:     "file is enough",
			files:    []string{settings},
			args:     checkOffline,
			wantText: "the configuration is valid",
		},
		{
			name:     "file is needed",
			args:     checkOffline,
			wantCode: cli.ExitUsage,
			wantText: "SERAPH_GITHUB_TOKEN",
		},
		{
			name:     "later file wins",
			files:    []string{settings + "SERAPH_POLL_MIN=never\n", "SERAPH_POLL_MIN=1s\n"},
			args:     checkOffline,
			wantText: "the configuration is valid",
		},
		{
			name:        "environment wins",
			environment: map[string]string{"SERAPH_POLL_MIN": "never"},
			files:       []string{settings + "SERAPH_POLL_MIN=1s\n"},
			args:        checkOffline,
			wantCode:    cli.ExitUsage,
			wantText:    "SERAPH_POLL_MIN",
		},
		{
			name:     "bad line",
			files:    []string{settings + "hunter2\n"},
			args:     checkOffline,
			wantCode: cli.ExitUsage,
			wantText: "0.env:5: want NAME=VALUE",
		},
		{
			name:     "without a command",
			files:    []string{"SERAPH_ADDR=hunter2"},
			wantCode: cli.ExitUsage,
			wantText: "SERAPH_ADDR",
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			clearEnvironment(t)
			for name, value := range test.environment {
				t.Setenv(name, value)
			}

			args := slices.Clone(test.args)
			dir := t.TempDir()
			for i, text := range test.files {
				file := filepath.Join(dir, string(rune('0'+i))+".env")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}

				args = append(args, "--env-file", file)
			}

			code, stdout, stderr := call(t, args...)
			if text := stdout + stderr; code != test.wantCode || !strings.Contains(text, test.wantText) {
				t.Errorf("got exit code %d and %q, want %d and %q", code, text, test.wantCode, test.wantText)
			}
			if strings.Contains(stdout+stderr, "_hunter2") {
				t.Errorf("got %q, which shows a secret", stdout+stderr)
			}
		})
	}
}

// TestRun_DatabaseThatKeepsNothing wants that check and serve refuse alike, before a webhook can be
// answered and without a file, what would lose every deployment.
func TestRun_DatabaseThatKeepsNothing(t *testing.T) {
	tests := []struct{ name, url string }{
		{name: "in memory", url: "sqlite::memory:"},
		{name: "in memory, shared", url: "sqlite:file::memory:?cache=shared"},
		{name: "in memory by an option", url: "sqlite:x?mode=memory"},
		{name: "a folder", url: "sqlite:."},
		{name: "a device", url: "sqlite:/dev/null"},
		{name: "a port of words", url: "postgres://u:p@h:port/n"},
	}

	for _, test := range tests {
		for _, command := range [][]string{{"check", "--offline"}, {"serve"}} {
			t.Run(test.name+" "+command[0], func(t *testing.T) {
				clearEnvironment(t)
				t.Chdir(t.TempDir())
				t.Setenv("SERAPH_GITHUB_WEBHOOK_SECRETS", "a-webhook-secret-of-32-bytes-abcd")
				t.Setenv("SERAPH_GITHUB_TOKEN", "ghp_a")
				t.Setenv("SERAPH_CIRCLECI_TOKEN", "CCIPAT_a")
				t.Setenv("SERAPH_ROUTES", "routes: [{repository: acme/api}]")
				t.Setenv("SERAPH_DATABASE_URL", test.url)

				code, _, stderr := call(t, command...)
				if code != cli.ExitUsage || !strings.HasPrefix(stderr, "SERAPH_DATABASE_URL: ") {
					t.Errorf("got exit code %d and %q, want 2 and a problem with SERAPH_DATABASE_URL", code, stderr)
				}

				files, err := os.ReadDir(".")
				if err != nil || len(files) > 0 {
					t.Errorf("got files %v (%v), want none", files, err)
				}
			})
		}
	}
}

// TestRun_OnlyTheDatabase runs the commands that only read the database, without any other setting.
func TestRun_OnlyTheDatabase(t *testing.T) {
	clearEnvironment(t)
	t.Chdir(t.TempDir())
	const url = "sqlite:service.db"
	service, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Close(); err != nil {
		t.Fatal(err)
	}

	commands := [][]string{{"backup", "copy.db"}, {"audit", "verify"}, {"audit", "export"}}
	for _, command := range commands {
		t.Run(strings.Join(command, " "), func(t *testing.T) {
			t.Setenv("SERAPH_DATABASE_URL", url)
			if code, _, stderr := call(t, command...); code != cli.ExitOK {
				t.Errorf("got exit code %d and %q, want 0", code, stderr)
			}
		})

		t.Run(strings.Join(command, " ")+" without it", func(t *testing.T) {
			const want = "seraph.db: no such file or directory: set SERAPH_DATABASE_URL as the service has it\n"
			if code, _, stderr := call(t, command...); code != cli.ExitFailed || !strings.HasSuffix(stderr, want) {
				t.Errorf("got exit code %d and %q, want 1 and %q", code, stderr, want)
			}
		})
	}
}

func TestRun_FlagsBeforeTheCommand(t *testing.T) {
	clearEnvironment(t)
	code, stdout, stderr := call(t, "--env-file", os.DevNull, "version")
	if code != cli.ExitOK || !strings.HasPrefix(stdout, "seraph dev (commit unknown, go1.") {
		t.Errorf("got exit code %d, %q and %q, want the version", code, stdout, stderr)
	}
}

func TestRun_Health(t *testing.T) {
	tests := []struct {
		name     string
		status   int
		wantCode int
		wantText string
	}{
		{name: "ready", status: http.StatusOK, wantCode: cli.ExitOK, wantText: `{"status":"made up"}`},
		{name: "not ready", status: http.StatusServiceUnavailable, wantCode: cli.ExitFailed, wantText: "not ready: 503"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			clearEnvironment(t)
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/readyz" {
					t.Errorf("got a question for %s, want /readyz", r.URL.Path)
				}

				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(`{"status":"made up"}`))
			}))

			defer service.Close()
			t.Setenv("SERAPH_API_URL", service.URL)

			code, stdout, stderr := call(t, "health")
			if code != test.wantCode || !strings.Contains(stdout+stderr, test.wantText) {
				t.Errorf("got exit code %d and %q, want %d and %q", code, stdout+stderr, test.wantCode, test.wantText)
			}
		})
	}
}

func TestNewLogger_NoColourOutsideATerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = file.Close() }()

	log := newLogger(&config.Config{LogFormat: "console", LogLevel: "info"}, file)
	log.Warn().Str("field", "value").Msg("message")
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "WRN message field=value") {
		t.Errorf("got %q, want no terminal codes in it", text)
	}
}
