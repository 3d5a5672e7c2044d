package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadClient(t *testing.T) {
	setEnvironment(t, map[string]string{"API_URL": "http://seraph.example.com", "API_TOKEN": goodAPIToken})
	c, err := LoadClient(ClientDefaults{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Token.Reveal() != goodAPIToken || c.URL.Host != "seraph.example.com" || len(c.Warnings) != 1 {
		t.Errorf(
			"got %v, %q and warnings %q, want the token, the URL and one warning",
			c.URL,
			c.Token.Reveal(),
			c.Warnings,
		)
	}

	t.Setenv(Prefix+"API_TOKEN", "")
	const want = "SERAPH_API_TOKEN: required: one of the tokens"
	if _, err := LoadClient(ClientDefaults{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// TestLoadClient_Defaults wants that the environment wins, except over defaults that somebody asked for by
// name, and that a token of defaults goes to no other address.
func TestLoadClient_Defaults(t *testing.T) {
	const kept = "a-token-that-is-kept-with-an-address"
	for _, test := range []struct {
		name      string
		env       map[string]string
		defaults  ClientDefaults
		wantURL   string
		wantToken string // empty: there is none, which is an error
	}{
		{
			name:      "nothing in the environment",
			defaults:  ClientDefaults{URL: "https://kept", Token: kept},
			wantURL:   "https://kept",
			wantToken: kept,
		},
		{
			name:      "everything in the environment",
			env:       map[string]string{"API_URL": "https://env", "API_TOKEN": goodAPIToken},
			defaults:  ClientDefaults{URL: "https://kept", Token: kept},
			wantURL:   "https://env",
			wantToken: goodAPIToken,
		},
		{
			name:     "another address in the environment",
			env:      map[string]string{"API_URL": "https://env"},
			defaults: ClientDefaults{URL: "https://kept", Token: kept},
			wantURL:  "https://env",
		},
		{
			name:      "another token in the environment",
			env:       map[string]string{"API_TOKEN": goodAPIToken},
			defaults:  ClientDefaults{URL: "https://kept", Token: kept},
			wantURL:   "https://kept",
			wantToken: goodAPIToken,
		},
		{
			name:      "asked for by name",
			env:       map[string]string{"API_URL": "https://env", "API_TOKEN": goodAPIToken},
			defaults:  ClientDefaults{URL: "https://kept", Token: kept, Preferred: true},
			wantURL:   "https://kept",
			wantToken: kept,
		},
		{
			name:     "asked for by name, without a token",
			env:      map[string]string{"API_URL": "https://env", "API_TOKEN": goodAPIToken},
			defaults: ClientDefaults{URL: "https://kept", Preferred: true},
			wantURL:  "https://kept",
		},
		{name: "nothing at all", wantURL: "http://127.0.0.1:8080"},
	} {
		t.Run(test.name, func(t *testing.T) {
			setEnvironment(t, test.env)
			for _, name := range []string{"API_URL", "API_TOKEN"} {
				if test.env[name] == "" {
					t.Setenv(Prefix+name, "")
				}
			}

			c, err := LoadClient(test.defaults)
			if (err == nil) != (test.wantToken != "") {
				t.Fatalf("got %v, want an error: %t", err, test.wantToken == "")
			}
			if err == nil && (c.URL.String() != test.wantURL || c.Token.Reveal() != test.wantToken) {
				t.Errorf("got %s and token %q, want %s and %q", c.URL, c.Token.Reveal(), test.wantURL, test.wantToken)
			}

			u, err := LoadAPIURL(test.defaults)
			if err != nil || u.String() != test.wantURL {
				t.Errorf("got %v and %v without a token, want %s", u, err, test.wantURL)
			}
		})
	}
}

// TestLoadClient_AllowHTTP wants a warning about a token in clear, unless it is about an address for which
// somebody has allowed it.
func TestLoadClient_AllowHTTP(t *testing.T) {
	const kept = "http://192.0.2.1:8080"
	for _, test := range []struct {
		name string
		url  string
		want int
	}{
		{name: "allowed", url: "", want: 0},
		{name: "another address", url: "http://192.0.2.2:8080", want: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			setEnvironment(t, map[string]string{"API_TOKEN": goodAPIToken})
			t.Setenv(Prefix+"API_URL", test.url)
			c, err := LoadClient(ClientDefaults{URL: kept, AllowHTTP: true})
			if err != nil || len(c.Warnings) != test.want {
				t.Errorf("got warnings %q and %v, want %d", c.Warnings, err, test.want)
			}
		})
	}
}

// TestLoadClient_OtherVariables wants that problems of variables which are not used here stop nobody.
func TestLoadClient_OtherVariables(t *testing.T) {
	setEnvironment(t, map[string]string{"API_TOKEN": goodAPIToken, "GITHUB_TOKEN_FILE": "/nonexistent"})
	if _, err := LoadClient(ClientDefaults{}); err != nil {
		t.Errorf("got %v, want none", err)
	}
	if _, err := LoadAPIURL(ClientDefaults{}); err != nil {
		t.Errorf("got %v, want none", err)
	}
}

// TestLoadClient_FileOfTheToken wants the error to say why the file of the token cannot be read, and not that a token
// is required.
func TestLoadClient_FileOfTheToken(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "token")
	setEnvironment(t, map[string]string{"API_TOKEN_FILE": missing})

	_, err := LoadClient(ClientDefaults{})

	want := "SERAPH_API_TOKEN_FILE: read the file: open " + missing + ": no such file or directory"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestLoadDatabaseURL wants the errors of this one variable, and of no other.
func TestLoadDatabaseURL(t *testing.T) {
	tests := []struct {
		name        string
		environment map[string]string
		want        string
		wantError   string
	}{
		{name: "set", environment: map[string]string{"DATABASE_URL": "sqlite:a.db"}, want: "sqlite:a.db"},
		{name: "not set", want: "sqlite:seraph.db"},
		{
			name:        "bad",
			environment: map[string]string{"DATABASE_URL": "a.db"},
			wantError:   "SERAPH_DATABASE_URL: not a database URL: ",
		},
		{
			name:        "file that is not there",
			environment: map[string]string{"DATABASE_URL_FILE": "/nonexistent"},
			wantError:   "SERAPH_DATABASE_URL_FILE: read the file: ",
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			setEnvironment(t, map[string]string{
				"GITHUB_WEBHOOK_SECRETS": "",
				"GITHUB_TOKEN":           "",
				"CIRCLECI_TOKEN_FILE":    "/nonexistent",
				"ROUTES":                 "",
			})
			for name, value := range test.environment {
				t.Setenv(Prefix+name, value)
			}

			got, err := LoadDatabaseURL()

			if test.wantError != "" {
				if err == nil || !strings.HasPrefix(err.Error(), test.wantError) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want only %q", err, test.wantError)
				}
				return
			}
			if err != nil || got.Reveal() != test.want {
				t.Errorf("got %q and %v, want %q", got.Reveal(), err, test.want)
			}
		})
	}
}
