package github

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func TestResolveRef(t *testing.T) {
	const repo = "acme/api"
	topic, tagged, other := sim.Commit(repo, "topic"), sim.Commit(repo, "a tag"), sim.Commit(repo, "other")
	ref := func(kind deployment.RefKind) func(string) deployment.Ref {
		return func(name string) deployment.Ref { return deployment.Ref{Kind: kind, Name: name} }
	}
	branch, tag := ref(deployment.RefBranch), ref(deployment.RefTag)
	pull, commit := ref(deployment.RefPull), ref(deployment.RefSHA)

	for _, tt := range []struct {
		name string
		ref  string
		want deployment.Ref
		sha  string
		near []string // of a ref that is not there
	}{
		{name: "branch", ref: "topic", want: branch("topic"), sha: topic},
		{name: "full branch", ref: "refs/heads/a/b#c", want: branch("a/b#c"), sha: topic},
		{name: "branch before tag", ref: "both", want: branch("both"), sha: topic},
		{name: "tag of the same name", ref: "tags/both", want: tag("both"), sha: tagged},
		{name: "annotated tag", ref: "v2", want: tag("v2"), sha: tagged},
		{name: "pull request", ref: "pull/7/merge", want: pull("pull/7/merge"), sha: other},
		{name: "commit", ref: topic, want: commit(topic), sha: topic},
		{name: "beginning of a commit", ref: topic[:7], want: commit(topic), sha: topic},
		{name: "too short a beginning", ref: topic[:6], near: []string{"main"}},
		{name: "unknown commit", ref: strings.Repeat("0", 40), near: []string{"main"}},
		{name: "unknown name", ref: "topix", near: []string{"topic", "topsy", "main"}},
		{name: "letters swapped", ref: "mian", near: []string{"main"}},
		{name: "other case", ref: "refs/heads/Main", near: []string{"main"}},
		{name: "unknown in a directory", ref: "a/c", near: []string{"a/b#c", "main"}},
		{name: "tag that is not there", ref: "v3", near: []string{"v2", "main"}},
		{name: "relative name", ref: "main~1", near: []string{"main"}},
		{name: "name that would leave the path", ref: "refs/heads/../../../user", near: []string{"main"}},
		{name: "other ref", ref: "refs/notes/x", near: []string{"main"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			forEachCredential(t, func(t *testing.T, s simulated) {
				s.sim.Push(repo, "topic", topic)
				s.sim.Push(repo, "topsy", topic)
				s.sim.Push(repo, "both", topic)
				s.sim.Push(repo, "a/b#c", topic)
				s.sim.Tag(repo, "both", tagged)
				s.sim.AnnotatedTag(repo, "v2", tagged)
				s.sim.SetPull(repo, 7, topic, other)

				in := deployment.Source{Repository: s.repo, Installation: s.installation}
				got, sha, err := s.ResolveRef(t.Context(), in, tt.ref)
				if tt.sha == "" {
					var missing *deployment.NoRefError
					if !errors.As(err, &missing) || !reflect.DeepEqual(missing.Near, tt.near) {
						t.Errorf("got %v (%v), want no ref but near %v", err, sha, tt.near)
					}

					return
				}
				if err != nil || got != tt.want || sha != tt.sha {
					t.Errorf("got %v at %s (%v), want %v at %s", got, sha, err, tt.want, tt.sha)
				}
			})
		})
	}
}

// An outage, or a missing right, is not a missing ref.
func TestResolveRef_Unreadable(t *testing.T) {
	for _, tt := range []struct {
		fault  string
		hidden bool
	}{
		{fault: "forbidden", hidden: true},
		{fault: "not-found", hidden: true},
		{fault: "server-error"},
		{fault: "half-answer"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			forEachCredential(t, func(t *testing.T, s simulated) {
				for _, op := range []string{sim.OpGetRef, sim.OpGetCommit} {
					if err := s.sim.NextNamed(op, tt.fault, 5); err != nil {
						t.Fatal(err)
					}
				}

				in := deployment.Source{Repository: s.repo, Installation: s.installation}
				for _, ref := range []string{"main", sim.Commit("acme/api", "main")} {
					_, _, err := s.ResolveRef(t.Context(), in, ref)
					var missing *deployment.NoRefError
					var hidden *deployment.RefsHiddenError
					if err == nil || errors.As(err, &missing) || errors.As(err, &hidden) != tt.hidden {
						t.Errorf("%s: got %v, want an error, hidden %t", ref, err, tt.hidden)
					}
				}
			})
		})
	}
}
