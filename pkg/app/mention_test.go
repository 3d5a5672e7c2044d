package app

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// TestApp_Mention wants that somebody who has linked themselves is mentioned, also where the routes file does not name
// the workspace, which is that of the bot token then.
func TestApp_Mention(t *testing.T) {
	for _, c := range []struct {
		name   string
		routes string
	}{
		{name: "workspace in the routes file", routes: linkRoutes},
		{name: "no workspace there", routes: "routes: [{repository: acme/api}]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLinkApp(t, map[string]string{
				"ROUTES":               c.routes,
				"SLACK_BOT_TOKEN":      "xoxb-0123456789-0123456789-abcdefghijklmnop",
				"SLACK_SIGNING_SECRET": "8f742231b10e8888abcd99yyyzzz85a5",
			})
			l.inbox.bot.identity.Store(&slack.Identity{Team: "T0ACME001"})

			a := deployment.LinkAttempt{
				User:        deployment.ChatUser{Face: faceSlack, Workspace: "T0ACME001", User: "U0ALICE01"},
				AddressHash: "address",
				ExpiresAt:   now().Add(time.Minute),
				GitHub:      deployment.Actor{ID: 7, Login: "alice"},
				CodeHash:    "code",
			}
			if err := l.db.StartLink(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if _, err := l.db.SignedIn(t.Context(), a.AddressHash, a.GitHub, a.CodeHash); err != nil {
				t.Fatal(err)
			}
			if err := l.db.ConfirmLink(t.Context(), a, deployment.AuditEvent{Kind: deployment.AuditLink}); err != nil {
				t.Fatal(err)
			}

			mention := l.renderOptions().Mention
			if got := mention(7); got != "U0ALICE01" {
				t.Errorf("got the user %q of alice, want U0ALICE01", got)
			}
			if got := mention(8); got != "" {
				t.Errorf("got the user %q of somebody who is not linked, want none", got)
			}
		})
	}
}
