package config

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	secret  = "a-webhook-secret-of-32-bytes-abcd"
	tokenA  = "ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	tokenC  = "CCIPAT_cccccccccccccccccccccccccccccc"
	apiTok  = "0123456789abcdef0123456789abcdef"
	routes1 = "routes: [{repository: acme/api}]"
)

// with sets the environment: a good one, changed.
func with(t *testing.T, change map[string]string) {
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, Prefix) {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}

	good := map[string]string{
		"GITHUB_WEBHOOK_SECRETS": secret,
		"GITHUB_TOKEN":           tokenA,
		"CIRCLECI_TOKEN":         tokenC,
		"ROUTES":                 routes1,
	}

	for k, v := range change {
		good[k] = v
	}

	for k, v := range good {
		t.Setenv(Prefix+k, v)
	}
}

func file(t *testing.T, text string) string {
	path := t.TempDir() + "/f"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, change map[string]string) *Config {
	t.Helper()
	with(t, change)
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	for _, decoy := range []string{"ADDR", "GITHUB_TOKEN", "CIRCLECI_TOKEN", "ROUTES", "LOG_LEVEL", "POLL_MIN", "API_TOKENS", "DATABASE_URL"} {
		t.Setenv(decoy, "decoy") // bare names are never read
	}

	c := load(t, map[string]string{"LOG_LEVEL": "  ", "API_TOKENS": ""})
	if c.Addr != ":8080" || c.DatabaseURL.Reveal() != "sqlite:seraph.db" || c.LogLevel != "info" ||
		c.LogFormat != "json" ||
		len(c.APITokens) != 0 {
		t.Errorf("%+v", c)
	}

	for name, d := range map[string][2]time.Duration{
		"timeout": {c.CircleCI.Timeout, 15 * time.Second}, "lookup": {c.LookupGrace, 2 * time.Minute}, "workflow": {c.WorkflowGrace, 2 * time.Minute},
		"start": {c.StartTimeout, 15 * time.Minute}, "min": {c.PollMin, 5 * time.Second}, "max": {c.PollMax, 30 * time.Second},
		"age": {c.RecoverMaxAge, time.Hour}, "delay": {c.ShutdownDelay, 0}, "grace": {c.ShutdownGrace, 20 * time.Second},
	} {
		if d[0] != d[1] {
			t.Errorf("%s: %v, want %v", name, d[0], d[1])
		}
	}

	if c.GitHub.WritesPerMinute != 80 || c.CircleCI.ReadsPerSecond != 20 || c.GitHub.HookSources.Mode != SourcesAny ||
		c.GitHub.APIURL.Host != "api.github.com" {
		t.Errorf("%+v", c)
	}
}

func TestSecretsFromFiles(t *testing.T) {
	c := load(t, map[string]string{
		"GITHUB_WEBHOOK_SECRETS": "", "GITHUB_WEBHOOK_SECRETS_FILE": file(t, secret+"\n"+secret+"2\n"),
		"GITHUB_TOKEN": "", "GITHUB_TOKEN_FILE": file(t, tokenA+"\n"), "DATABASE_URL_FILE": file(t, "sqlite:/x.db\n"),
		"ROUTES": "", "ROUTES_FILE": file(t, routes1), "API_TOKENS_FILE": file(t, "ci:deploy:"+apiTok+"\r\n"+apiTok+"\n"),
	})

	if len(c.GitHub.WebhookSecrets) != 2 || string(c.GitHub.WebhookSecrets.Bytes()[1]) != secret+"2" ||
		c.GitHub.Token.Reveal() != tokenA ||
		c.DatabaseURL.Reveal() != "sqlite:/x.db" {
		t.Errorf("%q", c.GitHub.WebhookSecrets.Bytes())
	}
	if len(c.APITokens) != 2 || c.APITokens[0].Name != "ci" || c.APITokens[0].Scope != "deploy" ||
		c.APITokens[1].Scope != "read" {
		t.Errorf("%+v", c.APITokens)
	}
}

func TestKeys(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}

	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}

	one := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	eight := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	for name, text := range map[string]string{
		"PKCS#1": one, "PKCS#8": eight, "escaped new lines": strings.ReplaceAll(one, "\n", `\n`), "base64": base64.StdEncoding.EncodeToString([]byte(eight)),
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, map[string]string{"GITHUB_TOKEN": "", "GITHUB_APP_ID": "12", "GITHUB_APP_PRIVATE_KEY": text})
			if c.GitHub.AppID != 12 || !c.GitHub.PrivateKey.Reveal().Equal(key) {
				t.Error("another key was read")
			}
		})
	}
}

