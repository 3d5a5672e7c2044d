package app

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/route"
)

func TestTokenPermissions(t *testing.T) {
	base := map[string]string{"deployments": "write", "metadata": "read", "contents": "read"}
	for _, test := range []struct {
		name  string
		rules string
		more  []string // read permissions beside the base
	}{
		{name: "no rules"},
		{
			name:  "people, refs and what is deployed",
			rules: `"allow": {"users": ["alice"], "permission": "write"}, "refs": ["main"], "require_ahead": true`,
		},
		{name: "checks", rules: `"checks": "all"`, more: []string{"checks", "statuses", "actions"}},
		{name: "allow with a team", rules: `"allow": {"teams": ["acme/sre"]}`, more: []string{"members"}},
		{
			name:  "checks, and force with a team by id",
			rules: `"checks": ["build"], "force": {"teams": ["id:7"]}`,
			more:  []string{"checks", "statuses", "actions", "members"},
		},
		{name: "approvals of a team", rules: `"approvals": {"teams": ["acme/leads"]}`, more: []string{"members"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := `{"routes": [{"repository": "acme/api"`
			if test.rules != "" {
				text += ", " + test.rules
			}
			table, err := route.Parse([]byte(text+`}]}`), "routes.json", route.Options{})
			if err != nil {
				t.Fatal(err)
			}

			want := maps.Clone(base)
			for _, name := range test.more {
				want[name] = "read"
			}
			if diff := cmp.Diff(want, tokenPermissions(table)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
