package cli

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
)

// emptyTerminal has no contexts.
func emptyTerminal(t *testing.T) *terminal {
	t.Helper()
	term := newTerminal(t, "http://127.0.0.1:1")
	if err := os.RemoveAll(filepath.Dir(term.options.ConfigFile)); err != nil {
		t.Fatal(err)
	}
	return term
}

func TestConfig_Contexts(t *testing.T) {
	t.Parallel()
	term := emptyTerminal(t)
	term.expect(t, ExitOK, "", "there are no contexts; `seraph config set-context --help` says how to add one\n",
		"config", "get-contexts")

	step := func(code int, stdout, stderr, stdin string, args ...string) {
		t.Helper()
		term.stdout.Reset()
		term.stderr.Reset()
		term.options.Stdin = iotest.OneByteReader(strings.NewReader(stdin))
		term.expect(t, code, stdout, stderr, append([]string{"config"}, args...)...)
	}

	file := term.options.ConfigFile
	step(ExitOK, "context prod: https://seraph.example.com, kept in "+file+"\n", "", testToken+"\nmore",
		"set-context", "prod", "--url", "https://seraph.example.com")

	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte(testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	step(ExitOK, "context local: http://127.0.0.1:8080, kept in "+file+"\n",
		"the current context is prod; `seraph config use-context local` changes it\n", "",
		"set-context", "local", "--url", "http://127.0.0.1:8080", "--token-file", tokenFile)
	step(ExitOK, "the current context is local: http://127.0.0.1:8080\n", "", "", "use-context", "local")
	step(ExitOK, `CURRENT  NAME   URL                         TOKEN
*        local  http://127.0.0.1:8080       kept
         prod   https://seraph.example.com  kept
`, "", "", "get-contexts")
	step(ExitOK, `{"contexts":[`+
		`{"name":"local","url":"http://127.0.0.1:8080","current":true,"has_token":true},`+
		`{"name":"prod","url":"https://seraph.example.com","current":false,"has_token":true}]}`+"\n", "", "",
		"get-contexts", "-o", "json")
	step(ExitUsage, "", `no context is called "pord"; did you mean prod?`+"\n", "", "use-context", "pord")
	step(ExitOK, "context local is deleted\n",
		"there is no current context now; `seraph config use-context` chooses one\n", "", "delete-context", "local")

	// The token stays with the same address, and is asked for again with another one.
	step(ExitOK, "context prod: https://seraph.example.com, kept in "+file+"\n",
		"its token stays the same; --token-file FILE changes it (- is standard input)\n", "another-token",
		"set-context", "prod", "--url", "https://seraph.example.com")
	step(ExitUsage, "", "the token is empty: give one of the tokens in SERAPH_API_TOKENS of the service\n", "",
		"set-context", "prod", "--url", "https://evil.example.com")

	kept, err := readContexts(file)
	if err != nil || kept.Contexts["prod"] != (savedContext{URL: "https://seraph.example.com", Token: testToken}) {
		t.Errorf("got %v and %v, want prod as it was", kept.names(), err)
	}
}

func TestConfig_SetContextRefuses(t *testing.T) {
	for _, test := range []struct {
		name  string
		args  []string
		stdin string
		want  string
	}{
		{name: "no name", args: nil, want: "set-context needs the NAME of a context"},
		{name: "bad name", args: []string{"a/b", "--url", "https://x"}, want: "letters, digits, dots, dashes"},
		{name: "no address", args: []string{"prod"}, want: "there is no context prod yet: give its address"},
		{name: "no URL", args: []string{"prod", "--url", "seraph"}, want: "https://HOST or http://HOST\n"},
		{
			name: "not encrypted",
			args: []string{"prod", "--url", "http://seraph.example.com"},
			want: "--url: the token would be sent unencrypted over http: write https, or give --allow-http",
		},
		{name: "no token", args: []string{"prod", "--url", "https://x"}, want: "the token is empty"},
		{
			name:  "no token but a sentence",
			args:  []string{"prod", "--url", "https://x"},
			stdin: "my " + testToken,
			want:  "the token contains a space",
		},
		{
			name:  "token in quotes",
			args:  []string{"prod", "--url", "https://x"},
			stdin: `"` + testToken + `"`,
			want:  "the token stands in quotes, which would be part of it: leave them out",
		},
		{
			name:  "whole element of the service's list",
			args:  []string{"prod", "--url", "https://x"},
			stdin: "hubot:behalf=hubot-slack/T0ACME001:" + testToken,
			want:  "the token has a name and a scope before it: leave out NAME:SCOPE:",
		},
		{
			name: "no token file",
			args: []string{"prod", "--url", "https://x", "--token-file", "/nonexistent/token"},
			want: "read the token: open /nonexistent/token: no such file",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			term := emptyTerminal(t)
			term.options.Stdin = strings.NewReader(test.stdin)
			code := term.run(append([]string{"config", "set-context"}, test.args...)...)
			if got := term.stderr.String(); code == ExitOK || !strings.Contains(got, test.want) ||
				strings.Contains(got, testToken) {
				t.Errorf("got exit code %d and %q, want %q without the token", code, got, test.want)
			}
			if _, err := os.Stat(term.options.ConfigFile); err == nil {
				t.Error("got a file of contexts, want none")
			}
		})
	}
}

// TestConfig_SetContextInterrupted wants that a signal ends the wait for a token.
func TestConfig_SetContextInterrupted(t *testing.T) {
	t.Parallel()
	term := emptyTerminal(t)
	stdin, write := io.Pipe()
	defer func() { _ = write.Close() }() // ends the reading
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGINT
	term.options.Stdin, term.options.Interrupt = stdin, signals
	term.expect(t, ExitFailed, "", "read the token: interrupted\n", "config", "set-context", "prod", "--url", "https://x")
}

