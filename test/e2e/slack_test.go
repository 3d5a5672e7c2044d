package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// TestSlack_Story tells the whole story in a channel: alice asks, may not approve her own, guests, strangers and
// people whom nobody knows may do nothing, bob approves, the pipeline succeeds, and the card has said so all along. A
// button of an earlier state does nothing.
func TestSlack_Story(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.slash("U0ALICE", deploysRoom, "api to production scenario=success because of the release")
	public := s.waitMessage("about the deployment", func(m slack.Message) bool {
		return m.Channel == deploysRoom && m.Metadata == nil && m.OnlyFor == "" && strings.Contains(m.Words(), "deploys acme/api@main at")
	})
	if !strings.Contains(public.Words(), "It waits for 1 approval from bob, carol") {
		t.Errorf("got %q, want why it waits", public.Words())
	}

	card := s.card("waits for approval", "approve")
	approve := s.button(card, "approve")
	d := s.deploymentsTo("production")[0]

	s.click("U0ALICE", card, "approve")
	s.reads("U0ALICE", "That was not done: ", "alice", fmt.Sprintf(`"/seraph why #%d"`, d.ID))
	s.click("U0GUEST", card, "approve")
	s.reads("U0GUEST", "Guests of this workspace may not ask Seraph for anything")
	s.click("U0DAVE", card, "approve")
	s.reads("U0DAVE", "Seraph does not know who you are at GitHub", "to link your account at GitHub, then ask again.")
	s.click("U0BOB", card, "why")
	s.reads("U0BOB", fmt.Sprintf("#%d (acme/api@main", d.ID), "approvals: it waits for 1 approval")
	if m, _ := s.slack.Message(card.Channel, card.TS); !strings.Contains(m.Words(), "waits for approval") {
		t.Fatalf("got %q, want it to wait still", m.Words())
	}

	s.confirm("U0BOB", card, "approve")
	s.reads("U0BOB", "bob approved #")
	s.expectEnd(d, "success", "")
	ended := s.card("succeeded", "")
	if ended.TS != card.TS {
		t.Errorf("got another card %s, want the same one %s edited", ended.TS, card.TS)
	}

	s.press("U0CAROL", ended, approve)
	s.reads("U0CAROL", "That button belongs to an earlier state of the deployment, so it did nothing.", "succeeded after")
	if n := len(s.pipelines(d)); n != 1 {
		t.Errorf("got %d pipelines, want 1", n)
	}

	s.wantRefusal("U0ALICE", "approve", "not_an_approver")
	s.wantRefusal("U0GUEST", "approve", "guest")
	s.wantRefusal("U0DAVE", "approve", "not_linked")
	s.wantRefusal("U0CAROL", "approve", "stale")
}

// TestSlack_Production checks a rollback in production: the modal, a wrong name, the right one, and a person who was
// deactivated in between.
func TestSlack_Production(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.gh.Push("acme/api", "old", "")
	var card slack.Message
	for _, ref := range []string{"old", "main"} {
		s.slash("U0ALICE", deploysRoom, "api@"+ref+" to production scenario=success")
		waits := s.card("waits for approval", "approve")
		s.confirm("U0BOB", waits, "approve")
		card = s.waitMessage("that "+ref+" succeeded", func(m slack.Message) bool {
			_, has := m.Button("seraph_rollback")
			return m.TS == waits.TS && strings.Contains(m.Words(), "succeeded") && (has || ref == "old")
		})
	}

	s.click("U0CAROL", card, "rollback")
	s.click("U0ALICE", card, "rollback")
	carol, own := s.modal("U0CAROL"), s.modal("U0ALICE")
	s.slack.AddUser(slack.User{ID: "U0CAROL", Deleted: true})
	if _, err := s.slack.Submit(carol.ID, map[string]string{"seraph_word": "production"}); err != nil {
		t.Fatal(err)
	}
	s.wait("refusal of somebody who has left", func() bool {
		list, _ := s.refusals()
		return slices.ContainsFunc(list, func(r refusal) bool { return r.Code == "deactivated" })
	})

	wrong, err := s.slack.Submit(own.ID, map[string]string{"seraph_word": "staging"})
	if err != nil || wrong.Closed || len(wrong.Errors) != 1 {
		t.Fatalf("a wrong name: got %+v, %v, want the modal to stay open", wrong, err)
	}
	right, err := s.slack.Submit(own.ID, map[string]string{"seraph_word": "production", "seraph_reason": "errors"})
	if err != nil || !right.Closed {
		t.Fatalf("the right name: got %+v, %v, want the modal closed", right, err)
	}
	s.reads("U0ALICE", "rolls production back to acme/api@old at")

	all := s.deploymentsTo("production")
	if len(all) != 3 || all[2].Ref != github.Commit("acme/api", "old") {
		t.Errorf("got %d deployments to production, want one more, of old", len(all))
	}
	s.confirm("U0BOB", s.card("waits for approval", "approve"), "approve")
	s.expectEnd(all[len(all)-1], "success", "")
}

