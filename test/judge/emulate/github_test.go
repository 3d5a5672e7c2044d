package emulate

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/link"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	"github.com/seraph-deploy/seraph/pkg/route"
	"github.com/seraph-deploy/seraph/pkg/store"
)

const (
	signInID     = "Iv1.seraph"
	signInSecret = "a-client-secret-0123456789"
)

// linking is a service at which people link themselves, with emulate as GitHub.
type linking struct {
	*link.Service
	base    string // of emulate
	browser *http.Client
}

// startLinking starts emulate's GitHub and a service. callback is what the application has registered there, below the
// address of the service.
func startLinking(t *testing.T, secret, callback string) *linking {
	t.Helper()
	l := &linking{}
	listener := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(listener.Close)
	public, err := url.Parse(listener.URL)
	if err != nil {
		t.Fatal(err)
	}

	github := start(t, "github", map[string]any{
		"users": []any{map[string]any{"login": "alice"}, map[string]any{"login": "mallory"}},
		"oauth_apps": []any{map[string]any{
			"client_id":     signInID,
			"client_secret": signInSecret,
			"name":          "Seraph",
			"redirect_uris": []string{listener.URL + callback},
		}},
	})

	l.base = strings.TrimSuffix(github.String(), "/")
	database, err := store.Open(t.Context(), store.Options{
		URL: "sqlite:" + t.TempDir() + "/seraph.db",
		Log: zerolog.Nop(),
		Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	table, err := route.Parse([]byte("routes: [{repository: acme/api}]"), "routes.yaml", route.Options{})
	if err != nil {
		t.Fatal(err)
	}

	transport := outbound.New(outbound.Options{Timeout: 30 * time.Second})
	t.Cleanup(transport.CloseIdle)
	l.Service = link.New(link.Options{
		Known:    route.NewLive(table, nil),
		Attempts: database,
		Codes:    database,
		Links:    database,
		SignIn: link.NewGitHub(link.GitHubOptions{
			ClientID:     signInID,
			ClientSecret: secret,
			Web:          github,
			API:          github,
			Public:       public,
			HTTP:         transport.Client(),
			UserAgent:    "seraph",
			Log:          zerolog.Nop(),
		}),
		Public: public,
		Now:    time.Now,
		Log:    zerolog.Nop(),
	})

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	l.browser = &http.Client{Transport: listener.Client().Transport, Jar: jar} // it follows redirects
	return l
}

// open begins a link of a user and opens its address: the page is emulate's.
func (l *linking) open(t *testing.T, user link.User) (status int, page string) {
	t.Helper()
	address, err := l.Start(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, l.browser, http.MethodGet, address, nil)
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)

// submit presses the button of somebody on emulate's page, and returns the page of the service after it.
func (l *linking) submit(t *testing.T, page, login string) (status int, shown string) {
	t.Helper()
	for form := range strings.SplitSeq(page, "<form") {
		fields := url.Values{}
		for _, field := range hiddenField.FindAllStringSubmatch(form, -1) {
			fields.Set(field[1], html.UnescapeString(field[2]))
		}
		if fields.Get("login") == login {
			return read(t, l.browser, http.MethodPost, l.base+"/login/oauth/callback", fields)
		}
	}
	t.Fatalf("the page has no button of %s: %s", login, page)
	return 0, ""
}

func read(t *testing.T, browser *http.Client, method, address string, form url.Values) (status int, page string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := browser.Do(req)
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

var linkUser = link.User{
	ChatUser:      deployment.ChatUser{Face: "slack", Workspace: "T0ACME001", User: "U0ALICE01"},
	Name:          "alice",
	WorkspaceName: "Acme",
}

// TestGitHub_Link links a user of Slack by emulate's sign-in.
func TestGitHub_Link(t *testing.T) {
	l := startLinking(t, signInSecret, "/login/callback")
	status, page := l.open(t, linkUser)
	if status != http.StatusOK {
		t.Fatalf("emulate's page: got %d: %s", status, page)
	}

	status, shown := l.submit(t, page, "alice")
	code := regexp.MustCompile(`/seraph link ([A-Z0-9-]+)`).FindStringSubmatch(shown)
	if status != http.StatusOK || code == nil || !strings.Contains(shown, "GitHub account <strong>alice</strong>") {
		t.Fatalf("got %d: %s, want the code and alice", status, shown)
	}
	who, err := l.Confirm(t.Context(), linkUser.ChatUser, code[1])
	if err != nil || who.Login != "alice" || who.ID == 0 {
		t.Errorf("got %+v, %v, want alice", who, err)
	}
	if got, ok := l.Person("slack", "T0ACME001", "U0ALICE01"); !ok || got != who {
		t.Errorf("got %+v, %v, want %+v", got, ok, who)
	}
}

// TestGitHub_LinkRefused wants that what emulate refuses links nobody.
func TestGitHub_LinkRefused(t *testing.T) {
	t.Run("another callback is registered", func(t *testing.T) {
		l := startLinking(t, signInSecret, "/elsewhere")
		if status, page := l.open(t, linkUser); status != http.StatusBadRequest {
			t.Errorf("got %d: %s, want 400", status, page)
		}
	})
	t.Run("wrong secret", func(t *testing.T) {
		l := startLinking(t, "a-wrong-secret-0123456789", "/login/callback")
		_, page := l.open(t, linkUser)
		status, shown := l.submit(t, page, "alice")
		if status != http.StatusBadGateway || !strings.Contains(shown, "GitHub did not confirm the sign-in") {
			t.Errorf("got %d: %s, want 502", status, shown)
		}
	})
}
