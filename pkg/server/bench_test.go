package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
)

const (
	githubSecret   = "a secret of github's own"
	circleciSecret = "a secret of circleci's own"
	readToken      = "read-0123456789-0123456789-012345"
	deployToken    = "deploy-0123456789-0123456789-0123"
	behalfToken    = "behalf-0123456789-0123456789-0123"
	adminToken     = "admin-0123456789-0123456789-01234"
	aSHA           = "0123456789abcdef0123456789abcdef01234567"
)

// inbox is a database of plain data.
type inbox struct {
	mu       sync.Mutex
	byGUID   map[string]deployment.Deployment
	byID     map[[2]int64]bool
	ignored  map[string]string
	broken   error
	accepted chan struct{} // closed: Accept goes on; nil: it never waits
}

func (i *inbox) Accept(
	ctx context.Context,
	del deployment.Delivery,
	d deployment.Deployment,
	_ ...deployment.Entry,
) (bool, error) {
	if i.accepted != nil {
		select {
		case <-i.accepted:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}

	i.mu.Lock()
	defer i.mu.Unlock()
	id := [2]int64{del.RepositoryID, del.DeploymentID}
	_, known := i.byGUID[del.GUID]
	if i.broken != nil || known || i.byID[id] {
		return i.broken == nil, i.broken
	}

	i.byGUID[del.GUID], i.byID[id] = d, true
	return false, nil
}

func (i *inbox) Ignored(_ context.Context, del deployment.Delivery, reason string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.broken == nil {
		i.ignored[del.GUID] = reason
	}
	return i.broken
}

func (i *inbox) Known(_ context.Context, del deployment.Delivery) (bool, error) {
	guid := del.GUID
	i.mu.Lock()
	defer i.mu.Unlock()
	_, ok := i.byGUID[guid]
	return ok, i.broken
}

// routes admits every deployment but those of one environment, and keeps the last request.
type routes struct {
	ignored string
	mu      sync.Mutex
	last    deployment.Request
}

func (a *routes) Admit(req deployment.Request, key string) deployment.Admission {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = req
	if req.Environment == a.ignored {
		return deployment.Admission{Ignored: "no route matches"}
	}
	return deployment.Admission{Target: deployment.Target{Key: key}}
}

// world is what the other interfaces answer from.
type world struct {
	mu      sync.Mutex
	nudged  []string
	claims  map[string]string // pipeline by key
	rows    []deployment.Record
	filter  deployment.Filter
	broken  error
	results []string
}

func (w *world) WakeByPipeline(_ context.Context, id string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nudged = append(w.nudged, id)
	return id == "known", w.broken
}

func (w *world) Claim(_ context.Context, key, id string) (ClaimResult, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	owner, ok := w.claims[key]
	switch {
	case w.broken != nil:
		return ClaimUnknown, w.broken
	case !ok:
		return ClaimUnknown, nil
	case owner == "":
		w.claims[key] = id
		return ClaimGranted, nil
	case owner == id:
		return ClaimGranted, nil
	default:
		return ClaimRefused, nil
	}
}

func (w *world) List(_ context.Context, f deployment.Filter) ([]deployment.Deployment, error) {
	w.filter = f
	var found []deployment.Deployment
	for _, rec := range w.rows {
		if (f.Before == 0 || rec.Deployment.Row < f.Before) && len(found) < f.Limit {
			found = append(found, rec.Deployment)
		}
	}
	return found, w.broken
}

func (w *world) Get(_ context.Context, id int64) ([]deployment.Record, error) {
	for _, rec := range w.rows {
		if rec.Deployment.Request.ID == id {
			return []deployment.Record{rec}, nil
		}
	}
	return nil, w.broken
}

func (w *world) observe(source, event, result string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.results = append(w.results, source+" "+event+" "+result)
}

// bench is a whole Server among plain data, listening.
type bench struct {
	server *Server
	url    string
	stop   func() // and wait for what is still being answered
	inbox  *inbox
	routes *routes
	world  *world
	desk   *fakeCommands
}

// tokens are one of each scope.
func tokens() []Token {
	list := []Token{{Name: "nobody", Scope: "none", Hash: sha256.Sum256([]byte("scopeless"))}}
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

func newBench(tb testing.TB, change ...func(*Options)) *bench {
	tb.Helper()
	b := &bench{
		inbox: &inbox{
			byGUID:  map[string]deployment.Deployment{},
			byID:    map[[2]int64]bool{},
			ignored: map[string]string{},
		},
		routes: &routes{ignored: "elsewhere"},
		world:  &world{claims: map[string]string{"free": ""}},
		desk:   &fakeCommands{},
	}

	o := Options{
		GitHubSecrets:   [][]byte{[]byte("an older secret of theirs"), []byte(githubSecret)},
		CircleCISecrets: [][]byte{[]byte(circleciSecret)},
		Intake: &intake.Intake{
			Routes:  b.routes,
			Machine: deployment.Machine{MaxAge: time.Hour},
			Store:   b.inbox,
		},
		Hints:    b.world,
		Claims:   b.world,
		Reader:   b.world,
		Commands: b.desk,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "up 1\n")
		}),
		ServeMetrics: true,
		Tokens:       tokens(),
		Observe:      b.world.observe,
		Log:          zerolog.Nop(),
		CircleCIURL:  func(d deployment.Deployment) string { return "https://ci.example/" + d.Pipeline.ID },
	}

	for _, f := range change {
		f(&o)
	}

	b.server = New(o)
	_, router := described(tb)
	listener := httptest.NewServer(checked{tb: tb, next: b.server.Handler(), router: router})
	tb.Cleanup(listener.Close)
	b.url, b.stop = listener.URL, listener.Close

	return b
}

