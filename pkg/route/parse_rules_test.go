package route

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

// productionRouteOf is a table of one route to production with some lines. The first is line 4 of
// the file.
func productionRouteOf(lines ...string) string {
	return "routes:\n- repository: acme/api\n  environment: production\n  " + strings.Join(lines, "\n  ")
}

func TestParse_RuleProblems(t *testing.T) {
	for _, c := range []struct {
		name string
		text string
		want string // part of the error
	}{
		{name: "allow: empty", text: productionRouteOf("allow: {}"), want: "routes.yaml:4: allow names nobody"},
		{
			name: "allow: list",
			text: productionRouteOf("allow: [alice]"),
			want: "routes.yaml:4: allow must be a mapping",
		},
		{
			name: "allow: unknown key",
			text: productionRouteOf("allow:", "  user: [alice]"),
			want: `routes.yaml:5: allow: unknown key "user"; did you mean "users"?`,
		},
		{
			name: "allow: no users",
			text: productionRouteOf("allow:", "  users: []"),
			want: "routes.yaml:5: users is empty",
		},
		{
			name: "allow: users not a list",
			text: productionRouteOf("allow: {users: alice}"),
			want: "users must be a list",
		},
		{
			name: "allow: mention",
			text: productionRouteOf("allow:", "  users:", "  - alice", `  - "@bob"`),
			want: `routes.yaml:7: users: "@bob" is neither a login`,
		},
		{
			name: "allow: login too long",
			text: productionRouteOf("allow: {users: [" + strings.Repeat("a", 40) + "]}"),
			want: "is neither a login",
		},
		{
			name: "allow: bot among users",
			text: productionRouteOf(`allow: {users: ["my-hubot[bot]"]}`),
			want: "is a bot: name it under apps",
		},
		{
			name: "shared_accounts: a bot",
			text: `shared_accounts: ["my-hubot[bot]"]` + "\n" + productionRouteOf(),
			want: `routes.yaml:1: shared_accounts: "my-hubot[bot]" is a bot`,
		},
		{
			name: "shared_accounts: also among the approvers",
			text: "shared_accounts: [Deploy-Bot]\n" + productionRouteOf("approvals: {users: [alice, deploy-bot]}"),
			want: `several people use the account "deploy-bot"`,
		},
		{
			name: "approvals: an app, and one who may approve",
			text: productionRouteOf("apps: [my-hubot]", "approvals: {users: [alice]}"),
			want: "routes.yaml:5: approvals: a deployment by an app needs 2 approvals",
		},
		{
			name: "allow: team among users",
			text: productionRouteOf("allow: {users: [acme/sre]}"),
			want: "is a team: name it under teams",
		},
		{
			name: "allow: bad id",
			text: productionRouteOf(`allow: {users: ["id:x"]}`),
			want: "must be id: and a number",
		},
		{
			name: "allow: id 0",
			text: productionRouteOf(`allow: {users: ["id:0"]}`),
			want: "must be id: and a number",
		},
		{
			name: "allow: user given twice",
			text: productionRouteOf("allow:", "  users:", "  - alice", "  - Alice"),
			want: `routes.yaml:7: users: "Alice" is given twice (first in line 6)`,
		},
		{
			name: "allow: team without organization",
			text: productionRouteOf("allow: {teams: [sre]}"),
			want: `teams: "sre" must be ORG/TEAM`,
		},
		{
			name: "allow: team mention",
			text: productionRouteOf(`allow: {teams: ["@acme/sre"]}`),
			want: "must be ORG/TEAM",
		},
		{
			name: "allow: team of three parts",
			text: productionRouteOf("allow: {teams: [acme/sre/db]}"),
			want: "must be ORG/TEAM",
		},
		{
			name: "allow: team by its display name",
			text: productionRouteOf(`allow: {teams: ["acme/Site Reliability"]}`),
			want: "must be ORG/TEAM",
		},
		{
			name: "allow: bad app",
			text: productionRouteOf(`allow: {apps: ["my hubot"]}`),
			want: "is not the slug of an app",
		},
		{
			name: "allow: permission too low",
			text: productionRouteOf("allow: {permission: read}"),
			want: `permission "read" must be write, maintain or admin`,
		},
		{
			name: "allow: several problems",
			text: productionRouteOf("allow: {users: [a b], teams: [x], permission: root}"),
			want: "must be write, maintain or admin",
		},
		{name: "refs: empty", text: productionRouteOf("refs: []"), want: "routes.yaml:4: refs is empty"},
		{name: "refs: not a list", text: productionRouteOf("refs: main"), want: "refs must be a list"},
		{
			name: "refs: given twice",
			text: productionRouteOf("refs: [main, dev, main]"),
			want: `refs: "main" is given twice`,
		},
		{name: "refs: null", text: productionRouteOf("refs: [null]"), want: "each element must be text"},
		{
			name: "require_ahead: text",
			text: productionRouteOf(`require_ahead: "yes"`),
			want: "routes.yaml:4: require_ahead must be true or false",
		},
		{
			name: "checks: unknown word",
			text: productionRouteOf("checks: some"),
			want: "routes.yaml:4: checks must be all, required or a list of names",
		},
		{name: "checks: empty list", text: productionRouteOf("checks: []"), want: "checks is empty"},
		{name: "checks: null", text: productionRouteOf("checks:"), want: "checks must be all, required or a list"},
		{
			name: "checks: without require",
			text: productionRouteOf("checks: {wait: 5m}"),
			want: "checks needs require",
		},
		{
			name: "checks: bad require",
			text: productionRouteOf("checks:", "  require: 5"),
			want: "routes.yaml:5: require must be all, required or a list of names",
		},
		{
			name: "checks: bad wait",
			text: productionRouteOf("checks: {require: all, wait: 0s}"),
			want: "wait \"0s\" is not a positive duration",
		},
		{name: "checks: given twice", text: productionRouteOf("checks: [a, b, a]"), want: `"a" is given twice`},
		{
			name: "checks: app that is none",
			text: productionRouteOf("checks: [{name: build, app: acme/ci}]"),
			want: `app: "acme/ci" is neither the slug of an app, such as github-actions, nor id:N`,
		},
		{
			name: "checks: app id that is none",
			text: productionRouteOf("checks: [{name: build, app: \"id:-1\"}]"),
			want: `app: "id:-1" is neither`,
		},
		{name: "checks: no name", text: productionRouteOf("checks: [{app: circleci}]"), want: "an element needs name"},
		{name: "checks: empty name", text: productionRouteOf(`checks: [{name: ""}]`), want: "name is empty"},
		{
			name: "checks: unknown key of an element",
			text: productionRouteOf("checks: [{name: build, suite: 5}]"),
			want: `unknown key "suite"`,
		},
		{
			name: "checks: element that is a list",
			text: productionRouteOf("checks: [[build]]"),
			want: "checks: each element must be a name",
		},
		{
			name: "checks: given twice with one app",
			text: productionRouteOf("checks: [{name: a, app: CI}, {name: a, app: ci}]"),
			want: `"a" is given twice`,
		},
		{
			name: "checks: listed with an app and ignored",
			text: productionRouteOf("checks:", "  require: [{name: lint-a, app: ci}]", "  ignore: [lint-*]"),
			want: `ignore: "lint-*" matches "lint-a", which require lists`,
		},
		{
			name: "checks: listed and ignored",
			text: productionRouteOf("checks:", "  require: [lint-a]", "  ignore:", "  - x", "  - lint-*"),
			want: `routes.yaml:8: ignore: "lint-*" matches "lint-a"`,
		},
		{name: "after: glob", text: productionRouteOf("after: [stag*]"), want: "without * and ?"},
		{
			name: "after: own environment",
			text: productionRouteOf("after: [Production]"),
			want: "is the route's own environment",
		},
		{name: "after: given twice", text: productionRouteOf("after: [staging, Staging]"), want: "is given twice"},
		{name: "after: empty", text: productionRouteOf("after: []"), want: "after is empty"},
		{
			name: "concurrency: unknown word",
			text: productionRouteOf("concurrency: skip"),
			want: `concurrency "skip" must be queue, replace, cancel or reject`,
		},
		{
			name: "locked: unknown word",
			text: productionRouteOf("locked: skip"),
			want: `locked "skip" must be wait or reject`,
		},
		{name: "max_wait: bad duration", text: productionRouteOf("max_wait: 1d"), want: "not a positive duration"},
		{name: "holds: empty", text: productionRouteOf("holds: {}"), want: "routes.yaml:4: holds needs approve"},
		{
			name: "holds: nobody",
			text: productionRouteOf("holds:", "  approve: {}"),
			want: "routes.yaml:5: approve names nobody: give users or teams",
		},
		{
			name: "holds: permission",
			text: productionRouteOf("holds: {approve: {permission: write}}"),
			want: `approve: unknown key "permission"`,
		},
		{
			name: "holds: list",
			text: productionRouteOf("holds: {approve: [carol]}"),
			want: "routes.yaml:4: approve must be a mapping",
		},
		{
			name: "holds: bot",
			text: productionRouteOf("holds:", "  approve:", "    users: ['x[bot]']"),
			want: `routes.yaml:6: users: "x[bot]" is a bot`,
		},
		{
			name: "rollback: keep of zero",
			text: productionRouteOf("rollback: {keep: 0}"),
			want: `routes.yaml:4: keep "0" must be a number from 1 to 1000`,
		},
		{
			name: "rollback: keep too large",
			text: productionRouteOf("rollback: {keep: 1001}"),
			want: "must be a number from 1 to 1000",
		},
		{
			name: "rollback: allow nobody",
			text: productionRouteOf("rollback:", "  allow: {}"),
			want: "routes.yaml:5: allow names nobody",
		},
		{name: "rollback: number", text: productionRouteOf("rollback: 5"), want: "rollback must be a mapping"},
		{name: "force: empty", text: productionRouteOf("force: {}"), want: "force names nobody"},
		{
			name: "approvals: nobody",
			text: productionRouteOf("approvals: {count: 1}"),
			want: "routes.yaml:4: approvals names nobody who may approve",
		},
		{
			name: "approvals: count of zero",
			text: productionRouteOf("approvals: {count: 0, teams: [acme/sre]}"),
			want: `count "0" must be a number from 1`,
		},
		{
			name: "approvals: count too large",
			text: productionRouteOf("approvals: {count: 21, teams: [acme/sre]}"),
			want: "from 1 to 20",
		},
		{
			name: "approvals: fractional count",
			text: productionRouteOf("approvals: {count: 1.5, teams: [acme/sre]}"),
			want: "must be a number",
		},
		{
			name: "approvals: fewer people than count",
			text: productionRouteOf("approvals: {count: 3, users: [a], tokens: [b]}"),
			want: "count is 3, but only 2 could ever approve",
		},
		{
			name: "approvals: bad token",
			text: productionRouteOf(`approvals: {tokens: ["a:b"]}`),
			want: "not the name of an API token",
		},
		{
			name: "approvals: unknown key",
			text: productionRouteOf("approvals: {apps: [a]}"),
			want: `approvals: unknown key "apps"`,
		},
		{
			name: "approvals: bad expires",
			text: productionRouteOf("approvals: {users: [a], expires: never}"),
			want: "not a positive duration",
		},
	} {
		t.Run(c.name, func(t *testing.T) { checkParseError(t, c.text, c.want) })
	}
}

