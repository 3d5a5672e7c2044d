package slackapp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/link"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// slashDeploy is the slash command after which the verb may be left out.
const slashDeploy = "/deploy"

// say answers a line that somebody typed.
func (a *Actions) say(ctx context.Context, in slack.Incoming) error {
	text := lineOf(in)
	cmd, _ := grammar.Parse(text, a.o.Names()) // what does not parse is answered by Lines
	tried := act{name: "line"}
	if cmd.Verb != "" {
		tried.name = string(cmd.Verb)
	}

	var c command.Caller
	var r *refusal
	switch cmd.Verb {
	case grammar.Link, grammar.Unlink, grammar.Help: // need not be known at GitHub
		c, r = a.people.member(ctx, in, time.Time{})
	default:
		c, r = a.people.caller(ctx, in, cmd.Verb == grammar.Approve || cmd.Verb == grammar.ApproveHold)
	}
	if r == nil {
		r = a.refuseLate(in)
	}
	if r != nil {
		a.refuse(ctx, in, c, tried, *r)
		return nil
	}

	switch cmd.Verb {
	case grammar.Link:
		return a.link(ctx, in, c, cmd.Code)
	case grammar.Unlink:
		return a.unlink(ctx, in, c)
	case grammar.Help:
		a.reply(ctx, in, noteOf(prefix(in).Help(cmd.Topic)), false)
		return nil
	}

	if a.o.Lines.AsksGitHub(text) && !a.limits.allow(c.By.ID, in.Key) {
		a.refuse(ctx, in, c, tried, refuseTooMany())
		return nil
	}
	answer, err := a.answer(ctx, in, c, text, in.Key, tried)
	if err != nil {
		return err
	}
	a.reply(ctx, in, noteOf(answer.Text), isPublic(in, cmd, answer))
	if answer.Deployment != nil {
		a.refresh(ctx, answer.Deployment.Row)
	}
	if answer.Changed {
		a.republish(ctx, in.User, c)
	}
	return nil
}

// refuseLate refuses a message that Slack has delivered so late that nobody expects it to be carried out any more:
// Slack gives an event that it could not deliver again for hours. What was typed as a command comes at once or never.
// nil: it came in time.
func (a *Actions) refuseLate(in slack.Incoming) *refusal {
	if in.Kind != slack.KindMention && in.Kind != slack.KindDirect {
		return nil
	}

	received := in.ReceivedAt // another try of the same request is judged like the first one
	if received.IsZero() {
		received = a.o.Now()
	}
	seconds, _, _ := strings.Cut(in.MessageTS, ".")
	typed, err := strconv.ParseInt(seconds, 10, 64)
	age := received.Sub(time.Unix(typed, 0))
	if err == nil && age < askLife && age > -askLife {
		return nil
	}
	return &refusal{
		code: "too_late",
		text: fmt.Sprintf("Slack has delivered your message more than %d minutes after you wrote it, so Seraph did "+
			"nothing. Write it again if it still counts.", int(askLife/time.Minute)),
	}
}

// lineOf is the line that somebody typed, with the verb that they may leave out.
func lineOf(in slack.Incoming) string {
	text := strings.TrimSpace(in.Text)
	switch {
	case text == "":
		return string(grammar.Help)
	case in.Kind != slack.KindCommand || in.Command != slashDeploy:
		return text
	}

	word := strings.ToLower(strings.Trim(strings.Fields(text)[0], "`?"))
	if end := strings.IndexAny(word, ":!"); end > 0 {
		word = word[:end]
	}
	if word == "who" || slices.Contains(grammar.Verbs(), grammar.Verb(word)) {
		return text
	}
	return string(grammar.Deploy) + " " + text
}

