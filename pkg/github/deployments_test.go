package github

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func TestDeploymentsComeNewestFirst(t *testing.T) {
	s, o, req := newSimulation(t, sim.Options{})
	for range 120 {
		createDeployment(t, s, req.Repository)
	}

	c, of := newClient(t, o), deployment.Source{Repository: req.Repository}
	for limit, want := range map[int]int{-1: 0, 0: 0, 1: 1, 100: 100, 101: 101, 150: 121} {
		got, err := c.Deployments(t.Context(), of, time.Now().Add(-time.Hour), limit)
		if err != nil || len(got) != want {
			t.Fatalf("limit %d: %d deployments, want %d (%v)", limit, len(got), want, err)
		}

		for i := 1; i < len(got); i++ {
			if got[i].ID >= got[i-1].ID {
				t.Fatalf("%d after %d", got[i].ID, got[i-1].ID)
			}
		}
	}

	if got, err := c.Deployments(t.Context(), of, time.Now().Add(time.Minute), 100); err != nil || len(got) != 0 {
		t.Errorf("%d are younger than now (%v)", len(got), err)
	}
}

func TestDeploymentsCarryWhatWebhooksCarry(t *testing.T) {
	item := `{"id":9,"sha":"abc","ref":"main","task":"deploy:db","payload":{"n":12345678901234567890},"environment":"Production","description":null,` +
		`"creator":{"id":3,"login":"hubot[bot]","type":"Bot"},"created_at":"2026-11-22T12:00:00Z","performed_via_github_app":{"id":8,"slug":"hubot"}}`
	of := deployment.Source{Repository: request.Repository, Installation: 4}
	l, err := parseDeploymentItem([]byte(item))
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
	}

	if diff := cmp.Diff(want, l.request(of)); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// One item that cannot be read hides no other, and pages without end do not keep us for ever.
func TestDeploymentsSurviveOddPages(t *testing.T) {
	pages, body := 0, ""
	c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/repositories/") {
			_, _ = w.Write([]byte(`{"id":7,"full_name":"acme/api"}`))
			return
		}

		pages++
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, r.Host, r.URL.Path, pages+1))
		_, _ = w.Write([]byte(body))
	})

	const good = `{"id":9,"sha":"abc","ref":"main","environment":"production","created_at":"2026-11-22T12:00:00Z","payload":"x"}`
	for text, want := range map[string]int{
		`[]`: 0, `[` + good + `]`: 1, `[{"id":"eight"},` + good + `]`: 1, `[{"id":8},` + good + `,7]`: 1, `[` + good + `,` + good + `]`: 1,
	} {
		pages, body = 0, text
		got, err := c.Deployments(t.Context(), deployment.Source{Repository: request.Repository}, now, 100)
		if err != nil || len(got) != want || pages > 3 {
			t.Errorf("%s: %d after %d pages, want %d (%v)", text, len(got), pages, want, err)
		}
	}
}

// Whatever the list holds, an item that is taken has all that a deployment needs.
func FuzzListed(f *testing.F) {
	f.Add([]byte(`{"id":9,"sha":"abc","ref":"main","environment":"production","payload":null,"creator":null}`))
	f.Add([]byte(`{"id":-1}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := parseDeploymentItem(raw)
		if err != nil {
			return
		}
		if r := l.request(deployment.Source{}); r.ID <= 0 || r.SHA == "" || r.Ref == "" || r.Environment == "" {
			t.Errorf("%+v", r)
		}
	})
}
