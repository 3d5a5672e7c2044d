package slackapp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/link"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// slackbot is a user that Slack does not call a bot.
const slackbot = "USLACKBOT"

// refusal says why somebody may not do something.
type refusal struct {
	code string // from a closed set
	text string // for them: names the rule, and who can help

	// wantsLink says that whoever is refused is not linked: the answer says how to link.
	wantsLink bool
}

// people judges who asks. It is safe for concurrent use.
type people struct {
	directory Directory
	persons   Persons
	links     Links
	workspace func() string
	now       func() time.Time
	log       zerolog.Logger

	users    *slack.Answers[slack.User]
	unlinked *command.Recently[string] // refusals for which a link was ended
}

func newPeople(o Options) *people {
	return &people{
		directory: o.Directory,
		persons:   o.Persons,
		links:     o.Links,
		workspace: o.Workspace,
		now:       o.Now,
		log:       o.Log,
		users:     slack.NewAnswers(o.Directory.User, o.Now),
		unlinked:  command.NewRecently[string](o.Now, slack.KnownFor),
	}
}

// member returns whoever asks, as far as that does not need to know who they are at GitHub: it refuses other
// workspaces, everybody who is not a full member, and channels that another company can read. What Slack said before
// since is asked again. The caller's By is zero.
func (p *people) member(ctx context.Context, in slack.Incoming, since time.Time) (command.Caller, *refusal) {
	c := command.Caller{
		Channel: deployment.ChannelSlack,
		Chat:    command.ChatUser{Face: face, Workspace: in.Team, User: in.User},
	}

	identity, r := p.ofTeam(ctx, in)
	if r != nil {
		return c, r
	}
	c.Chat.Workspace = p.served(identity)

	if in.User == "" || in.User == slackbot || in.Bot {
		return c, refuseBot()
	}
	u, err := p.users.Get(ctx, in.User, since)
	if err != nil {
		return c, refuseUnanswered("who you are", err)
	}
	if r := flags(u, identity, c.Chat.Workspace); r != nil {
		if p.unlinked.First(c.Chat.String() + " " + r.code) {
			if err := p.unlink(ctx, c.Chat, r.code); err != nil {
				p.log.Warn().Err(err).Stringer("person", c.Chat).Msg("link not ended")
			}
		}
		return c, r
	}

	return c, p.inChannel(ctx, in, since)
}

// caller is member, and refuses whoever is not known at GitHub. With fresh, what Slack said a while ago counts for a no,
// but not for a yes: so nobody who is refused anyway makes Seraph ask Slack each time.
func (p *people) caller(ctx context.Context, in slack.Incoming, fresh bool) (command.Caller, *refusal) {
	begun := p.now()
	c, r := p.member(ctx, in, time.Time{})
	if r != nil {
		return c, r
	}

	who, ok := p.persons.Person(face, c.Chat.Workspace, in.User)
	if !ok {
		return c, &refusal{
			code:      "not_linked",
			text:      "Seraph does not know who you are at GitHub, and nothing was done.",
			wantsLink: true,
		}
	}
	c.By.ID, c.By.Login = who.ID, who.Login
	if fresh {
		_, r = p.member(ctx, in, begun)
	}
	return c, r
}

// ofTeam refuses requests of a workspace that is not the one of the routes file, or else of the
// token. On Enterprise Grid the routes file may name the organization.
func (p *people) ofTeam(ctx context.Context, in slack.Incoming) (slack.Identity, *refusal) {
	identity, err := p.directory.Identity(ctx)
	if err != nil {
		return identity, refuseUnanswered("which workspace Seraph belongs to", err)
	}

	ours := p.served(identity)
	isOurs := ours == identity.Team || ours == identity.Enterprise
	if ours == "" || !isOurs || ours != in.Team && ours != in.Enterprise {
		return identity, &refusal{
			code: "wrong_team",
			text: "This Seraph serves another workspace, and nothing was done. Whoever looks after Seraph can set " +
				"the workspace under slack in the routes file.",
		}
	}
	return identity, nil
}

// served is the workspace, or the organization, whose people are answered.
func (p *people) served(identity slack.Identity) string {
	if named := p.workspace(); named != "" {
		return named
	}
	return identity.Team
}