// answer has a line carried out. What the rules refuse is recorded. The answer of what cannot be found out now says
// so; only a fault of this service is an error.
func (a *Actions) answer(
	ctx context.Context,
	in slack.Incoming,
	c command.Caller,
	text, key string,
	tried act,
) (command.Answer, error) {
	answer, err := a.o.Lines.Answer(ctx, c, lineFor(in, c, text, key))

	var refused *command.Error
	if errors.As(err, &refused) {
		if refused.Err != nil {
			a.o.Log.Info().Err(refused.Err).Str("code", refused.Code).Msg("command not possible now")
		}
		return command.Answer{Text: phrase.NotDone(refused.Message, ""), Refused: err}, nil
	}
	if err != nil {
		return answer, err
	}

	if code, ok := isRefusal(answer.Refused); ok {
		if answer.Deployment != nil && tried.deployment.Row == 0 {
			tried.deployment = *answer.Deployment
		}
		a.record(ctx, in, c, tried, code)
	}
	return answer, nil
}

// prefix is what people type before a command where they read an answer: nothing where they talk to the app alone, the
// app's name where they have mentioned it, as in a thread, which has no slash commands, and else the slash command.
// Both names are the manifest's.
func prefix(in slack.Incoming) phrase.Prefix {
	switch in.Kind {
	case slack.KindDirect:
		return ""
	case slack.KindMention:
		return "@seraph "
	default:
		return "/seraph "
	}
}

// lineFor is a line for Lines, which does the same key once.
func lineFor(in slack.Incoming, c command.Caller, text, key string) command.Line {
	return command.Line{
		Text:    text,
		Place:   in.Channel,
		Face:    face,
		Prefix:  string(prefix(in)),
		Asker:   face + "/" + c.Chat.Workspace,
		Request: key,
	}
}

// isPublic says whether everybody where a line was typed sees its answer: what has changed something there is public,
// and so is what somebody asks about one app by mentioning Seraph, in front of everybody. What shows every app is not:
// guests, and people who are not known at GitHub, may read along.
func isPublic(in slack.Incoming, cmd grammar.Command, a command.Answer) bool {
	switch cmd.Verb {
	case grammar.Status, grammar.Deploys, grammar.Where, grammar.Locks:
		return in.Kind == slack.KindMention && cmd.App != "" && a.Refused == nil
	default:
		return a.Changed && a.Refused == nil
	}
}

// link begins a link, or ends one with its code. The answer is for its user only, and never shows the code.
func (a *Actions) link(ctx context.Context, in slack.Incoming, c command.Caller, code string) error {
	if who, ok := a.o.Persons.Person(face, c.Chat.Workspace, in.User); ok && code == "" {
		a.reply(ctx, in, noteOf(prefix(in).Link(who)), false)
		return nil
	}
	if code == "" {
		a.reply(ctx, in, notify.Note{
			Summary: "How to link your account at GitHub",
			Lines:   a.linkOffer(ctx, c, in),
		}, false)
		return nil
	}

	who, err := a.o.Links.Confirm(ctx, c.Chat, code)
	if text, refused, err := refusedText(err); err != nil || refused {
		if refused {
			a.reply(ctx, in, noteOf(text), false)
		}
		return err
	}
	a.reply(ctx, in, noteOf("You are linked. "+phrase.WhoAmI(who)), false)
	return a.home(ctx, in)
}

// unlink ends the link of whoever asks.
func (a *Actions) unlink(ctx context.Context, in slack.Incoming, c command.Caller) error {
	text := "You are no longer linked to an account at GitHub."
	refusal, refused, err := refusedText(a.o.Links.Unlink(ctx, c.Chat, link.WhyAsked))
	if err != nil {
		return err
	}
	if refused {
		text = refusal
	}
	if who, ok := a.o.Persons.Person(face, c.Chat.Workspace, in.User); ok {
		text = phrase.Unlink(who)
	}
	a.reply(ctx, in, noteOf(text), false)
	return nil
}

// refusedText returns the words of a refusal; any other error stays one.
func refusedText(err error) (text string, refused bool, _ error) {
	var e *command.Error
	if errors.As(err, &e) {
		return phrase.NotDone(e.Message, ""), true, nil
	}
	return "", false, err
}

// refresh has the messages about a deployment brought up to date. They are anyway, only later.
func (a *Actions) refresh(ctx context.Context, row int64) {
	if err := a.o.Cards.Refresh(ctx, row); err != nil {
		a.o.Log.Warn().Err(err).Int64("row", row).Msg("card not refreshed")
	}
}
