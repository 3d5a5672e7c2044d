package slack

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/test/sim"
)

// TestServer_UserFlags reads each flag of a user with slack-go.
func TestServer_UserFlags(t *testing.T) {
	tests := []struct {
		name string
		user User
		flag func(*goslack.User) bool
	}{
		{name: "deleted", user: User{Deleted: true}, flag: func(u *goslack.User) bool { return u.Deleted }},
		{name: "bot", user: User{Bot: true}, flag: func(u *goslack.User) bool { return u.IsBot }},
		{name: "app user", user: User{AppUser: true}, flag: func(u *goslack.User) bool { return u.IsAppUser }},
		{name: "admin", user: User{Admin: true}, flag: func(u *goslack.User) bool { return u.IsAdmin }},
		{name: "guest", user: User{Restricted: true}, flag: func(u *goslack.User) bool { return u.IsRestricted }},
		{
			name: "guest of one channel",
			user: User{UltraRestricted: true},
			flag: func(u *goslack.User) bool { return u.IsUltraRestricted },
		},
		{name: "stranger", user: User{Stranger: true}, flag: func(u *goslack.User) bool { return u.IsStranger }},
		{name: "invited", user: User{Invited: true}, flag: func(u *goslack.User) bool { return u.IsInvitedUser }},
		{name: "workflow", user: User{WorkflowBot: true}, flag: func(u *goslack.User) bool { return u.IsWorkflowBot }},
		{
			name: "enterprise",
			user: User{Enterprise: "E0ACME0001", EnterpriseTeams: []string{DefaultTeam}},
			flag: func(u *goslack.User) bool {
				return u.Enterprise.EnterpriseID == "E0ACME0001" && u.Enterprise.Teams[0] == DefaultTeam
			},
		},
	}

	s := start(t, Options{})
	api, ctx := client(t, s), limitedContext(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plain, err := api.GetUserInfoContext(ctx, bob)
			if err != nil || test.flag(plain) || plain.TeamID != DefaultTeam {
				t.Errorf("got %+v, %v for a colleague, want no flag", plain, err)
			}

			test.user.ID = alice
			s.AddUser(test.user)
			u, err := api.GetUserInfoContext(ctx, alice)
			if err != nil || !test.flag(u) {
				t.Errorf("got %+v, %v, want the flag", u, err)
			}
		})
	}
}

// TestServer_DirectMessages posts to a person and edits in the channel that the answer names.
func TestServer_DirectMessages(t *testing.T) {
	s := start(t, Options{})
	api, ctx := client(t, s), limitedContext(t)
	channel, ts, err := api.PostMessageContext(ctx, alice, goslack.MsgOptionText("x", false))
	if err != nil || !strings.HasPrefix(channel, "D") {
		t.Fatalf("got channel %q, %v, want one of direct messages", channel, err)
	}
	if _, _, _, err := api.UpdateMessageContext(ctx, channel, ts, goslack.MsgOptionText("y", false)); err != nil {
		t.Error(err)
	}

	opened, _, _, err := api.OpenConversationContext(ctx, &goslack.OpenConversationParameters{Users: []string{alice}})
	if err != nil || opened.ID != channel {
		t.Errorf("got %+v, %v, want the same channel %s", opened, err, channel)
	}
}

// TestServer_OwnMessagesComeBack checks that an app gets events of what it writes in direct messages itself.
func TestServer_OwnMessagesComeBack(t *testing.T) {
	s := start(t, Options{})
	startApp(t, s, nil)
	a := callMethod(t, s, "chat.postMessage", url.Values{"channel": {alice}, "text": {"x"}})
	where := url.Values{"channel": {a["channel"].(string)}, "ts": {a["ts"].(string)}, "text": {"y"}}
	callMethod(t, s, "chat.update", where)
	callMethod(t, s, "chat.delete", where)
	callMethod(t, s, "chat.postMessage", url.Values{"channel": {deploys}, "text": {"not subscribed"}})
	if err := s.Wait(limitedContext(t), func() bool { return len(s.Deliveries()) == 3 }); err != nil {
		t.Fatal(err)
	}

	seen := map[any]Object{}
	for _, d := range s.Deliveries() {
		event := payloadOf(t, d)["event"].(Object)
		seen[event["subtype"]] = event
	}

	if e := seen[nil]; e["bot_id"] != "B0SERAPH01" || e["channel_type"] != "im" || e["text"] != "x" {
		t.Errorf("got %v, want the own message", e)
	}
	if e := seen["message_changed"]; e == nil || e["user"] != nil || e["message"].(Object)["text"] != "y" {
		t.Errorf("got %v, want the edit, without a user at the top", e)
	}
	if e := seen["message_deleted"]; e["deleted_ts"] != a["ts"] {
		t.Errorf("got %v, want the deletion", e)
	}
}

// TestServer_RandomFaults lets a plan draw faults: with the same seed it draws the same.
func TestServer_RandomFaults(t *testing.T) {
	outcome := func(seed uint64) string {
		plan := sim.NewPlan(seed)
		t.Cleanup(plan.Close)
		s := start(t, Options{Plan: plan})
		limited, _ := s.Fault("rate-limited-bare")
		lost, _ := s.Fault("lost-answer")
		plan.Random("chat.postMessage", 0.5, limited, lost)
		api, ctx := client(t, s), limitedContext(t)
		var out strings.Builder
		for range 20 {
			_, _, err := api.PostMessageContext(ctx, deploys, goslack.MsgOptionText("x", false))
			if err == nil {
				out.WriteByte('.')
				continue
			}
			out.WriteByte('x')
		}

		return out.String()
	}

	first, second := outcome(7), outcome(7)
	if first != second || !strings.Contains(first, "x") || !strings.Contains(first, ".") {
		t.Errorf("got %s and %s, want the same faults twice, and successes", first, second)
	}
}

// TestCheckBlocks_AgreesWithSlackGo checks text objects around the bounds against slack-go's validator.
func TestCheckBlocks_AgreesWithSlackGo(t *testing.T) {
	for _, size := range []int{0, 1, 2999, 3000, 3001} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			text := goslack.NewTextBlockObject("mrkdwn", strings.Repeat("ü", size), false, false)
			raw, err := json.Marshal([]any{map[string]any{"type": "section", "text": text}})
			if err != nil {
				t.Fatal(err)
			}

			var blocks []Object
			if err := json.Unmarshal(raw, &blocks); err != nil {
				t.Fatal(err)
			}

			problems := checkBlocks(blocks, onMessage)
			if want := text.Validate() != nil; (len(problems) > 0) != want {
				t.Errorf("got problems %v, want slack-go's judgment %v", problems, text.Validate())
			}
		})
	}
}
