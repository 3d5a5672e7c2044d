package slackapp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// buttonsLast is how long after its end the buttons of a deployment act. Cards lose them by then.
const buttonsLast = 24 * time.Hour

// press is a button that somebody pressed, or whose modal they submitted.
type press struct {
	verb       notify.Verb
	row        int64
	generation string
	job        string
	key        string // of the request: the same one is not done twice
	reason     string
	typed      string // the name that was typed to confirm it
	modal      *modal // that the press has opened; nil: none
}

// click does what a button asks for. The button is no authority: who presses it and what it acts on are judged
// now.
func (a *Actions) click(ctx context.Context, in slack.Incoming) error {
	verb, ok := slack.ParseActionID(in.ActionID)
	if !ok || verb == notify.VerbOpen {
		return nil // the client opens the page; Slack only tells us
	}

	p := press{verb: verb, key: in.RequestKey}
	var err error
	if p.row, p.generation, p.job, err = slack.ParseAction(in.ActionValue); err != nil {
		a.reply(ctx, in, noteOf("Seraph does not know this button, and nothing was done."), false)
		return nil
	}

	fresh := verb == notify.VerbApprove || verb == notify.VerbApproveHold
	return a.pressed(ctx, in, p, fresh)
}

// pressed judges whoever pressed a button, or confirmed it in a modal, and does what it asks for, or opens the modal.
// The rules are asked by what the button does.
func (a *Actions) pressed(ctx context.Context, in slack.Incoming, p press, fresh bool) error {
	tried := act{name: string(p.verb), row: p.row}
	c, ok := a.mayPress(ctx, in, tried, fresh)
	if !ok {
		return nil
	}

	// Slack lets a modal be opened within three seconds, and the facts may take longer.
	if in.Kind == slack.KindClick && slack.OpensModal(in.ActionValue) {
		if p.modal = a.openModal(ctx, in, p.verb); p.modal == nil {
			return nil
		}
		defer p.modal.end(ctx)
	}

	facts, err := a.o.Cards.Facts(ctx, p.row)
	if errors.Is(err, deployment.ErrNotFound) {
		a.reply(ctx, in, noteOf("Seraph no longer knows this deployment, and nothing was done."), false)
		return nil
	}
	if err != nil {
		return err
	}

	tried.deployment = facts.Deployment
	button, stands := p.buttonOf(facts, a.o.Now())
	if done, err := a.pressedBefore(ctx, in, c, p, facts, stands); done || err != nil {
		return err
	}

	unseen, refused := p.unseen(facts, stands), p.refusal(facts, in.Channel, stands, a.o.Now())
	switch {
	case p.verb == notify.VerbWhy: // why a deployment is in its state may be asked in any state
	case unseen != "":
		a.reply(ctx, in, noteOf(unseen), false)
		return nil
	case refused != nil:
		a.refuse(ctx, in, c, tried, *refused)
		a.refresh(ctx, p.row)
		return nil
	case p.confirms(button):
	case in.Kind == slack.KindSubmit:
		a.reply(ctx, in, noteOf(notConfirmed), false)
		return nil
	case !a.isRefused(ctx, p, facts, c):
		a.ask(ctx, in, p, facts, button)
		return nil
	}

	text, err := a.do(ctx, in, c, p, facts)
	if err != nil {
		return err
	}
	a.refresh(ctx, p.row)
	a.reply(ctx, in, noteOf(text), false)
	a.republish(ctx, in.User, c)
	return nil
}

// isRefused says whether the rules refuse an approval, so that nothing has to be typed for it. Where that is not known,
// it is found out after it was typed.
func (a *Actions) isRefused(ctx context.Context, p press, facts notify.Facts, c command.Caller) bool {
	var r policy.Refusal
	switch p.verb {
	case notify.VerbApprove:
		_, r = a.o.Approvers.Approver(ctx, facts.Deployment, c.By)
	case notify.VerbApproveHold:
		r = a.o.Approvers.HoldApprover(ctx, facts.Deployment, c.By)
	}
	return r.Refused() && !r.Unknown
}

// mayPress says whether somebody is known, and has not pressed too often. Otherwise it answers them so.
func (a *Actions) mayPress(ctx context.Context, in slack.Incoming, tried act, fresh bool) (command.Caller, bool) {
	c, r := a.people.caller(ctx, in, fresh)
	if r == nil && !a.limits.allow(c.By.ID, in.RequestKey) {
		tooMany := refuseTooMany()
		r = &tooMany
	}
	if r != nil {
		a.refuse(ctx, in, c, tried, *r)
	}
	return c, r == nil
}

// buttonOf returns the button of today's card that means what was pressed; false: there is none.
func (p press) buttonOf(facts notify.Facts, now time.Time) (notify.Button, bool) {
	d := facts.Deployment
	card := notify.NewCard(facts, now)
	isOver := !d.EndedAt.IsZero() && now.Sub(d.EndedAt) >= buttonsLast
	if card.Generation != p.generation || isOver {
		return notify.Button{}, false
	}

	i := slices.IndexFunc(card.Buttons, func(b notify.Button) bool { return b.Verb == p.verb && b.Job == p.job })
	if i < 0 {
		return notify.Button{}, false
	}
	return card.Buttons[i], true
}