// flags refuses everybody who is not a full member of the workspace that is served, or of its organization where that
// is served. No single flag says so.
func flags(u slack.User, identity slack.Identity, served string) *refusal {
	sameOrganization := identity.Enterprise != "" && u.Enterprise == identity.Enterprise &&
		(slices.Contains(u.Teams, identity.Team) || served == identity.Enterprise)

	switch {
	case u.ID == "":
		return refuseUnanswered("who you are", errors.New("users.info names no user"))
	case u.Deleted:
		return &refusal{
			code: "deactivated",
			text: "Your Slack account is deactivated, so nothing was done. An admin of the workspace can activate it.",
		}
	case u.Bot || u.WorkflowBot || u.ID == slackbot:
		return refuseBot()
	case u.Stranger || u.Team != identity.Team && !sameOrganization:
		return &refusal{
			code: "stranger",
			text: "Only members of this workspace may ask Seraph for something, and you belong to another one. " +
				"Nothing was done. A member can do it for you.",
		}
	case u.Restricted || u.UltraRestricted:
		return &refusal{
			code: "guest",
			text: "Guests of this workspace may not ask Seraph for anything, and nothing was done. A full member can " +
				"do it for you, and an admin of the workspace can make you one.",
		}
	case u.Invited:
		return &refusal{
			code: "invited",
			text: "You have not joined this workspace yet, and nothing was done. Accept its invitation first.",
		}
	default:
		return nil
	}
}

func refuseBot() *refusal {
	const text = "Seraph does nothing for bots and workflows: a person has to ask. Nothing was done."
	return &refusal{code: "bot", text: text}
}

// refuseUnanswered refuses because Slack did not answer a question: unknown never means yes.
func refuseUnanswered(what string, err error) *refusal {
	var send *notify.SendError
	code, remedy := "no answer", "Try again in a minute."
	if errors.As(err, &send) {
		code = send.Code
		if send.Kind == notify.SendFace || send.Kind == notify.SendForbidden { // it will not answer in a minute either
			remedy = "Whoever looks after Seraph learns from \"seraph check\" what to do."
		}
	}
	const format = "Slack did not tell Seraph %s (%s), and nothing was done. %s"
	return &refusal{code: "unanswered", text: fmt.Sprintf(format, what, code, remedy)}
}

// inChannel refuses what is asked for where another company reads along. A direct message, a modal and the home
// tab are in no channel.
func (p *people) inChannel(ctx context.Context, in slack.Incoming, since time.Time) *refusal {
	shared := &refusal{
		code: "shared_channel",
		text: "People of another company can read this channel, so Seraph does nothing here. Ask in a channel that " +
			"is not shared, or in a direct message to Seraph.",
	}

	switch {
	case in.Channel == "" || strings.HasPrefix(in.Channel, "D"):
		return nil
	case in.SharedChannel:
		return shared
	}

	channel, err := p.directory.KnownChannel(ctx, in.Channel, since)
	var send *notify.SendError
	switch {
	case errors.As(err, &send) && send.Kind == notify.SendChannel:
		return &refusal{
			code: "unknown_channel",
			text: "Seraph cannot see who reads this channel, and nothing was done. Invite it with /invite, or ask in " +
				"a direct message to Seraph.",
		}
	case err != nil:
		return refuseUnanswered("who reads this channel", err)
	case channel.ExtShared:
		return shared
	default:
		return nil
	}
}

// changed drops what an event says has changed. The link of a user who has left, or is no full member any more, ends.
// An error means that it could not be found out whether it has to.
func (p *people) changed(ctx context.Context, in slack.Incoming) error {
	p.users.Forget(in.User)
	p.directory.ForgetChannel(in.Channel)
	if in.Event != slack.EventUserChange {
		return nil
	}

	identity, err := p.directory.Identity(ctx)
	if err != nil {
		return err
	}
	user := command.ChatUser{Face: face, Workspace: p.served(identity), User: in.User}
	if _, known := p.persons.Person(face, user.Workspace, user.User); !known {
		return nil // most changes are about people who have nothing to do with deployments
	}
	code, err := p.left(ctx, user)
	if err != nil {
		return err
	}
	return p.unlink(ctx, user, code)
}

// left asks Slack whether a user has left or is no full member any more, and returns the code of the refusal; empty:
// the user is a member, or of a workspace that is not served.
func (p *people) left(ctx context.Context, user command.ChatUser) (code string, err error) {
	identity, err := p.directory.Identity(ctx)
	if err != nil || user.Workspace != p.served(identity) {
		return "", err
	}

	u, err := p.users.Get(ctx, user.User, p.now())
	var send *notify.SendError
	if errors.As(err, &send) && send.Code == "user_not_found" {
		return "deactivated", nil
	}
	if err != nil {
		return "", err
	}
	if r := flags(u, identity, user.Workspace); r != nil {
		return r.code, nil
	}
	return "", nil
}

// unlink ends the link of somebody who has left or is no full member any more, if there is one.
func (p *people) unlink(ctx context.Context, user command.ChatUser, code string) error {
	why := endsLink(code)
	if why == "" {
		return nil
	}

	err := p.links.Unlink(ctx, user, why)
	var refused *command.Error
	if errors.As(err, &refused) {
		return nil
	}
	return err
}

// endsLink is why a refusal ends the link of whoever is refused; empty: it does not.
func endsLink(code string) string {
	switch code {
	case "deactivated":
		return link.WhyDeleted
	case "guest", "stranger":
		return link.WhyGuest
	default:
		return ""
	}
}
