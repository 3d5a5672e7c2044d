package github

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/policy"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

// wantRequired checks which checks a ref requires, each written as its name, or name of id:N.
func (s simulated) wantRequired(t *testing.T, ref string, want ...string) {
	t.Helper()
	s.expireCache()
	required, err := s.RequiredChecks(t.Context(), s.repo, s.installation, ref)
	got := texts(required)
	if diff := cmp.Diff(want, got); err != nil || len(want)+len(got) > 0 && diff != "" {
		t.Errorf("required checks of %q (-want +got): %v\n%s", ref, err, diff)
	}
}

func texts(names []policy.CheckName) []string {
	var all []string
	for _, n := range names {
		text := n.Name
		if n.App != "" {
			text += " of " + n.App
		}
		all = append(all, text)
	}
	return all
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

		// Whoever may push can make a branch: its own list is added to the default branch's.
		s.wantRequired(t, "feature/x", "build", "lint", "quick", "test")
		s.wantRequired(t, "refs/heads/feature/x", "build", "lint", "quick", "test")

		s.sim.Push("acme/api", "unprotected", "")
		s.wantRequired(t, "unprotected", "build", "lint", "test")

		s.sim.Rename("acme/api", "acme/service", false)
		s.wantRequired(t, "feature/x", "build", "lint", "quick", "test")
	})
}

// A check that must come from one app keeps the app, whether the branch or a ruleset names it.
func TestRequiredChecks_PinnedApp(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		s.sim.SetRequiredChecks("acme/api", "main", "build", "lint")
		s.sim.PinRequiredCheck("acme/api", "main", "build", "github-actions")
		s.wantRequired(t, "main", "build of id:15368", "lint")

		s.sim.SetRequiredChecks("acme/api", "main")
		s.sim.SetRulesetChecks("acme/api", "main", "build", "test")
		s.wantRequired(t, "main", "build of id:15368", "test")
	})
}

func TestRequiredCheck_App(t *testing.T) {
	tests := []struct {
		name, json, want string
	}{
		{name: "branch, app", json: `{"context":"a","app_id":5}`, want: "a of id:5"},
		{name: "branch, any app", json: `{"context":"a","app_id":null}`, want: "a"},
		{name: "branch, any app as a number", json: `{"context":"a","app_id":-1}`, want: "a"},
		{name: "ruleset, app", json: `{"context":"a","integration_id":5}`, want: "a of id:5"},
		{name: "ruleset, any app", json: `{"context":"a"}`, want: "a"},
		{name: "ruleset, any app as null", json: `{"context":"a","integration_id":null}`, want: "a"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r requiredCheck
			if err := json.Unmarshal([]byte(tt.json), &r); err != nil {
				t.Fatal(err)
			}
			if got := texts([]policy.CheckName{r.toName()})[0]; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// How many calls a list takes. Each is kept for a minute, by branch.
func TestRequiredChecks_Calls(t *testing.T) {
	tests := []struct {
		name, ref string
		want      int
	}{
		{name: "default branch", ref: "main", want: 3},
		{name: "another branch", ref: "feature/x", want: 5},
		{name: "tag", ref: "refs/tags/v1", want: 3},
		{name: "commit", ref: sha, want: 3},
		{name: "bare name that is no branch", ref: "v1", want: 4},
	}

	forEachCredential(t, func(t *testing.T, s simulated) {
		s.sim.Push("acme/api", "feature/x", "")
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				s.expireCache()
				count := func() int {
					calls := s.sim.Calls()
					return calls[sim.OpGetRepository] + calls[sim.OpGetBranch] + calls[sim.OpBranchRules]
				}

				before := count()
				for range 2 {
					if _, err := s.RequiredChecks(t.Context(), s.repo, s.installation, tt.ref); err != nil {
						t.Fatal(err)
					}
					if tt.ref == "v1" {
						break // a branch that is not there is asked for again after some seconds
					}
				}
				if got := count() - before; got != tt.want {
					t.Errorf("got %d calls, want %d", got, tt.want)
				}
			})
		}
	})
}

// A plan without rulesets has none in force.
func TestRequiredChecks_NotInPlan(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		s.sim.SetRequiredChecks("acme/api", "main", "test")
		s.sim.SetRulesetChecks("acme/api", "main", "build")
		if err := s.sim.NextNamed(sim.OpBranchRules, "not-in-plan", 1); err != nil {
			t.Fatal(err)
		}

		s.wantRequired(t, "main", "test")
	})
}

// A GitHub Enterprise Server may be too old for rulesets. On github.com a 404 says nothing.
func TestRequiredChecks_RulesNotFound(t *testing.T) {
	tests := []struct {
		name, version string
		wantError     bool
	}{
		{name: "github.com", wantError: true},
		{name: "GitHub Enterprise Server", version: "3.9.2"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClientWith(t, requiredBy(`{"name":"main","protected":true,"protection":{"enabled":true,`+
				`"required_status_checks":{"contexts":["test"]}}}`, func(w http.ResponseWriter, r *http.Request) {
				if tt.version != "" {
					w.Header().Set("X-GitHub-Enterprise-Version", tt.version)
				}
				http.NotFound(w, r)
			}))

			got, err := c.RequiredChecks(t.Context(), request.Repository, 0, "main")
			if (err != nil) != tt.wantError || err == nil && !slices.Equal(texts(got), []string{"test"}) {
				t.Errorf("got %v (%v), want test, or an error: %t", got, err, tt.wantError)
			}
		})
	}
}

