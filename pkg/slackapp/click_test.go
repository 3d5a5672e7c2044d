package slackapp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/slack"
	simslack "github.com/seraph-deploy/seraph/test/sim/slack"
)

// sha is the commit of the deployments of the tests.
var sha = strings.Repeat("ab", 20)

// waiting are the facts of a deployment to staging that waits for an approval.
func waiting(now time.Time) notify.Facts {
	d := deployment.Deployment{
		Row:        1,
		State:      deployment.Waiting,
		AcceptedAt: now.Add(-time.Minute),
		Request: deployment.Request{
			ID:          12,
			Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
			Environment: "staging",
			Ref:         "main",
			SHA:         sha,
			Task:        "deploy",
			Asked:       &deployment.Asked{By: alice},
		},
	}
	missing := policy.Outcome{
		Rule:     "approvals",
		Decision: policy.DecisionWait,
		Code:     policy.CodeApprovalsMissing,
		Message:  "1 approval from bob",
		Who:      "bob",
	}
	verdict := policy.Verdict{Decision: policy.DecisionWait, Outcomes: []policy.Outcome{missing}}
	return notify.Facts{Deployment: d, Verdict: &verdict, Route: notify.Route{App: "api"}}
}

// failed are the facts of a deployment that has just failed in production.
func failed(now time.Time) notify.Facts {
	f := waiting(now)
	f.Verdict, f.Route.Production = nil, true
	f.Deployment.State, f.Deployment.Request.Environment = deployment.Failed, "production"
	f.Deployment.StartedAt, f.Deployment.EndedAt = now.Add(-time.Minute), now.Add(-time.Second)
	f.Current = &deployment.Success{DeploymentID: 8, SHA: strings.Repeat("8", 40)}
	f.Before, f.Back = f.Current, f.Current
	return f
}

// card shows facts in the room, and returns the message.
func (w *world) card(f notify.Facts) string {
	w.t.Helper()
	w.set(f)
	m := slack.RenderCard(notify.NewCard(f, w.now()), slack.RenderOptions{})
	m.Channel = room
	id, err := w.client.PostMessage(w.t.Context(), m)
	if err != nil {
		w.t.Fatal(err)
	}
	return id.Message
}

// set makes facts those of their deployment.
func (w *world) set(f notify.Facts) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.facts[f.Deployment.Row] = f
}

// click presses a button of a message.
func (w *world) click(user, ts string, verb notify.Verb) {
	w.t.Helper()
	if _, err := w.sim.Click(user, room, ts, slack.ActionID(verb)); err != nil {
		w.t.Fatal(err)
	}
}

// TestClick_Lines checks which line a button stands for, as whom it is said, and that only the presser reads the
// answer.
func TestClick_Lines(t *testing.T) {
	held := waiting(time.Now())
	held.Deployment.State, held.Verdict = deployment.Held, nil
	held.Held, held.Route.HoldApprovers = []string{"approve prod", "second"}, "bob"

	for _, row := range []struct {
		name  string
		facts notify.Facts
		verb  notify.Verb
		want  string
	}{
		{name: "approve", facts: waiting(time.Now()), verb: notify.VerbApprove, want: "approve #12"},
		{name: "why", facts: waiting(time.Now()), verb: notify.VerbWhy, want: "why #12"},
		{name: "cancel", facts: waiting(time.Now()), verb: notify.VerbCancel, want: "cancel #12"},
		{name: "approve a hold", facts: held, verb: notify.VerbApproveHold, want: "approve-hold #12 approve prod"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.click("U0BOB", w.card(row.facts), row.verb)

			if len(w.lines) != 1 || w.lines[0].Text != row.want || w.lines[0].Asker != "slack/"+team ||
				w.lines[0].Place != room || w.lines[0].Face != "slack" {
				t.Fatalf("got %+v, want %q", w.lines, row.want)
			}
			want := command.ChatUser{Face: "slack", Workspace: team, User: "U0BOB"}
			if c := w.callers[0]; c.By != bob || c.Channel != deployment.ChannelSlack || c.Admin || c.Chat != want {
				t.Errorf("got caller %+v, want bob in Slack", c)
			}
			if got := w.private("U0BOB"); !strings.Contains(got, "It is done.") {
				t.Errorf("got %q, want the answer", got)
			}
			if !slices.Equal(w.fresh, []int64{1}) {
				t.Errorf("got cards %v refreshed, want that of the deployment", w.fresh)
			}
		})
	}
}

