package github

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
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
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

var appKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// newAppSimulation is a world in which we are a GitHub App, installed as number 4.
func newAppSimulation(t *testing.T, o sim.Options) (*sim.Server, *Client, deployment.Request) {
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(appKey())})
	o.App = &sim.App{ID: 99, Slug: "seraph", InstallationID: 4, PrivateKey: text}
	s, options, req := newSimulation(t, o)
	return s, newClient(t, asApp(options)), req
}

func asApp(o Options) Options {
	o.Token, o.AppID, o.PrivateKey = "", 99, appKey()
	return o
}

func TestAppActsThroughItsInstallation(t *testing.T) {
	for name, base := range map[string]string{"github.com": "", "enterprise": "/api/v3"} {
		t.Run(name, func(t *testing.T) {
			s, c, req := newAppSimulation(t, sim.Options{BasePath: base})
			for _, installation := range []int64{0, 4} { // looked up, and from the event
				req.Installation = installation
				wantWrite(t, c, req, deployment.WriteDone)
			}

			if n, calls := s.TokensIssued(), s.Calls(); n != 1 || calls[sim.OpGetInstallation] != 1 {
				t.Errorf("%d tokens, calls %v", n, calls)
			}
			if me, err := c.Identity(t.Context()); err != nil || me != (Identity{Kind: "app", Login: "seraph[bot]", AppSlug: "seraph"}) ||
				me.String() != "GitHub App seraph" {
				t.Errorf("%+v %v", me, err)
			}

			found, err := c.ResolveRepository(t.Context(), "acme", "api")
			if err != nil || found.Installation != 4 || found.Repository != req.Repository {
				t.Errorf("%+v %v", found, err)
			}
		})
	}
}

// Whoever waits for a token gets the one that is being asked for, and waits no longer than its own
// call may take.
func TestManyCallersShareOneToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		keep := &installationToken{
			now:        time.Now,
			refreshing: make(chan struct{}, 1),
			create: func(context.Context) (*gh.InstallationToken, error) {
				asked.Add(1)
				time.Sleep(2 * time.Second)
				return &gh.InstallationToken{
					Token:     gh.String("t"),
					ExpiresAt: &gh.Timestamp{Time: time.Now().Add(time.Hour)},
				}, nil
			},
		}

		for range 8 {
			go func() {
				if got, err := keep.token(t.Context()); got != "t" || err != nil {
					t.Errorf("%q %v", got, err)
				}
			}()
		}

		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var e *Error
		if _, err := keep.token(short); !errors.As(err, &e) || failedWrite(err).Kind != deployment.WriteRetry {
			t.Errorf("a caller without patience: %v", err)
		}

		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestStaleTokensAreReplaced(t *testing.T) {
	s, c, req := newAppSimulation(t, sim.Options{})
	ahead := time.Duration(0)
	c.options.Now = func() time.Time { return time.Now().Add(ahead) }
	wantWrite(t, c, req, deployment.WriteDone)
	s.RevokeTokens()
	if _, err := c.Statuses(t.Context(), req); err != nil {
		t.Errorf("a read after a revoked token: %v", err)
	}

	s.RevokeTokens()
	wantWrite(t, c, req, deployment.WriteRetry)
	wantWrite(t, c, req, deployment.WriteDone)
	ahead = 59*time.Minute + 30*time.Second
	before := s.TokensIssued()
	wantWrite(t, c, req, deployment.WriteDone)
	if n := s.TokensIssued() - before; n != 1 {
		t.Errorf("%d tokens asked for half a minute before the old one ends", n)
	}
}

// An App that was uninstalled and installed anew has another installation than the event says.
func TestALostInstallationIsLookedUpAnew(t *testing.T) {
	_, c, req := newAppSimulation(t, sim.Options{})
	req.Installation = 3
	wantWrite(t, c, req, deployment.WriteRetry)
	wantWrite(t, c, req, deployment.WriteDone)

	_, c, req = newAppSimulation(t, sim.Options{})
	req.Installation = 3
	if _, err := c.Statuses(t.Context(), req); err != nil {
		t.Error(err)
	}
}

