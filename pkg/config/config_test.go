package config

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	goodSecret        = "a-webhook-secret-of-32-bytes-abcd"
	goodGitHubToken   = "ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	goodCircleCIToken = "CCIPAT_cccccccccccccccccccccccccccccc"
	goodAPIToken      = "0123456789abcdef0123456789abcdef"
	otherAPIToken     = "abcdef0123456789abcdef0123456789"
	goodRoutes        = "routes: [{repository: acme/api}]"
)

// setEnvironment sets a good environment with some variables changed. Names have no prefix.
func setEnvironment(t *testing.T, change map[string]string) {
	t.Helper()
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, Prefix) {
			continue
		}

		t.Setenv(name, "") // so that the test's end restores it
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}

	good := map[string]string{
		"GITHUB_WEBHOOK_SECRETS": goodSecret,
		"GITHUB_TOKEN":           goodGitHubToken,
		"CIRCLECI_TOKEN":         goodCircleCIToken,
		"ROUTES":                 goodRoutes,
	}

	for _, variables := range []map[string]string{good, change} {
		for name, value := range variables {
			t.Setenv(Prefix+name, value)
		}
	}
}

func writeFile(t *testing.T, content string) (path string) {
	t.Helper()
	path = t.TempDir() + "/file"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, change map[string]string) *Config {
	t.Helper()
	setEnvironment(t, change)
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoad_Defaults(t *testing.T) {
	bare := []string{
		"ADDR",
		"GITHUB_TOKEN",
		"CIRCLECI_TOKEN",
		"ROUTES",
		"LOG_LEVEL",
		"POLL_MIN",
		"API_TOKENS",
		"DATABASE_URL",
	}
	for _, name := range bare {
		t.Setenv(name, "decoy") // bare names are never read
	}

	c := load(t, map[string]string{"LOG_LEVEL": "  ", "API_TOKENS": ""})
	for _, test := range []struct {
		name      string
		got, want any
	}{
		{name: "address", got: c.Addr, want: ":8080"},
		{name: "database", got: c.DatabaseURL.Reveal(), want: "sqlite:seraph.db"},
		{name: "log level", got: c.LogLevel, want: "info"},
		{name: "log format", got: c.LogFormat, want: "json"},
		{name: "API tokens", got: len(c.APITokens), want: 0},
		{name: "CircleCI timeout", got: c.CircleCI.Timeout, want: 15 * time.Second},
		{name: "look-up grace", got: c.LookupGrace, want: 2 * time.Minute},
		{name: "workflow grace", got: c.WorkflowGrace, want: 2 * time.Minute},
		{name: "start timeout", got: c.StartTimeout, want: 15 * time.Minute},
		{name: "first pause between polls", got: c.PollMin, want: 5 * time.Second},
		{name: "longest pause between polls", got: c.PollMax, want: 30 * time.Second},
		{name: "age of recovered deployments", got: c.RecoverMaxAge, want: time.Hour},
		{name: "shutdown delay", got: c.ShutdownDelay, want: time.Duration(0)},
		{name: "shutdown grace", got: c.ShutdownGrace, want: 20 * time.Second},
		{name: "writes to GitHub", got: c.GitHub.WritesPerMinute, want: 80},
		{name: "reads of CircleCI", got: c.CircleCI.ReadsPerSecond, want: 20},
		{name: "hook sources", got: c.GitHub.HookSources.Mode, want: SourcesAny},
		{name: "GitHub's API", got: c.GitHub.APIURL.String(), want: "https://api.github.com/"},
		{name: "warnings", got: len(c.Warnings), want: 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.got != test.want {
				t.Errorf("got %v, want %v", test.got, test.want)
			}
		})
	}
}

