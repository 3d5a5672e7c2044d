package route

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable_Apps(t *testing.T) {
	staging := Environment{Name: "staging"}
	production := Environment{Name: "production", Production: true}

	for _, c := range []struct {
		name  string
		table string
		want  []App
	}{
		{
			name:  "the name of the repository",
			table: "routes:\n- {repository: acme/API, environment: staging}\n- {repository: Acme/api, environment: production}",
			want:  []App{{Name: "API", Repository: "acme/API", Environments: []Environment{staging, production}}},
		},
		{
			name: "several environments and patterns",
			table: "routes:\n- {repository: acme/api, environment: Production}\n- {repository: acme/api, environment: staging}\n" +
				"- {repository: acme/api, environment: PRODUCTION, task: other}\n- {repository: acme/api, environment: pr-*}\n" +
				"- {repository: acme/api}",
			want: []App{{
				Name:         "api",
				Repository:   "acme/api",
				Environments: []Environment{{Name: "Production", Production: true}, staging},
				Patterns:     []string{"pr-*", "*"},
			}},
		},
		{
			name: "two repositories of one name",
			table: "routes:\n- {repository: acme/api, environment: staging}\n- {repository: other/api, environment: staging}\n" +
				"- {repository: other/web, environment: staging}",
			want: []App{
				{Repository: "acme/api", Environments: []Environment{staging}},
				{Repository: "other/api", Environments: []Environment{staging}},
				{Name: "web", Repository: "other/web", Environments: []Environment{staging}},
			},
		},
		{
			name: "a name that is another repository's own",
			table: "routes:\n- {repository: acme/api, environment: staging}\n" +
				"- {repository: other/web, environment: staging, name: api}",
			want: []App{
				{Repository: "acme/api", Environments: []Environment{staging}},
				{Name: "api", Repository: "other/web", Environments: []Environment{staging}},
			},
		},
		{
			name: "two apps of one repository",
			table: "routes:\n- {repository: acme/mono, environment: web, name: web}\n" +
				"- {repository: acme/mono, environment: web-live, name: Web, production: true}\n" +
				"- {repository: acme/mono, environment: worker, name: worker}\n" +
				"- {repository: acme/mono, environment: production}",
			want: []App{
				{
					Name:         "web",
					Repository:   "acme/mono",
					Environments: []Environment{{Name: "web"}, {Name: "web-live", Production: true}},
				},
				{Name: "worker", Repository: "acme/mono", Environments: []Environment{{Name: "worker"}}},
				{Name: "mono", Repository: "acme/mono", Environments: []Environment{production}},
			},
		},
		{
			name: "a pattern, and a name that cannot be typed",
			table: "routes:\n- {repository: acme/a*, environment: staging}\n- {repository: acme/-x, environment: staging}\n" +
				"- {repository: acme/on, environment: staging}",
			want: []App{
				{Repository: "acme/-x", Environments: []Environment{staging}},
				{Repository: "acme/on", Environments: []Environment{staging}},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, parseTable(t, c.table).Apps()); diff != "" {
				t.Errorf("apps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTable_Production(t *testing.T) {
	const table = `
routes:
  - {repository: acme/api, environment: production, task: "deploy:dry-run", production: false}
  - {repository: acme/api, environment: live-*, production: true}
  - {repository: acme/api}
`
	for _, c := range []struct {
		name    string
		changes []requestChange
		want    bool
	}{
		{name: "production", want: true},
		{name: "production without a task", changes: []requestChange{withTask("")}, want: true},
		{name: "production in another case", changes: []requestChange{toEnvironment("Production")}, want: true},
		{name: "the route says no", changes: []requestChange{withTask("deploy:dry-run")}},
		{name: "the route says yes", changes: []requestChange{toEnvironment("live-eu")}, want: true},
		{name: "another environment", changes: []requestChange{toEnvironment("staging")}},
		{name: "a name that contains it", changes: []requestChange{toEnvironment("production-like")}},
		{name: "no route", changes: []requestChange{ofRepository("none")}, want: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := parseTable(t, table).Production(newRequest(c.changes...)); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestTable_SettingsOfRequest(t *testing.T) {
	const text = `
routes:
  - repository: acme/api
    environment: production
    ask: [C0DEPLOYS1, Shell]
    logs: true
    rollback: {keep: 3}
  - repository: acme/api
`
	table := parseTable(t, text)
	production, staging := newRequest(), newRequest(toEnvironment("staging"))

	if diff := cmp.Diff([]string{"C0DEPLOYS1", "Shell"}, table.AskPlaces(production)); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if got := table.AskPlaces(staging); got != nil {
		t.Errorf("got places %q where the route names none, want nil", got)
	}
	p, s := table.Admit(production, "k").Target, table.Admit(staging, "k").Target
	if !p.ShowLogs || s.ShowLogs {
		t.Errorf("got logs %v and %v in the targets, want them of production only", p.ShowLogs, s.ShowLogs)
	}
	if p, s := table.RollbackKeep(production), table.RollbackKeep(staging); p != 3 || s != 10 {
		t.Errorf("got %d and %d successes kept, want 3 and 10", p, s)
	}
	if got := table.RollbackKeep(newRequest(ofRepository("none"))); got != 10 {
		t.Errorf("got %d successes kept without a route, want 10", got)
	}
}
