package config

import "testing"

const (
	goodBotToken      = "xoxb-1-hunter2"
	goodSigningSecret = "8f742231b10e8888abcd99hunter2a5"
)

func TestLoad_SlackIsOffByDefault(t *testing.T) {
	if c := load(t, nil); c.Slack.On() || c.Slack.APIURL.String() != "https://slack.com/api/" {
		t.Errorf("got %+v, want off with Slack's own address", c.Slack)
	}
}

func TestLoad_Slack(t *testing.T) {
	for _, test := range []struct{ name, url string }{
		{name: "Slack", url: ""},
		{name: "GovSlack", url: "https://slack-gov.com/api/"},
		{name: "this machine", url: "http://127.0.0.1:9003/api/"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := load(t, map[string]string{
				"SLACK_BOT_TOKEN":           goodBotToken,
				"SLACK_SIGNING_SECRET":      "",
				"SLACK_SIGNING_SECRET_FILE": writeFile(t, goodSigningSecret+"\n"),
				"SLACK_API_URL":             test.url,
			})
			want := test.url
			if want == "" {
				want = "https://slack.com/api/"
			}
			if s := c.Slack; !s.On() || s.BotToken.Reveal() != goodBotToken || s.SigningSecret.Reveal() != goodSigningSecret ||
				s.APIURL.String() != want {
				t.Errorf("got %+v, want on, with both secrets and %s", s, want)
			}
		})
	}
}

func TestLoad_SlackProblems(t *testing.T) {
	for _, test := range []struct {
		name               string
		token, secret, url string
		edits              string
		want               string
	}{
		{
			name:  "no signing secret",
			token: goodBotToken,
			want:  "SERAPH_SLACK_SIGNING_SECRET: required with SERAPH_SLACK_BOT_TOKEN",
		},
		{
			name:   "signing secret of spaces",
			token:  goodBotToken,
			secret: "   ",
			want:   "SERAPH_SLACK_SIGNING_SECRET: required with SERAPH_SLACK_BOT_TOKEN",
		},
		{
			name:   "no token",
			secret: goodSigningSecret,
			want:   "SERAPH_SLACK_BOT_TOKEN: required with SERAPH_SLACK_SIGNING_SECRET",
		},
		{
			name:   "short signing secret",
			token:  goodBotToken,
			secret: "hunter2",
			want:   "SERAPH_SLACK_SIGNING_SECRET: has 7 bytes, at least 16 are needed",
		},
		{
			name:   "app-level token",
			token:  "xapp-1-hunter2",
			secret: goodSigningSecret,
			want:   "SERAPH_SLACK_BOT_TOKEN: is an app-level token: set the bot token",
		},
		{
			name:   "user token",
			token:  "xoxp-1-hunter2",
			secret: goodSigningSecret,
			want:   "SERAPH_SLACK_BOT_TOKEN: is a user token",
		},
		{
			name:   "token that expires",
			token:  "xoxe.xoxb-1-hunter2",
			secret: goodSigningSecret,
			want:   "SERAPH_SLACK_BOT_TOKEN: is a token that expires, because token rotation is on",
		},
		{
			name:   "two tokens",
			token:  "xoxb-1-hunter2,xoxb-2-hunter2 x",
			secret: goodSigningSecret,
			want:   "SERAPH_SLACK_BOT_TOKEN: contains a space",
		},
		{
			name:   "token in clear",
			token:  goodBotToken,
			secret: goodSigningSecret,
			url:    "http://slack.example.com/api/",
			want:   "SERAPH_SLACK_API_URL: the token would be sent unencrypted over http: use https",
		},
		{
			name:   "user info in the address",
			token:  goodBotToken,
			secret: goodSigningSecret,
			url:    "https://hunter2@slack.com/api/",
			want:   "SERAPH_SLACK_API_URL: contains a user name or a password",
		},
		{
			name:   "no edits",
			token:  goodBotToken,
			secret: goodSigningSecret,
			edits:  "0",
			want:   `SERAPH_SLACK_EDITS_PER_MINUTE: "0" is not a number from 1 to 1000000`,
		},
		{
			name:   "edits in words",
			token:  goodBotToken,
			secret: goodSigningSecret,
			edits:  "many",
			want:   `SERAPH_SLACK_EDITS_PER_MINUTE: "many" is not a number from 1 to 1000000`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantProblem(t, map[string]string{
				"SLACK_BOT_TOKEN":      test.token,
				"SLACK_SIGNING_SECRET": test.secret,
				"SLACK_API_URL":        test.url,

				"SLACK_EDITS_PER_MINUTE": test.edits,
			}, test.want)
		})
	}
}
