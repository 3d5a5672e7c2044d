package github

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func (a factClient) wantRequired(t *testing.T, ref string, want ...string) {
	t.Helper()
	a.later()
	got, err := a.RequiredChecks(t.Context(), a.repo, a.installation, ref)
	if diff := cmp.Diff(want, got); err != nil || len(want)+len(got) > 0 && diff != "" {
		t.Errorf("%q: %v %s", ref, err, diff)
	}
}

func TestRequiredChecks(t *testing.T) {
	forEachFactClient(t, func(t *testing.T, a factClient) {
		a.wantRequired(t, "main")
		a.sim.Push("acme/api", "feature/x", "")
		a.sim.Tag("acme/api", "v1", "")
		a.sim.SetRequiredChecks("acme/api", "main", "test", "lint")
		a.sim.SetRulesetChecks("acme/api", "main", "build", "test")
		a.sim.SetRulesetChecks("acme/api", "feature/x", "quick")
		for _, ref := range []string{"main", "refs/heads/main", "refs/tags/v1", "v1", "", "refs/pull/1/head", "gone", sha, "a..b", "..", "a b", "Feature/x"} {
			a.wantRequired(t, ref, "build", "lint", "test")
		}

		a.wantRequired(t, "feature/x", "quick")
		a.wantRequired(t, "refs/heads/feature/x", "quick")
		a.sim.Rename("acme/api", "acme/service", false)
		a.wantRequired(t, "feature/x", "quick")
	})
}

func TestRequiredChecksThatMayNotBeAsked(t *testing.T) {
	forEachFactClient(t, func(t *testing.T, a factClient) {
		a.sim.SetRequiredChecks("acme/api", "main", "test")
		a.sim.SetRulesetChecks("acme/api", "main", "build")
		// an old server, and a plan without rulesets: none is in force
		for _, fault := range []string{"not-found", "not-in-plan"} {
			if err := a.sim.NextNamed(sim.OpBranchRules, fault, 1); err != nil {
				t.Fatal(err)
			}

			a.wantRequired(t, "main", "test")
		}

		for op, c := range map[string]struct{ fault, ref string }{
			sim.OpBranchRules: {"forbidden", "main"}, sim.OpGetBranch: {"forbidden", "main"}, sim.OpGetRepository: {"not-found", "v1"},
		} {
			if err := a.sim.NextNamed(op, c.fault, 1); err != nil {
				t.Fatal(err)
			}

			a.later()
			if got, err := a.RequiredChecks(t.Context(), a.repo, a.installation, c.ref); err == nil {
				t.Errorf("%s: %v", op, got)
			}
		}
	})
}

// A branch that was renamed answers under its new name, and that one's rules count.
func TestRequiredChecksOfARenamedBranch(t *testing.T) {
	c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/repositories/7/branches/master":
			http.Redirect(w, r, "/repositories/7/branches/main", http.StatusMovedPermanently)
		case "/repositories/7/branches/main":
			_, _ = io.WriteString(w, `{"name":"main","protected":false,"protection":{"enabled":false}}`)
		case "/repositories/7/rules/branches/main":
			_, _ = io.WriteString(
				w,
				`[{"type":"deletion"},{"type":"required_status_checks","parameters":{"required_status_checks":[{"context":"build","integration_id":1}]}}]`,
			)
		default:
			http.NotFound(w, r)
		}
	})

	if got, err := c.RequiredChecks(t.Context(), request.Repository, 0, "master"); err != nil || len(got) != 1 ||
		got[0] != "build" {
		t.Errorf("%v %v", got, err)
	}
}

func TestRequiredChecksAreReadWholeOrNotAtAll(t *testing.T) {
	const branchText, ruleText = `{"name":"main","protected":false}`, `[]`
	for name, c := range map[string]struct{ branch, rules string }{
		"empty branch": {"", ruleText}, "no branch": {"{}", ruleText}, "says not how": {`{"name":"main","protected":true}`, ruleText},
		"a context without a name": {`{"name":"main","protection":{"required_status_checks":{"contexts":[""]}}}`, ruleText},
		"a check without a name":   {`{"name":"main","protection":{"required_status_checks":{"contexts":[],"checks":[{}]}}}`, ruleText},
		"empty rules":              {branchText, ""}, "null": {branchText, "null"}, "object": {branchText, "{}"}, "half": {branchText, `[{"type":`},
		"a rule without a type": {branchText, `[{}]`}, "without parameters": {branchText, `[{"type":"required_status_checks"}]`},
		"a required one without a name": {branchText, `[{"type":"required_status_checks","parameters":{"required_status_checks":[{}]}}]`},
	} {
		client := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/rules/") {
				_, _ = io.WriteString(w, c.rules)
				return
			}

			_, _ = io.WriteString(w, c.branch)
		})

		if got, err := client.RequiredChecks(t.Context(), request.Repository, 0, "main"); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}

	pages := 0
	client := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/rules/") {
			pages++
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, r.Host, r.URL.Path, pages+1))
			_, _ = io.WriteString(w, ruleText)
			return
		}

		_, _ = io.WriteString(w, branchText)
	})

	if got, err := client.RequiredChecks(t.Context(), request.Repository, 0, "main"); err == nil ||
		pages != maxCheckPages {
		t.Errorf("rules without end: %v after %d pages", got, pages)
	}
}

// However GitHub answers, no required check has an empty name, and every ref leads to a branch that
// git allows or to none.
func FuzzRequired(f *testing.F) {
	f.Add(
		[]byte(
			`{"name":"main","protected":true,"protection":{"required_status_checks":{"contexts":["a"],"checks":[{"context":"b"}]}}}`,
		),
		"refs/heads/a/../b",
	)

	f.Add(
		[]byte(`[{"type":"required_status_checks","parameters":{"required_status_checks":[{"context":"a"}]}}]`),
		"refs/tags/v1",
	)

	f.Add([]byte(`[{}]`), "..")
	f.Fuzz(func(t *testing.T, raw []byte, ref string) {
		var b branch
		if json.Unmarshal(raw, &b) == nil {
			if got, err := b.contexts(); err == nil && slices.Contains(got, "") {
				t.Errorf("%s: %q", raw, got)
			}
		}

		var rules []rule
		if json.Unmarshal(raw, &rules) == nil {
			if got, err := ruleContexts(rules); err == nil && slices.Contains(got, "") {
				t.Errorf("%s: %q", raw, got)
			}
		}

		if name := branchName(ref); name == "." || strings.Contains(name, "..") || strings.ContainsAny(name, "?*\n ") {
			t.Errorf("%q leads to %q", ref, name)
		}
	})
}
