package github

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func options(t *testing.T, base string) Options {
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	tr := outbound.New(outbound.Options{Timeout: 5 * time.Second})
	t.Cleanup(tr.CloseIdle)
	return Options{BaseURL: u, Token: sim.DefaultToken, HTTP: tr.Client(), UserAgent: "seraph/test"}
}

func newClient(t *testing.T, o Options) *Client {
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answering(t *testing.T, h http.HandlerFunc) *Client {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	o := options(t, s.URL)
	o.Now = func() time.Time { return now }
	return newClient(t, o)
}

var (
	request = deployment.Request{ID: 5, Repository: deployment.Repository{ID: 7, Owner: "acme", Name: "api"}}
	success = deployment.Report{State: deployment.GitHubSuccess, Description: "Deployed", End: true}
)

// Every refusal, with and without the headers and texts that change its meaning.
func TestRefusedWrites(t *testing.T) {
	var status int
	var header http.Header
	var text string
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet { // the question by id
			_, _ = io.WriteString(w, `{"id":7,"full_name":"acme/api"}`)
			return
		}
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"message":%q,"documentation_url":"https://docs.github.com/rest#secondary-rate-limits"}`, text)
	})
	inHalfAnHour := fmt.Sprint(now.Add(30 * time.Minute).Unix())
	for status = 300; status < 600; status++ {
		if status == 304 {
			continue
		}
		for name, v := range map[string]struct {
			header http.Header
			text   string
			after  time.Duration
		}{
			"plain":         {nil, "no", 0},
			"retry after":   {http.Header{"Retry-After": {"9"}}, "no", 9 * time.Second},
			"none left":     {http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {inHalfAnHour}}, "no", 30 * time.Minute},
			"secondary":     {http.Header{"X-Ratelimit-Remaining": {"99"}, "X-Ratelimit-Reset": {inHalfAnHour}}, "You have exceeded a secondary rate limit", time.Minute},
			"full":          {nil, "This deployment has reached the maximum number of statuses.", 0},
			"both together": {http.Header{"Retry-After": {"9"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {inHalfAnHour}}, "no", 9 * time.Second},
		} {
			header, text = v.header, v.text
			want, after := deployment.WriteDropped, time.Duration(0)
			limited := status == 429 || status == 403 && name != "plain" && name != "full"
			switch {
			case limited:
				want, after = deployment.WriteRetry, v.after
				if v.after == 0 {
					after = time.Minute
				}
			case status == 401, status == 403, status == 404, status < 400:
				want = deployment.WriteRetry
			case status == 422 && name == "full":
				want = deployment.WriteFull
			case status >= 500, status == 408:
				want = deployment.WriteUnknown
			}
			got := c.WriteStatus(t.Context(), request, success)
			if got.Kind != want || limited && got.After != after {
				t.Errorf("%d %s: %s after %v, want %s after %v (%s)", status, name, got.Kind, got.After, want, after, got.Cause)
			}
			if strings.Contains(got.Cause, sim.DefaultToken) {
				t.Fatalf("the cause holds the token: %s", got.Cause)
			}
		}
	}
}

// A limit that one call met must not keep the client from asking again when its time has come.
func TestLimitsDoNotBlockTheClient(t *testing.T) {
	calls := 0
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		if calls == 1 {
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Add(time.Hour).Unix()))
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"message":"API rate limit exceeded"}`)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":3}`)
	})
	if got := c.WriteStatus(t.Context(), request, success); got.Kind != deployment.WriteRetry {
		t.Fatalf("%+v", got)
	}
	if got := c.WriteStatus(t.Context(), request, success); got.Kind != deployment.WriteDone || got.StatusID != 3 {
		t.Errorf("%+v", got)
	}
}

func TestWritesOfUnknownOutcome(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"reset":     func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"truncated": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); _, _ = io.WriteString(w, `{"id":`) },
		"empty":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) },
		"accepted":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202); _, _ = io.WriteString(w, `{}`) },
	} {
		if got := answering(t, h).WriteStatus(t.Context(), request, success); got.Kind != deployment.WriteUnknown {
			t.Errorf("%s: %+v", name, got)
		}
	}
	nobody := newClient(t, options(t, "http://127.0.0.1:1"))
	if got := nobody.WriteStatus(t.Context(), request, success); got.Kind != deployment.WriteRetry {
		t.Errorf("nobody there: %+v", got)
	}
	bad := request
	bad.Repository.Name = ".."
	if got := nobody.WriteStatus(t.Context(), bad, success); got.Kind != deployment.WriteDropped {
		t.Errorf("a name that bends the path: %+v", got)
	}
}

// world is a simulated GitHub with one repository and one deployment.
func world(t *testing.T, o sim.Options) (*sim.Server, Options, deployment.Request) {
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
	d, err := s.CreateDeployment("acme/api", sim.NewDeployment{Ref: "main", Environment: "production"})
	if err != nil {
		t.Fatal(err)
	}
	return s, options(t, s.URL()), deployment.Request{ID: d.ID, Repository: deployment.Repository{ID: id, Owner: "acme", Name: "api"}}
}

