package app

import "github.com/seraph-deploy/seraph/pkg/route"

// tokenPermissions returns the permissions at GitHub that the routes need, by GitHub's names.
// deploy/docs/set-up-github.md lists them for operators.
func tokenPermissions(t *route.Table) map[string]string {
	needed := map[string]string{
		"deployments": "write", // and their statuses
		"metadata":    "read",  // repositories, permissions of people, rulesets
		"contents":    "read",  // refs, branches, comparisons
	}

	for _, r := range t.Routes() {
		if r.Policy.Checks != nil {
			needed["checks"], needed["statuses"], needed["actions"] = "read", "read", "read"
		}
		if r.Policy.UsesTeams() {
			needed["members"] = "read"
		}
	}

	return needed
}