// TestClick_Stale checks that a button of an earlier state does nothing, says how the deployment stands now, and has
// the card refreshed; that progress alone does not make it one; and that it tells why all the same.
func TestClick_Stale(t *testing.T) {
	moved := func(f notify.Facts) notify.Facts {
		f.Deployment.State = deployment.Running
		f.Deployment.RunningSince = f.Deployment.AcceptedAt
		return f
	}
	newCommit := func(f notify.Facts) notify.Facts {
		f.Deployment.Request.SHA = strings.Repeat("cd", 20)
		return f
	}
	progress := func(f notify.Facts) notify.Facts {
		f.Approvals = []policy.Approval{{By: deployment.Actor{ID: 5, Login: "carol"}, SHA: sha}}
		return f
	}

	for _, row := range []struct {
		name   string
		verb   notify.Verb
		change func(notify.Facts) notify.Facts
		acts   bool
	}{
		{name: "it runs by now", verb: notify.VerbApprove, change: moved},
		{name: "cancel of what runs by now", verb: notify.VerbCancel, change: moved},
		{name: "the commit is another one", verb: notify.VerbApprove, change: newCommit},
		{name: "somebody else has approved", verb: notify.VerbApprove, change: progress, acts: true},
		{name: "why", verb: notify.VerbWhy, change: moved, acts: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			f := waiting(w.now())
			ts := w.card(f)
			w.set(row.change(f))
			w.click("U0BOB", ts, row.verb)

			if acts := len(w.lines) == 1; acts != row.acts {
				t.Fatalf("got %+v carried out, want %t", w.lines, row.acts)
			}
			if row.acts {
				return
			}
			got := w.private("U0BOB")
			if !strings.Contains(got, "belongs to an earlier state of the deployment, so it did nothing. #12 (acme/api@main") {
				t.Errorf("got %q, want today's state", got)
			}
			checkRefused(t, w, "stale", string(row.verb), "slack/"+team+"/U0BOB")
			if r := w.audits()[0]; r.Deployment != 12 || r.Repository != "acme/api" || r.Actor != bob {
				t.Errorf("got audit %+v, want bob and #12", r)
			}
			if !slices.Equal(w.fresh, []int64{1}) {
				t.Errorf("got cards %v refreshed, want that of the deployment", w.fresh)
			}
		})
	}
}

// TestClick_HoldNotSeen checks that a job which CircleCI does not show is not called an earlier state.
func TestClick_HoldNotSeen(t *testing.T) {
	w := newWorld(t)
	f := waiting(w.now())
	f.Deployment.State, f.Verdict = deployment.Held, nil
	f.Held, f.Route.HoldApprovers = []string{"approve"}, "bob"
	ts := w.card(f)
	f.Held = nil
	w.set(f)
	w.click("U0BOB", ts, notify.VerbApproveHold)
	if got := w.private("U0BOB"); !strings.Contains(got, "no job of it waits in CircleCI") || len(w.refused) != 0 {
		t.Errorf("got %q, and %q refused", got, w.refused)
	}
}

// TestClick_Forged checks that buttons nobody has shown do nothing.
func TestClick_Forged(t *testing.T) {
	w := newWorld(t)
	f := waiting(w.now())
	ts := w.card(f)
	generation := notify.Generation(f)

	for _, row := range []struct{ name, action, value string }{
		{name: "no value", action: "seraph_approve"},
		{name: "another deployment", action: "seraph_approve", value: "v1 77 " + generation},
		{name: "no generation", action: "seraph_approve", value: "v1 1 "},
		{name: "a verb that the card does not offer", action: "seraph_rollback", value: "v1 1 " + generation},
		{name: "a job that is not held", action: "seraph_approve-hold", value: "v1 1 " + generation + " prod"},
		{name: "a verb that there is not", action: "seraph_destroy", value: "v1 1 " + generation},
		{name: "another app's action", action: "approve", value: "v1 1 " + generation},
		{name: "a button that opens a page", action: "seraph_open", value: "v1 1 " + generation},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := simslack.Button{ActionID: row.action, BlockID: "b", Value: row.value, Text: "Approve"}
			if d, err := w.sim.ClickButton("U0BOB", room, ts, b); err != nil || !d.Accepted() {
				t.Fatal(err, d.Failure)
			}
			if len(w.lines)+len(w.orders) != 0 {
				t.Errorf("got %+v and %+v carried out, want nothing", w.lines, w.orders)
			}
		})
	}
}

