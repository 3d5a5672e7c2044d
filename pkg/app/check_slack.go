package app

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// slackChannelPattern is what the id of a channel of Slack looks like.
var slackChannelPattern = regexp.MustCompile(`^[CG][A-Z0-9]{8,30}$`)

// checkSlackRoutes warns of routes that name channels while Slack is off, and of a workspace that is not named.
func (c *checker) checkSlackRoutes() {
	channels := c.slackChannels()
	switch {
	case c.cfg.Slack.On() && c.cfg.Routes.SlackWorkspace() == "":
		c.found(Warning, "Slack is on, and the routes file does not name its workspace: add slack: {workspace: T…}, "+
			"so that people can be listed with their Slack ids")
	case !c.cfg.Slack.On() && len(channels) > 0 && channels[0].notified:
		c.found(Warning, "%s: the routes file names channels of Slack, and Slack is off: set SERAPH_SLACK_BOT_TOKEN "+
			"and SERAPH_SLACK_SIGNING_SECRET", channels[0].route)
	}
}

// slackChannel is a channel that a route names.
type slackChannel struct {
	id       string
	route    string // the first one that names it
	notified bool   // messages are posted to it
}

// slackChannels returns the channels of all routes, each once. What a route says in ask may also be a room of another
// chat system; only what looks like a channel of Slack counts.
func (c *checker) slackChannels() []slackChannel {
	var list []slackChannel
	add := func(id, route string, notified bool) {
		if !slices.ContainsFunc(list, func(l slackChannel) bool { return l.id == id }) {
			list = append(list, slackChannel{id: id, route: route, notified: notified})
		}
	}

	for _, r := range c.cfg.Routes.Routes() {
		for _, n := range r.Notify {
			add(n.Channel, r.Name(), true)
		}
	}
	for _, r := range c.cfg.Routes.Routes() {
		for _, id := range r.Ask {
			if slackChannelPattern.MatchString(id) {
				add(id, r.Name(), false)
			}
		}
	}
	return list
}

// checkSlack asks Slack whether the token works, has the scopes that are needed, and can be used in each channel
// that a route names.
func (c *checker) checkSlack(ctx context.Context) {
	if c.clients.slack == nil {
		return
	}

	me, err := c.clients.slack.Whoami(ctx)
	if err != nil {
		if !c.late(ctx, "Slack: SERAPH_SLACK_BOT_TOKEN, and the channels") {
			c.found(Wrong, "cannot authenticate at Slack with SERAPH_SLACK_BOT_TOKEN: %v", err)
		}
		return
	}
	c.found(Good, "Slack: authenticated in the workspace %s (%s)", me.TeamName, me.Team)

	if want := c.cfg.Routes.SlackWorkspace(); want != "" && want != me.Team && want != me.Enterprise {
		c.found(Wrong, "SERAPH_SLACK_BOT_TOKEN is of the Slack workspace %s, and slack.workspace of the routes file "+
			"is %s", me.Team, want)
	}
	c.checkSlackScopes(me)
	for _, channel := range c.slackChannels() {
		c.checkSlackChannel(ctx, channel)
	}
}

// checkSlackScopes names the scopes that the app lacks, and what it cannot do without them.
func (c *checker) checkSlackScopes(me slack.Identity) {
	page := "https://api.slack.com/apps"
	if me.App != "" {
		page += "/" + me.App
	}

	lacks := func(want []string) string {
		var missing []string
		for _, scope := range want {
			if !slices.Contains(me.Scopes, scope) {
				missing = append(missing, scope)
			}
		}
		return strings.Join(missing, ", ")
	}

	if missing := lacks(slack.Scopes); missing != "" {
		c.found(Wrong, "the Slack app lacks the scopes %s: add them under OAuth & Permissions of %s, and install it "+
			"again", missing, page)
	}
	if missing := lacks(slack.OptionalScopes); missing != "" {
		c.found(Warning, "the Slack app lacks the scopes %s: a message that may have arrived is not posted again, so "+
			"that a card may be missing", missing)
	}
}

// checkSlackChannel says why the app cannot be used in a channel, and what to click.
func (c *checker) checkSlackChannel(ctx context.Context, channel slackChannel) {
	found, err := c.clients.slack.Channel(ctx, channel.id)
	if refused, ok := errors.AsType[*notify.SendError](err); ok && refused.Kind == notify.SendChannel {
		c.found(Wrong, "%s: Slack shows no channel %s: if it is private, type /invite @seraph in it; if its id has "+
			"changed, change the route", channel.route, channel.id)
		return
	}
	if err != nil {
		if !c.late(ctx, channel.route+": the Slack channel "+channel.id) {
			c.found(Warning, "%s: the Slack channel %s cannot be checked: %v", channel.route, channel.id, err)
		}
		return
	}

	name := "#" + found.Name + " (" + channel.id + ")"
	switch {
	case found.Archived:
		c.found(Wrong, "%s: the Slack channel %s is archived", channel.route, name)
	case found.ExtShared:
		c.found(Wrong, "%s: the Slack channel %s is shared with another organization, whose people would see the "+
			"cards: name another channel", channel.route, name)
	case !found.Member && channel.notified:
		c.found(Wrong, "%s: the app is not in the Slack channel %s: type /invite @seraph there", channel.route, name)
	case !found.Member:
		c.found(Warning, "%s: the app is not in the Slack channel %s, so that it answers only /deploy and /seraph "+
			"there: type /invite @seraph there", channel.route, name)
	case found.ReadOnly && channel.notified:
		c.found(Warning, "%s: the app may not post in the Slack channel %s: an admin of the workspace can change who "+
			"may post there", channel.route, name)
	default:
		c.found(Good, "%s: the Slack channel %s", channel.route, name)
	}
}
