package github

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func (s simulated) wantRequired(t *testing.T, ref string, want ...string) {
	t.Helper()
	s.expireCache()
	got, err := s.RequiredChecks(t.Context(), s.repo, s.installation, ref)
	if diff := cmp.Diff(want, got); err != nil || len(want)+len(got) > 0 && diff != "" {
		t.Errorf("required checks of %q (-want +got): %v\n%s", ref, err, diff)
	}
}

func TestRequiredChecks_Refs(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		s.wantRequired(t, "main")

		s.sim.Push("acme/api", "feature/x", "")
		s.sim.Tag("acme/api", "v1", "")
		s.sim.SetRequiredChecks("acme/api", "main", "test", "lint")
		s.sim.SetRulesetChecks("acme/api", "main", "build", "test")
		s.sim.SetRulesetChecks("acme/api", "feature/x", "quick")

		ofDefaultBranch := []string{
			"main",
			"refs/heads/main",
			"refs/tags/v1",
			"v1",
			"",
			"refs/pull/1/head",
			"gone",
			sha,
			"a..b",
			"..",
			"a b",
			"Feature/x",
		}
		for _, ref := range ofDefaultBranch {
			s.wantRequired(t, ref, "build", "lint", "test")
		}

		s.wantRequired(t, "feature/x", "quick")
		s.wantRequired(t, "refs/heads/feature/x", "quick")

		s.sim.Rename("acme/api", "acme/service", false)
		s.wantRequired(t, "feature/x", "quick")
	})
}

// An old server and a plan without rulesets have none in force.
func TestRequiredChecks_NoRulesets(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		s.sim.SetRequiredChecks("acme/api", "main", "test")
		s.sim.SetRulesetChecks("acme/api", "main", "build")
		for _, fault := range []string{"not-found", "not-in-plan"} {
			if err := s.sim.NextNamed(sim.OpBranchRules, fault, 1); err != nil {
				t.Fatal(err)
			}

			s.wantRequired(t, "main", "test")
		}
	})
}

func TestRequiredChecks_MayNotBeRead(t *testing.T) {
	tests := []struct {
		name, operation, fault, ref string
	}{
		{name: "rules", operation: sim.OpBranchRules, fault: "forbidden", ref: "main"},
		{name: "branch", operation: sim.OpGetBranch, fault: "forbidden", ref: "main"},
		{name: "repository", operation: sim.OpGetRepository, fault: "not-found", ref: "v1"},
	}

	forEachCredential(t, func(t *testing.T, s simulated) {
		s.sim.SetRequiredChecks("acme/api", "main", "test")
		s.sim.SetRulesetChecks("acme/api", "main", "build")
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				if err := s.sim.NextNamed(tt.operation, tt.fault, 1); err != nil {
					t.Fatal(err)
				}

				s.expireCache()
				if got, err := s.RequiredChecks(t.Context(), s.repo, s.installation, tt.ref); err == nil {
					t.Errorf("got %v, want an error", got)
				}
			})
		}
	})
}

// GitHub redirects the former name of a renamed branch; the rules of the new name count.
func TestRequiredChecks_RenamedBranch(t *testing.T) {
	const rules = `[{"type":"deletion"},{"type":"required_status_checks",` +
		`"parameters":{"required_status_checks":[{"context":"build","integration_id":1}]}}]`
	c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/repositories/7/branches/master":
			http.Redirect(w, r, "/repositories/7/branches/main", http.StatusMovedPermanently)
		case "/repositories/7/branches/main":
			_, _ = io.WriteString(w, `{"name":"main","protected":false,"protection":{"enabled":false}}`)
		case "/repositories/7/rules/branches/main":
			_, _ = io.WriteString(w, rules)
		default:
			http.NotFound(w, r)
		}
	})

	got, err := c.RequiredChecks(t.Context(), request.Repository, 0, "master")
	if err != nil || len(got) != 1 || got[0] != "build" {
		t.Errorf("got %v (%v), want build", got, err)
	}
}

func TestRequiredChecks_InvalidResponse(t *testing.T) {
	const branch, rules = `{"name":"main","protected":false}`, `[]`
	tests := []struct {
		name, branch, rules string
	}{
		{name: "empty branch", branch: "", rules: rules},
		{name: "no branch", branch: "{}", rules: rules},
		{name: "protected without protection", branch: `{"name":"main","protected":true}`, rules: rules},
		{
			name:   "context without a name",
			branch: `{"name":"main","protection":{"required_status_checks":{"contexts":[""]}}}`,
			rules:  rules,
		},
		{
			name:   "check without a name",
			branch: `{"name":"main","protection":{"required_status_checks":{"contexts":[],"checks":[{}]}}}`,
			rules:  rules,
		},
		{name: "empty rules", branch: branch, rules: ""},
		{name: "null", branch: branch, rules: "null"},
		{name: "object", branch: branch, rules: "{}"},
		{name: "cut", branch: branch, rules: `[{"type":`},
		{name: "rule without a type", branch: branch, rules: `[{}]`},
		{name: "rule without parameters", branch: branch, rules: `[{"type":"required_status_checks"}]`},
		{
			name:   "rule with a check without a name",
			branch: branch,
			rules:  `[{"type":"required_status_checks","parameters":{"required_status_checks":[{}]}}]`,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/rules/") {
					_, _ = io.WriteString(w, tt.rules)
					return
				}

				_, _ = io.WriteString(w, tt.branch)
			})

			if got, err := c.RequiredChecks(t.Context(), request.Repository, 0, "main"); err == nil {
				t.Errorf("got %v, want an error", got)
			}
		})
	}
}

func TestRequiredChecks_RulesWithoutEnd(t *testing.T) {
	pages := 0
	c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/rules/") {
			pages++
			linkNextPage(w, r, pages+1)
			_, _ = io.WriteString(w, `[]`)
			return
		}

		_, _ = io.WriteString(w, `{"name":"main","protected":false}`)
	})

	got, err := c.RequiredChecks(t.Context(), request.Repository, 0, "main")
	if err == nil || pages != maxCheckPages {
		t.Errorf("got %v after %d pages, want an error after %d", got, pages, maxCheckPages)
	}
}

// Whatever GitHub sends, no required check has an empty name, and every ref leads to a branch that
// git allows or to none.
func FuzzRequired(f *testing.F) {
	f.Add([]byte(`{"name":"main","protected":true,"protection":{"required_status_checks":`+
		`{"contexts":["a"],"checks":[{"context":"b"}]}}}`), "refs/heads/a/../b")
	f.Add([]byte(`[{"type":"required_status_checks",`+
		`"parameters":{"required_status_checks":[{"context":"a"}]}}]`), "refs/tags/v1")
	f.Add([]byte(`[{}]`), "..")
	f.Fuzz(func(t *testing.T, raw []byte, ref string) {
		var b branch
		if json.Unmarshal(raw, &b) == nil {
			if got, err := b.contexts(); err == nil && slices.Contains(got, "") {
				t.Errorf("branch %s: got %q, want no empty name", raw, got)
			}
		}

		var rules []rule
		if json.Unmarshal(raw, &rules) == nil {
			if got, err := ruleContexts(rules); err == nil && slices.Contains(got, "") {
				t.Errorf("rules %s: got %q, want no empty name", raw, got)
			}
		}

		if name := branchName(ref); name == "." || strings.Contains(name, "..") || strings.ContainsAny(name, "?*\n ") {
			t.Errorf("ref %q: got %q, want a name that git allows", ref, name)
		}
	})
}