// TestClick_Twice checks that a second press of an approval changes nothing.
func TestClick_Twice(t *testing.T) {
	w := newWorld(t)
	f := waiting(w.now())
	ts := w.card(f)
	given := policy.Approval{By: bob, SHA: sha, Parameters: f.Deployment.Target.Digest(), Policy: "rules"}
	f.Approvals = []policy.Approval{given}
	w.set(f)
	w.click("U0BOB", ts, notify.VerbApprove)

	if got := w.private("U0BOB"); !strings.Contains(got, "You have approved #12 already.") || len(w.lines) != 0 {
		t.Errorf("got %q, and %+v carried out", got, w.lines)
	}

	f.Approvals[0].Policy = "older rules"
	w.set(f)
	w.click("U0BOB", ts, notify.VerbApprove)
	if len(w.lines) != 1 {
		t.Errorf("got %+v carried out, want a new approval after the rules have changed", w.lines)
	}
}

// TestClick_RefusedByRules checks that somebody whom the rules refuse, such as whoever approves what they asked for
// themselves, reads why, and that it is in the audit.
func TestClick_RefusedByRules(t *testing.T) {
	w := newWorld(t)
	const words = "That was not done: alice asked for it and may not approve it."
	w.answer = func(command.Line) command.Answer {
		refused := &command.Error{Kind: command.KindForbidden, Code: "not_an_approver", Message: "no"}
		return command.Answer{Text: words, Refused: refused}
	}
	w.click("U0ALICE", w.card(waiting(w.now())), notify.VerbApprove)

	if got := w.private("U0ALICE"); !strings.Contains(got, words) {
		t.Errorf("got %q, want %q", got, words)
	}
	checkRefused(t, w, "not_an_approver", "approve", "slack/"+team+"/U0ALICE")
}

// TestClick_TwoPeople checks that however many people press the same button, one deployment is asked for, and the
// others learn who asked.
func TestClick_TwoPeople(t *testing.T) {
	f := failed(time.Now())
	f.Route.Production = false

	for _, verb := range []notify.Verb{notify.VerbAgain, notify.VerbRollback} {
		t.Run(string(verb), func(t *testing.T) {
			w := newWorld(t)
			ts := w.card(f)
			w.click("U0ALICE", ts, verb)
			w.click("U0BOB", ts, verb)
			w.click("U0BOB", ts, verb)

			key := fmt.Sprintf("%s:12:%s", verb, notify.Generation(f))
			if len(w.orders) != 1 || w.orders[0].Key != key || w.orders[0].Place != room || w.orders[0].Via != "slack" {
				t.Fatalf("got orders %+v, want one with the key %s", w.orders, key)
			}
			if got := w.private("U0ALICE"); !strings.Contains(got, "#99 deploys acme/api@main at abababa to production.") {
				t.Errorf("got %q, want the new deployment", got)
			}
			got := w.private("U0BOB")
			if !strings.Contains(got, "alice has asked for that already, and nothing more was done. #99 (acme/api") {
				t.Errorf("got %q, want who asked, and what became of it", got)
			}

			// Once what was asked for runs there, the button is one of an earlier state. Who asked is named all the
			// same.
			later := f
			later.Current = &deployment.Success{DeploymentID: 99, SHA: sha}
			w.set(later)
			before := len(w.sim.Ephemerals("U0BOB"))
			w.click("U0BOB", ts, verb)
			if got := w.private("U0BOB"); !strings.Contains(got, "alice has asked for that already") {
				t.Errorf("got %q after it ran, want who asked", got)
			}
			if n := len(w.sim.Ephemerals("U0BOB")); n != before+1 || len(w.orders) != 1 || len(w.refused) != 0 {
				t.Errorf("got %d answers, %d orders and %q refused, want one more, one and none", n-before, len(w.orders), w.refused)
			}
		})
	}
}

