package github_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/golang-jwt/jwt/v4"
	hub "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

type appKey struct{ *rsa.PrivateKey }

func newKey(t *testing.T) appKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return appKey{key}
}

func (k appKey) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k.PrivateKey)})
}

func (k appKey) app() *github.App {
	return &github.App{ID: 4711, Slug: "seraph", InstallationID: 9001, PrivateKey: k.pem()}
}

func (k appKey) jwt(t *testing.T, now time.Time, life time.Duration) string {
	t.Helper()
	claims := jwt.RegisteredClaims{
		Issuer:    "4711",
		IssuedAt:  jwt.NewNumericDate(now.Add(-time.Minute)),
		ExpiresAt: jwt.NewNumericDate(now.Add(life)),
	}

	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(k.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}

	return signed
}

// TestServer_Authentication makes calls with each kind of credential.
func TestServer_Authentication(t *testing.T) {
	key, otherKey := newKey(t), newKey(t)
	s := setup(t, github.Options{App: key.app()})
	s.AddToken("read-only", "reader", map[string]string{"deployments": "read", "metadata": "read"})
	good := key.jwt(t, time.Now(), 5*time.Minute)
	statuses := statusesPath(deploy(t, s, github.NewDeployment{}))
	cases := map[string]struct {
		method, path, token string
		status              int
		says                string
	}{
		"no token": {method: "GET", path: "/repos/" + repo, status: 401, says: "Requires authentication"},
		"unknown token": {
			method: "GET",
			path:   "/repos/" + repo,
			token:  "ghp_nonsense",
			status: 401,
			says:   "Bad credentials",
		},
		"personal token": {method: "GET", path: "/repos/" + repo, token: github.DefaultToken, status: 200},
		"own user":       {method: "GET", path: "/user", token: github.DefaultToken, status: 200},
		"token without the permission": {
			method: "POST",
			path:   statuses,
			token:  "read-only",
			status: 403,
			says:   "Resource not accessible by personal access token",
		},
		"token with the permission": {method: "GET", path: statuses, token: "read-only", status: 200},
		"other repository": {
			method: "GET",
			path:   "/repos/acme/none",
			token:  github.DefaultToken,
			status: 404,
			says:   "Not Found",
		},
		"app":           {method: "GET", path: "/app", token: good, status: 200},
		"app, no token": {method: "GET", path: "/app", status: 401, says: "could not be decoded"},
		"app, personal token": {
			method: "GET",
			path:   "/app",
			token:  github.DefaultToken,
			status: 401,
			says:   "could not be decoded",
		},
		"app, other key": {
			method: "GET",
			path:   "/app",
			token:  otherKey.jwt(t, time.Now(), time.Minute),
			status: 401,
			says:   "could not be decoded",
		},
		"app, expired": {
			method: "GET",
			path:   "/app",
			token:  key.jwt(t, time.Now(), -time.Second),
			status: 401,
			says:   "'exp'",
		},
		"app, too far ahead": {
			method: "GET",
			path:   "/app",
			token:  key.jwt(t, time.Now(), time.Hour),
			status: 401,
			says:   "too far in the future",
		},
		"app, not yet issued": {
			method: "GET",
			path:   "/app",
			token:  key.jwt(t, time.Now().Add(5*time.Minute), time.Minute),
			status: 401,
			says:   "'iat'",
		},
		"jwt for a repository": {
			method: "GET",
			path:   "/repos/" + repo,
			token:  good,
			status: 401,
			says:   "Bad credentials",
		},
		"installation": {
			method: "GET",
			path:   "/repos/" + repo + "/installation",
			token:  good,
			status: 200,
		},
		"unknown installation": {
			method: "POST",
			path:   "/app/installations/1/access_tokens",
			token:  good,
			status: 404,
			says:   "Not Found",
		},
		"meta needs nothing": {method: "GET", path: "/meta", status: 200},
		"unknown call": {
			method: "PUT",
			path:   "/repos/" + repo,
			token:  github.DefaultToken,
			status: 404,
			says:   "Not Found",
		},
	}

	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := do(t, s, c.method, c.path, c.token, map[string]string{"POST": `{"state":"queued"}`}[c.method])
			if got.status != c.status || !strings.Contains(got.text("message"), c.says) && c.says != "" {
				t.Errorf("got %d %v, want %d %q", got.status, got.body, c.status, c.says)
			}
		})
	}

	for _, v := range s.Violations() {
		if !strings.Contains(v, "PUT ") {
			t.Error("violation:", v)
		}
	}
}

// TestApp_EndToEnd uses common client libraries to find the installation, get a token and write a status.
func TestApp_EndToEnd(t *testing.T) {
	key, clock := newKey(t), newClock()
	s := setup(t, github.Options{App: key.app(), Now: clock.now})
	tr := &http.Transport{DisableKeepAlives: true}
	app, err := ghinstallation.NewAppsTransport(tr, 4711, key.pem())
	if err != nil {
		t.Fatal(err)
	}

	found, _, err := newClient(t, s, app).Apps.FindRepositoryInstallation(t.Context(), "acme", "api")
	if err != nil || found.GetID() != 9001 {
		t.Fatalf("got installation %d, %v, want 9001", found.GetID(), err)
	}

	installed, err := ghinstallation.New(tr, 4711, found.GetID(), key.pem())
	if err != nil {
		t.Fatal(err)
	}

	installed.BaseURL = s.URL()
	d := deploy(t, s, github.NewDeployment{})
	write := func(in *hub.DeploymentStatusRequest) error {
		_, _, err := newClient(t, s, installed).Repositories.CreateDeploymentStatus(t.Context(), "acme", "api", d.ID, in)
		return err
	}

	if err := write(&hub.DeploymentStatusRequest{State: new("queued")}); err != nil {
		t.Fatal(err)
	}
	if got := s.Statuses(repo, d.ID)[0].Creator; got != "seraph[bot]" || s.TokensIssued() != 1 {
		t.Errorf("got creator %q and %d tokens, want seraph[bot] and 1", got, s.TokensIssued())
	}

	wantNoViolations(t, s)
	s.SetPermission("deployments", "read")
	if err := write(&hub.DeploymentStatusRequest{
		State: new("success"),
	}); !says(err, "Resource not accessible by integration") {
		t.Errorf("got %v without the permission, want a refusal", err)
	}

	s.Uninstall(repo)
	if err := write(&hub.DeploymentStatusRequest{State: new("success")}); !says(err, "404") {
		t.Errorf("got %v for an uninstalled repository, want 404", err)
	}

	clock.advance(time.Hour)
	token, err := installed.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := do(t, s, "GET", "/repos/"+repo, token, ""); got.status != 401 {
		t.Errorf("got %d for an expired token, want 401", got.status)
	}
}

func newClient(t *testing.T, s *github.Server, tr http.RoundTripper) *hub.Client {
	t.Helper()
	if app, ok := tr.(*ghinstallation.AppsTransport); ok {
		app.BaseURL = s.URL()
	}

	// no Timeout: with one, v60 leaks a goroutine after each refusal until the timeout
	c := hub.NewClient(&http.Client{Transport: tr})
	base, err := c.BaseURL.Parse(s.URL() + "/")
	if err != nil {
		t.Fatal(err)
	}

	c.BaseURL = base
	return c
}

func says(err error, text string) bool { return err != nil && strings.Contains(fmt.Sprint(err), text) }
