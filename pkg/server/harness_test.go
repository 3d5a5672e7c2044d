package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/events"
	"github.com/seraph-deploy/seraph/pkg/intake"
	"github.com/seraph-deploy/seraph/pkg/route"
)

const (
	githubSecret   = "a secret of github's own"
	circleciSecret = "a secret of circleci's own"
	readToken      = "read-0123456789-0123456789-012345"
	deployToken    = "deploy-0123456789-0123456789-0123"
	behalfToken    = "behalf-0123456789-0123456789-0123"
	adminToken     = "admin-0123456789-0123456789-01234"
	chatToken      = "chat-0123456789-0123456789-012345" // of the people of hubot-slack/T0ACME001
	testSHA        = "0123456789abcdef0123456789abcdef01234567"
)

var errDatabase = errors.New("the database is away")

// testServer is a Server on fakes that listens.
type testServer struct {
	server   *Server
	url      string
	stop     func() // closes the listener and waits for what is being answered
	store    *fakeStore
	routes   *fakeRoutes
	waker    *fakeWaker
	claims   *fakeClaims
	reader   *fakeReader
	commands *fakeCommands

	mu      sync.Mutex
	counted []string // "source event result" of each webhook
}

func newTestServer(tb testing.TB, change ...func(*Options)) *testServer {
	tb.Helper()
	s := &testServer{
		store:    newFakeStore(),
		routes:   &fakeRoutes{ignored: "elsewhere"},
		waker:    &fakeWaker{},
		claims:   &fakeClaims{pipelines: map[string]string{knownKey: ""}},
		reader:   &fakeReader{},
		commands: &fakeCommands{},
	}

	o := Options{
		GitHubSecrets:   [][]byte{[]byte("an older secret of theirs"), []byte(githubSecret)},
		CircleCISecrets: [][]byte{[]byte(circleciSecret)},
		Intake: &intake.Intake{
			Routes:  s.routes,
			Machine: deployment.Machine{MaxAge: time.Hour},
			Store:   s.store,
		},
		Waker:        s.waker,
		Claims:       s.claims,
		Slack:        http.HandlerFunc(serveSlack),
		Tokens:       testTokens(),
		Persons:      testPeople(tb),
		Reader:       s.reader,
		Deliveries:   s.reader,
		Environments: s.reader,
		Events:       stoppedEvents(),
		Deployments:  s.commands,
		Orders:       s.commands,
		Lines:        s.commands,
		Holds:        s.commands,
		Locks:        s.commands,
		LockReader:   s.commands,
		Link:         http.HandlerFunc(fakeLink),
		Metrics:      http.HandlerFunc(serveMetrics),
		ServeMetrics: true,
		StoreTimeout: time.Minute, // the machine may be slow
		Observe:      s.observe,
		Log:          zerolog.Nop(),
		CircleCIURL:  func(d deployment.Deployment) string { return "https://ci.example/" + d.Pipeline.ID },
	}
	for _, f := range change {
		f(&o)
	}

	s.server = New(o)
	_, router := openAPI(tb)
	listener := httptest.NewServer(checkedHandler{tb: tb, next: s.server.Handler(), router: router})
	tb.Cleanup(listener.Close)
	s.url, s.stop = listener.URL, listener.Close

	return s
}

// stoppedEvents refuses every watcher, so that no request streams for ever.
func stoppedEvents() *events.Hub {
	hub := events.New(events.Options{})
	hub.Close()
	return hub
}

// serveSlack answers with the body that it was given.
func serveSlack(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}

	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(body)
}

func serveMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, "up 1\n")
}

func (s *testServer) observe(source, event, result string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counted = append(s.counted, source+" "+event+" "+result)
}

// wantNoMemory checks that no body holds any of the budget.
func (s *testServer) wantNoMemory(tb testing.TB) {
	tb.Helper()
	if used := s.server.bodies.used.Load(); used != 0 {
		tb.Errorf("got %d bytes of the budget in use, want 0", used)
	}
}

