package route

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/grammar"
)

// TestTable_Names wants the apps, their environments with those of patterns, and what counts as production.
func TestTable_Names(t *testing.T) {
	const text = `
routes:
  - {repository: acme/api, environment: production}
  - {repository: acme/api, environment: staging}
  - {repository: acme/api, environment: "pr-*"}
  - {repository: acme/web, environment: eu-prod}
  - {repository: acme/web, environment: qa, production: true}
  - {repository: acme/*, environment: sandbox}
`
	table, err := Parse([]byte(text), "routes.yaml", Options{})
	if err != nil {
		t.Fatal(err)
	}

	sandbox := grammar.Environment{Name: "sandbox"}
	want := grammar.Names{Apps: []grammar.App{
		{
			Name:       "api",
			Repository: "acme/api",
			Environments: []grammar.Environment{
				{Name: "production", Production: true},
				{Name: "staging"},
				{Name: "pr-*"},
				sandbox,
			},
		},
		{
			Name:       "web",
			Repository: "acme/web",
			Environments: []grammar.Environment{
				{Name: "eu-prod", Production: true},
				{Name: "qa", Production: true},
				sandbox,
			},
		},
		{Repository: "acme/*", Environments: []grammar.Environment{sandbox}},
	}}
	if d := cmp.Diff(want, table.Names()); d != "" {
		t.Errorf("names differ (-want +got):\n%s", d)
	}
}

// TestTable_NamesOfProduction wants that a line which names no environment never means one that a route
// calls production, whichever of its routes comes first.
func TestTable_NamesOfProduction(t *testing.T) {
	const docs = "- {repository: acme/api, environment: eu, task: 'deploy:docs'}\n"
	for _, c := range []struct {
		name   string
		routes string
		want   string // the environment that is meant; empty: it must be named
	}{
		{
			name:   "a route for another task first",
			routes: docs + "- {repository: acme/api, environment: EU, production: true}\n",
		},
		{
			name:   "a route for another task last",
			routes: "- {repository: acme/api, environment: eu, task: deploy, production: true}\n" + docs,
		},
		{
			name:   "a route of a pattern of repositories",
			routes: docs + "- {repository: 'acme/*', environment: eu, production: true}\n",
		},
		{
			name:   "a pattern of environments of a pattern of repositories",
			routes: docs + "- {repository: 'acme/*', environment: 'e*', production: true}\n",
		},
		{
			name: "a pattern of other environments",
			routes: "- {repository: acme/api, environment: eu}\n" +
				"- {repository: 'acme/*', environment: 'prod-*', production: true}\n",
			want: "eu",
		},
		{
			name:   "several tasks, none of production",
			routes: docs + "- {repository: acme/api, environment: eu}\n",
			want:   "eu",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := parseTable(t, "routes:\n"+c.routes+"- {repository: acme/api, environment: production}")

			cmd, err := grammar.Parse("deploy api", table.Names())
			if cmd.Environment != c.want || (err == nil) != (c.want != "") {
				t.Errorf("got environment %q and error %v, want %q", cmd.Environment, err, c.want)
			}
		})
	}
}