func TestLoad_SecretsFromFiles(t *testing.T) {
	c := load(t, map[string]string{
		"GITHUB_WEBHOOK_SECRETS":      "",
		"GITHUB_WEBHOOK_SECRETS_FILE": writeFile(t, goodSecret+"\n"+goodSecret+"2\n"),
		"GITHUB_TOKEN":                "",
		"GITHUB_TOKEN_FILE":           writeFile(t, goodGitHubToken+"\n"),
		"DATABASE_URL_FILE":           writeFile(t, "sqlite:/x.db\n"),
		"ROUTES":                      "",
		"ROUTES_FILE":                 writeFile(t, goodRoutes),
		"API_TOKENS_FILE":             writeFile(t, "ci:deploy:"+goodAPIToken+"\r\n"+otherAPIToken+"\n"),
	})

	want := []string{goodSecret, goodSecret + "2", goodGitHubToken, "sqlite:/x.db", "ci deploy", "token-2 read"}
	got := []string{}
	for _, secret := range c.GitHub.WebhookSecrets.Bytes() {
		got = append(got, string(secret))
	}

	got = append(got, c.GitHub.Token.Reveal(), c.DatabaseURL.Reveal())
	for _, token := range c.APITokens {
		got = append(got, token.Name+" "+token.Scope)
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("secrets (- want, + got):\n%s", diff)
	}
}

// TestLoad_ByteOrderMark wants that what editors of Windows write before UTF-8 text is no content, in
// every file and in every variable.
func TestLoad_ByteOrderMark(t *testing.T) {
	const bom = "\ufeff"
	tests := []struct {
		name   string
		change map[string]string
	}{
		{name: "inline", change: map[string]string{
			"GITHUB_WEBHOOK_SECRETS": bom + goodSecret,
			"GITHUB_TOKEN":           bom + goodGitHubToken,
			"CIRCLECI_TOKEN":         bom + goodCircleCIToken,
			"ROUTES":                 bom + goodRoutes,
			"LOG_LEVEL":              bom + "debug",
		}},
		{name: "files", change: map[string]string{
			"GITHUB_WEBHOOK_SECRETS":      "",
			"GITHUB_WEBHOOK_SECRETS_FILE": writeFile(t, bom+goodSecret+"\r\n"),
			"GITHUB_TOKEN":                "",
			"GITHUB_TOKEN_FILE":           writeFile(t, bom+goodGitHubToken+"\r\n"),
			"CIRCLECI_TOKEN":              "",
			"CIRCLECI_TOKEN_FILE":         writeFile(t, bom+goodCircleCIToken),
			"ROUTES":                      "",
			"ROUTES_FILE":                 writeFile(t, bom+"routes:\r\n- repository: acme/api\r\n"),
			"LOG_LEVEL":                   "debug",
		}},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := load(t, test.change)
			got := []string{
				string(c.GitHub.WebhookSecrets[0]), c.GitHub.Token.Reveal(), c.CircleCI.Token.Reveal(), c.LogLevel,
			}

			want := []string{goodSecret, goodGitHubToken, goodCircleCIToken, "debug"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("values (- want, + got):\n%s", diff)
			}
		})
	}
}

func TestLoad_PrivateKey(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}

	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}

	pem1 := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	pem8 := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	for _, test := range []struct{ name, text string }{
		{name: "PKCS#1", text: pem1},
		{name: "PKCS#8", text: pem8},
		{name: "lines of Windows", text: strings.ReplaceAll(pem1, "\n", "\r\n")},
		{name: "escaped new lines", text: strings.ReplaceAll(pem1, "\n", `\n`)},
		{name: "base64", text: base64.StdEncoding.EncodeToString([]byte(pem8))},
		{name: "byte order mark", text: "\ufeff" + pem1},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := load(t, map[string]string{
				"GITHUB_TOKEN":           "",
				"GITHUB_APP_ID":          "12",
				"GITHUB_APP_PRIVATE_KEY": test.text,
			})

			if c.GitHub.AppID != 12 || !c.GitHub.PrivateKey.Reveal().Equal(key) {
				t.Errorf("got App %d and another key, want 12 and the key", c.GitHub.AppID)
			}
		})
	}
}