// TestClick_AtTheSameMoment checks that of two people who press at the same moment the second one learns who was
// first.
func TestClick_AtTheSameMoment(t *testing.T) {
	w := newWorld(t)
	f := failed(w.now())
	f.Route.Production = false
	w.order = func(command.Caller) (command.Ordered, error) {
		w.before[w.orders[0].Key] = command.Ordered{Intent: deployment.Intent{By: alice, State: deployment.IntentSending}}
		return command.Ordered{}, &command.Error{Kind: command.KindInvalid, Code: "key_reused", Message: "used"}
	}
	w.click("U0BOB", w.card(f), notify.VerbAgain)

	if got := w.private("U0BOB"); !strings.Contains(got, "alice has asked for that already, and nothing more was done.") {
		t.Errorf("got %q, want who asked", got)
	}
}

// TestClick_AgainAfterFailure checks that what GitHub did not create can be asked for again with the same button.
func TestClick_AgainAfterFailure(t *testing.T) {
	w := newWorld(t)
	f := failed(w.now())
	f.Route.Production = false
	key := "again:12:" + notify.Generation(f)
	w.before[key] = command.Ordered{Intent: deployment.Intent{By: alice, State: deployment.IntentFailed}}
	w.click("U0BOB", w.card(f), notify.VerbAgain)

	if len(w.orders) != 1 || w.orders[0].Key != key+":2" {
		t.Errorf("got %+v, want an order with a key of its own", w.orders)
	}
}

// TestClick_Old checks that the buttons of what ended a day ago do nothing.
func TestClick_Old(t *testing.T) {
	w := newWorld(t)
	f := failed(w.now())
	ts := w.card(f)
	w.pass(buttonsLast)
	w.click("U0BOB", ts, notify.VerbRollback)
	if len(w.orders) != 0 || !slices.Equal(w.refused, []string{"stale"}) {
		t.Errorf("got orders %+v and %q refused, want none and stale", w.orders, w.refused)
	}
}

// TestClick_RollbackOrdersWhatWasShown checks that a rollback orders by number what the card and the modal name, and not
// what ran last; and that the button does nothing once another commit would be deployed.
func TestClick_RollbackOrdersWhatWasShown(t *testing.T) {
	broken := &deployment.Success{DeploymentID: 11, SHA: strings.Repeat("b", 40)}
	succeeded := func(w *world) notify.Facts {
		f := failed(w.now())
		f.Deployment.State, f.Route.Production = deployment.Succeeded, false
		f.Current = &deployment.Success{DeploymentID: 12, SHA: sha}
		f.Before, f.Back = broken, &deployment.Success{DeploymentID: 5, SHA: strings.Repeat("5", 40)}
		return f
	}

	t.Run("ordered", func(t *testing.T) {
		w := newWorld(t)
		w.click("U0BOB", w.card(succeeded(w)), notify.VerbRollback)
		if len(w.back) != 1 || w.back[0].To != "#5" || w.back[0].Current != 12 {
			t.Errorf("got %+v ordered, want #5 instead of 12", w.back)
		}
	})

	t.Run("of a failure", func(t *testing.T) {
		w := newWorld(t)
		f := failed(w.now())
		f.Route.Production = false
		w.click("U0BOB", w.card(f), notify.VerbRollback)
		if len(w.back) != 1 || w.back[0].To != "#8" || w.back[0].Failed != 12 {
			t.Errorf("got %+v ordered, want #8 because 12 has failed", w.back)
		}
	})

	t.Run("another one by now", func(t *testing.T) {
		w := newWorld(t)
		f := succeeded(w)
		ts := w.card(f)
		f.Back = &deployment.Success{DeploymentID: 4, SHA: strings.Repeat("4", 40)}
		w.set(f)
		w.click("U0BOB", ts, notify.VerbRollback)
		if len(w.back) != 0 || !slices.Equal(w.refused, []string{"stale"}) {
			t.Errorf("got orders %+v and %q refused, want none and stale", w.back, w.refused)
		}
	})

	t.Run("nothing to go back to", func(t *testing.T) {
		w := newWorld(t)
		f := succeeded(w)
		f.Back = nil
		card := notify.NewCard(f, w.now())
		offers := func(b notify.Button) bool { return b.Verb == notify.VerbRollback }
		if slices.ContainsFunc(card.Buttons, offers) {
			t.Errorf("got %+v, want no button for a rollback", card.Buttons)
		}
	})
}