func TestProblems(t *testing.T) {
	for name, c := range map[string]struct {
		set  map[string]string
		want string
	}{
		"address":         {map[string]string{"ADDR": "8080"}, "SERAPH_ADDR: \"8080\" is no listen address"},
		"metrics address": {map[string]string{"METRICS_ADDR": ":8080"}, "the same as SERAPH_ADDR"},
		"public URL": {
			map[string]string{"PUBLIC_URL": "seraph.example.com"},
			"SERAPH_PUBLIC_URL: it is no absolute",
		},
		"user info": {
			map[string]string{"PUBLIC_URL": "https://u:hunter2hunter2@x.example.com"},
			"no user info",
		},
		"query": {map[string]string{"GITHUB_API_URL": "https://x.example.com/?a=b"}, "no query"},
		"database": {
			map[string]string{"DATABASE_URL": "mysql://u:hunter2hunter2@x"},
			"SERAPH_DATABASE_URL: it must be sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME",
		},
		"no secret": {
			map[string]string{"GITHUB_WEBHOOK_SECRETS": ""},
			"SERAPH_GITHUB_WEBHOOK_SECRETS: it is required",
		},
		"short secret": {
			map[string]string{"GITHUB_WEBHOOK_SECRETS": secret + ",hunter2"},
			"element 2 has 7 bytes, at least 16",
		},
		"empty element": {
			map[string]string{"GITHUB_WEBHOOK_SECRETS": secret + ", ,"},
			"element 2 of the list is empty",
		},
		"both": {
			map[string]string{"GITHUB_TOKEN_FILE": "/x"},
			"both it and SERAPH_GITHUB_TOKEN_FILE are set",
		},
		"no file": {
			map[string]string{"CIRCLECI_TOKEN": "", "CIRCLECI_TOKEN_FILE": "/does/not/exist"},
			"SERAPH_CIRCLECI_TOKEN_FILE: the file cannot be read",
		},
		"token and app": {map[string]string{"GITHUB_APP_ID": "5"}, "choose one"},
		"neither":       {map[string]string{"GITHUB_TOKEN": ""}, "SERAPH_GITHUB_TOKEN: a token, or"},
		"app without key": {
			map[string]string{"GITHUB_TOKEN": "", "GITHUB_APP_ID": "5"},
			"SERAPH_GITHUB_APP_PRIVATE_KEY: it is required",
		},
		"key without app": {
			map[string]string{"GITHUB_TOKEN": "", "GITHUB_APP_PRIVATE_KEY": "x"},
			"SERAPH_GITHUB_APP_ID: it is required",
		},
		"app id": {map[string]string{"GITHUB_TOKEN": "", "GITHUB_APP_ID": "Iv1.abc"}, "numeric id"},
		"key": {
			map[string]string{"GITHUB_TOKEN": "", "GITHUB_APP_ID": "5", "GITHUB_APP_PRIVATE_KEY": "hunter2"},
			"no RSA private key",
		},
		"token of two": {
			map[string]string{"GITHUB_TOKEN": "hunter2 hunter2"},
			"SERAPH_GITHUB_TOKEN: it holds a space",
		},
		"hook sources": {
			map[string]string{"GITHUB_HOOK_SOURCES": "10.0.0.0/8,everything"},
			"element 2 is no address range",
		},
		"meta elsewhere": {
			map[string]string{"GITHUB_HOOK_SOURCES": "meta", "GITHUB_API_URL": "https://h.example.com/api/v3"},
			"meta is known for github.com only",
		},
		"proxies":           {map[string]string{"TRUSTED_PROXIES": "x"}, "SERAPH_TRUSTED_PROXIES: element 1"},
		"no CircleCI token": {map[string]string{"CIRCLECI_TOKEN": ""}, "SERAPH_CIRCLECI_TOKEN: it is required"},
		"duration": {
			map[string]string{"CIRCLECI_TIMEOUT": "15"},
			"SERAPH_CIRCLECI_TIMEOUT: \"15\" is no positive duration",
		},
		"no duration": {map[string]string{"LOOKUP_GRACE": "0s"}, "SERAPH_LOOKUP_GRACE"},
		"poll":        {map[string]string{"POLL_MIN": "1m"}, "SERAPH_POLL_MIN: 1m0s is more than"},
		"pace":        {map[string]string{"GITHUB_WRITES_PER_MINUTE": "-1"}, "SERAPH_GITHUB_WRITES_PER_MINUTE"},
		"no routes":   {map[string]string{"ROUTES": ""}, "SERAPH_ROUTES_FILE: it (or SERAPH_ROUTES) is required"},
		"two tables":  {map[string]string{"ROUTES_FILE": "/x"}, "SERAPH_ROUTES: both"},
		"bad routes":  {map[string]string{"ROUTES": "routes:\n- repository: x"}, "SERAPH_ROUTES:2: repository"},
		"API token": {
			map[string]string{"API_TOKENS": "ci:deploy:hunter2"},
			"element 1: the token has 7 characters",
		},
		"API scope":   {map[string]string{"API_TOKENS": "ci:write:" + apiTok}, "scope must be"},
		"API name":    {map[string]string{"API_TOKENS": "c i:read:" + apiTok}, "the name must be"},
		"API parts":   {map[string]string{"API_TOKENS": "ci:" + apiTok}, "NAME:SCOPE:TOKEN or TOKEN"},
		"level":       {map[string]string{"LOG_LEVEL": "loud"}, "SERAPH_LOG_LEVEL"},
		"trace level": {map[string]string{"LOG_LEVEL": "trace"}, "SERAPH_LOG_LEVEL"},
		"format":      {map[string]string{"LOG_FORMAT": "xml"}, "json, console"},
		"grace":       {map[string]string{"SHUTDOWN_GRACE": "0s"}, "SERAPH_SHUTDOWN_GRACE"},
		"retention": {
			map[string]string{"RETENTION": "10m"},
			"SERAPH_RETENTION: \"10m\" is too short: at least 72h",
		},
		"no retention": {
			map[string]string{"RETENTION": "-1h"},
			"SERAPH_RETENTION: \"-1h\" is no positive duration",
		},
		"negative delay": {map[string]string{"SHUTDOWN_DELAY": "-1s"}, "SERAPH_SHUTDOWN_DELAY"},
	} {
		t.Run(name, func(t *testing.T) {
			with(t, c.set)
			_, err := Load()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", err)
			}
		})
	}
}