// Whatever keeps us from a token wrote nothing, and does not mean that the repository is gone: the
// report stays owed.
func TestNoTokenMeansNothingWasWritten(t *testing.T) {
	var status int
	var body string
	refusing := newClientWith(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})

	for _, installation := range []int64{0, 4} { // the look-up is refused; the token is
		req := request
		req.Installation = installation
		for status = 300; status < 600; status++ {
			if status == http.StatusNotModified {
				continue
			}

			body = `{"message":"no"}`
			got := newClient(t, asApp(refusing.options)).WriteStatus(t.Context(), req, success)
			if got.Kind != deployment.WriteRetry || got.After != 7*time.Second {
				t.Errorf("installation %d, %d: %+v", installation, status, got)
			}
		}

		for _, body = range []string{"", "null", "{}", `{"token":"`} {
			status = http.StatusCreated
			if got := newClient(t, asApp(refusing.options)).WriteStatus(t.Context(), req, success); got.Kind != deployment.WriteRetry {
				t.Errorf("installation %d, %q: %+v", installation, body, got)
			}
		}
	}
}

// No error shows a credential, however it is printed: not the personal token, not the
// installation's, not the App's JSON web token.
func TestErrorsHoldNoCredentials(t *testing.T) {
	var mu sync.Mutex // a connection that is cut orders nothing
	seen, refuseToken, cut := map[string]bool{}, false, false
	c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		seen[credential] = true
		switch {
		case cut:
			panic(http.ErrAbortHandler)
		case strings.HasSuffix(r.URL.Path, "/access_tokens") && !refuseToken:
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"token":"ghs_secret","expires_at":"2036-01-01T00:00:00Z"}`)
		default:
			w.WriteHeader(http.StatusBadGateway)
		}
	})

	req := request
	req.Installation = 4
	for _, o := range []Options{c.options, asApp(c.options)} {
		for _, how := range [][2]bool{{false, false}, {true, false}, {false, true}} {
			mu.Lock()
			refuseToken, cut = how[0], how[1]
			mu.Unlock()
			client := newClient(t, o)
			_, err := client.Statuses(t.Context(), req)
			_, who := client.Identity(t.Context())
			text := fmt.Sprintf(
				"%v %+v %v %+v %s",
				err,
				err,
				who,
				who,
				client.WriteStatus(t.Context(), req, success).Cause,
			)

			mu.Lock()
			for secret := range seen {
				if secret == "" || strings.Contains(text, secret) {
					t.Errorf("a call without credential, or an error with one: %s", text)
				}
			}

			mu.Unlock()
		}
	}

	if !seen["ghs_secret"] || !seen[sim.DefaultToken] || len(seen) < 3 {
		t.Errorf("only %d credentials were used", len(seen))
	}
}

func TestCheckNamesMissingPermissions(t *testing.T) {
	s, c, _ := newAppSimulation(t, sim.Options{})
	if err := c.CheckRepository(t.Context(), "acme", "api"); err != nil {
		t.Error(err)
	}

	for level, want := range map[string]string{"read": `Deployments is "read"`, "": "needs deployments=read"} {
		s.SetPermission("deployments", level)
		if err := c.CheckRepository(t.Context(), "acme", "api"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", level, err)
		}
	}

	s.AddRepository("acme/other")
	s.Uninstall("acme/other")
	if err := c.CheckRepository(t.Context(), "acme", "other"); err == nil ||
		!strings.Contains(err.Error(), "install the GitHub App") {
		t.Errorf("%v", err)
	}

	reader := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/deployments") {
			_, _ = io.WriteString(w, `[]`)
			return
		}

		_, _ = io.WriteString(w, `{"id":7,"full_name":"acme/api","permissions":{"pull":true,"push":false}}`)
	})

	if err := reader.CheckRepository(t.Context(), "acme", "api"); err == nil ||
		!strings.Contains(err.Error(), "write access") {
		t.Errorf("%v", err)
	}
}