// unseen says that it cannot be seen now whether a button means what it meant; empty: it can be.
func (p press) unseen(facts notify.Facts, stands bool) string {
	switch {
	case p.verb == notify.VerbApproveHold && facts.Deployment.State == deployment.Held && len(facts.Held) == 0:
		return "As far as Seraph can see now, no job of it waits in CircleCI, and nothing was done. " +
			"Try again in a minute."
	case !stands && facts.ButtonsUnknown():
		return "Seraph cannot see now whether the deployment still waits for that, and nothing was done. " +
			"Try again in a minute."
	default:
		return ""
	}
}

// confirms says whether nothing has to be typed for a button, or it was.
func (p press) confirms(b notify.Button) bool {
	return b.ConfirmWord == "" || slack.Confirmed{Word: b.ConfirmWord}.Matches(p.typed)
}

// refusal refuses a button that was shown for an earlier state, and one that deploys in a channel in which the route
// does not let anybody ask for that, before anything has to be typed. nil: it may be pressed here.
func (p press) refusal(facts notify.Facts, channel string, stands bool, now time.Time) *refusal {
	if !stands {
		r := stale(facts, now)
		return &r
	}

	request, places := facts.Deployment.Request, facts.Route.Ask
	asks := p.verb == notify.VerbAgain
	if back := facts.Back; p.verb == notify.VerbRollback && back != nil { // another task may have another route
		asks = back.Task == request.Task
	}
	if !asks || places == nil || slices.Contains(places, channel) {
		return nil
	}

	const format = "A deployment of %s to %s may not be asked for here, only in the channels of the routes file " +
		"(ask: %s), and nothing was done."
	text := fmt.Sprintf(format, request.Repository.FullName(), request.Environment, strings.Join(places, ", "))
	return &refusal{code: "not_allowed", text: text}
}

// stale refuses a button that was shown for another state than today's.
func stale(facts notify.Facts, now time.Time) refusal {
	const format = "That button belongs to an earlier state of the deployment, so it did nothing. %s"
	return refusal{code: "stale", text: fmt.Sprintf(format, phrase.Deployment(facts.Deployment, now))}
}

// do does what a button asks for, and returns what to tell whoever pressed it.
func (a *Actions) do(
	ctx context.Context,
	in slack.Incoming,
	c command.Caller,
	p press,
	facts notify.Facts,
) (string, error) {
	d := facts.Deployment
	switch p.verb {
	case notify.VerbRollback, notify.VerbAgain:
		return a.create(ctx, in, c, p, facts)
	case notify.VerbAskForLock:
		return a.askForLock(ctx, c, facts)
	case notify.VerbApprove:
		if a.hasApproved(ctx, facts, c.By) {
			return fmt.Sprintf("You have approved #%d already.", d.Request.ID), nil
		}
	}

	line, ok := p.line(d)
	if !ok {
		return "Seraph does not know this button, and nothing was done.", nil
	}
	tried := act{name: string(p.verb), row: d.Row, deployment: d}
	answer, err := a.answer(ctx, in, c, line, p.key, tried)
	return answer.Text, err
}

// line is the line that a button stands for; false: it stands for none.
func (p press) line(d deployment.Deployment) (string, bool) {
	line := grammar.Command{ID: d.Request.ID}
	switch p.verb {
	case notify.VerbWhy:
		line.Verb = grammar.Why
	case notify.VerbApprove:
		line.Verb = grammar.Approve
	case notify.VerbApproveHold:
		line.Verb, line.Job = grammar.ApproveHold, p.job
	case notify.VerbCancel:
		line.Verb, line.Reason = grammar.Cancel, p.reason
	default:
		return "", false
	}
	return line.String(), true
}

// pressedBefore gives the answer of an earlier try of the same request, which ended before its row was erased: what it
// did has changed the state of the deployment, so that the button would be taken for one that did nothing. Where a
// button has created a deployment, everybody who presses it later learns who asked. False: there was none.
func (a *Actions) pressedBefore(
	ctx context.Context,
	in slack.Incoming,
	c command.Caller,
	p press,
	facts notify.Facts,
	stands bool, // the button means today what it meant, so that to do it again finds what was done
) (bool, error) {
	text := ""
	switch p.verb {
	case notify.VerbRollback, notify.VerbAgain: // the key is the same for everybody who presses it
		if stands {
			return false, nil
		}
		_, before, err := a.createKey(ctx, c, p, facts.Deployment)
		if err != nil || before == nil {
			return false, err
		}
		text = askedBefore(*before, a.o.Now())

	default:
		line, ok := p.line(facts.Deployment)
		if !ok {
			return false, nil
		}
		before, ok, err := a.o.Lines.Before(ctx, c, lineFor(in, c, line, p.key))
		if err != nil || !ok {
			return false, err
		}
		text = before.Text
	}

	a.refresh(ctx, p.row)
	a.reply(ctx, in, noteOf(text), false)
	return true, nil
}

// hasApproved says whether somebody's approval of a deployment counts already, so that a second press changes nothing.
// One that was given before the rules changed does not.
func (a *Actions) hasApproved(ctx context.Context, facts notify.Facts, by deployment.Actor) bool {
	i := slices.IndexFunc(facts.Approvals, func(given policy.Approval) bool { return given.By.Same(by) })
	if i < 0 {
		return false
	}

	given := facts.Approvals[i]
	would, refusal := a.o.Approvers.Approver(ctx, facts.Deployment, by)
	return !refusal.Refused() && would.SHA == given.SHA && would.Parameters == given.Parameters &&
		would.Policy == given.Policy
}