// TestConfig_AllowHTTP wants that only who says so sends a token unencrypted.
func TestConfig_AllowHTTP(t *testing.T) {
	t.Parallel()
	term := emptyTerminal(t)
	term.options.Stdin = strings.NewReader(testToken)
	code := term.run("config", "set-context", "lab", "--url", "http://192.0.2.1:8080", "--allow-http")
	kept, err := readContexts(term.options.ConfigFile)
	if code != ExitOK || err != nil || !kept.Contexts["lab"].AllowHTTP {
		t.Fatalf("got exit code %d, %v and %q, want the context", code, err, &term.stderr)
	}

	lab := kept.Contexts["lab"]
	lab.AllowHTTP = false
	kept.Contexts["lab"] = lab
	if err := kept.write(term.options.ConfigFile); err != nil {
		t.Fatal(err)
	}
	code = term.run("list")
	if code != ExitUsage || !strings.Contains(term.stderr.String(), "context lab: the token would") {
		t.Errorf("got exit code %d and %q, want 2 and no request", code, &term.stderr)
	}
}

func TestContextFile_OnlyItsOwnerCanRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no such modes there")
	}

	term := newTerminal(t, "http://127.0.0.1:1")
	file := term.options.ConfigFile
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	term.expect(t, ExitUsage, "", "read the file of contexts: others can read the tokens in "+file+
		" (mode 0640): run chmod 600 "+file+"\n", "list")

	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.yaml")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	term.options.ConfigFile = link
	if code := term.run("config", "use-context", "test"); code != ExitOK {
		t.Fatalf("got exit code %d and %q, want 0", code, &term.stderr)
	}

	info, err := os.Lstat(file)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("got mode %v and %v, want 0600 for the file behind the link", info.Mode(), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("got %v and %v, want the link to stay", info, err)
	}
	folder, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(folder) != 1 {
		t.Errorf("got files %v (%v), want no temporary file", folder, err)
	}
}

func TestContextFile_BadFiles(t *testing.T) {
	for _, test := range []struct {
		name string
		text string
		want string
	}{
		{name: "not YAML", text: "contexts: [" + testToken, want: "is not a file of contexts: repair it"},
		{name: "unknown key", text: "current: a\ncontext: {" + testToken + ": 1}", want: ":2 is not a file of contexts"},
		{name: "token in the wrong place", text: "contexts: {prod: " + testToken + "}", want: "is not a file of contexts"},
		{name: "too large", text: strings.Repeat("#", maxContextFile+1), want: "is not a file of contexts"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			term := newTerminal(t, "http://127.0.0.1:1")
			if err := os.WriteFile(term.options.ConfigFile, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			code := term.run("list")
			if got := term.stderr.String(); code != ExitUsage || !strings.Contains(got, test.want) ||
				strings.Contains(got, testToken) {
				t.Errorf("got exit code %d and %q, want 2 and %q without the token", code, got, test.want)
			}
		})
	}
}

// FuzzReadContexts wants no panic, and no error that shows the file.
func FuzzReadContexts(f *testing.F) {
	f.Add("current: a\ncontexts: {a: {url: https://x, token: hunter2, allow_http: true}}")
	f.Add("contexts: [hunter2\n")
	f.Add("contexts: {a: hunter2}")
	f.Add("\tcontexts: &hunter2 *hunter2")
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "contexts")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readContexts(file); err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v, which shows the file", err)
		}
	})
}

// TestDefaults_Precedence wants that a token goes only to the address that it is kept for.
func TestDefaults_Precedence(t *testing.T) {
	const envToken = "a-token-of-the-environment-of-32-chars"
	other := startService(t, map[string][]answer{"GET /api/v1/locks": {{body: `{"locks":[]}`}}})
	kept := startService(t, map[string][]answer{"GET /api/v1/locks": {{body: `{"locks":[]}`}}})
	for _, test := range []struct {
		name      string
		url       string
		token     string
		args      []string
		code      int
		wantOther string
		wantKept  string
	}{
		{name: "context", wantKept: testToken},
		{name: "both variables", url: other.server.URL, token: envToken, wantOther: envToken},
		{name: "address alone", url: other.server.URL, code: ExitUsage},
		{name: "address alone, of the context", url: kept.server.URL, wantKept: testToken},
		{name: "token alone", token: envToken, wantKept: envToken},
		{
			name:     "named context",
			url:      other.server.URL,
			token:    envToken,
			args:     []string{"--context", "test"},
			wantKept: testToken,
		},
		{name: "unknown context", args: []string{"--context", "tset"}, code: ExitUsage},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("SERAPH_API_URL", test.url)
			t.Setenv("SERAPH_API_TOKEN", test.token)
			other.requests, kept.requests = nil, nil
			term := newTerminal(t, kept.server.URL)
			if code := term.run(append([]string{"locks"}, test.args...)...); code != test.code {
				t.Errorf("got exit code %d and %q, want %d", code, &term.stderr, test.code)
			}

			for _, s := range []struct {
				service *testService
				want    string
			}{{other, test.wantOther}, {kept, test.wantKept}} {
				got := ""
				for _, r := range s.service.sent("") {
					got += strings.TrimPrefix(r.header.Get("Authorization"), "Bearer ")
				}
				if got != s.want {
					t.Errorf("got token %q at %s, want %q", got, s.service.server.URL, s.want)
				}
			}
		})
	}
}
