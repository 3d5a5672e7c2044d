package github

import (
	"errors"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func (s simulated) wantPerson(t *testing.T, id int64, login string, want error) {
	t.Helper()
	got, err := s.Person(t.Context(), id, s.repo, s.installation)
	if got != login || !errors.Is(err, want) {
		t.Errorf("account %d: got %q (%v), want %q (%v)", id, got, err, login, want)
	}
}

func TestPerson_FollowsID(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		id := s.sim.AddUser("alice")
		s.wantPerson(t, id, "alice", nil)

		s.sim.RenameUser("alice", "alice-b")
		s.wantPerson(t, id, "alice", nil) // cached
		s.expireCache()
		s.wantPerson(t, id, "alice-b", nil)

		s.sim.RemoveUser("alice-b")
		s.expireCache()
		s.wantPerson(t, id, "", ErrNoPerson)
		s.wantPerson(t, 0, "", ErrNoPerson)
		if n := s.sim.Calls()[sim.OpGetAccount]; n != 3 {
			t.Errorf("got %d calls, want 3", n)
		}
	})
}

func TestPersonByLogin(t *testing.T) {
	forEachCredential(t, func(t *testing.T, s simulated) {
		id, bot := s.sim.AddUser("alice"), s.sim.AddUser("hubot[bot]")
		tests := []struct {
			name, login string
			want        deployment.Actor // empty: ErrNoPerson
		}{
			{name: "user", login: "Alice", want: deployment.Actor{ID: id, Login: "alice"}},
			{name: "bot", login: "hubot[bot]", want: deployment.Actor{ID: bot, Login: "hubot[bot]", App: "hubot"}},
			{name: "nobody", login: "nobody"},
			{name: "organization", login: "acme"},
		}

		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				got, err := s.PersonByLogin(t.Context(), tt.login, s.repo, s.installation)
				if got != tt.want || errors.Is(err, ErrNoPerson) != (tt.want.ID == 0) {
					t.Errorf("got %+v (%v), want %+v", got, err, tt.want)
				}
			})
		}
	})
}
