package github

import (
	"errors"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func TestHeads(t *testing.T) {
	const repo = "acme/api"
	topic, tag, other := sim.Commit(repo, "topic"), sim.Commit(repo, "a tag"), sim.Commit(repo, "other")

	for _, c := range []struct {
		name  string
		ref   string
		both  bool
		want  deployment.Heads
		calls int // of refs and tags
	}{
		{name: "branch", ref: "refs/heads/topic", want: deployment.Heads{Branch: topic}, calls: 1},
		{name: "branch with a slash", ref: "refs/heads/a/b#c", want: deployment.Heads{Branch: topic}, calls: 1},
		{name: "tag", ref: "refs/tags/v1", want: deployment.Heads{Tag: tag}, calls: 1},
		{name: "annotated tag", ref: "refs/tags/v2", want: deployment.Heads{Tag: tag}, calls: 2},
		{name: "tag of a tag", ref: "refs/tags/v3", want: deployment.Heads{Tag: tag}, calls: 3},
		{name: "as many tags as are followed", ref: "refs/tags/v4", want: deployment.Heads{Tag: tag}, calls: 1 + maxTagDepth},
		// These name no commit to build, and then the default branch is looked for.
		{name: "too many tags", ref: "refs/tags/v5", want: deployment.Heads{}, calls: 2 + maxTagDepth},
		{name: "annotated tag of a directory", ref: "refs/tags/tree", want: deployment.Heads{}, calls: 3},
		{name: "annotated tag of a file", ref: "refs/tags/blob", want: deployment.Heads{}, calls: 3},
		{name: "tag of a file", ref: "refs/tags/light", want: deployment.Heads{}, calls: 2},
		{name: "bare name of a tag of a file", ref: "light", want: deployment.Heads{}, calls: 3},
		{name: "merge of a pull request", ref: "refs/pull/7/merge", want: deployment.Heads{Pull: other}, calls: 1},
		{name: "bare name of the branch at the commit", ref: "topic", want: deployment.Heads{Branch: topic}, calls: 1},
		{name: "bare name, both wanted", ref: "topic", both: true, want: deployment.Heads{Branch: topic, Tag: other}, calls: 2},
		{name: "bare name of a tag", ref: "v1", want: deployment.Heads{Tag: tag}, calls: 2},
		{name: "unknown name", ref: "top", want: deployment.Heads{}, calls: 3}, // and the default branch
		{name: "name that would leave the path", ref: "refs/heads/../../../user", want: deployment.Heads{}, calls: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachCredential(t, func(t *testing.T, s simulated) {
				s.sim.Push(repo, "topic", topic)
				s.sim.Push(repo, "a/b#c", topic)
				s.sim.Tag(repo, "topic", other)
				s.sim.Tag(repo, "v1", tag)
				s.sim.AnnotatedTag(repo, "v2", tag)
				s.sim.TagOf(repo, "v3", 2, "commit", tag)
				s.sim.TagOf(repo, "v4", maxTagDepth, "commit", tag)
				s.sim.TagOf(repo, "v5", maxTagDepth+1, "commit", tag)
				s.sim.TagOf(repo, "tree", 1, "tree", tag)
				s.sim.TagOf(repo, "blob", 1, "blob", tag)
				s.sim.TagOf(repo, "light", 0, "blob", tag)
				s.sim.SetPull(repo, 7, topic, other)
				s.request.SHA = topic

				got, err := s.Heads(t.Context(), s.request, deployment.ParseRef(c.ref), c.both)
				if err != nil {
					t.Fatal(err)
				}
				if got != c.want {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				if calls := s.sim.Calls()[sim.OpGetRef] + s.sim.Calls()[sim.OpGetTag]; calls != c.calls {
					t.Errorf("got %d calls, want %d", calls, c.calls)
				}
			})
		})
	}
}

// Without the permission to read contents GitHub answers 403, or 404 as for a ref that is not there.
func TestHeads_WithoutPermission(t *testing.T) {
	for _, status := range []string{"forbidden", "not-found"} {
		t.Run(status, func(t *testing.T) {
			forEachCredential(t, func(t *testing.T, s simulated) {
				if err := s.sim.NextNamed(sim.OpGetRef, status, 3); err != nil {
					t.Fatal(err)
				}

				_, err := s.Heads(t.Context(), s.request, deployment.ParseRef("main"), true)
				var hidden *deployment.RefsHiddenError
				if !errors.As(err, &hidden) {
					t.Errorf("got %v, want a RefsHiddenError", err)
				}
			})
		})
	}
}

// An outage says nothing about a ref.
func TestHeads_Outage(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		if err := s.sim.NextNamed(sim.OpGetRef, "server-error", 1); err != nil {
			t.Fatal(err)
		}

		heads, err := s.Heads(t.Context(), s.request, deployment.ParseRef("main"), true)
		var hidden *deployment.RefsHiddenError
		if err == nil || errors.As(err, &hidden) {
			t.Errorf("got %+v, %v, want another error", heads, err)
		}
	})
}

