package route

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// TestLive_Replace replaces a table while others use it. Each answer is that of one table.
func TestLive_Replace(t *testing.T) {
	tables := []*Table{
		parseTable(t, "routes: [{repository: acme/api, circleci: {project: gh/one/x, branch: one}}]"),
		parseTable(t, "routes: [{repository: acme/api, circleci: {project: gh/two/x, branch: two}}]"),
	}
	want := []string{"gh/one/x refs/heads/one", "gh/two/x refs/heads/two"}

	live := NewLive(tables[0], nil)
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for range 500 {
				target := live.Admit(newRequest(), "k").Target
				if got := target.Project + " " + target.Ref.Full(); !slices.Contains(want, got) {
					t.Errorf("got target %s, want one of %q", got, want)
				}
			}
		})
	}
	for i := range 500 {
		live.Replace(tables[i%2])
	}
	users.Wait()

	live.Replace(tables[1])
	if got := live.Admit(newRequest(), "k").Target.Project; got != "gh/two/x" {
		t.Errorf("got project %s, want that of the last table", got)
	}
}

// The own App stays what it is when the table is replaced.
func TestLive_KeepsOwnApp(t *testing.T) {
	own := &OwnApp{ID: 99}
	live := NewLive(parseTable(t, "routes: [{repository: acme/web}]"), own)
	live.Replace(parseTable(t, "routes: [{repository: acme/api}]"))
	if got := live.Admit(newRequest(byApp(99, "seraph")), "k").Ignored; got != "" {
		t.Errorf("got the own App's deployment ignored (%s), want it admitted", got)
	}
}

// TestLive_AnswersAsItsTable compares every answer with that of the table.
func TestLive_AnswersAsItsTable(t *testing.T) {
	table := parseTable(t, askingTable)
	live, req := NewLive(table, nil), newRequest(toEnvironment("live"))

	type answers struct {
		Policy       any
		Unlock       any
		Apps         []App
		Person       deployment.Actor
		Production   bool
		AskPlaces    []string
		RollbackKeep int
		Repositories []deployment.Repository
	}
	var got, want answers
	got.Policy, _ = live.Policy(req)
	got.Unlock, _ = live.UnlockPolicies(req)
	got.Person, _ = live.Person("slack", "T0ACME001", "U0ALICE01")
	got.Apps, got.Production, got.AskPlaces = live.Apps(), live.Production(req), live.AskPlaces(req)
	got.RollbackKeep, got.Repositories = live.RollbackKeep(req), live.Repositories()

	want.Policy, _ = table.Policy(req)
	want.Unlock, _ = table.UnlockPolicies(req)
	want.Person, _ = table.Person("slack", "T0ACME001", "U0ALICE01")
	want.Apps, want.Production, want.AskPlaces = table.Apps(), table.Production(req), table.AskPlaces(req)
	want.RollbackKeep, want.Repositories = table.RollbackKeep(req), table.Repositories()

	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-table +live):\n%s", diff)
	}
	if !got.Production || got.RollbackKeep != 3 || got.Person.ID != 583231 {
		t.Errorf("got %+v, want what the file says", got)
	}
}
