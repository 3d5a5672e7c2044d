package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/link"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/route"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

const (
	linkSecret = "a-client-secret-of-the-app-0123456789"
	botToken   = "a-token-of-hubot-0123456789abcdef012345"
	linkRoutes = "slack: {workspace: T0ACME001}\n" +
		"people: [{id: 5, login: olga, slack: U0OPERATOR}]\nroutes: [{repository: acme/api}]"
)

// syncBuffer is a buffer for several writers.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// linkApp is a whole service, which does not run, behind an address with TLS.
type linkApp struct {
	*App
	log    *syncBuffer
	github *github.Server
	server *httptest.Server
}

// newLinkApp makes a service with some variables changed. Names have no prefix.
func newLinkApp(t *testing.T, change map[string]string) *linkApp {
	t.Helper()
	l := &linkApp{log: &syncBuffer{}, github: github.New(github.Options{})}
	if err := l.github.Start(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.github.Close)
	l.github.AddUser("alice")
	l.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.App.server.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(l.server.Close)
	l.github.AddOAuthApp(github.OAuthApp{
		ClientID:     "Iv1.app",
		ClientSecret: linkSecret,
		Callback:     l.server.URL + "/login/callback",
	})

	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, config.Prefix) {
			t.Setenv(name, "")
		}
	}
	set := map[string]string{
		"PUBLIC_URL":             l.server.URL,
		"DATABASE_URL":           "sqlite:" + t.TempDir() + "/seraph.db",
		"GITHUB_WEBHOOK_SECRETS": "a-webhook-secret-of-32-bytes-abcd",
		"GITHUB_TOKEN":           github.DefaultToken,
		"GITHUB_API_URL":         l.github.URL() + "/",
		"GITHUB_WEB_URL":         l.github.WebURL() + "/",
		"GITHUB_CLIENT_ID":       "Iv1.app",
		"GITHUB_CLIENT_SECRET":   linkSecret,
		"CIRCLECI_TOKEN":         "CCIPAT_cccccccccccccccccccccccccccccc",
		"ROUTES":                 linkRoutes,
		"API_TOKENS":             "hubot:behalf=hubot-slack/T0ACME001:" + botToken,
	}
	for _, variables := range []map[string]string{set, change} {
		for name, value := range variables {
			t.Setenv(config.Prefix+name, value)
		}
	}

	cfg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	l.App, err = New(t.Context(), cfg, Build{}, zerolog.New(l.log).Level(zerolog.DebugLevel))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Stop(context.Background()) })
	return l
}

// read sends a request and reads the answer.
func (l *linkApp) read(t *testing.T, client *http.Client, req *http.Request, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req.WithContext(t.Context()))
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

// say sends a line of the user U0ALICE01 through Hubot.
func (l *linkApp) say(t *testing.T, text string) (int, string) {
	t.Helper()
	body := `{"text":"` + text + `","request":"` + text + `",` +
		`"person":{"face":"hubot-slack","workspace":"T0ACME001","user":"U0ALICE01"}}`
	req, err := http.NewRequest(http.MethodPost, l.server.URL+"/api/v1/commands", strings.NewReader(body))
	if err == nil {
		req.Header.Set("Authorization", "Bearer "+botToken)
		req.Header.Set("Content-Type", "application/json")
	}
	return l.read(t, l.server.Client(), req, err)
}