func TestDeployment(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		got, err := s.Deployment(t.Context(), s.request)
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != s.request.ID || got.Ref != "main" || got.SHA != sim.Commit("acme/api", "main") || got.Creator.ID == 0 {
			t.Errorf("got %+v, want the deployment of main", got)
		}

		unknown := s.request
		unknown.ID = 987654321
		if _, err := s.Deployment(t.Context(), unknown); !errors.Is(err, policy.ErrMissing) {
			t.Errorf("got %v for an id that GitHub does not know, want ErrMissing", err)
		}

		s.sim.Hide("acme/api", true)
		if _, err := s.Deployment(t.Context(), s.request); err == nil || errors.Is(err, policy.ErrMissing) {
			t.Errorf("got %v for a repository that GitHub does not show, want another error", err)
		}
	})
}

// The name of a request's repository belongs to its id only if GitHub says so. It is asked where the
// deployment is shown under another name.
func TestDeployment_RepositoryName(t *testing.T) {
	for _, tt := range []struct {
		name    string
		asked   string
		arrange func(simulated)
		want    string
		lookUps int
	}{
		{name: "the same", asked: "acme/api", want: "acme/api"},
		{name: "in another case", asked: "Acme/API", want: "Acme/API"},
		{
			name:    "renamed",
			asked:   "acme/api",
			arrange: func(s simulated) { s.sim.Rename("acme/api", "acme/service", true) },
			want:    "acme/api",
			lookUps: 2, // the first is redirected
		},
		{
			name:  "renamed, and the name is taken",
			asked: "acme/api",
			arrange: func(s simulated) {
				s.sim.Rename("acme/api", "acme/service", false)
				s.sim.AddRepository("acme/api")
			},
			want:    "acme/service",
			lookUps: 1,
		},
		{
			name:    "another repository's name",
			asked:   "acme/web",
			arrange: func(s simulated) { s.sim.AddRepository("acme/web") },
			want:    "acme/api",
			lookUps: 1,
		},
		{name: "no repository's name", asked: "acme/nothing", want: "acme/api", lookUps: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			forEachCredential(t, func(t *testing.T, s simulated) {
				if tt.arrange != nil {
					tt.arrange(s)
				}

				request := s.request
				if s.app != nil {
					request.Installation = 4 // GitHub cannot be asked for it by a name that leads nowhere
				}
				request.Repository.Owner, request.Repository.Name, _ = strings.Cut(tt.asked, "/")
				before := s.sim.Calls()[sim.OpGetRepository]
				got, err := s.Deployment(t.Context(), request)
				if err != nil || got.Repository.FullName() != tt.want || got.Repository.ID != s.repo.ID {
					t.Errorf("got %+v (%v), want %s", got.Repository, err, tt.want)
				}
				if n := s.sim.Calls()[sim.OpGetRepository] - before; n != tt.lookUps {
					t.Errorf("got %d look-ups of the repository, want %d", n, tt.lookUps)
				}
			})
		})
	}
}

// A name that cannot be looked up is unknown, and not another one.
func TestDeployment_RepositoryNameUnknown(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		if err := s.sim.NextNamed(sim.OpGetRepository, "server-error", 10); err != nil {
			t.Fatal(err)
		}

		request := s.request
		request.Repository.Name = "web"
		if got, err := s.Deployment(t.Context(), request); err == nil || errors.Is(err, policy.ErrMissing) {
			t.Errorf("got %+v (%v), want another error", got.Repository, err)
		}
	})
}
