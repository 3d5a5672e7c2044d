package github

import (
	"fmt"
	"strings"
	"testing"

	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

// wantMember asks for a membership of a team of acme. wantError is a part of the error; "" means
// none.
func (s simulated) wantMember(t *testing.T, team, login string, want bool, wantError string) {
	t.Helper()
	got, err := s.TeamMember(t.Context(), "acme", team, login, s.repo, s.installation)
	if got != want || (err == nil) != (wantError == "") || err != nil && !strings.Contains(err.Error(), wantError) {
		t.Errorf("%s in %s: got %t (%v), want %t (%s)", login, team, got, err, want, wantError)
	}
}

func TestTeamMember(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		s.sim.AddTeam("acme", "sre")
		s.sim.AddUser("bob")
		s.sim.SetTeamMember("acme", "sre", "alice", "active")
		s.wantMember(t, "sre", "alice", true, "")
		s.wantMember(t, "SRE", "ALICE", true, "")
		s.wantMember(t, "sre", "bob", false, "")
		s.wantMember(t, "sre", "nobody", false, "")
		s.wantMember(t, "none", "alice", false, "Members: read")

		s.sim.SetTeamMember("acme", "sre", "bob", "pending")
		s.clock.advance(ttlNegative)
		s.wantMember(t, "sre", "bob", false, "")

		s.sim.SetTeamMember("acme", "sre", "bob", "active")
		s.clock.advance(ttlNegative)
		s.wantMember(t, "sre", "bob", true, "")

		s.sim.SetTeamMember("acme", "sre", "alice", "")
		s.clock.advance(ttlFact)
		s.wantMember(t, "sre", "alice", false, "")

		// Once for bob and nobody, once for the team none, and once more after a minute.
		if n := s.sim.Calls()[sim.OpGetTeam]; n != 3 {
			t.Errorf("got %d reads of a team, want 3", n)
		}
	})
}

func TestTeamMember_TeamNotVisible(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		s.sim.AddTeam("acme", "sre")
		s.sim.SetTeamMember("acme", "sre", "bob", "active")
		s.sim.HideTeam("acme", "sre", true)
		s.wantMember(t, "sre", "bob", false, "does not exist, or the credentials lack Members: read")

		if s.app != nil {
			s.sim.HideTeam("acme", "sre", false)
			s.sim.SetPermission("members", "")
			s.expireCache()
			s.wantMember(t, "sre", "bob", false, "needs members=read")
		}
	})
}

// A team that is named by its id is the same team under any slug.
func TestTeamMember_ByID(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		s.sim.SetTeamMember("acme", "sre", "alice", "active")
		id := s.sim.TeamID("acme", "sre")
		byID := fmt.Sprintf("id:%d", id)
		s.sim.AddUser("bob")

		s.wantMember(t, byID, "alice", true, "")
		s.wantMember(t, byID, "bob", false, "")
		s.wantMember(t, "id:99999", "alice", false, "does not exist")
		s.wantMember(t, "id:x", "alice", false, "want id:N")

		s.sim.RenameTeam("acme", "sre", "platform")
		s.sim.SetTeamMember("acme", "sre", "bob", "active")
		s.clock.advance(ttlFact)
		s.wantMember(t, byID, "alice", true, "")
		s.wantMember(t, byID, "bob", false, "")

		got, err := s.TeamID(t.Context(), "acme", "platform", s.repo, s.installation)
		if got != id || err != nil {
			t.Errorf("got team %d (%v), want %d", got, err, id)
		}
	})
}