// TestSlack_Hold checks that a job that CircleCI holds is approved by a button, and by nobody else but whom the route
// names.
func TestSlack_Hold(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.slash("U0ALICE", deploysRoom, "api to staging scenario=hold-forever")
	card := s.card("held", "approve-hold")
	s.click("U0ALICE", card, "approve-hold")
	s.reads("U0ALICE", "That was not done: ")
	s.click("U0BOB", card, "approve-hold")
	s.reads("U0BOB", "bob approved the job that CircleCI held for #")
	s.card("succeeded", "")
	s.wantRefusal("U0ALICE", "approve-hold", "not_allowed")
}

// TestSlack_Lock checks that the owner of a lock gets a message about who waits for it, and that the one who waits
// learns that.
func TestSlack_Lock(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.slash("U0ALICE", deploysRoom, "lock api in staging because of a migration")
	s.waitMessage("that it is locked", func(m slack.Message) bool {
		return m.Channel == deploysRoom && m.OnlyFor == "" && strings.Contains(m.Words(), "acme/api in staging is locked by alice")
	})
	s.slash("U0BOB", deploysRoom, "api to staging scenario=success")
	card := s.card("waits for a lock", "ask-for-lock")
	s.click("U0BOB", card, "ask-for-lock")
	s.reads("U0BOB", "alice gets a message that #")
	direct := s.slack.Direct("U0ALICE")
	s.waitMessage("to alice", func(m slack.Message) bool {
		return m.Channel == direct && strings.Contains(m.Words(), "asks you to release your lock on acme/api in staging")
	})
	s.slash("U0ALICE", deploysRoom, "unlock api in staging")
	s.card("succeeded", "")
}

// TestSlack_Direct checks that a direct message is answered in place, and that the home tab shows what its owner asked
// for.
func TestSlack_Direct(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	direct := s.slack.Direct("U0ALICE")
	if _, _, err := s.slack.Say("U0ALICE", direct, "deploy api to staging scenario=success", ""); err != nil {
		t.Fatal(err)
	}
	s.waitMessage("in the direct messages", func(m slack.Message) bool {
		return m.Channel == direct && m.BotID != "" && strings.Contains(m.Words(), "deploys acme/api@main at")
	})
	s.card("succeeded", "")

	if _, err := s.slack.HomeOpened("U0ALICE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := s.waitContext()
	defer cancel()
	_, err := s.slack.WaitView(ctx, func(v slack.View) bool {
		return v.Type == "home" && v.User == "U0ALICE" && strings.Contains(v.Words(), "Deployments of alice") &&
			strings.Contains(v.Words(), "staging: succeeded")
	})
	if err != nil {
		view, _ := s.slack.Home("U0ALICE")
		t.Errorf("got %q, want what alice asked for: %v", view.Words(), err)
	}
}

// A card shows what a button did. BenchmarkCardClick measures how soon.
func TestSlack_ClickChangesCard(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.slash("U0ALICE", deploysRoom, "api to production scenario=success")
	card := s.card("waits for approval", "cancel")
	s.click("U0ALICE", card, "cancel")
	s.modal("U0ALICE")
	s.submit("U0ALICE")

	ctx, cancel := context.WithTimeout(t.Context(), maxWait)
	defer cancel()
	err := s.slack.Wait(ctx, func() bool {
		m, _ := s.slack.Message(card.Channel, card.TS)
		return strings.Contains(m.Words(), "canceled")
	})
	if err != nil {
		t.Fatal(err)
	}
}
