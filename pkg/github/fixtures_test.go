package github

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/shapes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is the time of clients made by newClientWith.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// What tests ask newClientWith's clients for, and write with all clients.
var (
	request = deployment.Request{ID: 5, Repository: deployment.Repository{ID: 7, Owner: "acme", Name: "api"}}
	success = deployment.Report{State: deployment.GitHubSuccess, Description: "Deployed", Final: true}
	running = deployment.Report{
		State:       deployment.GitHubInProgress,
		Description: "runs",
		LogURL:      "https://app.circleci.com/pipelines/gh/acme/api/1",
	}
)

func testOptions(t *testing.T, base string) Options {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}

	transport := outbound.New(outbound.Options{Timeout: time.Minute})
	t.Cleanup(transport.CloseIdle)
	return Options{BaseURL: u, Token: sim.DefaultToken, HTTP: transport.Client(), UserAgent: "seraph/test"}
}

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newClientWith returns a client, with a token, of a server with this handler.
func newClientWith(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)

	o := testOptions(t, s.URL)
	o.Now = func() time.Time { return now }
	return newClient(t, o)
}

// linkNextPage adds the Link header by which GitHub says that another page follows (REST API, "Using
// pagination in the REST API").
func linkNextPage(w http.ResponseWriter, r *http.Request, page int) {
	w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, r.Host, r.URL.Path, page))
}

// newSimulation starts a simulated GitHub with one repository and one deployment. A call that
// GitHub does not document fails the test.
func newSimulation(t *testing.T, o sim.Options) (*sim.Server, Options, deployment.Request) {
	t.Helper()
	s := sim.New(o)
	if err := s.Start(""); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		s.Close()
		for _, v := range s.Violations() {
			t.Errorf("violation: %s", v)
		}
	})

	id := s.AddRepository("acme/api")
	req := createDeployment(t, s, deployment.Repository{ID: id, Owner: "acme", Name: "api"})
	return s, testOptions(t, s.URL()), req
}

// newAppSimulation starts a simulated GitHub on which the client's App is installed, with the
// installation id 4.
func newAppSimulation(t *testing.T, o sim.Options) (*sim.Server, *Client, deployment.Request) {
	t.Helper()
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(appKey())})
	o.App = &sim.App{ID: 99, Slug: "seraph", InstallationID: 4, PrivateKey: key}
	s, options, req := newSimulation(t, o)
	return s, newClient(t, asApp(options)), req
}

func createDeployment(t *testing.T, s *sim.Server, r deployment.Repository) deployment.Request {
	t.Helper()
	d, err := s.CreateDeployment(r.FullName(), sim.NewDeployment{Ref: "main", Environment: "production"})
	if err != nil {
		t.Fatal(err)
	}
	return deployment.Request{ID: d.ID, Repository: r}
}

// appKey is the private key of the simulated App. It is made once, because that takes long.
var appKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func asApp(o Options) Options {
	o.Token, o.AppID, o.PrivateKey = "", 99, appKey()
	return o
}

// simulated is a client of a simulated GitHub with one repository and one deployment. Calls and
// responses are checked against GitHub's OpenAPI description where that is at hand.
type simulated struct {
	*Client
	sim          *sim.Server
	clock        *testClock
	request      deployment.Request
	repo         deployment.Repository
	installation int64
}

// forEachCredential runs a test with a token, with an App whose installation is known, and with one
// that has to ask for it.
func forEachCredential(t *testing.T, test func(*testing.T, simulated)) {
	tests := []struct {
		name         string
		app          bool
		installation int64
	}{
		{name: "token"},
		{name: "app", app: true, installation: 4},
		{name: "app, looked up", app: true},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := simulated{clock: &testClock{at: time.Now()}, installation: tt.installation}
			o := sim.Options{Wrap: func(next http.Handler) http.Handler {
				return shapes.Check(next, func(violation string) { s.sim.Report(violation) })
			}}

			if tt.app {
				s.sim, s.Client, s.request = newAppSimulation(t, o)
			} else {
				var options Options
				s.sim, options, s.request = newSimulation(t, o)
				s.Client = newClient(t, options)
			}

			s.request.Installation = tt.installation
			s.repo, s.options.Now = s.request.Repository, s.clock.now
			test(t, s)
		})
	}
}

// expireCache lets so much time pass that no cached result is valid any more.
func (s simulated) expireCache() { s.clock.advance(ttlComparison) }

// testClock is a clock that stands still until a test advances it.
type testClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func wantWrite(
	t *testing.T,
	c *Client,
	req deployment.Request,
	want deployment.WriteKind,
) deployment.WriteOutcome {
	t.Helper()
	got := c.WriteStatus(t.Context(), req, success)
	if got.Kind != want {
		t.Errorf("write: got %+v, want %s", got, want)
	}
	return got
}

// endPause ends the pause of all writes and reads that a rate limit has caused.
func endPause(c *Client) { endPauseOf(c, 0) }

// endPauseOf does so for the account of one installation.
func endPauseOf(c *Client, installation int64) {
	a := c.account(installation)
	a.pace.pausedUntil, a.limit.until = time.Time{}, time.Time{}
}