// requiredBy answers for a repository with the default branch main, which is given, and rules.
func requiredBy(branch string, rules http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/rules/"):
			rules(w, r)
		case strings.Contains(r.URL.Path, "/branches/"):
			_, _ = io.WriteString(w, branch)
		default:
			_, _ = io.WriteString(w, `{"id":7,"full_name":"acme/api","default_branch":"main"}`)
		}
	}
}

// A branch whose protection is not shown in full may require checks.
func TestBranch_Required(t *testing.T) {
	tests := []struct {
		name, json, want string
		wantError        bool
	}{
		{name: "not protected", json: `{"name":"main","protected":false}`},
		{name: "not protected, said twice", json: `{"name":"main","protected":false,"protection":{"enabled":false}}`},
		{
			name: "protected by rulesets only",
			json: `{"name":"main","protected":true,"protection":{"enabled":false,` +
				`"required_status_checks":{"enforcement_level":"off","contexts":[],"checks":[]}}}`,
		},
		{
			name: "protected by rulesets only, in short",
			json: `{"name":"main","protected":true,"protection":{"enabled":false}}`,
		},
		{
			name: "reviews required and no checks",
			json: `{"name":"main","protected":true,"protection":{"enabled":true,` +
				`"required_status_checks":{"enforcement_level":"off","contexts":[],"checks":[]}}}`,
		},
		{
			name: "contexts without checks",
			json: `{"name":"main","protected":true,"protection":{"enabled":true,` +
				`"required_status_checks":{"contexts":["a"]}}}`,
			want: "a",
		},
		{
			name: "contexts and checks",
			json: `{"name":"main","protected":true,"protection":{"enabled":true,"required_status_checks":` +
				`{"contexts":["a","b"],"checks":[{"context":"a","app_id":5},{"context":"a","app_id":null}]}}}`,
			want: "a of id:5, a, b",
		},
		{name: "no word on protection", json: `{"name":"main"}`, wantError: true},
		{name: "protection not shown", json: `{"name":"main","protected":true}`, wantError: true},
		{name: "empty protection", json: `{"name":"main","protected":true,"protection":{}}`, wantError: true},
		{
			name:      "checks not shown",
			json:      `{"name":"main","protected":true,"protection":{"enabled":true}}`,
			wantError: true,
		},
		{
			name:      "lists not shown",
			json:      `{"name":"main","protected":true,"protection":{"enabled":true,"required_status_checks":{}}}`,
			wantError: true,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b branch
			if err := json.Unmarshal([]byte(tt.json), &b); err != nil {
				t.Fatal(err)
			}

			required, err := b.required()
			if got := strings.Join(texts(required), ", "); got != tt.want || (err != nil) != tt.wantError {
				t.Errorf("got %q (%v), want %q, or an error: %t", got, err, tt.want, tt.wantError)
			}
		})
	}
}

func TestRequiredChecks_MayNotBeRead(t *testing.T) {
	tests := []struct {
		name, operation, fault, ref string
	}{
		{name: "rules", operation: sim.OpBranchRules, fault: "forbidden", ref: "main"},
		{name: "rules not found", operation: sim.OpBranchRules, fault: "not-found", ref: "main"},
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
		case "/repositories/7":
			_, _ = io.WriteString(w, `{"id":7,"full_name":"acme/api","default_branch":"master"}`)
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
	if err != nil || !slices.Equal(texts(got), []string{"build of id:1"}) {
		t.Errorf("got %v (%v), want build of id:1", got, err)
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
			branch: `{"name":"main","protected":true,"protection":{"required_status_checks":{"contexts":[""]}}}`,
			rules:  rules,
		},
		{
			name:   "check without a name",
			branch: `{"name":"main","protected":true,"protection":{"required_status_checks":{"contexts":[],"checks":[{}]}}}`,
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
			c := newClientWith(t, requiredBy(tt.branch, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, tt.rules)
			}))

			if got, err := c.RequiredChecks(t.Context(), request.Repository, 0, "main"); err == nil {
				t.Errorf("got %v, want an error", got)
			}
		})
	}
}

func TestRequiredChecks_RulesWithoutEnd(t *testing.T) {
	pages := 0
	c := newClientWith(t, requiredBy(`{"name":"main","protected":false}`, func(w http.ResponseWriter, r *http.Request) {
		pages++
		linkNextPage(w, r, pages+1)
		_, _ = io.WriteString(w, `[]`)
	}))

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
			if got, err := b.required(); err == nil && slices.Contains(texts(got), "") {
				t.Errorf("branch %s: got %q, want no empty name", raw, got)
			}
		}

		var rules []rule
		if json.Unmarshal(raw, &rules) == nil {
			if got, err := requiredByRules(rules); err == nil && slices.Contains(texts(got), "") {
				t.Errorf("rules %s: got %q, want no empty name", raw, got)
			}
		}

		if name := branchName(ref); name == "." || strings.Contains(name, "..") || strings.ContainsAny(name, "?*\n ") {
			t.Errorf("ref %q: got %q, want a name that git allows", ref, name)
		}
	})
}