// TestClick_Unanswered checks that a button of which CircleCI or GitHub does not say now whether it is still offered is
// neither taken nor called an old one.
func TestClick_Unanswered(t *testing.T) {
	w := newWorld(t)
	f := waiting(w.now())
	ts := w.card(f)
	outcome := policy.Outcome{Rule: policy.RuleApprovals, Decision: policy.DecisionWait, Code: policy.CodeUnknown}
	f.Verdict = &policy.Verdict{Decision: policy.DecisionWait, Outcomes: []policy.Outcome{outcome}}
	w.set(f)
	w.click("U0BOB", ts, notify.VerbApprove)

	if len(w.lines) != 0 || len(w.refused) != 0 || !strings.Contains(w.private("U0BOB"), "Try again in a minute.") {
		t.Errorf("got %+v, refused %q, and %q, want to be asked to try again", w.lines, w.refused, w.private("U0BOB"))
	}
}

// TestClick_SecondTry checks that a press which is tried again, because the process ended before its row was erased, is
// answered as the first time, although what it did has changed the deployment since.
func TestClick_SecondTry(t *testing.T) {
	pressOf := func(w *world, f notify.Facts, verb notify.Verb) slack.Incoming {
		w.set(f)
		return slack.Incoming{
			Kind:        slack.KindClick,
			RequestKey:  "click:1",
			Team:        team,
			User:        "U0BOB",
			Channel:     room,
			ActionID:    slack.ActionID(verb),
			ActionValue: slack.ActionValue(f.Deployment.Row, notify.Generation(f), "", false),
		}
	}
	try := func(t *testing.T, w *world, in slack.Incoming) string {
		t.Helper()
		if err := w.actions.Do(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		return w.private("U0BOB")
	}

	t.Run("approve", func(t *testing.T) {
		w := newWorld(t)
		f := waiting(w.now())
		in := pressOf(w, f, notify.VerbApprove)
		first := try(t, w, in)
		f.Deployment.State, f.Verdict = deployment.Running, nil
		w.set(f)

		if got := try(t, w, in); got != first || len(w.lines) != 1 {
			t.Errorf("got %q and %d lines, want %q again, and 1", got, len(w.lines), first)
		}
		in.RequestKey = "click:2"
		if got := try(t, w, in); !strings.Contains(got, "belongs to an earlier state") {
			t.Errorf("got %q, want another press refused", got)
		}
	})
	t.Run("again", func(t *testing.T) {
		w := newWorld(t)
		f := failed(w.now())
		in := pressOf(w, f, notify.VerbAgain)
		in.Kind, in.ViewCallback = slack.KindSubmit, slack.CallbackConfirm
		p := press{verb: notify.VerbAgain, row: 1, generation: notify.Generation(f), key: in.RequestKey, typed: "production"}
		if err := w.actions.pressed(t.Context(), in, p, true); err != nil {
			t.Fatal(err)
		}
		f.Deployment.Request.SHA = strings.Repeat("9", 40) // whatever makes it another generation
		w.set(f)

		if err := w.actions.pressed(t.Context(), in, p, true); err != nil {
			t.Fatal(err)
		}
		if got := w.private("U0BOB"); !strings.Contains(got, "bob has asked for that already") || len(w.orders) != 1 {
			t.Errorf("got %q and %d orders, want what was done, and 1", got, len(w.orders))
		}
	})
}
