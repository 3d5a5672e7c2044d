package route

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable_PinnedNames(t *testing.T) {
	for _, c := range []struct {
		name  string
		table string
		want  []string // kind, name, id, and the repository whose credentials are used
	}{
		{name: "no rules", table: "routes:\n- {repository: acme/api}\n- {repository: acme/*}"},
		{
			name: "names of all rules",
			table: "routes:\n- {repository: acme/*, environment: x, allow: {users: [Alice, 'id:5'], teams: [acme/SRE]}}\n" +
				"- {repository: acme/API, force: {users: [alice]}, approvals: {count: 2, users: [bob], teams: ['id:6']}}",
			want: []string{
				"user alice 0 acme/API",
				"team acme/sre 0 acme/API",
				"repository acme/api 0 acme/API",
				"user bob 0 acme/API",
			},
		},
		{
			name:  "accounts that several people use",
			table: "shared_accounts: [Deploy-Bot, 'id:5']\nroutes:\n- {repository: acme/*, refs: [main]}",
			want:  []string{"user deploy-bot 0 acme/any"},
		},
		{
			name: "a repository with its id",
			table: "routes:\n- {repository: acme/api, environment: x, refs: [main]}\n" +
				"- {repository: acme/api, repository_id: 9}",
			want: []string{"repository acme/api 9 acme/api"},
		},
		{
			name:  "no route names a repository",
			table: "routes:\n- {repository: acme/*, allow: {users: [alice]}}",
			want:  []string{"user alice 0 acme/any"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, n := range parseTable(t, c.table).PinnedNames() {
				got = append(got, fmt.Sprint(n.Kind, " ", n.Name, " ", n.ID, " ", n.Through.FullName()))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}
