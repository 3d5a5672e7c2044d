package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func TestApp_UsesItsInstallation(t *testing.T) {
	tests := []struct {
		name, basePath string
	}{
		{name: "github.com", basePath: ""},
		{name: "enterprise", basePath: "/api/v3"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, c, req := newAppSimulation(t, sim.Options{BasePath: tt.basePath})
			for _, installation := range []int64{0, 4} { // looked up, and from the event
				req.Installation = installation
				wantWrite(t, c, req, deployment.WriteDone)
			}

			if n, calls := s.TokensIssued(), s.Calls(); n != 1 || calls[sim.OpGetInstallation] != 1 {
				t.Errorf("got %d tokens and the calls %v, want 1 token and 1 look-up", n, calls)
			}

			found, err := c.ResolveRepository(t.Context(), "acme", "api")
			if err != nil || found.Installation != 4 || found.Repository != req.Repository {
				t.Errorf("resolve: got %+v (%v), want %+v with installation 4", found, err, req.Repository)
			}
		})
	}
}

// Callers wait for a token that is being created, but not longer than their own context allows.
func TestInstallationToken_ConcurrentCallersShareOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var created atomic.Int32
		token := &installationToken{
			now:        time.Now,
			refreshing: make(chan struct{}, 1),
			create: func(context.Context) (*gh.InstallationToken, error) {
				created.Add(1)
				time.Sleep(2 * time.Second)
				return &gh.InstallationToken{
					Token:     new("t"),
					ExpiresAt: &gh.Timestamp{Time: time.Now().Add(time.Hour)},
				}, nil
			},
		}

		for range 8 {
			go func() {
				if got, err := token.token(t.Context()); got != "t" || err != nil {
					t.Errorf("got %q (%v), want t", got, err)
				}
			}()
		}

		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		var e *Error
		if _, err := token.token(short); !errors.As(err, &e) || failedWrite(err).Kind != deployment.WriteRetry {
			t.Errorf("caller with 1s: got error %v, want an *Error that is retried", err)
		}

		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := created.Load(); n != 1 {
			t.Errorf("got %d tokens created, want 1", n)
		}
	})
}

func TestApp_ReplacesOutdatedToken(t *testing.T) {
	s, c, req := newAppSimulation(t, sim.Options{})
	ahead := time.Duration(0)
	c.options.Now = func() time.Time { return time.Now().Add(ahead) }
	wantWrite(t, c, req, deployment.WriteDone)

	s.RevokeTokens()
	if _, err := c.Statuses(t.Context(), req); err != nil {
		t.Errorf("read with a revoked token: got error %v", err)
	}

	s.RevokeTokens()
	wantWrite(t, c, req, deployment.WriteRetry)
	wantWrite(t, c, req, deployment.WriteDone)

	ahead = 59*time.Minute + 30*time.Second
	before := s.TokensIssued()
	wantWrite(t, c, req, deployment.WriteDone)
	if n := s.TokensIssued() - before; n != 1 {
		t.Errorf("half a minute before the token expires: got %d new tokens, want 1", n)
	}
}

// An App that was uninstalled and installed again has another installation than an event from
// before.
func TestApp_LooksUpGoneInstallation(t *testing.T) {
	t.Run("write", func(t *testing.T) {
		_, c, req := newAppSimulation(t, sim.Options{})
		req.Installation = 3
		wantWrite(t, c, req, deployment.WriteRetry)
		wantWrite(t, c, req, deployment.WriteDone)
	})

	t.Run("read", func(t *testing.T) {
		_, c, req := newAppSimulation(t, sim.Options{})
		req.Installation = 3
		if _, err := c.Statuses(t.Context(), req); err != nil {
			t.Errorf("got error %v", err)
		}
	})
}

