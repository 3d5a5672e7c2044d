package config

import (
	"net/url"
	"strconv"
	"strings"
)

// Slack says which Slack to use, and as which app. Without a BotToken Slack is off.
type Slack struct {
	BotToken      Secret   // begins with xoxb-; empty: Slack is off
	SigningSecret Secret   // at least minSecret bytes where there is a BotToken
	APIURL        *url.URL // of the Web API; https, or http on this machine

	// EditsPerMinute is how many messages may be edited in a minute, all channels together, from 1 to 1000000. Slack
	// allows 50 in a workspace, and sometimes more (docs.slack.dev, chat.update, "Tier 3").
	EditsPerMinute int
}

// On says whether Slack is used.
func (s Slack) On() bool { return s.BotToken != "" }

// slack wants the token and the signing secret of one app, or neither: without the signing secret nobody can tell
// Slack's requests from forged ones.
func (r *reader) slack() Slack {
	e := r.env
	s := Slack{
		BotToken:      r.botToken(e.SlackBotToken),
		SigningSecret: r.token("SLACK_SIGNING_SECRET", e.SlackSigningSecret),
		APIURL:        r.url("SLACK_API_URL", e.SlackAPIURL),

		EditsPerMinute: r.editsPerMinute(e.SlackEditsPerMinute),
	}

	switch {
	case s.BotToken != "" && s.SigningSecret == "":
		r.problem("SLACK_SIGNING_SECRET",
			"required with SERAPH_SLACK_BOT_TOKEN: the app's signing secret (Basic Information)")
	case s.BotToken == "" && s.SigningSecret != "":
		r.problem("SLACK_BOT_TOKEN",
			"required with SERAPH_SLACK_SIGNING_SECRET: the app's bot token (OAuth & Permissions)")
	case s.SigningSecret != "" && len(s.SigningSecret) < minSecret:
		r.problem("SLACK_SIGNING_SECRET", "has %d bytes, at least %d are needed: copy the app's signing secret whole",
			len(s.SigningSecret), minSecret)
	}
	if u := s.APIURL; u != nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		r.problem("SLACK_API_URL", "the token would be sent unencrypted over http: use https")
	}

	return s
}

// botToken refuses the other kinds of tokens of a Slack app: they cannot post as the app, or not for long.
func (r *reader) botToken(text string) Secret {
	token := r.token("SLACK_BOT_TOKEN", text)
	for prefix, kind := range map[string]string{
		"xapp-":   "an app-level token",
		"xoxp-":   "a user token",
		"xoxe-":   "a refresh token",
		"xoxe.xo": "a token that expires, because token rotation is on",
	} {
		if strings.HasPrefix(token.Reveal(), prefix) {
			r.problem("SLACK_BOT_TOKEN", "is %s: set the bot token, which begins with xoxb-", kind)
		}
	}
	return token
}

// editsPerMinute wants at least 1, because package notify takes 0 for its default.
func (r *reader) editsPerMinute(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1_000_000 {
		r.problem("SLACK_EDITS_PER_MINUTE", "%q is not a number from 1 to 1000000: write such a number; Slack allows "+
			"about 50", text)
	}
	return n
}
