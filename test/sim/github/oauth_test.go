package github

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	oauthCallback = "https://seraph.example.com/login/callback"
	oauthVerifier = "a-verifier-of-forty-three-characters-0123456"
)

// signInForm is what a browser has sent GitHub: the query of the address, and the form of the page.
func signInForm(change map[string]string) url.Values {
	sum := sha256.Sum256([]byte(oauthVerifier))
	form := map[string]string{
		"client_id":             "Iv1.app",
		"redirect_uri":          oauthCallback,
		"state":                 "s1",
		"code_challenge":        base64.RawURLEncoding.EncodeToString(sum[:]),
		"code_challenge_method": "S256",
		"login":                 "alice",
		"authorize":             "1",
	}
	maps.Copy(form, change)

	values := url.Values{}
	for name, value := range form {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// postWeb posts a form to one of the web pages.
func postWeb(t *testing.T, s *Server, path string, form url.Values, accept string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.WebURL()+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if accept != "" {
		req.Header.Set("Accept", accept)
	}

	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()

	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func newOAuthServer(t *testing.T, now func() time.Time) *Server {
	t.Helper()
	s := New(Options{Now: now})
	if err := s.Start(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.AddUser("alice")
	s.AddOAuthApp(OAuthApp{ClientID: "Iv1.app", ClientSecret: "secret", Callback: oauthCallback, GitHubApp: true})
	return s
}

// TestAuthorize sends a browser back as GitHub does: with a code, or with what was wrong.
func TestAuthorize(t *testing.T) {
	for _, c := range []struct {
		name   string
		change map[string]string
		status int
		want   string // Location
	}{
		{name: "authorized", status: 302, want: oauthCallback + "?code=000000000000c0de0000&state=s1"},
		{
			name:   "below the callback",
			change: map[string]string{"redirect_uri": oauthCallback + "/x"},
			status: 302,
			want:   oauthCallback + "/x?code=000000000000c0de0000&state=s1",
		},
		{
			name:   "no redirect_uri",
			change: map[string]string{"redirect_uri": ""},
			status: 302,
			want:   oauthCallback + "?code=000000000000c0de0000&state=s1",
		},
		{
			name:   "canceled",
			change: map[string]string{"authorize": "0"},
			status: 302,
			want: oauthCallback + "?error=access_denied&" +
				"error_description=The+user+has+denied+your+application+access.&state=s1",
		},
		{
			name:   "another host",
			change: map[string]string{"redirect_uri": "https://evil.example.com/login/callback"},
			status: 302,
			want: oauthCallback + "?error=redirect_uri_mismatch&" +
				"error_description=The+redirect_uri+is+not+associated+with+this+application.&state=s1",
		},
		{name: "unknown application", change: map[string]string{"client_id": "Iv1.other"}, status: 404},
		{name: "nobody", change: map[string]string{"login": "stranger"}, status: 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newOAuthServer(t, time.Now)
			resp, text := postWeb(t, s, "/login/oauth/authorize", signInForm(c.change), "")
			if got := resp.Header.Get("Location"); resp.StatusCode != c.status || got != c.want {
				t.Errorf("got %d to %q, want %d to %q: %s", resp.StatusCode, got, c.status, c.want, text)
			}
		})
	}
}

// TestAccessToken answers an exchange as GitHub does: what is wrong comes with 200.
func TestAccessToken(t *testing.T) {
	for _, c := range []struct {
		name   string
		change map[string]string
		after  time.Duration
		status int
		want   string // error; empty: a token
	}{
		{name: "good", status: 200},
		{name: "no redirect_uri", change: map[string]string{"redirect_uri": ""}, status: 200},
		{
			name:   "wrong secret",
			change: map[string]string{"client_secret": "x"},
			status: 200,
			want:   "incorrect_client_credentials",
		},
		{name: "wrong code", change: map[string]string{"code": "x"}, status: 200, want: "bad_verification_code"},
		{name: "no verifier", change: map[string]string{"code_verifier": ""}, status: 200, want: "bad_verification_code"},
		{name: "too late", after: 11 * time.Minute, status: 200, want: "bad_verification_code"},
		{
			name:   "another redirect_uri",
			change: map[string]string{"redirect_uri": "https://evil.example.com/"},
			status: 200,
			want:   "redirect_uri_mismatch",
		},
		{name: "unknown application", change: map[string]string{"client_id": "x"}, status: 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
			s := newOAuthServer(t, func() time.Time { return now })
			postWeb(t, s, "/login/oauth/authorize", signInForm(nil), "")
			now = now.Add(c.after)
			form := url.Values{}
			fields := map[string]string{
				"client_id":     "Iv1.app",
				"client_secret": "secret",
				"code":          "000000000000c0de0000",
				"redirect_uri":  oauthCallback,
				"code_verifier": oauthVerifier,
			}
			maps.Copy(fields, c.change)
			for name, value := range fields {
				form.Set(name, value)
			}

			resp, text := postWeb(t, s, "/login/oauth/access_token", form, "application/json")
			var got map[string]string
			if resp.StatusCode == http.StatusOK {
				if err := json.Unmarshal([]byte(text), &got); err != nil {
					t.Fatal(err)
				}
			}
			if resp.StatusCode != c.status || got["error"] != c.want {
				t.Errorf("got %d %v, want %d %q", resp.StatusCode, got, c.status, c.want)
			}
			if c.want == "" && c.status == http.StatusOK {
				checkUserToken(t, s, form, got["access_token"])
			}
		})
	}
}

// checkUserToken checks that a code is good for one exchange, and that a token is its person's until it is revoked.
func checkUserToken(t *testing.T, s *Server, form url.Values, token string) {
	t.Helper()
	if _, text := postWeb(t, s, "/login/oauth/access_token", form, ""); !strings.Contains(text, "error=bad_verification_code") {
		t.Errorf("the code again: got %s, want a form with bad_verification_code", text)
	}
	if status, text := sendAPI(t, s, http.MethodGet, "/user", token, ""); status != 200 || !strings.Contains(text, `"login":"alice"`) {
		t.Errorf("GET /user: got %d %s, want alice", status, text)
	}

	body := `{"access_token":"` + token + `"}`
	for _, c := range []struct {
		name, secret, body string
		want               int
	}{
		{name: "wrong secret", secret: "x", body: body, want: 401},
		{name: "another token", secret: "secret", body: `{"access_token":"ghu_x"}`, want: 404},
		{name: "revoke", secret: "secret", body: body, want: 204},
		{name: "again", secret: "secret", body: body, want: 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, text := sendAPI(t, s, http.MethodDelete, "/applications/Iv1.app/token", c.secret, c.body)
			if status != c.want {
				t.Errorf("got %d %s, want %d", status, text, c.want)
			}
		})
	}
	if status, _ := sendAPI(t, s, http.MethodGet, "/user", token, ""); status != 401 {
		t.Errorf("GET /user with a revoked token: got %d, want 401", status)
	}
}

// sendAPI sends a call with a token, or, with a body, with the application's secret.
func sendAPI(t *testing.T, s *Server, method, path, credential, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+credential)
	if body != "" {
		req.SetBasicAuth("Iv1.app", credential)
		req.Header.Set("Content-Type", "application/json")
	}

	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()

	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
