package slack

import (
	"encoding/json"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

// notListed are the keys below which testdata/fields.tsv lists nothing.
var notListed = []string{"blocks", "values", "root", "state", "icons"}

// documented are fields that Slack's reference has, but its samples do not.
var documented = []string{
	"context_team_id",      // of every event
	"event.event_ts",       // of user_change, tokens_revoked and app_uninstalled
	"event.parent_user_id", // of app_mention in a thread
	"event.team",           // of messages of bots
	"event.user",           // of messages of bots that are users
	"event.app_id",         // the same
	"event.source_team",    // of messages of people of other workspaces
	"event.user_team",      // the same
	"response_urls",        // of view_submission
	"view.blocks",          // of view_submission and view_closed
	"event.view.blocks",    // of app_home_opened
	"message.metadata.event_payload",
}

// sampleFields returns the JSON types of all fields by the name of the sample.
func sampleFields(t *testing.T) map[string]map[string]string {
	t.Helper()
	raw, err := os.ReadFile("testdata/fields.tsv")
	if err != nil {
		t.Fatal(err)
	}

	all := map[string]map[string]string{}
	for line := range strings.Lines(string(raw)) {
		cells := strings.Split(strings.TrimSpace(line), "\t")
		if all[cells[0]] == nil {
			all[cells[0]] = map[string]string{}
		}
		all[cells[0]][cells[1]] = cells[2]
	}

	return all
}

// compareFields reports fields of body that the sample does not have, or with another type.
func compareFields(t *testing.T, sample map[string]string, path string, body Object) {
	t.Helper()
	for name, value := range body {
		at := strings.TrimPrefix(path+"."+name, ".")
		if slices.Contains(documented, at) || value == nil {
			continue
		}

		kind := ""
		switch value.(type) {
		case bool:
			kind = "bool"
		case float64:
			kind = "number"
		case string:
			kind = "string"
		case []any:
			kind = "list"
		case Object:
			kind = "object"
		}

		if want, found := sample[at]; !found || want != kind {
			t.Errorf("field %s is a %s, want %q (empty: no such field)", at, kind, want)
			continue
		}
		if slices.Contains(notListed, name) {
			continue
		}

		switch v := value.(type) {
		case Object:
			compareFields(t, sample, at, v)
		case []any:
			for _, item := range v {
				if o, isObject := item.(Object); isObject {
					compareFields(t, sample, at+"[]", o)
				}
			}
		}
	}
}

// payloadOf returns the JSON object of a delivery.
func payloadOf(t *testing.T, d Delivery) Object {
	t.Helper()
	raw := d.Body
	if d.Header.Get("Content-Type") == form {
		values, err := url.ParseQuery(string(d.Body))
		if err != nil {
			t.Fatal(err)
		}

		raw = []byte(values.Get("payload"))
	}

	var o Object
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}

	return o
}

