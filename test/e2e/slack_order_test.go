package e2e

import (
	"strings"
	"sync"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// TestSlack_Once checks that what Slack sends again is asked for once, and that somebody who asks twice asks twice.
func TestSlack_Once(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	mention := "<@U0SERAPHBOT> deploy api to staging scenario=forever"
	said, events, err := s.slack.Say("U0ALICE", deploysRoom, mention, "")
	if err != nil || len(events) != 1 {
		t.Fatalf("got %d events, %v, want one", len(events), err)
	}
	s.waitMessage("in the thread", func(m slack.Message) bool {
		return m.Thread == said.TS && strings.Contains(m.Words(), "deploys acme/api@main at")
	})

	s.slash("U0ALICE", deploysRoom, "api to staging scenario=success")
	s.slash("U0ALICE", deploysRoom, "api to staging scenario=success")

	s.wait("three deployments", func() bool { return len(s.deploymentsTo("staging")) >= 3 })
	all := s.deploymentsTo("staging")
	for _, d := range all {
		s.waitDelivery(d) // the third one could start before the second one is there, if the first one had ended
	}
	s.finish(s.waitPipeline(all[0]), "success")
	for _, d := range all {
		s.expectEnd(d, "success", "")
	}

	accepted := false
	s.wait("the same event to be accepted again, with the signature of another second", func() bool {
		if !accepted {
			again, err := s.slack.Redeliver(events[0].ID, "http_timeout")
			accepted = err == nil && again.Accepted()
		}
		return accepted
	})
	replayed, err := s.slack.Replay(events[0].ID)
	if err != nil || replayed.Accepted() {
		t.Errorf("the same signature again: got %v, status %d, want it refused", err, replayed.Status)
	}
	if n := len(s.deploymentsTo("staging")); n != 3 {
		t.Errorf("got %d deployments, want 3", n)
	}
}

// TestSlack_TwoApprovers checks that two people who approve at the same moment both do, and that one pipeline runs.
func TestSlack_TwoApprovers(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.slash("U0ALICE", deploysRoom, "api to production scenario=success")
	card := s.card("waits for approval", "approve")
	modals := map[string]slack.View{}
	for _, user := range []string{"U0BOB", "U0CAROL"} {
		s.click(user, card, "approve")
		modals[user] = s.modal(user) // both are open before either approves, which takes the button away
	}

	var both sync.WaitGroup
	for user, modal := range modals {
		both.Go(func() {
			if d, err := s.slack.Submit(modal.ID, map[string]string{"seraph_word": "production"}); err != nil || !d.Closed {
				t.Errorf("%s: got %+v, %v, want the modal closed", user, d, err)
			}
		})
	}
	both.Wait()
	for _, user := range []string{"U0BOB", "U0CAROL"} {
		s.reads(user, "") // that they approved, or that it was done already
	}

	d := s.deploymentsTo("production")[0]
	s.expectEnd(d, "success", "")
	if n := len(s.pipelines(d)); n != 1 {
		t.Errorf("got %d pipelines, want 1", n)
	}
}

// TestSlack_BranchMoves checks that a branch that has moved since the card was shown is not deployed by its button.
func TestSlack_BranchMoves(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.gh.Push("acme/api", "topic", "")
	s.slash("U0ALICE", deploysRoom, "api@topic to staging scenario=fail")
	card := s.card("failed", "again")
	s.gh.Push("acme/api", "topic", "")
	s.click("U0BOB", card, "again")
	s.reads("U0BOB", "That was not done: topic is at", "look at it, and ask again")
	if n := len(s.deploymentsTo("staging")); n != 1 {
		t.Errorf("got %d deployments, want 1", n)
	}
}

// TestSlack_AgainByTwo checks that a button that two people press makes one deployment, and that the second one
// learns who asked.
func TestSlack_AgainByTwo(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.slash("U0ALICE", deploysRoom, "api to staging scenario=fail")
	card := s.card("failed", "again")
	s.click("U0ALICE", card, "again")
	s.reads("U0ALICE", "deploys acme/api@main at")
	s.click("U0BOB", card, "again")
	s.reads("U0BOB", "alice has asked for that already, and nothing more was done.")

	s.wait("a second deployment", func() bool { return len(s.deploymentsTo("staging")) == 2 })
	for _, d := range s.deploymentsTo("staging") {
		s.expectEnd(d, "failure", "")
	}
}
