package slack

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	form      = "application/x-www-form-urlencoded"
	jsonMedia = "application/json; charset=utf-8"
)

// formOf is the body of a form with one field.
func formOf(field, value string) string { return url.Values{field: {value}}.Encode() }

// eventOf is the body of an event of our workspace, of which the bot user is UBOT.
func eventOf(inner string) string {
	return fmt.Sprintf(`{"type":"event_callback","token":"old","team_id":"T1","event_id":"Ev1","event_time":1,
		"authorizations":[{"team_id":"T1","user_id":"UBOT","is_bot":true}],"event":%s}`, inner)
}

func mustParse(t *testing.T, contentType, body string) Incoming {
	t.Helper()
	in, err := ParseIncoming(contentType, []byte(body))
	if err != nil {
		t.Fatalf("parse %s: %v", body, err)
	}

	return in
}

func TestParseIncoming_Command(t *testing.T) {
	got := mustParse(t, form, "token=old&team_id=T1&enterprise_id=E1&channel_id=C1&channel_name=deploys&user_id=U1&"+
		"user_name=mallory&command=%2FDeploy&text=api+to+%E2%80%9Cprod%E2%80%9D+%26lt%3B&"+
		"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F1&trigger_id=1.2.3")
	want := Incoming{
		Kind:        KindCommand,
		RequestKey:  "trigger:" + digest("1.2.3"),
		Team:        "T1",
		Enterprise:  "E1",
		User:        "U1",
		UserTeam:    "T1",
		Channel:     "C1",
		Command:     "/deploy",
		Text:        `api to "prod" <`,
		TriggerID:   "1.2.3",
		ResponseURL: "https://hooks.slack.com/commands/1",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParseIncoming_Click(t *testing.T) {
	got := mustParse(t, form, formOf("payload", `{"type":"block_actions","team":{"id":"T2"},"enterprise":null,
		"user":{"id":"U1","team_id":"T2"},"trigger_id":"1.2.3","response_url":"https://hooks.slack.com/actions/1",
		"container":{"type":"message","message_ts":"17.1","channel_id":"C1","is_ephemeral":false,"thread_ts":"16.1"},
		"channel":{"id":"C1","name":"deploys"},"message":{"ts":"17.1","team":"T1","bot_id":"B1","text":"x"},
		"actions":[{"type":"button","action_id":"seraph_approve","block_id":"b7","value":"v1 5 abc"}]}`))
	want := Incoming{
		Kind:        KindClick,
		RequestKey:  "trigger:" + digest("1.2.3"),
		Team:        "T1", // where the app posted the message
		User:        "U1",
		UserTeam:    "T2",
		Channel:     "C1",
		Thread:      "16.1",
		MessageTS:   "17.1",
		ActionID:    "seraph_approve",
		ActionValue: "v1 5 abc",
		BlockID:     "b7",
		TriggerID:   "1.2.3",
		ResponseURL: "https://hooks.slack.com/actions/1",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParseIncoming_ClickOfHome(t *testing.T) {
	got := mustParse(t, form, formOf("payload", `{"type":"block_actions","team":{"id":"T1"},"user":{"id":"U1"},
		"trigger_id":"1.2.3","container":{"type":"view","view_id":"V1"},
		"view":{"id":"V1","hash":"h1","callback_id":"home","private_metadata":"m","state":{"values":{}}},
		"actions":[{"type":"static_select","action_id":"seraph_page","block_id":"b","selected_option":{"value":"2"}}]}`))
	want := Incoming{
		Kind:            KindClick,
		RequestKey:      "trigger:" + digest("1.2.3"),
		Team:            "T1",
		User:            "U1",
		UserTeam:        "T1",
		ActionID:        "seraph_page",
		ActionValue:     "2",
		BlockID:         "b",
		ViewID:          "V1",
		ViewHash:        "h1",
		ViewCallback:    "home",
		PrivateMetadata: "m",
		TriggerID:       "1.2.3",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParseIncoming_Submit(t *testing.T) {
	got := mustParse(t, form, formOf("payload", `{"type":"view_submission","team":{"id":"T2"},
		"user":{"id":"U1","team_id":"T2"},"trigger_id":"1.2.3","view":{"id":"V1","hash":"h1","callback_id":"confirm",
		"private_metadata":"{\"row\":5}","app_installed_team_id":"T1","state":{"values":{
			"environment":{"word":{"type":"plain_text_input","value":"production"}},
			"reason":{"why":{"type":"plain_text_input","value":null}},
			"target":{"one":{"type":"static_select","selected_option":{"value":"abc"}}}}}}}`))
	want := Incoming{
		Kind:            KindSubmit,
		RequestKey:      "trigger:" + digest("1.2.3"),
		Team:            "T1",
		User:            "U1",
		UserTeam:        "T2",
		ViewID:          "V1",
		ViewHash:        "h1",
		ViewCallback:    "confirm",
		PrivateMetadata: `{"row":5}`,
		Values:          map[string]string{"environment": "production", "reason": "", "target": "abc"},
		TriggerID:       "1.2.3",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParseIncoming_Events(t *testing.T) {
	for name, c := range map[string]struct {
		inner string
		want  Incoming
	}{
		"mention": {
			`{"type":"app_mention","user":"U1","text":"<@UBOT> deploy api","ts":"17.1","thread_ts":"16.1",
				"channel":"C1","client_msg_id":"m-1","blocks":[{"type":7}]}`,
			Incoming{
				Kind: KindMention, RequestKey: "message:C1:17.1", OtherKeys: []string{"event:Ev1", "client:U1:m-1"},
				Team: "T1", User: "U1", Channel: "C1", Thread: "16.1", MessageTS: "17.1", Text: "deploy api",
			},
		},
		"direct message": {
			`{"type":"message","channel_type":"im","user":"U1","user_team":"T2","text":"deploy api","ts":"17.1",
				"channel":"D1","edited":null}`,
			Incoming{
				Kind: KindDirect, RequestKey: "message:D1:17.1", OtherKeys: []string{"event:Ev1"},
				Team: "T1", User: "U1", UserTeam: "T2", Channel: "D1", MessageTS: "17.1", Text: "deploy api",
			},
		},
		"home": {
			`{"type":"app_home_opened","user":"U1","channel":"D1","tab":"home","view":{"id":"V1","hash":"h1"}}`,
			Incoming{Kind: KindHome, RequestKey: "event:Ev1", Team: "T1", User: "U1", ViewID: "V1", ViewHash: "h1"},
		},
		"user": {
			`{"type":"user_change","user":{"id":"U1","team_id":"T1","deleted":true}}`,
			Incoming{Kind: KindEvent, RequestKey: "event:Ev1", Team: "T1", User: "U1", UserTeam: "T1", Event: EventUserChange},
		},
		"channel shared": {
			`{"type":"channel_shared","channel":"C1","connected_team_id":"T2"}`,
			Incoming{Kind: KindEvent, RequestKey: "event:Ev1", Team: "T1", Channel: "C1", Event: EventChannelShared},
		},
		"added to a channel": {
			`{"type":"member_joined_channel","user":"UBOT","channel":"C1","channel_type":"C","team":"T1","inviter":"U1"}`,
			Incoming{Kind: KindEvent, RequestKey: "event:Ev1", Team: "T1", Channel: "C1", User: "UBOT", Event: EventChannelJoined},
		},
		"channel archived": {
			`{"type":"channel_archive","channel":"C1","user":"U1"}`,
			Incoming{
				Kind:       KindEvent,
				RequestKey: "event:Ev1",
				Team:       "T1",
				Channel:    "C1",
				User:       "U1",
				Event:      EventChannelArchive,
			},
		},
		"uninstalled": {
			`{"type":"app_uninstalled"}`,
			Incoming{Kind: KindEvent, RequestKey: "event:Ev1", Team: "T1", Event: EventAppUninstalled},
		},
		"token revoked": {
			`{"type":"tokens_revoked","tokens":{"oauth":["U1"],"bot":["UBOT"]}}`,
			Incoming{Kind: KindEvent, RequestKey: "event:Ev1", Team: "T1", Event: EventTokensRevoked},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mustParse(t, jsonMedia, eventOf(c.inner)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestParseIncoming_SharedChannel(t *testing.T) {
	got := mustParse(t, jsonMedia, `{"type":"event_callback","team_id":"T2","event_id":"Ev1","is_ext_shared_channel":true,
		"authorizations":[{"team_id":"T1","user_id":"UBOT","is_bot":true}],
		"event":{"type":"app_mention","user":"U2","user_team":"T2","text":"<@UBOT> status","ts":"1.1","channel":"C1"}}`)
	if got.Team != "T1" || got.UserTeam != "T2" || !got.SharedChannel {
		t.Errorf("got team %q, user's team %q, shared %v, want T1, T2, true", got.Team, got.UserTeam, got.SharedChannel)
	}
}

// TestParseIncoming_Organization checks that the organization of the workspace is read where Slack names it: beside the
// workspace in which the app is installed, and not always in the envelope.
func TestParseIncoming_Organization(t *testing.T) {
	for name, envelope := range map[string]string{
		"authorization": `"team_id":"T1","authorizations":[{"team_id":"T1","enterprise_id":"E1"}]`,
		"envelope":      `"team_id":"T1","enterprise_id":"E1","authorizations":[{"team_id":"T1","enterprise_id":null}]`,
		"of another":    `"team_id":"T2","enterprise_id":"E2","authorizations":[{"team_id":"T1","enterprise_id":"E1"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			got := mustParse(t, jsonMedia, `{"type":"event_callback","event_id":"Ev1",`+envelope+`,
				"event":{"type":"app_home_opened","user":"U1","tab":"home"}}`)
			if got.Team != "T1" || got.Enterprise != "E1" {
				t.Errorf("got %s of %s, want T1 of E1", got.Team, got.Enterprise)
			}
		})
	}
}

func TestParseIncoming_Probes(t *testing.T) {
	got := mustParse(t, jsonMedia, `{"token":"old","challenge":"3eZbrw1a","type":"url_verification"}`)
	if got.Kind != KindChallenge || got.Challenge != "3eZbrw1a" {
		t.Errorf("got %+v, want the challenge", got)
	}
	if got := mustParse(t, form, "ssl_check=1&token=old"); got.Kind != KindProbe {
		t.Errorf("got %+v, want a probe", got)
	}
}

func TestParseIncoming_Ignored(t *testing.T) {
	for name, c := range map[string]struct {
		inner string
		bot   bool
	}{
		"unknown type": {
			inner: `{"type":"grid_migration_started","channel":{"id":1}}`,
		},
		"bot": {
			inner: `{"type":"app_mention","user":"U1","bot_id":"B1","text":"x","ts":"1.1","channel":"C1"}`,
			bot:   true,
		},
		"app without a bot": {
			inner: `{"type":"app_mention","user":"U1","app_id":"A1","text":"x","ts":"1.1","channel":"C1"}`,
			bot:   true,
		},
		"bot_message": {
			inner: `{"type":"message","subtype":"bot_message","channel_type":"im","ts":"1.1","channel":"D1"}`,
			bot:   true,
		},
		"our own user": {
			inner: `{"type":"message","channel_type":"im","user":"UBOT","text":"x","ts":"1.1","channel":"D1"}`,
			bot:   true,
		},
		"Slackbot": {
			inner: `{"type":"message","channel_type":"im","user":"USLACKBOT","text":"x","ts":"1.1","channel":"D1"}`,
			bot:   true,
		},
		"edit": {
			inner: `{"type":"message","subtype":"message_changed","channel":"D1","message":{"user":"U1"}}`,
		},
		"edit into a mention": {
			inner: `{"type":"app_mention","user":"U1","text":"x","ts":"1.1","channel":"C1","edited":{"ts":"2"}}`,
		},
		"channel": {
			inner: `{"type":"message","channel_type":"channel","user":"U1","text":"x","ts":"1.1","channel":"C1"}`,
		},
		"join": {
			inner: `{"type":"message","subtype":"channel_join","channel_type":"im","user":"U1","ts":"1.1","channel":"D1"}`,
		},
		"somebody else joins a channel": {
			inner: `{"type":"member_joined_channel","user":"U1","channel":"C1","channel_type":"C","team":"T1"}`,
		},
		"messages tab": {
			inner: `{"type":"app_home_opened","user":"U1","channel":"D1","tab":"messages"}`,
		},
		"token of a person": {
			inner: `{"type":"tokens_revoked","tokens":{"oauth":["U1"]}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := mustParse(t, jsonMedia, eventOf(c.inner))
			if got.Kind != KindIgnored || got.Ignored == "" || got.Bot != c.bot {
				t.Errorf("got %+v, want ignored, bot %v", got, c.bot)
			}
		})
	}

	for name, payload := range map[string]string{
		"modal closed": `{"type":"view_closed","user":{"id":"U1"},"view":{"id":"V1"}}`,
		"shortcut":     `{"type":"message_action","actions":"odd"}`,
		"no action":    `{"type":"block_actions","user":{"id":"U1"},"trigger_id":"1","actions":[]}`,
		"nobody":       `{"type":"block_actions","trigger_id":"1","actions":[{"action_id":"a"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got := mustParse(t, form, formOf("payload", payload)); got.Kind != KindIgnored {
				t.Errorf("got %+v, want ignored", got)
			}
		})
	}
}

func TestParseIncoming_Refused(t *testing.T) {
	for name, c := range map[string]struct{ contentType, body string }{
		"no content type":    {"", `{"type":"event_callback"}`},
		"other content type": {"text/plain", `{"type":"event_callback"}`},
		"no JSON":            {jsonMedia, `secret-text`},
		"null":               {jsonMedia, `null`},
		"no type":            {jsonMedia, `{"event":{}}`},
		"no event":           {jsonMedia, `{"type":"event_callback","event_id":"Ev1"}`},
		"empty form":         {form, ``},
		"other form":         {form, `text=secret-text`},
		"broken form":        {form, `payload=%zz`},
		"broken payload":     {form, formOf("payload", `{"type":"block_actions","user":"secret-text"}`)},
		"odd event":          {jsonMedia, eventOf(`{"type":"app_mention","user":["secret-text"]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseIncoming(c.contentType, []byte(c.body))
			if err == nil || strings.Contains(err.Error(), "secret-text") {
				t.Errorf("got %+v, %v, want an error that quotes nothing", got, err)
			}
		})
	}
}

// TestParseIncoming_Keys wants another key for what somebody asks for again, and the same one for what Slack sends again.
func TestParseIncoming_Keys(t *testing.T) {
	command := "user_id=U1&team_id=T1&command=%2Fdeploy&text=api&trigger_id="
	if a, b := mustParse(t, form, command+"1.1"), mustParse(t, form, command+"1.2"); a.RequestKey == b.RequestKey {
		t.Errorf("got %q for two commands", a.RequestKey)
	}

	mention := mustParse(t, jsonMedia, eventOf(`{"type":"app_mention","user":"U1","text":"x","ts":"1.1","channel":"D1"}`))
	direct := mustParse(t, jsonMedia,
		eventOf(`{"type":"message","channel_type":"im","user":"U1","text":"x","ts":"1.1","channel":"D1"}`))
	if mention.RequestKey != direct.RequestKey {
		t.Errorf("got %q and %q for one message, want the same", mention.RequestKey, direct.RequestKey)
	}

	for _, channel := range []string{strings.Repeat("C", 200), `C\u0000`, "C 1"} {
		checkKeys(t, mustParse(t, jsonMedia,
			eventOf(`{"type":"app_mention","user":"U1","text":"x","ts":"1.1","channel":"`+channel+`"}`)))
	}
}

func TestIncoming_HidesSecrets(t *testing.T) {
	in := Incoming{Kind: KindClick, TriggerID: "hidden-trigger", ResponseURL: "https://hooks.slack.com/hidden"}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}

	for _, shown := range []string{string(data), fmt.Sprintf("%v %+v %#v %s", in, in, in, in.TriggerID)} {
		if strings.Contains(shown, "hidden-trigger") || strings.Contains(shown, "slack.com/hidden") {
			t.Errorf("got %s, which shows a secret", shown)
		}
	}
}

func FuzzParseIncoming(f *testing.F) {
	for _, sample := range payloadSamples(f) {
		f.Add(true, string(sample))
		f.Add(false, formOf("payload", string(sample)))
		f.Add(true, strings.Replace(string(sample), `"type": ""`, `"type": "event_callback"`, 1))
	}
	f.Add(false, exampleBody)
	f.Add(true, eventOf(`{"type":"app_mention","user":"U1","text":"<@UBOT> x","ts":"1.1","channel":"C1"}`))

	f.Fuzz(func(t *testing.T, isJSON bool, body string) {
		contentType := form
		if isJSON {
			contentType = jsonMedia
		}

		in, err := ParseIncoming(contentType, []byte(body))
		if err != nil {
			if in.Kind != "" {
				t.Errorf("got %+v beside an error", in)
			}
			return
		}

		switch in.Kind {
		case KindProbe, KindChallenge, KindIgnored:
			if in.RequestKey != "" || in.OtherKeys != nil {
				t.Errorf("got %+v, want no key where nothing is to be done", in)
			}
		case KindCommand, KindMention, KindDirect, KindClick, KindSubmit, KindHome:
			if in.User == "" {
				t.Errorf("got %+v without a user", in)
			}
			checkKeys(t, in)
		case KindEvent:
			checkKeys(t, in)
		default:
			t.Errorf("got the kind %q", in.Kind)
		}
		if !utf8.ValidString(in.Text) {
			t.Errorf("got the text %q, which is not UTF-8", in.Text)
		}
	})
}

func checkKeys(t *testing.T, in Incoming) {
	t.Helper()
	for _, k := range append(in.OtherKeys, in.RequestKey) {
		odd := func(r rune) bool { return r <= ' ' || r > '~' }
		if k == "" || len(k) > 100 || strings.ContainsFunc(k, odd) {
			t.Errorf("got the key %q", k)
		}
	}
}
