package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/link"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// auditAgain is after how long the same refusal of the same person is written into the audit again. Each one is
// logged and counted.
const auditAgain = time.Minute

// responseLasts is how long a response_url is used; Slack takes it for 30 minutes.
const responseLasts = 29 * time.Minute

// act is what somebody tried to do, for the log and the audit.
type act struct {
	name       string // such as a verb; never what was typed
	row        int64  // of the deployment; 0: it is about none, or the line does not say by row
	deployment deployment.Deployment
}

// refuse answers somebody who may not do something, privately, and records it: they may be trying what they can
// do.
func (a *Actions) refuse(ctx context.Context, in slack.Incoming, c command.Caller, tried act, r refusal) {
	a.record(ctx, in, c, tried, r.code)

	note := noteOf(r.text)
	if r.wantsLink {
		note.Lines = append(note.Lines, howToLink())
	}
	a.reply(ctx, in, note, false)
}

// record counts, logs and audits a refusal.
func (a *Actions) record(ctx context.Context, in slack.Incoming, c command.Caller, tried act, code string) {
	a.o.ObserveRefused(code)
	line := a.o.Log.Info().
		Str("actor", c.By.String()).
		Int64("actor_id", c.By.ID).
		Str("person", c.Chat.String()).
		Str("act", tried.name).
		Str("channel", in.Channel).
		Str("code", code)
	if id := tried.deployment.Request.ID; id != 0 {
		line = line.Int64("deployment", id)
	}
	line.Msg("command refused")

	if !a.audited.First(fmt.Sprintf("%s %s %s %d", c.Chat, code, tried.name, tried.row)) {
		return
	}
	detail, _ := json.Marshal(map[string]any{ // it has no field that can fail
		"person":  c.Chat.String(),
		"act":     tried.name,
		"code":    code,
		"channel": in.Channel,
		"row":     tried.row,
	})
	event := deployment.AuditEvent{
		Kind:    deployment.AuditRefused,
		Channel: deployment.ChannelSlack,
		Actor:   c.By,
		Detail:  detail,
	}
	if event.At = a.o.Now(); tried.deployment.Row != 0 {
		event = event.On(tried.deployment, event.At)
	}
	if err := a.o.Audit.AppendAudit(ctx, event); err != nil {
		a.o.Log.Error().Err(err).Str("code", code).Msg("refusal not written into the audit")
	}
}

// isRefusal says whether an error means that the caller, or the rules, do not allow something, and its code.
func isRefusal(err error) (string, bool) {
	var refused *command.Error
	if !errors.As(err, &refused) {
		return "", false
	}
	return refused.Code, refused.Kind == command.KindForbidden || refused.Verdict != nil
}

// howToLink says what somebody types to be linked. Nothing begins before they do: beginning a link voids the one that
// they may be about to end with its code.
func howToLink() notify.Text {
	return notify.Text{
		{Text: "Type "},
		{Text: "/seraph link", Code: true},
		{Text: " to link your account at GitHub, then ask again."},
	}
}

// linkOffer begins a link for whoever asks for one, and says how to end it.
func (a *Actions) linkOffer(ctx context.Context, c command.Caller, in slack.Incoming) []notify.Text {
	address, text := a.startLink(ctx, c, in)
	if address == "" {
		return []notify.Text{notify.Plain(text)}
	}
	return []notify.Text{
		{{Text: "Link your account at GitHub", URL: address}, {Text: ": sign in there, and type the code that you " +
			"get here. The address is for you alone."}},
		notify.Plain("Then ask again."),
	}
}

// startLink begins a link, and returns its address; empty: none was begun, and text says why.
func (a *Actions) startLink(ctx context.Context, c command.Caller, in slack.Incoming) (address, text string) {
	const format = "The entry for people in the routes file is {id: ID, login: LOGIN, slack: %s}; " +
		"https://api.github.com/users/LOGIN shows the id."
	entry := fmt.Sprintf(format, in.User)

	user := link.User{ChatUser: c.Chat}
	if u, err := a.people.users.Get(ctx, in.User, time.Time{}); err == nil {
		user.Name = u.Name
	}
	if identity, err := a.people.directory.Identity(ctx); err == nil {
		user.WorkspaceName = identity.TeamName
	}

	address, err := a.o.Links.Start(ctx, user)
	var refused *command.Error
	switch {
	case err == nil:
		return address, ""
	case errors.As(err, &refused):
		return "", phrase.UpperFirst(phrase.Sentence(refused.Message)) + " " + entry
	default:
		a.o.Log.Error().Err(err).Stringer("person", c.Chat).Msg("link not begun")
		return "", "A link could not be begun now; try again. " + entry
	}
}

// noteOf makes a note of lines of plain text.
func noteOf(text string) notify.Note {
	lines := strings.Split(text, "\n")
	note := notify.Note{Summary: lines[0]}
	for _, line := range lines {
		note.Lines = append(note.Lines, notify.Plain(line))
	}
	return note
}

// reply answers whoever asked: where they asked, if everybody there may see it, else so that only they do. An answer
// that cannot be given there is sent to them directly. One that cannot be sent at all is given up: what was done
// shows in the cards.
func (a *Actions) reply(ctx context.Context, in slack.Incoming, note notify.Note, public bool) {
	m := slack.RenderNote(note, a.o.Render)
	err := a.replyThere(ctx, in, m, public)
	if err != nil && in.Kind != slack.KindDirect {
		m.Channel, m.Thread, m.InChannel = in.User, "", false
		_, err = a.o.Speaker.PostMessage(ctx, m)
	}
	if err != nil {
		a.o.Log.Warn().Err(err).Str("kind", string(in.Kind)).Msg("answer not sent to Slack")
	}
}

// replyThere answers in the place in which something was asked.
func (a *Actions) replyThere(ctx context.Context, in slack.Incoming, m slack.Message, public bool) error {
	isDirect := strings.HasPrefix(in.Channel, "D")
	switch {
	case in.Kind == slack.KindDirect:
		m.Channel, m.Thread = in.Channel, in.Thread
		_, err := a.o.Speaker.PostMessage(ctx, m)
		return err

	case in.ResponseURL != "" && (in.ReceivedAt.IsZero() || a.o.Now().Sub(in.ReceivedAt) < responseLasts):
		m.InChannel = public && !isDirect
		m.Thread = in.Thread
		return a.o.Speaker.Respond(ctx, in.ResponseURL, m)

	case in.Channel == "" || isDirect:
		m.Channel = in.User
		_, err := a.o.Speaker.PostMessage(ctx, m)
		return err

	case public:
		m.Channel, m.Thread = in.Channel, in.Thread
		if in.Kind == slack.KindMention && m.Thread == "" {
			m.Thread = in.MessageTS
		}
		_, err := a.o.Speaker.PostMessage(ctx, m)
		return err

	default:
		m.Thread = in.Thread
		return a.o.Speaker.PostEphemeral(ctx, in.Channel, in.User, m)
	}
}