// TestApp_Link links somebody with everything wired: the pages, GitHub, the database, and who people of a chat are. The
// whole log, which is detailed, holds nothing that lets its reader go on with a link.
func TestApp_Link(t *testing.T) {
	l := newLinkApp(t, nil)
	if status, text := l.say(t, "whoami"); status != http.StatusForbidden || !strings.Contains(text, "/seraph link") {
		t.Errorf("before: got %d %s, want 403 and how to link", status, text)
	}

	alice := link.User{ChatUser: deployment.ChatUser{Face: "slack", Workspace: "T0ACME001", User: "U0ALICE01"}}
	address, err := l.links.Start(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}

	// The browser follows redirects. GitHub's page is the last before the form, whose fields are its query.
	var last *url.URL
	browser := &http.Client{Transport: l.server.Client().Transport, Jar: jar}
	browser.CheckRedirect = func(req *http.Request, _ []*http.Request) error { last = req.URL; return nil }
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if status, text := l.read(t, browser, req, err); status != http.StatusOK || last == nil {
		t.Fatalf("GitHub's page: got %d %s", status, text)
	}
	form := last.Query()
	form.Set("login", "alice")
	form.Set("authorize", "1")
	req, err = http.NewRequest(http.MethodPost, l.github.WebURL()+"/login/oauth/authorize", strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	_, page := l.read(t, browser, req, err)
	code := regexp.MustCompile(`/seraph link ([A-Z0-9-]+)`).FindStringSubmatch(page)
	if code == nil {
		t.Fatalf("got no code: %s", page)
	}
	if _, err := l.links.Confirm(t.Context(), alice.ChatUser, code[1]); err != nil {
		t.Fatal(err)
	}

	if status, text := l.say(t, "whoami"); status != http.StatusOK || !strings.Contains(text, "you are alice at GitHub") {
		t.Errorf("after: got %d %s, want alice", status, text)
	}
	if status, text := l.say(t, "unlink"); status != http.StatusOK || !strings.Contains(text, "not linked to alice") {
		t.Errorf("unlink: got %d %s, want that it is done", status, text)
	}
	if _, ok := l.links.Person("slack", "T0ACME001", "U0ALICE01"); ok {
		t.Error("got a person after the link ended")
	}

	l.server.Close() // after the last line
	logged := l.log.String()
	if !strings.Contains(logged, `"path":"/link/{code}"`) {
		t.Errorf("the log lacks the request: %s", logged)
	}
	secrets := append(l.github.CodesIssued(), linkSecret, code[1], address[strings.LastIndex(address, "/")+1:],
		form.Get("state"), "gho_simulated")
	for _, secret := range secrets {
		if strings.Contains(logged, secret) {
			t.Errorf("the log holds %q: %s", secret, logged)
		}
	}
}

// TestApp_LinkOff wants that both paths answer 404 without a client id, and that the routes file still counts.
func TestApp_LinkOff(t *testing.T) {
	l := newLinkApp(t, map[string]string{"GITHUB_CLIENT_ID": "", "GITHUB_CLIENT_SECRET": ""})
	for _, path := range []string{"/link/x", "/login/callback"} {
		req, err := http.NewRequest(http.MethodGet, l.server.URL+path, nil)
		if status, text := l.read(t, l.server.Client(), req, err); status != http.StatusNotFound {
			t.Errorf("%s: got %d %s, want 404", path, status, text)
		}
	}
	if who, ok := l.links.Person("slack", "T0ACME001", "U0OPERATOR"); !ok || who.Login != "olga" {
		t.Errorf("got %+v, %v, want olga", who, ok)
	}
}

// accountsOf answers as GitHub does.
type accountsOf struct {
	missing error // of the repository
	person  error
}

func (a accountsOf) ResolveRepository(context.Context, string, string) (deployment.Source, error) {
	return deployment.Source{}, a.missing
}

func (a accountsOf) Person(context.Context, int64, deployment.Repository, int64) (string, error) {
	return "alice", a.person
}

// TestAccounts_Missing wants that an account is missing only if GitHub says so of the account: a repository that is not
// shown says nothing of it.
func TestAccounts_Missing(t *testing.T) {
	table, err := route.Parse([]byte(linkRoutes), "routes.yaml", route.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		github  accountsOf
		missing bool
		failed  bool
	}{
		{name: "there"},
		{name: "gone", github: accountsOf{person: policy.ErrMissing}, missing: true, failed: true},
		{name: "repository gone", github: accountsOf{missing: policy.ErrMissing}, failed: true},
		{name: "no answer", github: accountsOf{person: errors.New("down")}, failed: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := accounts{routes: route.NewLive(table, nil), github: c.github}.Login(t.Context(), 5)
			if got := errors.Is(err, policy.ErrMissing); got != c.missing || (err != nil) != c.failed {
				t.Errorf("got %v, want failed %v and missing %v", err, c.failed, c.missing)
			}
		})
	}
}
