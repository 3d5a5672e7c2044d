package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// app is the repository that is deployed from Slack, and project its one in CircleCI.
const (
	app     = "acme/api"
	project = "gh/" + app
)

// playSlack deploys twice in a channel of Slack. Production needs an approval of somebody else. The second deployment
// is held by CircleCI, and fails once that is approved, so that it is rolled back.
func (w *world) playSlack(ctx context.Context) error {
	w.screen.printTitle("In Slack: alice deploys %s to production, which somebody else has to approve", app)
	first, err := w.deployInSlack(ctx, "bob")
	if err != nil {
		return err
	}
	if _, err := w.waitCard(ctx, first.TS, "succeeded", ""); err != nil {
		return err
	}

	w.screen.printTitle("In Slack: the next commit. CircleCI holds a job, carol approves it, and the deployment fails")
	w.github.Push(app, "main", "")
	if err := w.circleci.Expect(project, "approve-then-fail"); err != nil {
		return err
	}
	second, err := w.deployInSlack(ctx, "bob")
	if err != nil {
		return err
	}
	if err := w.press(ctx, "carol", second.TS, "held", "approve-hold"); err != nil {
		return err
	}
	_, err = w.waitChannel(ctx, func(m slack.Message) bool { // with the last lines of the failing step
		return m.Thread == second.TS && strings.Contains(m.Words(), "failed")
	})
	if err != nil {
		return err
	}

	w.screen.printTitle("In Slack: bob rolls back. A button that changes production asks for its name")
	return w.rollBackInSlack(ctx, second)
}

// deployInSlack has alice ask for a deployment and somebody approve it, and returns its card.
func (w *world) deployInSlack(ctx context.Context, approver string) (slack.Message, error) {
	const text = "api to production because customers wait"
	w.printAct("alice", "types", "/deploy "+text)
	before := w.cards()
	if _, err := w.slack.Slash(people[0].slack, channel, "/deploy", text); err != nil {
		return slack.Message{}, err
	}

	card, err := w.waitNewCard(ctx, before, "approve")
	if err != nil {
		return card, err
	}
	return card, w.press(ctx, approver, card.TS, "waits for approval", "approve")
}

// rollBackInSlack presses the button of a card that rolls back, confirms that, and waits until it succeeded.
func (w *world) rollBackInSlack(ctx context.Context, failed slack.Message) error {
	before := w.cards()
	if err := w.press(ctx, "bob", failed.TS, "failed", "rollback"); err != nil {
		return err
	}

	modal, err := w.slack.WaitView(ctx, func(v slack.View) bool {
		return v.Type == "modal" && strings.HasPrefix(v.Submit, "Roll back")
	})
	if err != nil {
		return fmt.Errorf("wait for the modal: %w", err)
	}
	lines := wrap(linesOf(modal.Blocks))
	w.screen.printEvent(event{
		environment: "#deploys",
		source:      "Slack",
		what:        "asks bob",
		text:        lines[0],
		more:        append(lines[1:], fmt.Sprintf("[%s] [%s]", modal.Submit, modal.Close)),
	})
	w.printAct("bob", "types", fmt.Sprintf("production, and presses [%s]", modal.Submit))
	submitted, err := w.slack.Submit(modal.ID, map[string]string{"seraph_word": "production", "seraph_reason": "the disk is full"})
	if err != nil || !submitted.Closed {
		return fmt.Errorf("submit the modal: %v, %w", submitted.Errors, err)
	}

	card, err := w.waitNewCard(ctx, before, "approve")
	if err != nil {
		return err
	}
	if err := w.press(ctx, "carol", card.TS, "waits for approval", "approve"); err != nil {
		return err
	}
	_, err = w.waitCard(ctx, card.TS, "succeeded", "")
	return err
}

// press waits until a card shows a state and a button, and presses the button.
func (w *world) press(ctx context.Context, login, ts, state, verb string) error {
	card, err := w.waitCard(ctx, ts, state, verb)
	if err != nil {
		return err
	}

	i := slices.IndexFunc(people, func(p person) bool { return p.login == login })
	button, _ := card.Button("seraph_" + verb)
	w.printAct(login, "presses", "["+button.Text+"]")
	sent, err := w.slack.ClickButton(people[i].slack, channel, ts, button)
	if err != nil || !sent.Accepted() {
		return fmt.Errorf("press %s: %s, %w", button.Text, sent.Failure, err)
	}
	if verb == "rollback" { // its modal asks for a reason, too
		return nil
	}
	return w.typeProduction(ctx, people[i])
}

// typeProduction types the name that a button asks for in production.
func (w *world) typeProduction(ctx context.Context, p person) error {
	modal, err := w.slack.WaitView(ctx, func(v slack.View) bool {
		return v.User == p.slack && v.Type == "modal" && v.Submit != ""
	})
	if err != nil {
		return fmt.Errorf("wait for the modal of %s: %w", p.login, err)
	}

	w.printAct(p.login, "types", fmt.Sprintf("production, and presses [%s]", modal.Submit))
	submitted, err := w.slack.Submit(modal.ID, map[string]string{"seraph_word": "production"})
	if err != nil || !submitted.Closed {
		return fmt.Errorf("submit the modal of %s: %v, %w", p.login, submitted.Errors, err)
	}
	return nil
}

// printAct prints what somebody does in the channel.
func (w *world) printAct(login, what, text string) {
	w.screen.printEvent(event{environment: "#deploys", source: login, what: what, text: text})
}

// cards lists the cards that are in the channel, by ts.
func (w *world) cards() []string {
	var all []string
	for _, m := range w.slack.Messages(channel) {
		if isCard(m) {
			all = append(all, m.TS)
		}
	}
	return all
}

// waitNewCard waits for a card that was not there before and has a button.
func (w *world) waitNewCard(ctx context.Context, before []string, verb string) (slack.Message, error) {
	return w.waitChannel(ctx, func(m slack.Message) bool {
		_, ok := m.Button("seraph_" + verb)
		return ok && isCard(m) && !slices.Contains(before, m.TS)
	})
}

// waitCard waits until a card shows a state, and a button; empty: any.
func (w *world) waitCard(ctx context.Context, ts, state, verb string) (slack.Message, error) {
	return w.waitChannel(ctx, func(m slack.Message) bool {
		_, ok := m.Button("seraph_" + verb)
		return m.TS == ts && strings.Contains(m.Words(), state) && (ok || verb == "")
	})
}

// isCard says whether a message is the card of a deployment.
func isCard(m slack.Message) bool { return m.Metadata != nil && m.Thread == "" }
