package engine

import (
	"context"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// knownGitHub shows the statuses that it is made of.
type knownGitHub struct {
	GitHub
	statuses []deployment.Status
}

func (g knownGitHub) Statuses(context.Context, deployment.Request) ([]deployment.Status, error) {
	return g.statuses, nil
}

func (knownGitHub) Login(context.Context) (string, error) { return "seraph", nil }

// What a restored backup has forgotten is taken in again where only we have spoken of it, and not to its end; it does not run.
func TestForgotten(t *testing.T) {
	word := func(state deployment.GitHubState, by string) deployment.Status {
		return deployment.Status{ID: 1, State: state, Description: "?", CreatorLogin: by}
	}
	for name, c := range map[string]struct {
		statuses []deployment.Status
		taken    bool
	}{
		"nobody spoke of it":    {nil, true},
		"we did":                {[]deployment.Status{word("queued", "seraph")}, true},
		"we told its end":       {[]deployment.Status{word("queued", "seraph"), word("success", "seraph")}, false},
		"somebody else did":     {[]deployment.Status{word("in_progress", "github-actions[bot]")}, false},
		"somebody else did too": {[]deployment.Status{word("queued", "seraph"), word("in_progress", "bob")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.GitHub = knownGitHub{statuses: c.statuses}
			if err := s.db.SaveProject(t.Context(), "gh/acme/api", deployment.Project{ID: "uuid", Slug: "gh/acme/api"}); err != nil {
				t.Fatal(err)
			}
			s.Admit = func(req deployment.Request, at0 time.Time) (deployment.Deployment, []deployment.Entry, string) {
				d, notes := s.Rules.New(req, deployment.Admission{Target: deployment.Target{Project: "gh/acme/api", Key: "k", Ref: deployment.ParseRef("main")}}, at0)
				return d, notes, ""
			}
			req := deployment.Request{ID: 5, Repository: deployment.Repository{ID: 7, Owner: "acme", Name: "api"}, Environment: "production", SHA: "abc", CreatedAt: s.clock().Add(-time.Second)}
			if err := s.takeIn(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			d, err := s.db.ByKey(t.Context(), "k")
			if taken := err == nil; taken != c.taken {
				t.Fatalf("taken in: %v, want %v", taken, c.taken)
			}
			if len(c.statuses) == 0 || !c.taken {
				return
			}
			s.advance(t.Context(), d.Row)
			if d, err = s.db.ByKey(t.Context(), "k"); err != nil || d.State != deployment.Errored {
				t.Errorf("%s, %v: it must not run", d.State, err)
			}
		})
	}
}
