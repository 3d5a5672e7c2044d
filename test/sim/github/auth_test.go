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

// TestWhoMayAsk makes the same call with each kind of credential.
func TestWhoMayAsk(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	s := setup(t, github.Options{App: key.app()})
	s.AddToken("read-only", "reader", map[string]string{"deployments": "read", "metadata": "read"})
	good := key.jwt(t, time.Now(), 5*time.Minute)
	statuses := statusesPath(deploy(t, s, github.NewDeployment{}))
	cases := map[string]struct {
		method, path, token string
		status              int
		says                string
	}{
		"no token":       {"GET", "/repos/" + repo, "", 401, "Requires authentication"},
		"unknown token":  {"GET", "/repos/" + repo, "ghp_nonsense", 401, "Bad credentials"},
		"personal token": {"GET", "/repos/" + repo, github.DefaultToken, 200, ""},
		"who am I":       {"GET", "/user", github.DefaultToken, 200, ""},
		"too small a token": {
			"POST",
			statuses,
			"read-only",
			403,
			"Resource not accessible by personal access token",
		},
		"large enough":        {"GET", statuses, "read-only", 200, ""},
		"other repository":    {"GET", "/repos/acme/none", github.DefaultToken, 404, "Not Found"},
		"app":                 {"GET", "/app", good, 200, ""},
		"app, no token":       {"GET", "/app", "", 401, "could not be decoded"},
		"app, personal token": {"GET", "/app", github.DefaultToken, 401, "could not be decoded"},
		"app, other key": {
			"GET",
			"/app",
			stranger.jwt(t, time.Now(), time.Minute),
			401,
			"could not be decoded",
		},
		"app, expired":       {"GET", "/app", key.jwt(t, time.Now(), -time.Second), 401, "'exp'"},
		"app, too far ahead": {"GET", "/app", key.jwt(t, time.Now(), time.Hour), 401, "too far in the future"},
		"app, not yet issued": {
			"GET",
			"/app",
			key.jwt(t, time.Now().Add(5*time.Minute), time.Minute),
			401,
			"'iat'",
		},
		"jwt for a repository":     {"GET", "/repos/" + repo, good, 401, "Bad credentials"},
		"installation":             {"GET", "/repos/" + repo + "/installation", good, 200, ""},
		"unknown installation":     {"POST", "/app/installations/1/access_tokens", good, 404, "Not Found"},
		"meta needs nothing":       {"GET", "/meta", "", 200, ""},
		"a call that is not there": {"PUT", "/repos/" + repo, github.DefaultToken, 404, "Not Found"},
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

// TestAppEndToEnd lets the libraries that real programs use find the installation, get a token and
// write a status.
func TestAppEndToEnd(t *testing.T) {
	key, clock := newKey(t), newClock()
	s := setup(t, github.Options{App: key.app(), Now: clock.now})
	tr := &http.Transport{DisableKeepAlives: true}
	app, err := ghinstallation.NewAppsTransport(tr, 4711, key.pem())
	if err != nil {
		t.Fatal(err)
	}

	found, _, err := client(t, s, app).Apps.FindRepositoryInstallation(t.Context(), "acme", "api")
	if err != nil || found.GetID() != 9001 {
		t.Fatalf("installation %d: %v", found.GetID(), err)
	}

	installed, err := ghinstallation.New(tr, 4711, found.GetID(), key.pem())
	if err != nil {
		t.Fatal(err)
	}

	installed.BaseURL = s.URL()
	d := deploy(t, s, github.NewDeployment{})
	write := func(in *hub.DeploymentStatusRequest) error {
		_, _, err := client(t, s, installed).Repositories.CreateDeploymentStatus(t.Context(), "acme", "api", d.ID, in)
		return err
	}

	if err := write(&hub.DeploymentStatusRequest{State: hub.String("queued")}); err != nil {
		t.Fatal(err)
	}
	if got := s.Statuses(repo, d.ID)[0].Creator; got != "seraph[bot]" || s.TokensIssued() != 1 {
		t.Errorf("creator %q, %d tokens", got, s.TokensIssued())
	}

	wantNoViolations(t, s)
	s.SetPermission("deployments", "read")
	if err := write(&hub.DeploymentStatusRequest{
		State: hub.String("success"),
	}); !says(err, "Resource not accessible by integration") {
		t.Errorf("without permission: %v", err)
	}

	s.Uninstall(repo)
	if err := write(&hub.DeploymentStatusRequest{State: hub.String("success")}); !says(err, "404") {
		t.Errorf("uninstalled: %v", err)
	}

	clock.advance(time.Hour)
	token, err := installed.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := do(t, s, "GET", "/repos/"+repo, token, ""); got.status != 401 {
		t.Errorf("an expired token: %d", got.status)
	}
}

func client(t *testing.T, s *github.Server, tr http.RoundTripper) *hub.Client {
	t.Helper()
	if app, ok := tr.(*ghinstallation.AppsTransport); ok {
		app.BaseURL = s.URL()
	}

	c := hub.NewClient(&http.Client{
		Transport: tr,
	}) // with a Timeout, v60 leaves a goroutine behind each refusal until it runs out
	base, err := c.BaseURL.Parse(s.URL() + "/")
	if err != nil {
		t.Fatal(err)
	}

	c.BaseURL = base
	return c
}

func says(err error, text string) bool { return err != nil && strings.Contains(fmt.Sprint(err), text) }
