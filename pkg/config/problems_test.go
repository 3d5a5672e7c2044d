package config

import (
	"strings"
	"testing"
)

func TestLoad_Problems(t *testing.T) {
	const (
		noEncoding = "not text in UTF-8: save it as UTF-8"
		invisible  = "contains a character that nobody sees"
	)

	tests := []struct {
		name string
		set  map[string]string
		want string
	}{
		{
			name: "address without a port",
			set:  map[string]string{"ADDR": "8080"},
			want: `SERAPH_ADDR: "8080" is not a listen address: write HOST:PORT`,
		},
		{
			name: "metrics on the same address",
			set:  map[string]string{"METRICS_ADDR": ":8080"},
			want: "SERAPH_METRICS_ADDR: the same address as SERAPH_ADDR",
		},
		{
			name: "URL without a scheme",
			set:  map[string]string{"PUBLIC_URL": "seraph.example.com"},
			want: "SERAPH_PUBLIC_URL: not an absolute URL",
		},
		{
			name: "URL without a host",
			set:  map[string]string{"PUBLIC_URL": "http://:8080"},
			want: "SERAPH_PUBLIC_URL: not an absolute URL",
		},
		{
			name: "URL with a password",
			set:  map[string]string{"PUBLIC_URL": "https://u:hunter2hunter2@x.example.com"},
			want: "SERAPH_PUBLIC_URL: contains a user name or a password",
		},
		{
			name: "URL with a query",
			set:  map[string]string{"GITHUB_API_URL": "https://x.example.com/?a=b"},
			want: "SERAPH_GITHUB_API_URL: contains a query",
		},
		{
			name: "client id without a secret",
			set:  map[string]string{"PUBLIC_URL": "https://x.example.com", "GITHUB_CLIENT_ID": "Iv23"},
			want: "SERAPH_GITHUB_CLIENT_SECRET: required with SERAPH_GITHUB_CLIENT_ID",
		},
		{
			name: "client secret without an id",
			set:  map[string]string{"PUBLIC_URL": "https://x.example.com", "GITHUB_CLIENT_SECRET": "hunter2"},
			want: "SERAPH_GITHUB_CLIENT_ID: required with SERAPH_GITHUB_CLIENT_SECRET",
		},
		{
			name: "client id with a space",
			set: map[string]string{
				"PUBLIC_URL":           "https://x.example.com",
				"GITHUB_CLIENT_ID":     "Iv 23",
				"GITHUB_CLIENT_SECRET": "hunter2",
			},
			want: "SERAPH_GITHUB_CLIENT_ID: contains a character that no client id has",
		},
		{
			name: "sign-in without an address to come back to",
			set:  map[string]string{"GITHUB_CLIENT_ID": "Iv23", "GITHUB_CLIENT_SECRET": "hunter2"},
			want: "SERAPH_PUBLIC_URL: required with SERAPH_GITHUB_CLIENT_ID",
		},
		{
			name: "sign-in over http",
			set: map[string]string{
				"PUBLIC_URL":           "http://x.example.com",
				"GITHUB_CLIENT_ID":     "Iv23",
				"GITHUB_CLIENT_SECRET": "hunter2",
			},
			want: "SERAPH_PUBLIC_URL: http is not enough",
		},
		{
			name: "sign-in at GitHub over http",
			set: map[string]string{
				"PUBLIC_URL":           "https://x.example.com",
				"GITHUB_API_URL":       "https://ghes.example.com/api/v3",
				"GITHUB_WEB_URL":       "http://ghes.example.com/",
				"GITHUB_CLIENT_ID":     "Iv23",
				"GITHUB_CLIENT_SECRET": "hunter2",
			},
			want: "SERAPH_GITHUB_WEB_URL: http is not enough",
		},
		{
			name: "sign-in at another GitHub than the API's",
			set: map[string]string{
				"PUBLIC_URL":           "https://x.example.com",
				"GITHUB_API_URL":       "https://ghes.example.com/api/v3",
				"GITHUB_CLIENT_ID":     "Iv23",
				"GITHUB_CLIENT_SECRET": "hunter2",
			},
			want: "SERAPH_GITHUB_WEB_URL: github.com does not belong to SERAPH_GITHUB_API_URL",
		},
		{
			name: "no webhook secret",
			set:  map[string]string{"GITHUB_WEBHOOK_SECRETS": ""},
			want: "SERAPH_GITHUB_WEBHOOK_SECRETS: required: GitHub webhook secret (at least 16 bytes)",
		},
		{
			name: "short webhook secret",
			set:  map[string]string{"GITHUB_WEBHOOK_SECRETS": goodSecret + ",hunter2"},
			want: "element 2 has 7 bytes, at least 16 are needed: create one",
		},
		{
			name: "empty element of a list",
			set:  map[string]string{"GITHUB_WEBHOOK_SECRETS": goodSecret + ", ,"},
			want: "element 2 of the list is empty",
		},
		{
			name: "secret with a tab",
			set:  map[string]string{"GITHUB_WEBHOOK_SECRETS": "hunter2hunter2\thunter2"},
			want: invisible,
		},
		{
			name: "secret in a variable and a file",
			set:  map[string]string{"GITHUB_TOKEN_FILE": "/x"},
			want: "SERAPH_GITHUB_TOKEN: SERAPH_GITHUB_TOKEN_FILE is set too",
		},
		{
			name: "file of a secret missing",
			set:  map[string]string{"CIRCLECI_TOKEN": "", "CIRCLECI_TOKEN_FILE": "/does/not/exist"},
			want: "SERAPH_CIRCLECI_TOKEN_FILE: read the file",
		},
		{
			name: "file of a secret empty",
			set:  map[string]string{"CIRCLECI_TOKEN": "", "CIRCLECI_TOKEN_FILE": writeFile(t, "\n")},
			want: "SERAPH_CIRCLECI_TOKEN_FILE: the file is empty",
		},
		{
			name: "file of a secret in UTF-16",
			set:  map[string]string{"CIRCLECI_TOKEN": "", "CIRCLECI_TOKEN_FILE": writeFile(t, "\xff\xfeh\x00u\x00")},
			want: "SERAPH_CIRCLECI_TOKEN_FILE: the file is " + noEncoding,
		},
		{
			name: "file of a secret in UTF-16 without a mark",
			set:  map[string]string{"CIRCLECI_TOKEN": "", "CIRCLECI_TOKEN_FILE": writeFile(t, "h\x00u\x00")},
			want: "SERAPH_CIRCLECI_TOKEN_FILE: the file is " + noEncoding,
		},
		{
			name: "file of a secret with a second byte order mark",
			set:  map[string]string{"CIRCLECI_TOKEN": "", "CIRCLECI_TOKEN_FILE": writeFile(t, "\ufeff\ufeffhunter2")},
			want: "SERAPH_CIRCLECI_TOKEN_FILE: " + invisible,
		},
		{
			name: "variable in Latin-1",
			set:  map[string]string{"GITHUB_WEBHOOK_SECRETS": "hunter2hunter2\xe4\xf6"},
			want: "SERAPH_GITHUB_WEBHOOK_SECRETS: " + noEncoding,
		},
		{
			name: "zero-width space in a secret",
			set:  map[string]string{"GITHUB_WEBHOOK_SECRETS": "hunter2hunter2hunter2\u200b"},
			want: "SERAPH_GITHUB_WEBHOOK_SECRETS: " + invisible,
		},
		{
			name: "no-break space in a secret",
			set:  map[string]string{"CIRCLECI_WEBHOOK_SECRETS": "hunter2hunter2\u00a0hunter2"},
			want: "SERAPH_CIRCLECI_WEBHOOK_SECRETS: " + invisible,
		},
		{
			name: "direction mark in a database URL",
			set:  map[string]string{"DATABASE_URL": "postgres://u:hunter2\u202e@x/y"},
			want: "SERAPH_DATABASE_URL: " + invisible,
		},
		{
			name: "invisible filler in an API token",
			set:  map[string]string{"API_TOKENS": "hunter2hunter2hunter2hunter2hunter2\u3164"},
			want: "SERAPH_API_TOKENS: " + invisible,
		},
		{
			name: "token and App",
			set:  map[string]string{"GITHUB_APP_ID": "5"},
			want: "SERAPH_GITHUB_TOKEN: a token and a GitHub App are both set",
		},
		{
			name: "neither token nor App",
			set:  map[string]string{"GITHUB_TOKEN": ""},
			want: "SERAPH_GITHUB_TOKEN: no GitHub credentials: set a token, or",
		},
		{
			name: "App without a key",
			set:  map[string]string{"GITHUB_TOKEN": "", "GITHUB_APP_ID": "5"},
			want: "SERAPH_GITHUB_APP_PRIVATE_KEY: required with SERAPH_GITHUB_APP_ID",
		},
		{
			name: "key without an App",
			set:  map[string]string{"GITHUB_TOKEN": "", "GITHUB_APP_PRIVATE_KEY": "x"},
			want: "SERAPH_GITHUB_APP_ID: required with SERAPH_GITHUB_APP_PRIVATE_KEY",
		},
		{
			name: "client id of an App",
			set:  map[string]string{"GITHUB_TOKEN": "", "GITHUB_APP_ID": "Iv1.abc"},
			want: "SERAPH_GITHUB_APP_ID: not a positive number",
		},
		{
			name: "private key of something else",
			set:  map[string]string{"GITHUB_TOKEN": "", "GITHUB_APP_ID": "5", "GITHUB_APP_PRIVATE_KEY": "hunter2"},
			want: "SERAPH_GITHUB_APP_PRIVATE_KEY: not an RSA private key",
		},
		{
			name: "two tokens in one variable",
			set:  map[string]string{"GITHUB_TOKEN": "hunter2 hunter2"},
			want: "SERAPH_GITHUB_TOKEN: contains a space",
		},
		{
			name: "address range of words",
			set:  map[string]string{"GITHUB_HOOK_SOURCES": "10.0.0.0/8,everything"},
			want: "SERAPH_GITHUB_HOOK_SOURCES: element 2 is not an address range",
		},
		{
			name: "published ranges of another GitHub",
			set:  map[string]string{"GITHUB_HOOK_SOURCES": "meta", "GITHUB_API_URL": "https://h.example.com/api/v3"},
			want: "meta is known for github.com only",
		},
		{
			name: "trusted proxies",
			set:  map[string]string{"TRUSTED_PROXIES": "x"},
			want: "SERAPH_TRUSTED_PROXIES: element 1",
		},
		{
			name: "no CircleCI token",
			set:  map[string]string{"CIRCLECI_TOKEN": ""},
			want: "SERAPH_CIRCLECI_TOKEN: required: personal API token",
		},
		{
			name: "duration without a unit",
			set:  map[string]string{"CIRCLECI_TIMEOUT": "15"},
			want: `SERAPH_CIRCLECI_TIMEOUT: "15" is not a positive duration`,
		},
		{
			name: "duration of 0",
			set:  map[string]string{"LOOKUP_GRACE": "0s"},
			want: `SERAPH_LOOKUP_GRACE: "0s" is not a positive duration`,
		},
		{
			name: "first pause longer than the longest",
			set:  map[string]string{"POLL_MIN": "1m"},
			want: "SERAPH_POLL_MIN: 1m0s is longer than SERAPH_POLL_MAX (30s)",
		},
		{
			name: "negative number",
			set:  map[string]string{"GITHUB_WRITES_PER_MINUTE": "-1"},
			want: `SERAPH_GITHUB_WRITES_PER_MINUTE: "-1" is not a number from 0`,
		},
		{
			name: "no routes",
			set:  map[string]string{"ROUTES": ""},
			want: "SERAPH_ROUTES_FILE: no routes",
		},
		{
			name: "routes in a variable and a file",
			set:  map[string]string{"ROUTES_FILE": "/x"},
			want: "SERAPH_ROUTES: SERAPH_ROUTES_FILE is set too",
		},
		{
			name: "bad routes",
			set:  map[string]string{"ROUTES": "routes:\n- repository: x"},
			want: "SERAPH_ROUTES:2: repository",
		},
		{
			name: "routes file in UTF-16",
			set:  map[string]string{"ROUTES": "", "ROUTES_FILE": writeFile(t, "\xff\xfer\x00o\x00")},
			want: "SERAPH_ROUTES_FILE: the file is " + noEncoding,
		},
		{
			name: "unknown log level",
			set:  map[string]string{"LOG_LEVEL": "loud"},
			want: `SERAPH_LOG_LEVEL: "loud" is unknown: write one of debug, info, warn, error`,
		},
		{
			name: "log level that only the library knows",
			set:  map[string]string{"LOG_LEVEL": "trace"},
			want: `SERAPH_LOG_LEVEL: "trace" is unknown`,
		},
		{
			name: "unknown log format",
			set:  map[string]string{"LOG_FORMAT": "xml"},
			want: "write one of json, console",
		},
		{
			name: "no time to shut down",
			set:  map[string]string{"SHUTDOWN_GRACE": "0s"},
			want: `SERAPH_SHUTDOWN_GRACE: "0s" is not a positive duration`,
		},
		{
			name: "short retention",
			set:  map[string]string{"RETENTION": "10m"},
			want: `SERAPH_RETENTION: "10m" is too short: write at least 72h, or 0`,
		},
		{
			name: "negative retention",
			set:  map[string]string{"RETENTION": "-1h"},
			want: `SERAPH_RETENTION: "-1h" is not a duration`,
		},
		{
			name: "negative delay",
			set:  map[string]string{"SHUTDOWN_DELAY": "-1s"},
			want: `SERAPH_SHUTDOWN_DELAY: "-1s" is not a duration`,
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantProblem(t, test.set, test.want) })
	}
}

// wantProblem loads a changed configuration, and wants a problem that shows no secret.
func wantProblem(t *testing.T, change map[string]string, want string) {
	t.Helper()
	setEnvironment(t, change)
	_, err := Load()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, want %q", err, want)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got a problem that shows a secret: %v", err)
	}
}
