package link_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/audit"
	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/link"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/route"
	"github.com/seraph-deploy/seraph/pkg/store"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clientID     = "Iv23liSIMULATED"
	clientSecret = "a-client-secret-of-the-app-0123456789"
	team         = "T0ACME001"
	operatorID   = 583_000 // whom the routes file names as U0OPERATOR
)

// The users of Slack, of whom each may link themselves.
var (
	alice   = slackUser("U0ALICE01", "alice")
	bob     = slackUser("U0BOB0001", "bob")
	mallory = slackUser("U0MALLORY", "mallory")
	listed  = slackUser("U0OPERATOR", "olga")
)

func slackUser(id, name string) link.User {
	return link.User{
		ChatUser:      deployment.ChatUser{Face: "slack", Workspace: team, User: id},
		Name:          name,
		WorkspaceName: "Acme",
	}
}

// world is a service on a real database, beside a simulated GitHub.
type world struct {
	*link.Service
	t      *testing.T
	db     *store.DB
	github *github.Server
	ids    map[string]int64 // of logins at GitHub
	url    string           // of the service
	server *httptest.Server
	routes *route.Live

	database string

	mu      sync.Mutex
	now     time.Time
	logged  bytes.Buffer
	secrets []string // must be in no log and not in the database
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), ids: map[string]int64{}}
	w.database = "sqlite:" + t.TempDir() + "/seraph.db"
	db, err := store.Open(t.Context(), store.Options{
		URL: w.database,
		Log: zerolog.Nop(),
		Now: w.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w.db = db

	w.github = github.New(github.Options{Now: w.clock})
	if err := w.github.Start(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.github.Close)
	for _, login := range []string{"alice", "bob", "victim", "mallory"} {
		w.ids[login] = w.github.AddUser(login)
	}
	w.github.AddUserWithID("olga", operatorID)

	w.routes = readRoutes(t, operatorID, "U0OPERATOR")
	w.server = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.Handler().ServeHTTP(rw, r)
	}))
	t.Cleanup(w.server.Close)
	w.url = w.server.URL
	w.github.AddOAuthApp(github.OAuthApp{
		ClientID:     clientID,
		ClientSecret: clientSecret,
		Callback:     w.url + "/login/callback",
		GitHubApp:    true,
	})
	w.Service = w.newService(clientSecret)
	return w
}

// newService makes a service with a client secret, which may be a wrong one.
func (w *world) newService(secret string, change ...func(*link.Options)) *link.Service {
	w.t.Helper()
	transport := outbound.New(outbound.Options{Timeout: time.Minute})
	w.t.Cleanup(transport.CloseIdle)
	log := zerolog.New(lockedWriter{w}).Level(zerolog.DebugLevel)
	public := mustURL(w.t, w.url)
	o := link.Options{
		Known:    w.routes,
		Attempts: w.db,
		Codes:    w.db,
		Links:    w.db,
		Accounts: accountReader{w},
		SignIn: link.NewGitHub(link.GitHubOptions{
			ClientID:     clientID,
			ClientSecret: secret,
			Web:          mustURL(w.t, w.github.WebURL()),
			API:          mustURL(w.t, w.github.URL()),
			Public:       public,
			HTTP:         transport.Client(),
			UserAgent:    "seraph",
			Log:          log,
		}),
		Public: public,
		Now:    w.clock,
		Log:    log,
	}
	for _, c := range change {
		c(&o)
	}
	return link.New(o)
}

// readRoutes reads a routes file that says of one user who they are at GitHub.
func readRoutes(t *testing.T, id int64, user string) *route.Live {
	t.Helper()
	const format = "slack: {workspace: %s}\n" +
		"people: [{id: %d, login: olga, slack: %s}]\n" +
		"routes: [{repository: acme/api}]"
	text := fmt.Sprintf(format, team, id, user)
	table, err := route.Parse([]byte(text), "routes.yaml", route.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return route.NewLive(table, nil)
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// lockedWriter keeps what is logged.
type lockedWriter struct{ w *world }

func (l lockedWriter) Write(p []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.logged.Write(p)
}

// accountReader reads accounts of the simulated GitHub with Seraph's own token.
type accountReader struct{ w *world }

func (a accountReader) Login(ctx context.Context, id int64) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/user/%d", a.w.github.URL(), id), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+github.DefaultToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()

	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return "", err
	case resp.StatusCode == http.StatusNotFound:
		return "", policy.ErrMissing
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("status %d", resp.StatusCode)
	}
	return regexp.MustCompile(`"login":"([^"]*)"`).FindStringSubmatch(string(text))[1], nil
}

// start begins a link, which must be possible.
func (w *world) start(u link.User) (address string) {
	w.t.Helper()
	address, err := w.Start(w.t.Context(), u)
	if err != nil {
		w.t.Fatalf("start for %v: %v", u.ChatUser, err)
	}
	w.secrets = append(w.secrets, address[strings.LastIndex(address, "/")+1:])
	return address
}

// browser is one browser with its cookies.
type browser struct {
	w      *world
	client *http.Client
}

func (w *world) newBrowser() *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	client := &http.Client{
		Transport:     w.server.Client().Transport,
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &browser{w: w, client: client}
}

