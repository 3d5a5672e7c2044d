package github

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

// eachCredential runs a test as a token's user, as an App whose events name the installation, and
// as one that looks it up.
func eachCredential(t *testing.T, test func(*testing.T, *sim.Server, *Client, deployment.Request)) {
	t.Run("token", func(t *testing.T) {
		s, o, req := newSimulation(t, sim.Options{})
		test(t, s, newClient(t, o), req)
	})

	t.Run("app", func(t *testing.T) {
		s, c, req := newAppSimulation(t, sim.Options{})
		req.Installation = 4
		test(t, s, c, req)
	})

	t.Run("app, looked up", func(t *testing.T) {
		s, c, req := newAppSimulation(t, sim.Options{})
		test(t, s, c, req)
	})
}

func TestRepositoriesMove(t *testing.T) {
	for name, redirects := range map[string]bool{"redirect": true, "gone from its old name": false} {
		t.Run(name, func(t *testing.T) {
			eachCredential(t, func(t *testing.T, s *sim.Server, c *Client, req deployment.Request) {
				wantWrite(t, c, req, deployment.WriteDone)
				s.Rename("acme/api", "acme/service", redirects)
				wantWrite(t, c, req, deployment.WriteDone)
				asked := s.Calls()[sim.OpGetRepository]
				wantWrite(t, c, req, deployment.WriteDone)
				if n := s.Calls()[sim.OpGetRepository] - asked; n != 0 {
					t.Errorf("the new name was not kept: asked %d times more", n)
				}
				if got, err := c.Statuses(t.Context(), req); err != nil || len(got) != 3 {
					t.Errorf("%+v %v", got, err)
				}
				if got := s.Statuses("acme/service", req.ID); len(got) != 3 {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

func TestADeletedRepositoryIsGone(t *testing.T) {
	s, o, req := newSimulation(t, sim.Options{})
	c := newClient(t, o)
	s.Delete("acme/api")
	wantWrite(t, c, req, deployment.WriteRetry) // it looks the same as a token that lost its sight for a while
	if _, err := c.Statuses(t.Context(), req); !errors.Is(err, ErrRepositoryGone) {
		t.Errorf("statuses: %v", err)
	}

	if _, err := c.Deployments(t.Context(), deployment.Source{
		Repository: req.Repository,
	}, now, 1); !errors.Is(err, ErrRepositoryGone) {
		t.Errorf("deployments: %v", err)
	}
}

// An App that is not installed sees nothing; that does not mean that there is nothing.
func TestNotInstalledIsNotGone(t *testing.T) {
	s, c, req := newAppSimulation(t, sim.Options{})
	if err := s.NextNamed(sim.OpGetInstallation, "not-found", 3); err != nil {
		t.Fatal(err)
	}

	wantWrite(t, c, req, deployment.WriteRetry)
	if _, err := c.Statuses(t.Context(), req); err == nil || errors.Is(err, ErrRepositoryGone) {
		t.Errorf("statuses: %v", err)
	}

	if _, err := c.Deployments(t.Context(), deployment.Source{
		Repository: req.Repository,
	}, now, 1); err == nil || errors.Is(err, ErrRepositoryGone) {
		t.Errorf("deployments: %v", err)
	}

	wantWrite(t, c, req, deployment.WriteDone)
}

// A name that was given up and taken by somebody else must not bring another repository's
// deployments in under our repository's id.
func TestATakenNameIsNotOurs(t *testing.T) {
	eachCredential(t, func(t *testing.T, s *sim.Server, c *Client, req deployment.Request) {
		wantWrite(t, c, req, deployment.WriteDone)
		s.Rename("acme/api", "acme/service", false)
		stranger := deployment.Repository{ID: s.AddRepository("acme/api"), Owner: "acme", Name: "api"}
		createDeployment(t, s, stranger)
		got, err := c.Deployments(t.Context(), deployment.Source{
			Repository:   req.Repository,
			Installation: req.Installation,
		}, time.Now().Add(-time.Hour), 10)

		if err != nil || len(got) != 1 || got[0].ID != req.ID || got[0].Repository.FullName() != "acme/service" {
			t.Errorf("%+v %v", got, err)
		}
		if got, err := c.Statuses(t.Context(), req); err != nil || len(got) != 1 {
			t.Errorf("%+v %v", got, err)
		}

		wantWrite(t, c, req, deployment.WriteDone)
		if got := s.Statuses("acme/service", req.ID); len(got) != 2 {
			t.Errorf("%+v", got)
		}
	})
}

// go-github would follow a redirected POST as a GET and take its 200 for success.
func TestRedirectedWritesAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, away := range []string{"/trap", "http://127.0.0.1:1/trap", "http://%zz", ""} {
			var trapped, written atomic.Int32
			c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/trap":
					trapped.Add(1)
				case r.Method == http.MethodPost:
					written.Add(1)
					w.Header().Set("Location", away)
					w.WriteHeader(status)
				default:
					_, _ = w.Write([]byte(`{"id":7,"full_name":"acme/api"}`))
				}
			})

			wantWrite(t, c, request, deployment.WriteRetry)
			if trapped.Load() != 0 || written.Load() != 1 {
				t.Errorf("%d to %q: followed %d times, written %d times", status, away, trapped.Load(), written.Load())
			}
		}
	}
}
