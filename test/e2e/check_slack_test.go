package e2e

import (
	"maps"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// channelRoutes names a channel of each kind that the simulated Slack of TestCheck_Slack has.
const channelRoutes = `
slack: {workspace: T0ACME001}
routes:
  - repository: acme/api
    ask: [C0ASKED001]
    notify: [{slack: CHANNEL}]
    parameters: {seraph_key: '{{ .Key }}'}
`

// TestCheck_Slack checks that `seraph check` says what the token and the channels lack, and never shows a secret.
func TestCheck_Slack(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{routes: namedRoutes, ci: func(o *circleci.Options) { o.AnyProject = false }})
	h.gh.AddRepository("acme/api")
	h.ci.AddProject("gh/acme/api", "main")

	for _, c := range []struct {
		name     string
		channel  string
		env      map[string]string
		scopes   []string // nil: all
		wantCode int
		want     string
	}{
		{name: "good", channel: "C0GOOD0001", want: "ok: Slack: authenticated in the workspace Acme (T0ACME001)\n"},
		{name: "good channel", channel: "C0GOOD0001", want: "ok: line 4 (acme/api to *): the Slack channel #deploys (C0GOOD0001)\n"},
		{name: "channel to ask in", channel: "C0GOOD0001", want: "warning: line 4 (acme/api to *): the app is not in the Slack channel #asked"},
		{name: "not a member", channel: "C0AWAY0001", wantCode: 1, want: "type /invite @seraph there"},
		{name: "archived", channel: "C0OLD00001", wantCode: 1, want: "#old (C0OLD00001) is archived"},
		{name: "shared", channel: "C0SHARED01", wantCode: 1, want: "#shared (C0SHARED01) is shared with another organization"},
		{name: "read only", channel: "C0READ0001", want: "warning: line 4 (acme/api to *): the app may not post in the Slack channel #read"},
		{name: "unknown", channel: "C0NONE0001", wantCode: 1, want: "Slack shows no channel C0NONE0001"},
		{
			name:     "other token",
			channel:  "C0GOOD0001",
			env:      map[string]string{"SLACK_BOT_TOKEN": "xoxb-of-somebody-else"},
			wantCode: 1,
			want:     "wrong: cannot authenticate at Slack with SERAPH_SLACK_BOT_TOKEN: ",
		},
		{
			name:     "fewer scopes",
			channel:  "C0GOOD0001",
			scopes:   []string{"chat:write", "commands", "channels:read", "groups:read", "im:history", "im:write"},
			wantCode: 1,
			want:     "wrong: the Slack app lacks the scopes app_mentions:read, users:read: add them under OAuth & Permissions",
		},
		{
			name:    "no history",
			channel: "C0GOOD0001",
			scopes: []string{
				"app_mentions:read", "channels:read", "chat:write", "commands", "groups:read", "im:history", "im:write",
				"users:read",
			},
			want: "warning: the Slack app lacks the scopes channels:history, groups:history: ",
		},
		{
			name:    "off",
			channel: "C0GOOD0001",
			env:     map[string]string{"SLACK_BOT_TOKEN": "", "SLACK_SIGNING_SECRET": ""},
			want:    "warning: line 4 (acme/api to *): the routes file names channels of Slack, and Slack is off: ",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			chat := slack.New(slack.Options{Scopes: c.scopes})
			t.Cleanup(chat.Close)
			if err := chat.Start(""); err != nil {
				t.Fatal(err)
			}
			for _, channel := range []slack.Channel{
				{ID: "C0GOOD0001", Name: "deploys"},
				{ID: "C0ASKED001", Name: "asked", Away: true},
				{ID: "C0AWAY0001", Name: "away", Away: true},
				{ID: "C0OLD00001", Name: "old", Archived: true},
				{ID: "C0READ0001", Name: "read", Refused: "restricted_action_read_only_channel"},
				{ID: "C0SHARED01", Name: "shared", SharedWith: []string{"T0OTHER001"}, External: true},
			} {
				chat.AddChannel(channel)
			}

			env := maps.Clone(h.env)
			env["ROUTES"] = strings.ReplaceAll(channelRoutes, "CHANNEL", c.channel)
			env["SLACK_BOT_TOKEN"] = slack.DefaultToken
			env["SLACK_SIGNING_SECRET"] = slack.DefaultSigningSecret
			env["SLACK_API_URL"] = chat.URL()
			maps.Copy(env, c.env)

			code, stdout, stderr := command(t, env, "check")
			if code != c.wantCode || !strings.Contains(stdout, c.want) {
				t.Errorf("got exit code %d, want %d and %q:\n%s%s", code, c.wantCode, c.want, stdout, stderr)
			}
			for _, hidden := range []string{slack.DefaultToken, slack.DefaultSigningSecret} {
				if strings.Contains(stdout+stderr, hidden) {
					t.Errorf("the output shows a secret:\n%s%s", stdout, stderr)
				}
			}
		})
	}
}
