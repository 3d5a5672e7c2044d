package github

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/policy"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func TestCompare(t *testing.T) {
	forEachFactClient(t, func(t *testing.T, a factClient) {
		first := sim.Commit("acme/api", "main")
		second := a.sim.Push("acme/api", "main", "")
		a.sim.Push("acme/api", "main", first)
		side := a.sim.Push("acme/api", "side", strings.Repeat("ab", 20))
		third := a.sim.Push("acme/api", "main", strings.Repeat("cd", 20))
		for _, c := range []struct {
			base, head string
			want       policy.Comparison
		}{
			{first, second, policy.Ahead}, {second, first, policy.Behind}, {first, first, policy.Identical}, {side, third, policy.Diverged},
			{third, strings.Repeat("ee", 20), ""},
		} {
			got, err := a.Compare(t.Context(), a.repo, a.installation, c.base, c.head)
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("%.7s...%.7s: %q %v", c.base, c.head, got, err)
			}
			if err != nil &&
				(!strings.Contains(err.Error(), c.base[:7]) || !strings.Contains(err.Error(), c.head[:7])) {
				t.Error(err)
			}
		}
	})

	for _, text := range []string{"", "{}", "null", `{"status":"sideways"}`, `{"status":""}`, "["} {
		c := newClientWith(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
		if got, err := c.Compare(t.Context(), request.Repository, 0, sha, sha); err == nil {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// Whatever goes wrong with a question, its answer is an error and never a fact; and once that is
// forgotten it is asked again, whatever limit was met.
func TestTroubleIsNoFact(t *testing.T) {
	forEachFactClient(t, func(t *testing.T, a factClient) {
		id := a.sim.AddUser("alice")
		a.sim.SetRole("acme/api", "alice", "write")
		a.sim.SetTeamMember("acme", "sre", "alice", "active")
		head := a.sim.Push("acme/api", "main", "")
		for op, ask := range map[string]func() error{
			sim.OpGetAccount:   func() error { _, err := a.Person(t.Context(), id, a.repo, a.installation); return err },
			sim.OpGetLogin:     func() error { _, err := a.PersonByLogin(t.Context(), "alice", a.repo, a.installation); return err },
			sim.OpCollaborator: func() error { _, err := a.Permission(t.Context(), a.repo, a.installation, id, "alice"); return err },
			sim.OpTeamMembership: func() error {
				_, err := a.TeamMember(t.Context(), "acme", "sre", "alice", a.repo, a.installation)
				return err
			},
			sim.OpCombinedStatus: func() error { _, err := a.Checks(t.Context(), a.repo, a.installation, head); return err },
			sim.OpCheckRuns:      func() error { _, err := a.Checks(t.Context(), a.repo, a.installation, head); return err },
			sim.OpGetBranch:      func() error { _, err := a.RequiredChecks(t.Context(), a.repo, a.installation, "main"); return err },
			sim.OpBranchRules:    func() error { _, err := a.RequiredChecks(t.Context(), a.repo, a.installation, "main"); return err },
			sim.OpCompare: func() error {
				_, err := a.Compare(t.Context(), a.repo, a.installation, sim.Commit("acme/api", "main"), head)
				return err
			},
		} {
			for _, fault := range []string{"primary-403", "primary-429", "secondary-403-bare", "secondary-429", "forbidden", "server-error", "half-answer"} {
				a.later()
				if err := a.sim.NextNamed(op, fault, 1); err != nil {
					t.Fatal(err)
				}
				if err := ask(); err == nil {
					t.Errorf("%s, %s: a fact", op, fault)
				}
				if err := ask(); err == nil {
					t.Errorf("%s, %s: asked again at once", op, fault)
				}

				a.clock.advance(ttlError)
				if err := ask(); err != nil {
					t.Errorf("%s after %s: %v", op, fault, err)
				}
			}
		}
	})
}
