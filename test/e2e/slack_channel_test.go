package e2e

import (
	"slices"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// TestSlack_Invited checks that a channel that could not be posted to gets its card as soon as the app is invited, and
// not only when the pause of ten minutes is over.
func TestSlack_Invited(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	if _, err := s.slack.Leave(deploysRoom); err != nil {
		t.Fatal(err)
	}
	s.slash("U0ALICE", deploysRoom, "api to staging scenario=success")
	ctx, cancel := s.waitContext()
	defer cancel()
	err := s.slack.Wait(ctx, func() bool {
		return slices.ContainsFunc(s.slack.Calls("chat.postMessage"), func(c slack.Call) bool { return c.Error == "not_in_channel" })
	})
	if err != nil {
		t.Fatal("no card was refused: ", err)
	}

	if d, err := s.slack.Invite(deploysRoom); err != nil || !d.Accepted() {
		t.Fatalf("invite: got %v, %s", err, d.Failure)
	}
	s.card("succeeded", "")
}