func TestRetention(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 90 * 24 * time.Hour, "0": 0, "0s": 0, "72h": 72 * time.Hour} {
		if c := load(t, map[string]string{"RETENTION": text}); c.Retention != want {
			t.Errorf("%q: %v, want %v", text, c.Retention, want)
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	with(t, map[string]string{
		"ADDR":         "x",
		"GITHUB_TOKEN": "",
		"POLL_MIN":     "x",
		"ROUTES":       "routes:\n- repository: x\n  task: deploy:lock",
		"LOG_LEVEL":    "x",
	})

	_, err := Load()
	if n := strings.Count(err.Error(), "\n") + 1; n != 6 {
		t.Errorf("%d problems: %v", n, err)
	}
}

func TestUnknownNamesAreWarnedOf(t *testing.T) {
	c := load(t, map[string]string{
		"GITHUB_TOKN": "x", "SERVICE_HOST": "x", "PORT": "tcp://x", "PORT_8080_TCP": "x", "ADDR_FILE": "x", "GITHUB_TOKEN_FILE": "",
	})
	text := strings.Join(c.Warnings, "\n")
	if len(c.Warnings) != 2 ||
		!strings.Contains(text, "SERAPH_GITHUB_TOKN is not known and is ignored; did you mean SERAPH_GITHUB_TOKEN?") ||
		!strings.Contains(text, "SERAPH_ADDR_FILE") {
		t.Errorf("%s", text)
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	c := load(t, map[string]string{"API_TOKENS": apiTok})
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}

	for _, text := range []string{fmt.Sprintf("%v", c), fmt.Sprintf("%+v", *c), fmt.Sprintf("%#v", *c), fmt.Sprint(c.GitHub), string(asJSON)} {
		for _, s := range []string{secret, tokenA, tokenC, apiTok} {
			if strings.Contains(text, s) {
				t.Errorf("%s shows a secret", text)
			}
		}
	}
}

func FuzzValues(f *testing.F) {
	f.Add("ci:deploy:" + apiTok + ",x")
	f.Add("-----BEGIN RSA PRIVATE KEY-----\\nAA==\\n-----END RSA PRIVATE KEY-----")
	f.Fuzz(func(t *testing.T, text string) {
		r := &reader{env: environment{APITokens: text, GitHubHookSources: text}}
		r.apiTokens()
		r.hookSources(nil)
		r.secrets("X", text)
		r.url("X", text)
		r.addr("X", text)
		_, _ = parseKey(text)
	})
}
