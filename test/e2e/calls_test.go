package e2e

import (
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// What a deployment costs at GitHub beside its statuses and what its rules ask for. The table in
// deploy/docs/rules.md, "Calls to GitHub", has the same numbers.
func TestCalls_OfADeployment(t *testing.T) {
	t.Parallel()

	const fixedConfig = "require_ahead: true\n    circleci: {branch: main}"
	for _, c := range []struct {
		name  string
		route string
		ref   string
		want  int
	}{
		{name: "no rules, full name", route: "timeout: 1h", ref: "refs/heads/main", want: 0},
		{name: "no rules, bare name of a branch", route: "timeout: 1h", ref: "main", want: 1},
		{name: "no rules, bare name of a tag", route: "timeout: 1h", ref: "v1", want: 2},
		{name: "rules, config from a fixed branch", route: fixedConfig, ref: "main", want: 1},
		{name: "rules, full name", route: "require_ahead: true", ref: "refs/heads/main", want: 2},
		{name: "rules, bare name, refs allow no such tag", route: "refs: [main]", ref: "main", want: 2},
		{name: "rules, bare name", route: "require_ahead: true", ref: "main", want: 3},
		{name: "rules, bare name of a tag", route: "require_ahead: true", ref: "v1", want: 3},
		{name: "rules, annotated tag", route: "require_ahead: true", ref: "refs/tags/v2", want: 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := trusting(t, c.route)
			head, _ := h.gh.Head("acme/api", "main")
			h.gh.Tag("acme/api", "v1", head)
			h.gh.AnnotatedTag("acme/api", "v2", head)
			h.withoutRecovery().start() // what recovery has listed is not read again

			d := h.create("acme/api", github.NewDeployment{Ref: c.ref, Payload: payload("success"), Creator: "alice"})
			h.expectEnd(d, "success", "")
			calls := h.gh.Calls()
			got := calls[github.OpGetDeployment] + calls[github.OpGetRef] + calls[github.OpGetTag]
			if got != c.want {
				t.Errorf("got %d calls, want %d", got, c.want)
			}
		})
	}
}