// testPeople knows alice in Slack and bob in a shell.
func testPeople(tb testing.TB) Persons {
	tb.Helper()
	const text = `
slack: {workspace: T0ACME001}
people:
  - {id: 1, login: alice, slack: U0ALICE01}
  - {id: 2, login: bob, hubot-shell: local/1}
routes: [{repository: acme/api}]
`
	table, err := route.Parse([]byte(text), "routes.yaml", route.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

// testTokens are one token of each scope, and one without.
func testTokens() []Token {
	list := []Token{
		{Name: "nobody", Scope: "none", Hash: sha256.Sum256([]byte("scopeless"))},
		{
			Name:  "hubot",
			Scope: ScopeBehalf,
			Hash:  sha256.Sum256([]byte(chatToken)),
			Chat:  Chat{Face: "hubot-slack", Workspace: "T0ACME001"},
		},
	}
	for secret, scope := range map[string]Scope{
		readToken:   ScopeRead,
		deployToken: ScopeDeploy,
		behalfToken: ScopeBehalf,
		adminToken:  ScopeAdmin,
	} {
		list = append(list, Token{Name: string(scope) + "er", Scope: scope, Hash: sha256.Sum256([]byte(secret))})
	}
	return list
}

// response is what the server answered.
type response struct {
	code   int
	body   string
	header http.Header
}

// send sends one request. headers are names and values in turn; the value "-" removes a header.
func (s *testServer) send(tb testing.TB, method, path string, body io.Reader, headers ...string) response {
	tb.Helper()
	req, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		tb.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Set(pair[0], pair[1])
		if pair[1] == "-" {
			req.Header.Del(pair[0])
		}
	}

	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()

	text, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}

	return response{resp.StatusCode, strings.TrimSpace(string(text)), resp.Header}
}

// get sends GET without a token.
func (s *testServer) get(tb testing.TB, path string) response {
	tb.Helper()
	return s.send(tb, http.MethodGet, path, nil)
}

// api sends a request below /api/v1.
func (s *testServer) api(tb testing.TB, token, method, path, body string) response {
	tb.Helper()
	return s.send(tb, method, "/api/v1"+path, strings.NewReader(body), "Authorization", "Bearer "+token)
}

// deliver sends a deployment event as GitHub does. headers replace those of GitHub.
func (s *testServer) deliver(tb testing.TB, body string, headers ...string) response {
	tb.Helper()
	return s.deliverTo(tb, "/webhooks/github", body, strings.NewReader(body), headers...)
}

func (s *testServer) deliverTo(tb testing.TB, path, signed string, body io.Reader, headers ...string) response {
	tb.Helper()
	all := append([]string{
		"Content-Type", "application/json",
		"X-GitHub-Event", "deployment",
		"X-GitHub-Delivery", "guid-1",
		"X-Hub-Signature-256", "sha256=" + sign(githubSecret, signed),
	}, headers...)
	return s.send(tb, http.MethodPost, path, body, all...)
}

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, body)
	return hex.EncodeToString(mac.Sum(nil))
}

// deploymentEvent is the body of a deployment event.
func deploymentEvent(id int64, environment string) string {
	const format = `{"action":"created","deployment":{"id":%d,"sha":"%s","ref":"main","task":"deploy",` +
		`"environment":"%s","payload":{"a":1},"created_at":"2026-01-31T12:00:00Z"},` +
		`"repository":{"id":7,"full_name":"acme/api"}}`
	return fmt.Sprintf(format, id, testSHA, environment)
}

func prefixes(cidrs ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, c := range cidrs {
		all = append(all, netip.MustParsePrefix(c))
	}
	return all
}

func diff(want, got any) string { return cmp.Diff(want, got) }

func TestMain(m *testing.M) {
	closeIdle := func(int) { http.DefaultTransport.(*http.Transport).CloseIdleConnections() }
	goleak.VerifyTestMain(m, goleak.Cleanup(closeIdle))
}