// answer is one answer to a browser.
type answer struct {
	status   int
	header   http.Header
	body     string
	location string
}

func (b *browser) send(req *http.Request) answer {
	b.w.t.Helper()
	resp, err := b.client.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()

	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	for _, cookie := range resp.Cookies() {
		if cookie.Value != "" {
			b.w.secrets = append(b.w.secrets, cookie.Value)
		}
	}
	return answer{
		status:   resp.StatusCode,
		header:   resp.Header,
		body:     string(text),
		location: resp.Header.Get("Location"),
	}
}

func (b *browser) get(address string) answer {
	b.w.t.Helper()
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return b.send(req)
}

// open opens the address of a link and follows it to GitHub's page, whose URL it returns.
func (b *browser) open(address string) (page string) {
	b.w.t.Helper()
	got := b.get(address)
	if got.status != http.StatusFound || !strings.HasPrefix(got.location, b.w.github.WebURL()+"/login/oauth/authorize?") {
		b.w.t.Fatalf("open: got status %d to %q: %s", got.status, got.location, got.body)
	}
	query := mustURL(b.w.t, got.location).Query()
	if query.Get("code_challenge_method") != "S256" || len(query.Get("code_challenge")) != 43 || query.Has("scope") ||
		query.Get("client_id") != clientID || query.Get("redirect_uri") != b.w.url+"/login/callback" {
		b.w.t.Errorf("got the query %v, want S256, the client's id, our callback and no scope", query)
	}
	if shown := b.get(got.location); shown.status != http.StatusOK {
		b.w.t.Fatalf("GitHub's page: got status %d: %s", shown.status, shown.body)
	}
	return got.location
}

// authorize fills in GitHub's page and returns the address to which GitHub sends the browser.
func (b *browser) authorize(page, login string, yes bool) (callback string) {
	b.w.t.Helper()
	form := mustURL(b.w.t, page).Query()
	form.Set("login", login)
	form.Set("authorize", "0")
	if yes {
		form.Set("authorize", "1")
	}

	action, _, _ := strings.Cut(page, "?")
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, action, strings.NewReader(form.Encode()))
	if err != nil {
		b.w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := b.send(req)
	if got.status != http.StatusFound {
		b.w.t.Fatalf("authorize: got status %d: %s", got.status, got.body)
	}
	return got.location
}

// signIn goes all the way from the address of a link to the page after GitHub.
func (b *browser) signIn(address, login string) answer {
	b.w.t.Helper()
	return b.get(b.authorize(b.open(address), login, true))
}

var shownCode = regexp.MustCompile(`/seraph link ([A-Z0-9-]+)`)

// code returns the code that a page shows; empty: it shows none.
func (a answer) code() string {
	if found := shownCode.FindStringSubmatch(a.body); found != nil {
		return found[1]
	}
	return ""
}

// mustSignIn signs in with a browser of its own and returns the code.
func (w *world) mustSignIn(address, login string) (code string) {
	w.t.Helper()
	got := w.newBrowser().signIn(address, login)
	if code = got.code(); got.status != http.StatusOK || code == "" {
		w.t.Fatalf("sign in: got status %d: %s", got.status, got.body)
	}
	w.secrets = append(w.secrets, code)
	return code
}

// mustLink links a user with an account.
func (w *world) mustLink(u link.User, login string) {
	w.t.Helper()
	code := w.mustSignIn(w.start(u), login)
	if _, err := w.Confirm(w.t.Context(), u.ChatUser, code); err != nil {
		w.t.Fatalf("confirm: %v", err)
	}
}

// wantPerson checks who a user is at GitHub; an empty login: nobody.
func (w *world) wantPerson(u link.User, login string) {
	w.t.Helper()
	got, ok := w.Person(u.Face, u.Workspace, u.User)
	if ok != (login != "") || got.Login != login || got.ID != w.ids[login] {
		w.t.Errorf("person of %s: got %+v, %v, want %q", u.User, got, ok, login)
	}
}

// wantRefused checks the code of a refusal.
func (w *world) wantRefused(err error, code string) {
	w.t.Helper()
	var refused *command.Error
	if !errors.As(err, &refused) || refused.Code != code || refused.Message == "" {
		w.t.Errorf("got %v, want a refusal with the code %q", err, code)
	}
}

// audited returns the audit of links, one text for each record: kind, channel, login and detail.
func (w *world) audited() []string {
	w.t.Helper()
	records, err := w.db.Audit(w.t.Context(), 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}

	var list []string
	for _, r := range records {
		list = append(list, fmt.Sprintf("%s %s %s %s", r.Kind, r.Channel, r.Actor.Login, r.Detail))
	}
	if _, err := audit.Verify(w.t.Context(), w.db, nil); err != nil {
		w.t.Error(err)
	}
	return list
}

// wantAudited checks the newest record of the audit.
func (w *world) wantAudited(want string) {
	w.t.Helper()
	list := w.audited()
	if len(list) == 0 || list[len(list)-1] != want {
		w.t.Errorf("got the audit\n%s\nwant at the end\n%s", strings.Join(list, "\n"), want)
	}
}
