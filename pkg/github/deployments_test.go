package github

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func TestDeployments_NewestFirst(t *testing.T) {
	s, o, req := newSimulation(t, sim.Options{})
	for range 120 {
		createDeployment(t, s, req.Repository)
	}

	c, src := newClient(t, o), deployment.Source{Repository: req.Repository}
	tests := []struct {
		limit, want int
	}{
		{limit: -1, want: 0},
		{limit: 0, want: 0},
		{limit: 1, want: 1},
		{limit: 100, want: 100},
		{limit: 101, want: 101},
		{limit: 150, want: 121},
	}

	for _, tt := range tests {
		t.Run(fmt.Sprintf("limit %d", tt.limit), func(t *testing.T) {
			got, err := c.Deployments(t.Context(), src, time.Now().Add(-time.Hour), tt.limit)
			if err != nil || len(got) != tt.want {
				t.Fatalf("got %d deployments (%v), want %d", len(got), err, tt.want)
			}

			for i := 1; i < len(got); i++ {
				if got[i].ID >= got[i-1].ID {
					t.Fatalf("got %d after %d, want the newest first", got[i].ID, got[i-1].ID)
				}
			}
		})
	}

	t.Run("since a time to come", func(t *testing.T) {
		got, err := c.Deployments(t.Context(), src, time.Now().Add(time.Minute), 100)
		if err != nil || len(got) != 0 {
			t.Errorf("got %d deployments (%v), want none", len(got), err)
		}
	})
}

func TestDeploymentItem_Request(t *testing.T) {
	const item = `{"id":9,"sha":"abc","ref":"main","task":"deploy:db","payload":{"n":12345678901234567890},` +
		`"environment":"Production","description":null,` +
		`"creator":{"id":3,"login":"hubot[bot]","type":"Bot"},"created_at":"2026-11-22T12:00:00Z",` +
		`"performed_via_github_app":{"id":8,"slug":"hubot"}}`
	want := deployment.Request{
		ID:           9,
		Repository:   request.Repository,
		Environment:  "Production",
		Ref:          "main",
		SHA:          "abc",
		Task:         "deploy:db",
		Payload:      []byte(`{"n":12345678901234567890}`),
		Creator:      deployment.Creator{ID: 3, Login: "hubot[bot]", Type: "Bot"},
		App:          deployment.App{ID: 8, Slug: "hubot"},
		Installation: 4,
		CreatedAt:    now,
		ReadAtGitHub: true,
	}

	got, err := parseDeploymentItem([]byte(item))
	if err != nil {
		t.Fatal(err)
	}

	src := deployment.Source{Repository: request.Repository, Installation: 4}
	if diff := cmp.Diff(want, got.request(src)); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

// An item that cannot be parsed hides no other one, and a list without end is not read for ever.
func TestDeployments_InvalidItems(t *testing.T) {
	const good = `{"id":9,"sha":"abc","ref":"main","environment":"production",` +
		`"created_at":"2026-11-22T12:00:00Z","payload":"x"}`
	tests := []struct {
		name, page string
		want       int
	}{
		{name: "empty list", page: `[]`, want: 0},
		{name: "one item on every page", page: `[` + good + `]`, want: 1},
		{name: "id of another type", page: `[{"id":"eight"},` + good + `]`, want: 1},
		{name: "missing fields and a number", page: `[{"id":8},` + good + `,7]`, want: 1},
		{name: "an item without a time", page: `[{"id":8,"sha":"abc","ref":"main","environment":"x"},` + good + `]`, want: 2},
		{name: "one item twice", page: `[` + good + `,` + good + `]`, want: 1},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pages := 0
			c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/repositories/") {
					_, _ = io.WriteString(w, `{"id":7,"full_name":"acme/api"}`)
					return
				}

				pages++
				linkNextPage(w, r, pages+1)
				_, _ = io.WriteString(w, tt.page)
			})

			got, err := c.Deployments(t.Context(), deployment.Source{Repository: request.Repository}, now, 100)
			if err != nil || len(got) != tt.want {
				t.Errorf("got %d deployments (%v), want %d", len(got), err, tt.want)
			}
			if pages > 3 {
				t.Errorf("got %d pages read, want at most 3", pages)
			}
		})
	}
}

// Another repository may have taken a name that was given up. Its deployments must not be listed
// under the id of the first one.
func TestDeployments_TakenName(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		wantWrite(t, s.Client, s.request, deployment.WriteDone)
		s.sim.Rename("acme/api", "acme/service", false)
		other := deployment.Repository{ID: s.sim.AddRepository("acme/api"), Owner: "acme", Name: "api"}
		createDeployment(t, s.sim, other)

		src := deployment.Source{Repository: s.repo, Installation: s.installation}
		got, err := s.Deployments(t.Context(), src, time.Now().Add(-time.Hour), 10)
		if err != nil || len(got) != 1 || got[0].ID != s.request.ID ||
			got[0].Repository.FullName() != "acme/service" {
			t.Errorf("got %+v (%v), want the deployment %d of acme/service", got, err, s.request.ID)
		}

		statuses, err := s.Statuses(t.Context(), s.request)
		if err != nil || len(statuses) != 1 {
			t.Errorf("statuses: got %+v (%v), want 1", statuses, err)
		}

		wantWrite(t, s.Client, s.request, deployment.WriteDone)
		if got := s.sim.Statuses("acme/service", s.request.ID); len(got) != 2 {
			t.Errorf("statuses of acme/service: got %+v, want 2", got)
		}
	})
}

// Whatever the list holds, an accepted item has all that a deployment needs.
func FuzzDeploymentItem(f *testing.F) {
	f.Add([]byte(`{"id":9,"sha":"abc","ref":"main","environment":"production","payload":null,"creator":null}`))
	f.Add([]byte(`{"id":-1}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		item, err := parseDeploymentItem(raw)
		if err != nil {
			return
		}

		r := item.request(deployment.Source{})
		if r.ID <= 0 || r.SHA == "" || r.Ref == "" || r.Environment == "" {
			t.Errorf("got %+v, want id, sha, ref and environment", r)
		}
	})
}
