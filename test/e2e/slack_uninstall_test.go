package e2e

import (
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// TestSlack_Uninstalled uninstalls the app while a deployment waits, and installs it again: the log says what to do,
// and with the new token the same people are known and the same card goes on.
func TestSlack_Uninstalled(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.slash("U0ALICE", deploysRoom, "api to production scenario=success")
	card := s.card("waits for approval", "approve")

	if sent, err := s.slack.Uninstall(); err != nil || len(sent) != 2 {
		t.Fatalf("uninstall: got %d events, %v, want 2", len(sent), err)
	}
	s.waitLog(`"level":"error"`, "token of Slack refused", "account_inactive")

	s.stop()
	s.env["SLACK_BOT_TOKEN"] = s.slack.Reinstall().Token
	s.start()
	if _, err := s.slack.Invite(deploysRoom); err != nil {
		t.Fatal(err)
	}
	s.confirm("U0BOB", card, "approve")
	s.waitMessage("that shows the end", func(m slack.Message) bool {
		return m.TS == card.TS && strings.Contains(m.Words(), "succeeded")
	})
}
