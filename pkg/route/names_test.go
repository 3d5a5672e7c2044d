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