func TestLoad_WarnsOfTokensInClear(t *testing.T) {
	for _, test := range []struct {
		name, variable, url string
		want                bool
	}{
		{name: "GitHub over http", variable: "GITHUB_API_URL", url: "http://ghes.example.com/api/v3", want: true},
		{name: "CircleCI over http", variable: "CIRCLECI_API_URL", url: "http://10.0.0.7/api/v2", want: true},
		{name: "metadata service", variable: "GITHUB_API_URL", url: "http://169.254.169.254/", want: true},
		{name: "https", variable: "CIRCLECI_API_URL", url: "https://ci.example.com/api/v2", want: false},
		{name: "localhost", variable: "GITHUB_API_URL", url: "http://Localhost:8081/", want: false},
		{name: "IPv4 loopback", variable: "GITHUB_API_URL", url: "http://127.0.0.2/", want: false},
		{name: "IPv6 loopback", variable: "GITHUB_API_URL", url: "http://[::1]:8081/", want: false},
		{name: "no token is sent there", variable: "PUBLIC_URL", url: "http://seraph.example.com", want: false},
	} {
		t.Run(test.name, func(t *testing.T) {
			warnings := load(t, map[string]string{test.variable: test.url}).Warnings
			got := strings.Contains(
				strings.Join(warnings, "\n"),
				Prefix+test.variable+": the token is sent unencrypted",
			)
			if got != test.want {
				t.Errorf("got warnings %q, want one about a token in clear: %t", warnings, test.want)
			}
		})
	}
}

func TestLoad_Retention(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       time.Duration
	}{
		{name: "default", text: "", want: 90 * 24 * time.Hour},
		{name: "for ever", text: "0", want: 0},
		{name: "for ever, with a unit", text: "0s", want: 0},
		{name: "the shortest", text: "72h", want: 72 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := load(t, map[string]string{"RETENTION": test.text}).Retention; got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestLoad_AllProblemsAtOnce(t *testing.T) {
	setEnvironment(t, map[string]string{
		"ADDR":         "x",
		"GITHUB_TOKEN": "",
		"POLL_MIN":     "x",
		"ROUTES":       "routes:\n- repository: x\n  task: deploy:lock",
		"LOG_LEVEL":    "x",
	})

	_, err := Load()
	if got := strings.Count(err.Error(), "\n") + 1; got != 6 {
		t.Errorf("got %d problems, want 6: %v", got, err)
	}
}

func TestLoad_WarnsOfUnknownNames(t *testing.T) {
	got := load(t, map[string]string{
		"GITHUB_TOKN":       "x",
		"SERVICE_HOST":      "x",
		"PORT":              "tcp://x",
		"PORT_8080_TCP":     "x",
		"ADDR_FILE":         "x",
		"GITHUB_TOKEN_FILE": "",
	}).Warnings

	text := strings.Join(got, "\n")
	const hint = "SERAPH_GITHUB_TOKN is not known and is ignored; did you mean SERAPH_GITHUB_TOKEN?"
	if len(got) != 2 || !strings.Contains(text, hint) || !strings.Contains(text, "SERAPH_ADDR_FILE") {
		t.Errorf("got %q, want a warning about each of the two names", got)
	}
}

func TestConfig_PrintsNoSecret(t *testing.T) {
	c := load(t, map[string]string{"API_TOKENS": goodAPIToken})
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct{ name, text string }{
		{name: "%v", text: fmt.Sprintf("%v", c)},
		{name: "%+v", text: fmt.Sprintf("%+v", *c)},
		{name: "%#v", text: fmt.Sprintf("%#v", *c)},
		{name: "Print of a part", text: fmt.Sprint(c.GitHub)},
		{name: "JSON", text: string(asJSON)},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, secret := range []string{goodSecret, goodGitHubToken, goodCircleCIToken, goodAPIToken} {
				if strings.Contains(test.text, secret) {
					t.Errorf("got %s, want no secret", test.text)
				}
			}
		})
	}
}