func TestParse_HoldsAndRollback(t *testing.T) {
	table := parseTable(t, productionRouteOf(
		"holds: {approve: {users: [carol, 'id:7'], teams: [acme/leads]}}",
		"rollback: {keep: 3, allow: {teams: [acme/oncall], permission: write}}",
	))

	p, _ := table.Policy(newRequest())
	want := policy.Policy{
		HoldApprovers: &policy.Subjects{Users: []string{"carol", "id:7"}, Teams: []string{"acme/leads"}},
		RollbackAllow: &policy.Subjects{Teams: []string{"acme/oncall"}, Permission: policy.PermissionWrite},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	if got := table.Routes()[0].RollbackKeep; got != 3 {
		t.Errorf("got %d successes kept, want 3", got)
	}
	if got := parseTable(t, productionRouteOf()).Routes()[0].RollbackKeep; got != 10 {
		t.Errorf("got %d successes kept where the route says nothing, want 10", got)
	}
}

func TestParse_NamesThatGitHubAllows(t *testing.T) {
	p, ok := parseTable(t, productionRouteOf("allow:",
		`  users: [a, octo-cat, octocat_acme, "123", X9]`,
		"  teams: [acme/sre, acme_corp/db-2, Acme/Web_Team]",
		`  apps: [github-actions, "dependabot[bot]"]`,
	)).Policy(newRequest())
	if !ok || len(p.Allow.Users) != 5 || len(p.Allow.Teams) != 3 || len(p.Allow.Apps) != 2 {
		t.Errorf("got %+v, want all names", p.Allow)
	}
}
