package config

import (
	"net/url"
	"strings"
)

// Slack says which Slack to use, and as which app. Without a BotToken Slack is off.
type Slack struct {
	BotToken      Secret
	SigningSecret Secret
	APIURL        *url.URL

	// EditsPerMinute is how often messages are edited, all together. Slack allows 50 a minute, and sometimes more.
	EditsPerMinute int
}

// On says whether Slack is used.
func (s Slack) On() bool { return s.BotToken != "" }

// slack wants the token and the signing secret of one app, or neither: with the token alone everybody could
// send commands.
func (r *reader) slack() Slack {
	e := r.env
	s := Slack{
		BotToken:      r.botToken(e.SlackBotToken),
		SigningSecret: r.token("SLACK_SIGNING_SECRET", e.SlackSigningSecret),
		APIURL:        r.url("SLACK_API_URL", e.SlackAPIURL),

		EditsPerMinute: r.count("SLACK_EDITS_PER_MINUTE", e.SlackEditsPerMinute),
	}

	switch {
	case s.BotToken != "" && s.SigningSecret == "":
		r.problem("SLACK_SIGNING_SECRET", "required with SERAPH_SLACK_BOT_TOKEN: the app's signing secret (Basic Information)")
	case s.BotToken == "" && s.SigningSecret != "":
		r.problem("SLACK_BOT_TOKEN", "required with SERAPH_SLACK_SIGNING_SECRET: the app's bot token (OAuth & Permissions)")
	case s.SigningSecret != "" && len(s.SigningSecret) < minSecret:
		r.problem("SLACK_SIGNING_SECRET", "has %d bytes, at least %d are needed: copy the app's signing secret whole",
			len(s.SigningSecret), minSecret)
	}
	if u := s.APIURL; u != nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		r.problem("SLACK_API_URL", "the token would be sent unencrypted over http: use https")
	}

	return s
}

// botToken refuses the other tokens of a Slack app, which cannot post as the app.
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
