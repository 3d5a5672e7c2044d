package github

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
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

func newClientWith(t *testing.T, h http.HandlerFunc) *Client {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	o := options(t, s.URL)
	o.Now = func() time.Time { return now }
	return newClient(t, o)
}

var (
	request = deployment.Request{ID: 5, Repository: deployment.Repository{ID: 7, Owner: "acme", Name: "api"}}
	success = deployment.Report{State: deployment.GitHubSuccess, Description: "Deployed", Final: true}
	running = deployment.Report{
		State:       deployment.GitHubInProgress,
		Description: "runs",
		LogURL:      "https://app.circleci.com/pipelines/gh/acme/api/1",
	}
)

// newSimulation is a simulated GitHub with one repository and one deployment. A call that GitHub's
// reference does not know fails the test.
func newSimulation(t *testing.T, o sim.Options) (*sim.Server, Options, deployment.Request) {
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
	return s, options(t, s.URL()), createDeployment(t, s, deployment.Repository{ID: id, Owner: "acme", Name: "api"})
}

func createDeployment(t *testing.T, s *sim.Server, r deployment.Repository) deployment.Request {
	d, err := s.CreateDeployment(r.FullName(), sim.NewDeployment{Ref: "main", Environment: "production"})
	if err != nil {
		t.Fatal(err)
	}
	return deployment.Request{ID: d.ID, Repository: r}
}

func wantWrite(t *testing.T, c *Client, req deployment.Request, want deployment.WriteKind) deployment.WriteOutcome {
	t.Helper()
	got := c.WriteStatus(t.Context(), req, success)
	if got.Kind != want {
		t.Errorf("got %+v, want %s", got, want)
	}
	return got
}

func TestTokenWritesAndReads(t *testing.T) {
	for name, base := range map[string]string{"github.com": "", "enterprise": "/api/v3"} {
		t.Run(name, func(t *testing.T) {
			s, o, req := newSimulation(t, sim.Options{BasePath: base})
			c := newClient(t, o)
			for _, r := range []deployment.Report{running, success} {
				if got := c.WriteStatus(t.Context(), req, r); got.Kind != deployment.WriteDone {
					t.Fatalf("%+v", got)
				}
			}

			got, err := c.Statuses(t.Context(), req)
			if err != nil || len(got) != 2 || got[0].State != deployment.GitHubInProgress ||
				got[0].LogURL != running.LogURL ||
				got[0].CreatorLogin != "seraph-bot" {
				t.Errorf("%+v %v", got, err)
			}

			if n := s.Writes(); n != 2 {
				t.Errorf("%d writes", n)
			}
			if me, err := c.Identity(t.Context()); err != nil || me.String() != "user seraph-bot" {
				t.Errorf("%s %v", me, err)
			}
			if err := c.CheckRepository(t.Context(), "acme", "api"); err != nil {
				t.Error(err)
			}
			if err := c.CheckRepository(t.Context(), "acme", "nothing"); err == nil ||
				!strings.Contains(err.Error(), "404") {
				t.Errorf("a repository that is not there: %v", err)
			}
		})
	}
}

// The body says what was decided and nothing else: no environment, no auto_inactive.
func TestStatusBody(t *testing.T) {
	var got map[string]any
	c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		got = nil
		_ = json.NewDecoder(r.Body).Decode(&got)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":3}`)
	})

	full := deployment.Report{
		State:          deployment.GitHubSuccess,
		Description:    "Deployed",
		LogURL:         "https://l",
		EnvironmentURL: "https://e",
		Final:          true,
	}

	for _, want := range []struct {
		report deployment.Report
		body   map[string]any
	}{
		{
			full,
			map[string]any{
				"state":           "success",
				"description":     "Deployed",
				"log_url":         "https://l",
				"environment_url": "https://e",
			},
		},
		{deployment.Report{State: deployment.GitHubQueued}, map[string]any{"state": "queued", "description": ""}},
	} {
		if out := c.WriteStatus(t.Context(), request, want.report); out.Kind != deployment.WriteDone ||
			out.StatusID != 3 {
			t.Fatalf("%+v", out)
		}
		if !reflect.DeepEqual(got, want.body) {
			t.Errorf("sent %v, want %v", got, want.body)
		}
	}
}

func TestStatusesAreReadWholeOrNotAtAll(t *testing.T) {
	pages, total := 0, 3
	c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		pages++
		if pages < total {
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, r.Host, r.URL.Path, pages+1))
		}

		// newest first, and one status is shown again because another was added meanwhile
		_, _ = fmt.Fprintf(
			w,
			`[{"id":%d,"state":"queued","created_at":"2026-11-22T12:00:00Z"},{"id":%d,"state":"queued","created_at":"2026-11-22T12:00:00Z"}]`,
			100-pages,
			99-pages,
		)
	})

	got, err := c.Statuses(t.Context(), request)
	if err != nil || len(got) != 4 || got[0].ID != 96 || got[3].ID != 99 {
		t.Errorf("%+v %v", got, err)
	}

	pages, total = 0, 1<<30
	if got, err = c.Statuses(t.Context(), request); err == nil || pages != maxStatusPages {
		t.Errorf("a list without end: %d statuses after %d pages, %v", len(got), pages, err)
	}
}

// A 200 that holds no list must not pass for "nobody wrote a status yet": that would let a
// deployment run twice.
func TestAnEmptyAnswerIsNoEmptyList(t *testing.T) {
	for _, text := range []string{"", "null", "{}", "[", "<html>"} {
		c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/repositories/") {
				_, _ = io.WriteString(w, `{"id":7,"full_name":"acme/api"}`)
				return
			}

			_, _ = io.WriteString(w, text)
		})

		if got, err := c.Statuses(t.Context(), request); err == nil {
			t.Errorf("%q: statuses %v", text, got)
		}

		if got, err := c.Deployments(t.Context(), deployment.Source{
			Repository: request.Repository,
		}, now, 5); err == nil {
			t.Errorf("%q: deployments %v", text, got)
		}

		if got, err := c.ResolveRepository(t.Context(), "acme", "api"); err == nil {
			t.Errorf("%q: repository %v", text, got)
		}
	}
}

func TestHookRanges(t *testing.T) {
	s, o, _ := newSimulation(t, sim.Options{})
	c := newClient(t, o)
	s.SetHookSources("192.0.2.1/24", "2001:db8::/32")
	got, err := c.HookRanges(t.Context())
	if err != nil || len(got) != 2 || got[0].String() != "192.0.2.0/24" {
		t.Errorf("%v %v", got, err)
	}

	for _, bad := range [][]string{{}, {"nonsense"}} { // none would shut GitHub out
		s.SetHookSources(bad...)
		if got, err := c.HookRanges(t.Context()); err == nil {
			t.Errorf("%v: %v", bad, got)
		}
	}
}

func TestOptionsAreComplete(t *testing.T) {
	whole := options(t, "https://api.github.com")
	for name, spoil := range map[string]func(*Options){
		"no URL":             func(o *Options) { o.BaseURL = nil },
		"no credential":      func(o *Options) { o.Token = "" },
		"two credentials":    func(o *Options) { o.AppID = 1 },
		"an App without key": func(o *Options) { o.Token, o.AppID = "", 1 },
		"no HTTP client":     func(o *Options) { o.HTTP = nil },
		"follows redirects":  func(o *Options) { o.HTTP = &http.Client{Transport: http.DefaultTransport} },
	} {
		o := whole
		spoil(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
