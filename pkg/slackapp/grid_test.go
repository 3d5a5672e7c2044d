package slackapp

import (
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
	simslack "github.com/seraph-deploy/seraph/test/sim/slack"
)

// TestGrid_Organization has people of two workspaces of one organization type commands and press buttons, over real
// HTTP. If the routes file names the organization, both are answered as themselves. If it names one workspace, only
// its people are.
func TestGrid_Organization(t *testing.T) {
	const organization, second = "E0ACME0001", "T0SECOND01"
	for _, row := range []struct {
		name      string
		workspace string
		want      string // that the person of the second workspace reads
		refused   []string
	}{
		{name: "organization", workspace: organization, want: "It is done."},
		{
			name:      "workspace",
			workspace: team,
			want:      "Only members of this workspace may ask Seraph for something",
			refused:   []string{"stranger"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.workspace = row.workspace
			w.sim.AddTeam(simslack.Team{ID: team, Domain: "acme", Name: "Acme", Enterprise: organization})
			w.sim.AddTeam(simslack.Team{ID: second, Domain: "acme-two", Name: "Acme Two", Enterprise: organization})
			w.sim.AddUser(simslack.User{ID: "U0BOB", Enterprise: organization, EnterpriseTeams: []string{team}})
			w.sim.AddUser(simslack.User{
				ID: "W0CAROL", Team: second, Enterprise: organization, EnterpriseTeams: []string{second},
			})
			w.sim.AddChannel(simslack.Channel{ID: room, SharedWith: []string{second}})
			w.people["W0CAROL"] = deployment.Actor{ID: 3, Login: "carol"}

			if _, err := w.sim.Slash("U0BOB", room, "/seraph", "status"); err != nil {
				t.Fatal(err)
			}
			if _, _, err := w.sim.Say("U0BOB", room, "<@"+bot+"> locks", ""); err != nil {
				t.Fatal(err)
			}
			if _, _, err := w.sim.Say("U0BOB", w.sim.Direct("U0BOB"), "whoami", ""); err != nil {
				t.Fatal(err)
			}
			if _, err := w.sim.HomeOpened("U0BOB"); err != nil {
				t.Fatal(err)
			}
			if home, ok := w.sim.Home("U0BOB"); !ok || !strings.Contains(home.Words(), "Deployments of bob") {
				t.Errorf("got the home tab %q, want that of bob", home.Words())
			}
			if n := len(w.lines); n != 3 || len(w.refused) != 0 {
				t.Fatalf("got %d lines carried out and %q refused for bob, want 3 and none", n, w.refused)
			}
			want := command.ChatUser{Face: face, Workspace: row.workspace, User: "U0BOB"}
			for i, c := range w.callers {
				if c.By.Login != "bob" || c.Chat != want || w.lines[i].Asker != face+"/"+row.workspace {
					t.Errorf("got %+v for %s, want bob as %v", c, w.lines[i].Text, want)
				}
			}

			w.click("W0CAROL", w.card(waiting(w.now())), notify.VerbApprove)
			if got := w.private("W0CAROL"); !strings.Contains(got, row.want) {
				t.Errorf("carol of the other workspace reads %q, want %q", got, row.want)
			}
			if strings.Join(w.refused, " ") != strings.Join(row.refused, " ") {
				t.Errorf("got %q refused, want %q", w.refused, row.refused)
			}
		})
	}
}