// An event may name an installation that exists and does not see the repository. GitHub is asked once which one does.
func TestApp_InstallationElsewhere(t *testing.T) {
	s, c, req := newAppSimulation(t, sim.Options{})
	s.InstallElsewhere(5)
	req.Installation = 5
	if _, err := c.Deployment(t.Context(), req); err != nil {
		t.Errorf("got error %v", err)
	}
	wantWrite(t, c, req, deployment.WriteDone)
	if n := s.Calls()[sim.OpGetInstallation]; n != 1 {
		t.Errorf("got %d look-ups of the installation, want 1", n)
	}

	req.Installation = 4
	req.ID = 987654321
	for range 3 {
		if _, err := c.Deployment(t.Context(), req); !errors.Is(err, policy.ErrMissing) {
			t.Errorf("got %v for an id that GitHub does not know, want ErrMissing", err)
		}
	}
	if n := s.Calls()[sim.OpGetInstallation]; n != 2 {
		t.Errorf("got %d look-ups of the installation, want one more for the right one", n)
	}
}

// Reads at the same time all learn which installation sees the repository, also those whose answer comes after another
// one has asked.
func TestApp_InstallationElsewhereOfReadsAtOnce(t *testing.T) {
	s, c, req := newAppSimulation(t, sim.Options{})
	s.InstallElsewhere(5)
	req.Installation = 5

	var reads sync.WaitGroup
	for range 20 {
		reads.Go(func() {
			if _, err := c.Deployment(t.Context(), req); err != nil {
				t.Errorf("got error %v", err)
			}
		})
	}
	reads.Wait()
}

// A repository that has moved to an installation and comes back is not looked for where it was.
func TestApp_InstallationElsewhereAndBack(t *testing.T) {
	s, c, req := newAppSimulation(t, sim.Options{})
	s.InstallElsewhere(5)
	for _, named := range []int64{0, 4} {
		req.Installation = named
		for _, seenBy := range []int64{5, 4} {
			if _, err := c.Deployment(t.Context(), req); err != nil {
				t.Fatalf("event of installation %d: got error %v", named, err)
			}
			s.MoveTo(seenBy)
			c.options.Now = laterBy(c.options.Now, recheckAfter)
			if _, err := c.Deployment(t.Context(), req); err != nil {
				t.Errorf("event of installation %d, seen by %d: got error %v", named, seenBy, err)
			}
		}
	}
}

func laterBy(now func() time.Time, d time.Duration) func() time.Time {
	return func() time.Time { return now().Add(d) }
}

// Everybody may read a public repository, and only the installation that has it may write to it.
func TestApp_InstallationElsewhereOfAPublicRepository(t *testing.T) {
	s, c, req := newAppSimulation(t, sim.Options{})
	s.InstallElsewhere(5)
	if err := s.NextNamed(sim.OpCreateStatus, "forbidden", 1); err != nil {
		t.Fatal(err)
	}

	req.Installation = 5
	wantWrite(t, c, req, deployment.WriteRetry)
	wantWrite(t, c, req, deployment.WriteDone)
	if n := s.Calls()[sim.OpGetInstallation]; n != 1 {
		t.Errorf("got %d look-ups of the installation, want 1", n)
	}
}

// Where no installation sees a repository, GitHub is not asked for one after each call that fails.
func TestApp_InstallationNowhere(t *testing.T) {
	s, c, req := newAppSimulation(t, sim.Options{})
	s.Uninstall("acme/api")
	req.Installation = 4
	for range 3 {
		if _, err := c.Deployment(t.Context(), req); err == nil {
			t.Error("got no error, want one")
		}
	}
	if n := s.Calls()[sim.OpGetInstallation]; n != 1 {
		t.Errorf("got %d look-ups of the installation, want 1", n)
	}
}