// TestServer_DeliveriesHaveSlacksFields compares each kind of delivery with Slack's own sample of it.
func TestServer_DeliveriesHaveSlacksFields(t *testing.T) {
	s := start(t, Options{Events: append(DefaultEvents(), "message.channels", "channel_left", "group_left")})
	startApp(t, s, nil)
	s.AddUser(User{ID: "U0OTHERBOT", Name: "other", Bot: true})
	s.AddTeam(Team{ID: "T0OTHER001", Domain: "other", Name: "Other"})
	s.AddUser(User{ID: "U0STRANGER", Team: "T0OTHER001", Stranger: true})
	post := callMethod(t, s, "chat.postMessage", cardArguments(deploys))
	ts := post["ts"].(string)
	callMethod(t, s, "chat.postMessage", url.Values{"channel": {deploys}, "thread_ts": {ts}, "text": {"reply"}})
	samples := sampleFields(t)
	check := func(name string, d Delivery, err error) {
		t.Helper()
		if err != nil || !d.Accepted() {
			t.Fatalf("%s: got %+v, %v", name, d, err)
		}
		t.Run(name, func(t *testing.T) { compareFields(t, samples[name], "", payloadOf(t, d)) })
	}

	click, err := s.Click(alice, deploys, ts, "approve")
	check("interaction block_actions", click, err)
	opened := callMethod(t, s, "views.open", url.Values{"trigger_id": {click.Key}, "view": {modalJSON}})
	id := opened["view"].(Object)["id"].(string)
	submitted, err := s.Submit(id, map[string]string{"typed": "production"})
	check("interaction view_submission", submitted.Delivery, err)
	click, err = s.Click(alice, deploys, ts, "approve")
	check("interaction block_actions", click, err)
	opened = callMethod(t, s, "views.open", url.Values{"trigger_id": {click.Key}, "view": {modalJSON}})
	closed, err := s.CloseView(opened["view"].(Object)["id"].(string))
	check("interaction view_closed", closed, err)

	callMethod(t, s, "views.publish", url.Values{"user_id": {alice}, "view": {homeJSON}})
	home, err := s.HomeOpened(alice)
	check("event app_home_opened", home, err)
	user, err := s.ChangeUser(User{
		ID:              alice,
		Restricted:      true,
		Enterprise:      "E1",
		EnterpriseTeams: []string{DefaultTeam},
	})
	check("event user_change", user, err)
	shared, err := s.Share(deploys, "T0OTHER001")
	check("event channel_shared", shared, err)

	for name, user := range map[string]string{"event message": "U0STRANGER", "event message_bot": "U0OTHERBOT"} {
		_, sent, err := s.Say(user, deploys, "<@U0SERAPHBOT> hello", ts)
		if err != nil || len(sent) != 2 {
			t.Fatalf("got %d events, %v, want 2", len(sent), err)
		}

		check("event app_mention", sent[0], nil)
		check(name, sent[1], nil)
	}

	left, err := s.Leave(deploys)
	check("event channel_left", left, err)
	leftGroup, err := s.Leave(private)
	check("event group_left", leftGroup, err)
	archived, err := s.Archive(deploys)
	check("event channel_archive", archived, err)
	archivedGroup, err := s.Archive(private)
	check("event group_archive", archivedGroup, err)
	gone, err := s.Uninstall()
	if err != nil || len(gone) != 2 {
		t.Fatalf("got %d deliveries, %v, want 2", len(gone), err)
	}

	check("event tokens_revoked", gone[0], nil)
	check("event app_uninstalled", gone[1], nil)
}

// TestServer_AnswersHaveSlacksFields compares the answers of methods with Slack's own samples.
func TestServer_AnswersHaveSlacksFields(t *testing.T) {
	s := start(t, Options{})
	startApp(t, s, nil)
	s.AddUser(User{
		ID:              alice,
		Stranger:        true,
		Invited:         true,
		WorkflowBot:     true,
		Enterprise:      "E1",
		EnterpriseTeams: []string{DefaultTeam},
	})
	samples := sampleFields(t)
	slash, err := s.Slash(bob, deploys, "/deploy", "api")
	if err != nil {
		t.Fatal(err)
	}

	opened := callMethod(t, s, "views.open", url.Values{"trigger_id": {slash.Key}, "view": {modalJSON}})
	id := opened["view"].(Object)["id"].(string)
	tests := []struct {
		method string
		args   url.Values
	}{
		{method: "auth.test"},
		{method: "users.info", args: url.Values{"user": {alice}}},
		{method: "conversations.info", args: url.Values{"channel": {deploys}}},
		{method: "conversations.info", args: url.Values{"channel": {private}}},
		{method: "chat.postEphemeral", args: url.Values{"channel": {deploys}, "user": {bob}, "text": {"x"}}},
		{method: "views.update", args: url.Values{"view_id": {id}, "view": {modalJSON}}},
		{method: "views.publish", args: url.Values{"user_id": {bob}, "view": {homeJSON}}},
	}

	compareFields(t, samples["api views.open"], "", opened)
	for _, test := range tests {
		t.Run(test.method, func(t *testing.T) {
			a := callMethod(t, s, test.method, test.args)
			if a["ok"] != true {
				t.Fatalf("got %v", a)
			}
			compareFields(t, samples["api "+test.method], "", a)
		})
	}

	values, err := url.ParseQuery(string(slash.Body))
	if err != nil {
		t.Fatal(err)
	}
	for name := range values {
		if samples["slash command"][name] == "" {
			t.Errorf("Slack's slash commands have no field %q", name)
		}
	}
}
