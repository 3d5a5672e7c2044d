package slack

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	goslack "github.com/slack-go/slack"
)

// TestServer_HistoryPages posts more messages than a page holds and reads them all with slack-go.
func TestServer_HistoryPages(t *testing.T) {
	s := start(t, Options{})
	api, ctx := client(t, s), limitedContext(t)
	var posted []string
	for i := range 7 {
		_, ts, err := api.PostMessageContext(ctx, deploys, goslack.MsgOptionText(fmt.Sprint(i), false))
		if err != nil {
			t.Fatal(err)
		}
		posted = append(posted, ts)
	}

	var read []string
	in := goslack.GetConversationHistoryParameters{ChannelID: deploys, Limit: 3, Oldest: posted[0]}
	for {
		page, err := api.GetConversationHistoryContext(ctx, &in)
		if err != nil {
			t.Fatal(err)
		}

		for _, m := range page.Messages {
			read = append(read, m.Timestamp)
		}
		if in.Cursor = page.ResponseMetaData.NextCursor; !page.HasMore {
			break
		}
	}

	slices.Reverse(read)
	if !slices.Equal(read, posted[1:]) {
		t.Errorf("got %v, want %v: newest first, and without the oldest itself", read, posted[1:])
	}
}

// TestServer_Threads checks where replies, broadcasts and deleted parents are seen.
func TestServer_Threads(t *testing.T) {
	s := start(t, Options{})
	parent := callMethod(t, s, "chat.postMessage", cardArguments(deploys))["ts"].(string)
	reply := func(broadcast string) string {
		args := url.Values{"channel": {deploys}, "thread_ts": {parent}, "text": {"reply"}}
		args.Set("reply_broadcast", broadcast)
		return callMethod(t, s, "chat.postMessage", args)["ts"].(string)
	}
	quiet, loud := reply("false"), reply("true")

	history := func() []Object {
		return messagesOf(t, callMethod(t, s, "conversations.history", url.Values{"channel": {deploys}}))
	}
	all := history()
	if len(all) != 2 || all[0]["ts"] != loud || all[0]["subtype"] != "thread_broadcast" {
		t.Fatalf("got %v, want the broadcast and the parent", all)
	}
	if all[1]["reply_count"] != 2.0 {
		t.Errorf("got %v, want 2 replies", all[1])
	}
	if all[1]["metadata"] != nil {
		t.Error("got metadata, want none without include_all_metadata")
	}

	replies := url.Values{"channel": {deploys}, "ts": {parent}, "include_all_metadata": {"true"}}
	thread := messagesOf(t, callMethod(t, s, "conversations.replies", replies))
	if len(thread) != 3 || thread[0]["metadata"] == nil || thread[1]["ts"] != quiet || thread[2]["ts"] != loud {
		t.Errorf("got %v, want the parent and its replies", thread)
	}

	if err := s.DeleteMessage(deploys, parent); err != nil {
		t.Fatal(err)
	}
	if all := history(); len(all) != 2 || all[1]["subtype"] != "tombstone" || all[1]["metadata"] != nil {
		t.Errorf("got %v, want a tombstone", all)
	}

	update := url.Values{"channel": {deploys}, "ts": {parent}, "text": {"x"}}
	if a := callMethod(t, s, "chat.update", update); a["error"] != "message_not_found" {
		t.Errorf("got %v, want message_not_found", a)
	}
}

func messagesOf(t *testing.T, a Object) []Object {
	t.Helper()
	list, isList := a["messages"].([]any)
	if !isList {
		t.Fatalf("got %v, want messages", a)
	}

	var all []Object
	for _, m := range list {
		all = append(all, m.(Object))
	}

	return all
}

func TestServer_HistoryLag(t *testing.T) {
	clock := newClock()
	s := start(t, Options{Now: clock.Now})
	s.SetHistoryLag(time.Minute)
	callMethod(t, s, "chat.postMessage", cardArguments(deploys))
	history := func() int {
		return len(messagesOf(t, callMethod(t, s, "conversations.history", url.Values{"channel": {deploys}})))
	}
	if n := history(); n != 0 {
		t.Errorf("got %d messages, want none yet", n)
	}

	clock.advance(time.Minute)
	if n := history(); n != 1 {
		t.Errorf("got %d messages, want 1", n)
	}
}

// TestServer_OneChannelOfTwoWorkspaces checks what the app of each workspace sees of a shared channel.
func TestServer_OneChannelOfTwoWorkspaces(t *testing.T) {
	s := start(t, Options{})
	receiver := startApp(t, s, nil)
	s.AddTeam(Team{ID: "T0OTHER001", Domain: "other", Name: "Other"})
	s.AddUser(User{ID: "U0STRANGER", Team: "T0OTHER001"})
	s.AddChannel(Channel{ID: "C0SHARED01", SharedWith: []string{"T0OTHER001"}, External: true})
	other := s.Install("T0OTHER001")
	callMethod(t, s, "chat.postMessage", cardArguments("C0SHARED01"))

	stranger := callMethod(t, s, "users.info", url.Values{"user": {"U0STRANGER"}})["user"].(Object)
	if stranger["team_id"] != "T0OTHER001" || stranger["is_restricted"] != false {
		t.Errorf("got %v, want a user of the other workspace, whom no flag marks", stranger)
	}
	channel := callMethod(t, s, "conversations.info", url.Values{"channel": {"C0SHARED01"}})["channel"].(Object)
	if channel["is_ext_shared"] != true || channel["is_org_shared"] != false {
		t.Errorf("got %v, want an externally shared channel", channel)
	}

	ts := s.Messages("C0SHARED01")[0].TS
	if _, err := s.Click("U0STRANGER", "C0SHARED01", ts, "approve"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Slash("U0STRANGER", "C0SHARED01", "/deploy", "api"); err != nil {
		t.Fatal(err)
	}

	both := "<@U0SERAPHBOT> <@" + other.BotUser + ">"
	if _, sent, err := s.Say("U0STRANGER", "C0SHARED01", both, ""); err != nil || len(sent) != 2 {
		t.Fatalf("got %d events, %v, want one for each workspace", len(sent), err)
	}

	all := s.Deliveries()
	click := payloadOf(t, all[0])
	if click["team"].(Object)["id"] != DefaultTeam || click["user"].(Object)["team_id"] != "T0OTHER001" {
		t.Errorf("got %v, want the team of the app and the user's own", click)
	}
	if slash, err := url.ParseQuery(string(all[1].Body)); err != nil || slash.Get("team_id") != "T0OTHER001" {
		t.Errorf("got %v, %v, want a command of the other workspace", slash, err)
	}
	for i, team := range []string{DefaultTeam, "T0OTHER001"} {
		event := payloadOf(t, all[2+i])
		if event["team_id"] != team || event["is_ext_shared_channel"] != true {
			t.Errorf("got %v, want an event for %s", event, team)
		}
	}
	receiver.mu.Lock()
	defer receiver.mu.Unlock()
	if len(receiver.bodies) != 4 {
		t.Errorf("got %d deliveries, want 4", len(receiver.bodies))
	}
}