func TestTokenWritesAndReads(t *testing.T) {
	for name, base := range map[string]string{"github.com": "", "enterprise": "/api/v3"} {
		t.Run(name, func(t *testing.T) {
			s, o, req := world(t, sim.Options{BasePath: base})
			c := newClient(t, o)
			running := deployment.Report{State: deployment.GitHubInProgress, Description: "runs", LogURL: "https://app.circleci.com/pipelines/gh/acme/api/1"}
			for _, r := range []deployment.Report{running, {State: deployment.GitHubSuccess, EnvironmentURL: "https://x.example.com", End: true}} {
				if got := c.WriteStatus(t.Context(), req, r); got.Kind != deployment.WriteDone {
					t.Fatalf("%+v", got)
				}
			}
			got, err := c.Statuses(t.Context(), req)
			if err != nil || len(got) != 2 || got[0].State != deployment.GitHubInProgress || got[0].LogURL != running.LogURL {
				t.Errorf("%+v %v", got, err)
			}
			if n := s.Writes(); n != 2 {
				t.Errorf("%d writes", n)
			}
			list, err := c.Deployments(t.Context(), deployment.Source{Repository: req.Repository}, time.Now().Add(-time.Hour), 10)
			if err != nil || len(list) != 1 || list[0].ID != req.ID || list[0].SHA == "" || list[0].Environment != "production" {
				t.Errorf("%+v %v", list, err)
			}
			if me, err := c.Identity(t.Context()); err != nil || me != "user seraph-bot" {
				t.Errorf("%s %v", me, err)
			}
			if err := c.CheckRepository(t.Context(), "acme", "api"); err != nil {
				t.Error(err)
			}
			if err := c.CheckRepository(t.Context(), "acme", "nothing"); err == nil {
				t.Error("a repository that is not there was found")
			}
		})
	}
}

func TestAppActsThroughItsInstallation(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	s, o, req := world(t, sim.Options{App: &sim.App{ID: 99, Slug: "seraph", InstallationID: 4, PrivateKey: text}})
	o.Token, o.AppID, o.PrivateKey = "", 99, key
	c := newClient(t, o)
	for _, installation := range []int64{0, 4} { // looked up, and from the event
		req.Installation = installation
		if got := c.WriteStatus(t.Context(), req, success); got.Kind != deployment.WriteDone {
			t.Fatalf("installation %d: %+v", installation, got)
		}
	}
	if n := s.TokensIssued(); n != 1 {
		t.Errorf("%d tokens for one installation", n)
	}
	s.RevokeTokens()
	if _, err := c.Statuses(t.Context(), req); err != nil {
		t.Errorf("a read after a revoked token: %v", err)
	}
	if me, err := c.Identity(t.Context()); err != nil || me != "GitHub App seraph" {
		t.Errorf("%s %v", me, err)
	}
	found, err := c.ResolveRepository(t.Context(), "acme", "api")
	if err != nil || found.Installation != 4 || found.Repository != req.Repository {
		t.Errorf("%+v %v", found, err)
	}
}

func TestRepositoriesMove(t *testing.T) {
	for name, redirects := range map[string]bool{"redirect": true, "gone from its old name": false} {
		t.Run(name, func(t *testing.T) {
			s, o, req := world(t, sim.Options{})
			c := newClient(t, o)
			s.Rename("acme/api", "acme/service", redirects)
			for range 2 {
				if got := c.WriteStatus(t.Context(), req, success); got.Kind != deployment.WriteDone {
					t.Fatalf("%+v", got)
				}
			}
			if got := s.Statuses("acme/service", req.ID); len(got) != 2 {
				t.Errorf("%+v", got)
			}
			s.Delete("acme/service")
			if got := c.WriteStatus(t.Context(), req, success); got.Kind != deployment.WriteDropped {
				t.Errorf("a deleted repository: %+v", got)
			}
		})
	}
}

func TestPaceKeepsAReserveForEnds(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":3}`)
	}))
	t.Cleanup(s.Close)
	o := options(t, s.URL)
	o.WritesPerMinute, o.Now = 8, func() time.Time { return now }
	c := newClient(t, o)
	count := func(r deployment.Report) (n int) {
		for c.WriteStatus(t.Context(), request, r).Kind == deployment.WriteDone {
			n++
		}
		return n
	}
	if before, ends := count(deployment.Report{State: deployment.GitHubInProgress}), count(success); before != 6 || ends != 2 {
		t.Errorf("%d before the end, then %d ends", before, ends)
	}
	if got := c.WriteStatus(t.Context(), request, success); got.Kind != deployment.WritePaced || got.After <= 0 {
		t.Errorf("%+v", got)
	}
}

func TestHookRanges(t *testing.T) {
	s, o, _ := world(t, sim.Options{})
	s.SetHookSources("192.0.2.0/24", "2001:db8::/32")
	got, err := newClient(t, o).HookRanges(t.Context())
	if err != nil || len(got) != 2 || got[0].String() != "192.0.2.0/24" {
		t.Errorf("%v %v", got, err)
	}
}

func TestOneCredential(t *testing.T) {
	for _, o := range []Options{{}, {Token: "x", AppID: 1}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	var own *Error
	if errors.As(error(&Error{Err: io.EOF}), &own); !errors.Is(own, io.EOF) {
		t.Error("the cause is lost")
	}
}