func TestLoad_TokenOfAChat(t *testing.T) {
	c := load(t, map[string]string{
		"API_TOKENS": "hubot:behalf=hubot-slack/T0ACME001:" + goodAPIToken + ",page:behalf:" + otherAPIToken,
	})
	want := []APIToken{
		{
			Name:      "hubot",
			Scope:     "behalf",
			Hash:      sha256.Sum256([]byte(goodAPIToken)),
			Face:      "hubot-slack",
			Workspace: "T0ACME001",
		},
		{Name: "page", Scope: "behalf", Hash: sha256.Sum256([]byte(otherAPIToken))},
	}
	if !slices.Equal(c.APITokens, want) {
		t.Errorf("got %+v, want %+v", c.APITokens, want)
	}
}

// FuzzValues wants that no text makes a value panic, that no problem shows a long text, and that
// tokens which are taken have names and hashes of their own.
func FuzzValues(f *testing.F) {
	f.Add("ci:deploy:" + goodAPIToken + ",x")
	f.Add("bot:behalf=hubot-slack/T0ACME001:" + goodAPIToken)
	f.Add(goodAPIToken + ",token-1:admin:" + otherAPIToken)
	f.Add("sqlite:file::memory:?cache=shared")
	f.Add("-----BEGIN RSA PRIVATE KEY-----\\nAA==\\n-----END RSA PRIVATE KEY-----")
	f.Fuzz(func(t *testing.T, text string) {
		r := &reader{env: environment{APITokens: text, GitHubHookSources: text}}
		tokens := r.apiTokens()
		if len(r.problems) == 0 {
			names, hashes := map[string]bool{}, map[[32]byte]bool{}
			for _, token := range tokens {
				names[strings.ToLower(token.Name)], hashes[token.Hash] = true, true
			}
			for _, token := range tokens {
				if bound := token.Face + token.Workspace; bound != "" && token.Scope != "behalf" {
					t.Errorf("got chat %q of a token with scope %s", bound, token.Scope)
				}
			}
			if len(names) != len(tokens) || len(hashes) != len(tokens) {
				t.Errorf("got %d names and %d tokens of %d elements", len(names), len(hashes), len(tokens))
			}
		}

		r.hookSources(nil)
		r.secrets("X", text)
		r.token("X", text)
		r.database(text)
		r.apiURL("X", text)
		r.addr("X", text)
		r.privateKey(text)
	})
}

// FuzzDecode wants that what is taken is UTF-8 without NUL, and is the text but for one mark.
func FuzzDecode(f *testing.F) {
	f.Add("\ufeffA")
	f.Add("\xff\xfeA\x00")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := decode(text)
		if err != nil {
			return
		}
		if got != text && byteOrderMark+got != text || strings.ContainsRune(got, 0) {
			t.Errorf("got %q of %q", got, text)
		}
	})
}

func TestLoad_SignIn(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef01234567"
	for _, public := range []string{"https://seraph.example.com", "http://localhost:8080", "http://127.0.0.1:8080"} {
		t.Run(public, func(t *testing.T) {
			c := load(t, map[string]string{
				"PUBLIC_URL":                public,
				"GITHUB_CLIENT_ID":          " Iv23liABC ",
				"GITHUB_CLIENT_SECRET_FILE": writeFile(t, secret+"\n"),
			})
			if got := c.GitHub; got.ClientID != "Iv23liABC" || got.ClientSecret.Reveal() != secret {
				t.Errorf("got %q and another secret, want Iv23liABC and the secret", got.ClientID)
			}
			if text := fmt.Sprintf("%+v", c); strings.Contains(text, secret) {
				t.Errorf("got %s, want no secret", text)
			}
		})
	}
}