// Events name the installations that are kept, so that there is a bound for them.
func TestApp_InstallationsKept(t *testing.T) {
	s, c, req := newAppSimulation(t, sim.Options{})
	s.InstallElsewhere(5)
	for i := range int64(maxInstallationChecks) {
		c.installationChecks[fromInstallation(1000+i, req.Repository)] = installationCheck{at: c.now(), elsewhere: true}
	}

	req.Installation = 5
	if _, err := c.Deployment(t.Context(), req); err != nil {
		t.Errorf("got error %v", err)
	}
	if n := len(c.installationChecks); n > maxInstallationChecks {
		t.Errorf("got %d answers kept, want at most %d", n, maxInstallationChecks)
	}
}

// Without a token nothing was written, and the repository need not be gone: the write is retried.
func TestApp_NoTokenIsRetried(t *testing.T) {
	var status int
	var body string
	server := newClientWith(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})

	tests := []struct {
		name         string
		installation int64
	}{
		{name: "installation not found", installation: 0},
		{name: "token not created", installation: 4},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := request
			req.Installation = tt.installation
			write := func() deployment.WriteOutcome {
				return newClient(t, asApp(server.options)).WriteStatus(t.Context(), req, success)
			}

			body = `{"message":"no"}`
			for status = 300; status < 600; status++ {
				if status == http.StatusNotModified {
					continue
				}
				if got := write(); got.Kind != deployment.WriteRetry || got.After != 7*time.Second {
					t.Errorf("%d: got %+v, want a retry after 7s", status, got)
				}
			}

			status = http.StatusCreated
			for _, body = range []string{"", "null", "{}", `{"token":"`} {
				if got := write(); got.Kind != deployment.WriteRetry {
					t.Errorf("201 with %q: got %+v, want a retry", body, got)
				}
			}
		})
	}
}

// credentialServer answers 502 to all calls but the creation of tokens, and remembers the
// credentials that it was sent.
type credentialServer struct {
	mu           sync.Mutex
	seen         map[string]bool
	rejectTokens bool // answers 502 to the creation of tokens as well
	disconnect   bool // closes the connection without a response
}

func (s *credentialServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s.seen[credential] = true
	switch {
	case s.disconnect:
		panic(http.ErrAbortHandler)
	case strings.HasSuffix(r.URL.Path, "/access_tokens") && !s.rejectTokens:
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"token":"ghs_secret","expires_at":"2036-01-01T00:00:00Z"}`)
	default:
		w.WriteHeader(http.StatusBadGateway)
	}
}

// No error shows a credential, however it is printed: not the personal token, not the
// installation's, not the App's JSON Web Token.
func TestError_HoldsNoCredential(t *testing.T) {
	server := &credentialServer{seen: map[string]bool{}}
	c := newClientWith(t, server.ServeHTTP)
	tests := []struct {
		name                     string
		app                      bool
		rejectTokens, disconnect bool
	}{
		{name: "token"},
		{name: "token, disconnected", disconnect: true},
		{name: "app", app: true},
		{name: "app, no token created", app: true, rejectTokens: true},
		{name: "app, disconnected", app: true, disconnect: true},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server.mu.Lock()
			server.rejectTokens, server.disconnect = tt.rejectTokens, tt.disconnect
			server.mu.Unlock()

			o := c.options
			if tt.app {
				o = asApp(o)
			}

			req := request
			req.Installation = 4
			client := newClient(t, o)
			_, statuses := client.Statuses(t.Context(), req)
			_, identity := client.Identity(t.Context())
			cause := client.WriteStatus(t.Context(), req, success).Cause
			text := fmt.Sprintf("%v %+v %v %+v %s", statuses, statuses, identity, identity, cause)

			server.mu.Lock()
			defer server.mu.Unlock()
			for credential := range server.seen {
				if credential == "" || strings.Contains(text, credential) {
					t.Errorf("got a call without a credential, or an error with one: %s", text)
				}
			}
		})
	}

	server.mu.Lock()
	defer server.mu.Unlock()
	if !server.seen["ghs_secret"] || !server.seen[sim.DefaultToken] || len(server.seen) < 3 {
		t.Errorf("got %d credentials used, want the token, an installation's and an App's", len(server.seen))
	}
}
