package github

import (
	"strings"
	"testing"

	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func TestTeamMember(t *testing.T) {
	forEachFactClient(t, func(t *testing.T, a factClient) {
		a.sim.AddTeam("acme", "sre")
		a.sim.AddUser("bob")
		want := func(team, login string, member bool, problem string) {
			t.Helper()
			got, err := a.TeamMember(t.Context(), "acme", team, login, a.repo, a.installation)
			if got != member || (err == nil) != (problem == "") ||
				err != nil && !strings.Contains(err.Error(), problem) {
				t.Errorf("%s in %s: %t %v, want %t %s", login, team, got, err, member, problem)
			}
		}

		a.sim.SetTeamMember("acme", "sre", "alice", "active")
		want("sre", "alice", true, "")
		want("SRE", "ALICE", true, "")
		want("sre", "bob", false, "")
		want("sre", "nobody", false, "")
		want("none", "alice", false, "Members: read")
		a.sim.SetTeamMember("acme", "sre", "bob", "pending")
		a.clock.advance(ttlNegative)
		want("sre", "bob", false, "")
		a.sim.SetTeamMember("acme", "sre", "bob", "active")
		a.clock.advance(ttlNegative)
		want("sre", "bob", true, "")
		a.sim.SetTeamMember("acme", "sre", "alice", "")
		a.clock.advance(ttlFact)
		want("sre", "alice", false, "")
		// once for two who are none, once for the team that is not there, and a minute later
		if n := a.sim.Calls()[sim.OpGetTeam]; n != 3 {
			t.Errorf("the team was asked for %d times", n)
		}

		a.sim.HideTeam("acme", "sre", true)
		a.later()
		want("sre", "bob", false, "does not exist, or the credentials lack Members: read")
		if a.app != nil {
			a.sim.HideTeam("acme", "sre", false)
			a.sim.SetPermission("members", "")
			a.later()
			want("sre", "bob", false, "needs members=read")
		}
	})
}
