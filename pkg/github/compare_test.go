package github

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func TestCompare(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		first := sim.Commit("acme/api", "main")
		second := s.sim.Push("acme/api", "main", "")
		s.sim.Push("acme/api", "main", first)
		side := s.sim.Push("acme/api", "side", strings.Repeat("ab", 20))
		third := s.sim.Push("acme/api", "main", strings.Repeat("cd", 20))
		missing := strings.Repeat("ee", 20)

		tests := []struct {
			name, base, head string
			want             policy.Comparison // empty: an error
		}{
			{name: "ahead", base: first, head: second, want: policy.ComparisonAhead},
			{name: "behind", base: second, head: first, want: policy.ComparisonBehind},
			{name: "identical", base: first, head: first, want: policy.ComparisonIdentical},
			{name: "diverged", base: side, head: third, want: policy.ComparisonDiverged},
			{name: "missing commit", base: third, head: missing, want: ""},
		}

		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				got, err := s.Compare(t.Context(), s.repo, s.installation, tt.base, tt.head)
				if got != tt.want || (err == nil) != (tt.want != "") {
					t.Errorf("got %q (%v), want %q", got, err, tt.want)
				}
				for _, commit := range []string{tt.base[:7], tt.head[:7]} {
					if err != nil && !strings.Contains(err.Error(), commit) {
						t.Errorf("got error %v, want %s in it", err, commit)
					}
				}
			})
		}
	})
}

func TestCountCommits(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		first := sim.Commit("acme/api", "main")
		second := s.sim.Push("acme/api", "main", "")
		for _, tt := range []struct {
			name          string
			base, head    string
			ahead, behind int
		}{
			{name: "ahead", base: first, head: second, ahead: 1},
			{name: "behind", base: second, head: first, behind: 1},
			{name: "the same", base: first, head: first},
		} {
			t.Run(tt.name, func(t *testing.T) {
				ahead, behind, err := s.CountCommits(t.Context(), s.repo, s.installation, tt.base, tt.head)
				if err != nil || ahead != tt.ahead || behind != tt.behind {
					t.Errorf("got %d ahead, %d behind, %v, want %d and %d", ahead, behind, err, tt.ahead, tt.behind)
				}
			})
		}

		if _, _, err := s.CountCommits(t.Context(), s.repo, s.installation, first, "main"); err == nil {
			t.Error("a branch: got no error, want only full commit ids taken")
		}
	})
}

func TestCompare_InvalidResponse(t *testing.T) {
	for _, text := range []string{"", "{}", "null", `{"status":"sideways"}`, `{"status":""}`, "["} {
		t.Run(text, func(t *testing.T) {
			c := newClientWith(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
			if got, err := c.Compare(t.Context(), request.Repository, 0, sha, sha); err == nil {
				t.Errorf("got %s, want an error", got)
			}
		})
	}
}

// A commit that GitHub does not have is distinguished from one that the credentials may not read.
func TestCommitExists(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		there, missing := sim.Commit("acme/api", "main"), sim.Commit("acme/api", "missing")
		s.sim.RemoveCommit("acme/api", missing)
		exists := func(sha string) error { return s.CommitExists(t.Context(), s.repo, s.installation, sha) }

		if err := exists(there); err != nil {
			t.Errorf("a commit: got error %v", err)
		}
		if err := exists(missing); !errors.Is(err, policy.ErrMissing) {
			t.Errorf("a missing commit: got error %v, want %v", err, policy.ErrMissing)
		}
		if err := exists("main"); err == nil || errors.Is(err, policy.ErrMissing) {
			t.Errorf("no commit id: got error %v, want another one than %v", err, policy.ErrMissing)
		}

		for _, fault := range []string{"forbidden", "not-found"} {
			s.expireCache()
			for _, operation := range []string{sim.OpCompare, sim.OpGetRef} {
				if err := s.sim.NextNamed(operation, fault, 1); err != nil {
					t.Fatal(err)
				}
			}

			var hidden *deployment.RefsHiddenError
			if err := exists(missing); !errors.As(err, &hidden) {
				t.Errorf("%s: got error %v, want a RefsHiddenError", fault, err)
			}
			s.sim.ClearFaults()
		}

		s.expireCache()
		if err := s.sim.NextNamed(sim.OpCompare, "unavailable", 1); err != nil {
			t.Fatal(err)
		}
		if err := exists(missing); err == nil || errors.Is(err, policy.ErrMissing) {
			t.Errorf("an outage: got error %v, want another one than %v", err, policy.ErrMissing)
		}
	})
}