// answered is what came back.
type answered struct {
	code   int
	body   string
	header http.Header
}

// ask sends one request; headers are name and value in turn, a value of "-" takes the header away.
func (b *bench) ask(tb testing.TB, method, path string, body io.Reader, headers ...string) answered {
	tb.Helper()
	req, err := http.NewRequest(method, b.url+path, body)
	if err != nil {
		tb.Fatal(err)
	}

	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "-" {
			req.Header.Del(headers[i])
		}
	}

	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		tb.Fatal(err)
	}

	defer resp.Body.Close() //nolint:errcheck // reading is over
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}

	return answered{resp.StatusCode, strings.TrimSpace(string(text)), resp.Header}
}

// deliver sends a webhook as GitHub does; headers come last and win.
func (b *bench) deliver(tb testing.TB, body string, headers ...string) answered {
	tb.Helper()
	all := append([]string{
		"Content-Type", "application/json", "X-GitHub-Event", "deployment", "X-GitHub-Delivery", "guid-1",
		"X-Hub-Signature-256", "sha256=" + sign(githubSecret, body),
	}, headers...)
	return b.ask(tb, http.MethodPost, "/webhooks/github", strings.NewReader(body), all...)
}

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, body)
	return hex.EncodeToString(mac.Sum(nil))
}

// event is a deployment event.
func event(id int64, environment string) string {
	return fmt.Sprintf(
		`{"action":"created","deployment":{"id":%d,"sha":"%s","ref":"main","task":"deploy","environment":"%s",
		"payload":{"a":1},"created_at":"2026-01-31T12:00:00Z"},"repository":{"id":7,"full_name":"acme/api"}}`,
		id,
		aSHA,
		environment,
	)
}

var errBroken = errors.New("the database is away")

func prefixes(cidrs ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, c := range cidrs {
		all = append(all, netip.MustParsePrefix(c))
	}
	return all
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(
		m,
		goleak.Cleanup(func(int) { http.DefaultTransport.(*http.Transport).CloseIdleConnections() }),
	)
}
