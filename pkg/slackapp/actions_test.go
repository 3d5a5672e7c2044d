package slackapp

import (
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/slack"
	simslack "github.com/seraph-deploy/seraph/test/sim/slack"
)

// TestActions_Joined checks that what is owed to a channel goes on as soon as the app is in it.
func TestActions_Joined(t *testing.T) {
	w := newWorld(t)
	in := slack.Incoming{
		Kind: slack.KindEvent, Event: slack.EventChannelJoined, RequestKey: "event:Ev1", Team: team, User: "U0SERAPHBOT", Channel: "C1",
	}
	if err := w.actions.Do(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if got := w.sent["event:Ev1 C1"].Summary; got != "resumed" {
		t.Errorf("got %v, want the channel resumed", w.sent)
	}
}

// TestActions_Uninstalled checks that the log says once what to do after the app was uninstalled, and nothing after an
// event about a token that is not this one.
func TestActions_Uninstalled(t *testing.T) {
	const words = "token of Slack refused"
	w := newWorld(t)
	older := slack.Incoming{Kind: slack.KindEvent, Event: slack.EventTokensRevoked, RequestKey: "event:Ev1", Team: team}
	if err := w.actions.Do(t.Context(), older); err != nil {
		t.Fatal(err)
	}
	if log := w.logged(); strings.Contains(log, words) {
		t.Errorf("got %q after an event about another token, want nothing about this one", log)
	}

	// An answer that says nothing is no loss, and the event is looked at again.
	if err := w.sim.NextNamed("auth.test", "internal-error", 1); err != nil {
		t.Fatal(err)
	}
	if err := w.actions.Do(t.Context(), older); err == nil {
		t.Error("got no error though Slack did not say whether the token works")
	}

	sent, err := w.sim.Uninstall()
	if err != nil || len(sent) != 2 {
		t.Fatalf("got %d events, %v, want 2", len(sent), err)
	}
	log := w.logged()
	if n := strings.Count(log, words); n != 1 {
		t.Errorf("got %d lines, want 1:\n%s", n, log)
	}
	for _, want := range []string{`"level":"error"`, "account_inactive", "set SERAPH_SLACK_BOT_TOKEN to its new bot token"} {
		if !strings.Contains(log, want) {
			t.Errorf("got %s, want %s in it", log, want)
		}
	}
	if len(w.links) != 0 {
		t.Errorf("got %q, want the links kept for the day on which the app is installed again", w.links)
	}
}

// TestActions_Left checks what the daily check of links learns of their users.
func TestActions_Left(t *testing.T) {
	w := newWorld(t)
	w.sim.AddUser(simslack.User{ID: "U0ALICE", Deleted: true})
	for _, row := range []struct{ workspace, user, want string }{
		{workspace: team, user: "U0ALICE", want: "deleted"},
		{workspace: team, user: "U0UNKNOWN", want: "deleted"},
		{workspace: team, user: "U0BOB"},
		{workspace: foreign, user: "U0ALICE"}, // of which this token knows nothing
	} {
		t.Run(row.workspace+" "+row.user, func(t *testing.T) {
			user := deployment.ChatUser{Face: face, Workspace: row.workspace, User: row.user}
			if got, err := w.actions.Left(t.Context(), user); got != row.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, row.want)
			}
		})
	}
}
