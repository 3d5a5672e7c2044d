package github

import (
	"errors"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func TestClient_RenamedRepository(t *testing.T) {
	tests := []struct {
		name      string
		redirects bool // GitHub redirects calls under the former name
	}{
		{name: "redirected", redirects: true},
		{name: "not found under its former name", redirects: false},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			forEachCredential(t, func(t *testing.T, s simulated) {
				wantWrite(t, s.Client, s.request, deployment.WriteDone)
				s.sim.Rename("acme/api", "acme/service", tt.redirects)
				wantWrite(t, s.Client, s.request, deployment.WriteDone)

				before := s.sim.Calls()[sim.OpGetRepository]
				wantWrite(t, s.Client, s.request, deployment.WriteDone)
				if n := s.sim.Calls()[sim.OpGetRepository] - before; n != 0 {
					t.Errorf("once the new name is known: got %d look-ups, want 0", n)
				}

				got, err := s.Statuses(t.Context(), s.request)
				if err != nil || len(got) != 3 {
					t.Errorf("statuses: got %+v (%v), want 3", got, err)
				}
				if got := s.sim.Statuses("acme/service", s.request.ID); len(got) != 3 {
					t.Errorf("statuses at GitHub: got %+v, want 3", got)
				}
			})
		})
	}
}

func TestClient_DeletedRepository(t *testing.T) {
	s, o, req := newSimulation(t, sim.Options{})
	c := newClient(t, o)
	s.Delete("acme/api")

	// A token that may not see the repository for a while causes the same, so the write is retried.
	wantWrite(t, c, req, deployment.WriteRetry)
	if _, err := c.Statuses(t.Context(), req); !errors.Is(err, ErrRepositoryGone) {
		t.Errorf("statuses: got error %v, want %v", err, ErrRepositoryGone)
	}

	src := deployment.Source{Repository: req.Repository}
	if _, err := c.Deployments(t.Context(), src, now, 1); !errors.Is(err, ErrRepositoryGone) {
		t.Errorf("deployments: got error %v, want %v", err, ErrRepositoryGone)
	}
}

// An App that is not installed sees nothing. That does not mean that the repository is gone.
func TestClient_NotInstalledIsNotGone(t *testing.T) {
	s, c, req := newAppSimulation(t, sim.Options{})
	if err := s.NextNamed(sim.OpGetInstallation, "not-found", 3); err != nil {
		t.Fatal(err)
	}

	wantWrite(t, c, req, deployment.WriteRetry)
	if _, err := c.Statuses(t.Context(), req); err == nil || errors.Is(err, ErrRepositoryGone) {
		t.Errorf("statuses: got error %v, want another one", err)
	}

	src := deployment.Source{Repository: req.Repository}
	if _, err := c.Deployments(t.Context(), src, now, 1); err == nil || errors.Is(err, ErrRepositoryGone) {
		t.Errorf("deployments: got error %v, want another one", err)
	}

	wantWrite(t, c, req, deployment.WriteDone)
}
