package slackapp

import (
	"context"
	"errors"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// modal is a modal that was opened before it is known what it asks.
type modal struct {
	a      *Actions
	in     slack.Incoming // the press that has opened it
	verb   notify.Verb
	id     slack.ViewID
	filled bool
}

// openModal opens a modal for a press. It returns nil where Slack does not allow it any more, and says so to whoever
// pressed.
func (a *Actions) openModal(ctx context.Context, in slack.Incoming, verb notify.Verb) *modal {
	id, err := a.o.Views.OpenView(ctx, in.TriggerID, slack.LoadingModal(verb))
	if err != nil {
		a.o.Log.Warn().Err(err).Str("verb", string(verb)).Msg("modal not opened")
		remedy := "Press the button again."
		var send *notify.SendError
		if errors.As(err, &send) && send.Kind == notify.SendUnknown {
			remedy = "Close the window, if there is one, and press the button again."
		}
		words := "Slack did not let Seraph ask you to confirm in time, and nothing was done. " + remedy
		a.reply(ctx, in, noteOf(words), false)
		return nil
	}

	return &modal{a: a, in: in, verb: verb, id: id}
}

// show replaces what the modal shows.
func (m *modal) show(ctx context.Context, v slack.View) error {
	m.filled = true
	_, err := m.a.o.Views.UpdateView(ctx, m.id, v)
	if err != nil {
		m.a.o.Log.Warn().Err(err).Str("verb", string(m.verb)).Msg("modal not updated")
	}
	return err
}

// ask shows in the modal what is to be confirmed. If Slack does not take that, whoever pressed the button gets a message,
// unless they have closed the modal.
func (m *modal) ask(ctx context.Context, v slack.View) {
	err := m.show(ctx, v)
	var send *notify.SendError
	if err == nil || errors.As(err, &send) && send.Kind == notify.SendGone {
		return
	}
	m.a.reply(ctx, m.in, noteOf("Slack did not show you what to confirm, and nothing was done. Close the window, and "+
		"press the button again."), false)
}

// end says that there is nothing to confirm, unless the modal asks for something. It needs no error, because whoever
// pressed the button has an answer in any case.
func (m *modal) end(ctx context.Context) {
	if !m.filled {
		_ = m.show(ctx, slack.NothingAsked(m.verb))
	}
}

// ask asks somebody to confirm what a button does, in the modal that the press has opened.
func (a *Actions) ask(
	ctx context.Context,
	in slack.Incoming,
	p press,
	facts notify.Facts,
	button notify.Button,
) {
	if p.modal == nil { // the button did not ask when it was shown
		p.modal = a.openModal(ctx, in, p.verb)
	}
	if p.modal != nil {
		p.modal.ask(ctx, slack.ConfirmModal(a.confirmation(in, p, facts, button)))
	}
}

// confirmation is what a modal shows.
func (a *Actions) confirmation(
	in slack.Incoming,
	p press,
	facts notify.Facts,
	button notify.Button,
) slack.ConfirmInput {
	d := facts.Deployment
	input := slack.ConfirmInput{
		Confirmed: slack.Confirmed{
			Verb:       p.verb,
			Row:        p.row,
			Generation: p.generation,
			Job:        p.job,
			RequestKey: in.RequestKey,
			Word:       button.ConfirmWord,
			Channel:    in.Channel,
			Message:    in.MessageTS,
			SHA:        d.Request.SHA,
		},
		Options:   a.o.Render,
		AskReason: p.verb == notify.VerbCancel || p.verb == notify.VerbRollback || p.verb == notify.VerbAgain,
	}

	input.Facts = notify.NewCard(facts, a.o.Now()).Facts
	what := phrase.What(d.Request)
	switch p.verb {
	case notify.VerbRollback:
		input.About = fmt.Sprintf("You are about to roll %s of %s back.", d.Request.Environment,
			d.Request.Repository.FullName())
		input.Facts = []notify.Fact{{Label: "From", Value: input.Facts[0].Value}}
		if facts.Back != nil {
			back := notify.Text{{Text: facts.Back.String(), Code: true}}
			input.Facts = append(input.Facts, notify.Fact{Label: "Back to", Value: back})
		}
	case notify.VerbAgain:
		input.About = "You are about to deploy " + what + " again."
	case notify.VerbCancel:
		input.About = fmt.Sprintf("You are about to cancel #%d (%s).", d.Request.ID, what)
	case notify.VerbApproveHold:
		input.About = fmt.Sprintf("You are about to approve the job %s of #%d (%s).", p.job, d.Request.ID, what)
	default:
		input.About = fmt.Sprintf("You are about to approve #%d (%s).", d.Request.ID, what)
	}
	return input
}

// reasonHoldsSecret answers a reason that would be shown on cards and written into the audit.
const reasonHoldsSecret = "This looks like a token or a key, which Seraph must not show to others, and nothing was " +
	"done. Give another reason."

// notConfirmed answers a modal in which the name of the environment was not typed, or that was not written here.
const notConfirmed = "Seraph could not read what you confirmed, and nothing was done."

// Check says what is wrong with what somebody typed into a modal, which stays open then; nil: nothing is. It asks
// nobody: Slack waits for the answer.
func (a *Actions) Check(in slack.Incoming) slack.ViewErrors {
	if in.Kind != slack.KindSubmit || in.ViewCallback != slack.CallbackConfirm {
		return nil
	}

	if grammar.HoldsSecret(in.Values[slack.FieldReason]) {
		return slack.ViewErrors{slack.FieldReason: reasonHoldsSecret}
	}

	confirmed, err := slack.ParseConfirmed(in.PrivateMetadata)
	if err != nil || confirmed.Word == "" || confirmed.Matches(in.Values[slack.FieldWord]) {
		return nil
	}
	return slack.ViewErrors{
		slack.FieldWord: "This is not the name of the environment. Type it as it is written above; nothing was " +
			"done yet.",
	}
}

// submit does what somebody has confirmed. Everything is judged again: they may have left, and the deployment may
// have changed, since the modal was opened.
func (a *Actions) submit(ctx context.Context, in slack.Incoming) error {
	if in.ViewCallback != slack.CallbackConfirm {
		return nil
	}
	confirmed, err := slack.ParseConfirmed(in.PrivateMetadata)
	if err != nil || confirmed.Word != "" && !confirmed.Matches(in.Values[slack.FieldWord]) {
		a.reply(ctx, in, noteOf(notConfirmed), false)
		return nil
	}

	if grammar.HoldsSecret(in.Values[slack.FieldReason]) { // Check keeps such a modal open
		a.reply(ctx, in, noteOf(reasonHoldsSecret), false)
		return nil
	}

	in.Channel = confirmed.Channel
	return a.pressed(ctx, in, press{
		verb:       confirmed.Verb,
		row:        confirmed.Row,
		generation: confirmed.Generation,
		job:        confirmed.Job,
		key:        confirmed.RequestKey,
		reason:     in.Values[slack.FieldReason],
		typed:      in.Values[slack.FieldWord],
	}, true)
}
