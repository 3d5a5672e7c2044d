package slack

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	goslack "github.com/slack-go/slack"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

func TestUser_Flags(t *testing.T) {
	for _, test := range []struct {
		name, fields string
		want         User
	}{
		{name: "member", want: User{}},
		{name: "deactivated", fields: `"deleted":true`, want: User{Deleted: true}},
		{name: "bot", fields: `"is_bot":true`, want: User{Bot: true}},
		{name: "connector bot", fields: `"is_connector_bot":true`, want: User{Bot: true}},
		{name: "workflow", fields: `"is_workflow_bot":true`, want: User{WorkflowBot: true}},
		{name: "guest", fields: `"is_restricted":true`, want: User{Restricted: true}},
		{
			name:   "guest of one channel",
			fields: `"is_restricted":true,"is_ultra_restricted":true`,
			want:   User{Restricted: true, UltraRestricted: true},
		},
		{name: "stranger", fields: `"is_stranger":true`, want: User{Stranger: true}},
		{name: "invited", fields: `"is_invited_user":true`, want: User{Invited: true}},
		{
			name:   "names",
			fields: `"name":"al","real_name":"Alice A","profile":{"display_name":"alice"},"tz":"Europe/Berlin"`,
			want:   User{Name: "alice", Timezone: "Europe/Berlin"},
		},
		{
			name:   "organization",
			fields: `"enterprise_user":{"id":"W1","enterprise_id":"E1","teams":["T1","T2"]}`,
			want:   User{Enterprise: "E1", Teams: []string{"T1", "T2"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			fields := test.fields
			if fields != "" {
				fields = "," + fields
			}
			c, r := newRecorder(t, answers{
				"users.info": answerOf(200, `{"ok":true,"user":{"id":"U1","team_id":"T1"`+fields+`}}`),
			})
			got, err := c.User(t.Context(), "U1")
			if err != nil {
				t.Fatal(err)
			}

			want := test.want
			want.ID, want.Team = "U1", "T1"
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if got := r.last(t).form.Get("user"); got != "U1" {
				t.Errorf("got user %q, want U1", got)
			}
		})
	}
}

func TestUser_SlackbotIsABot(t *testing.T) {
	c, _ := newRecorder(t, answers{
		"users.info": answerOf(200, `{"ok":true,"user":{"id":"USLACKBOT","team_id":"T1","is_bot":false}}`),
	})
	got, err := c.User(t.Context(), "USLACKBOT")
	if err != nil || !got.Bot {
		t.Errorf("got %+v, %v, want a bot", got, err)
	}
}

// TestUser_WithoutAnswerIsNobody wants no user out of an answer that is not about the one who was asked for, or whose
// flags cannot be read.
func TestUser_WithoutAnswerIsNobody(t *testing.T) {
	for _, body := range []string{
		`{"ok":true}`,
		`{"ok":true,"user":{}}`,
		`{"ok":true,"user":null}`,
		`{"ok":true,"user":{"id":"U1"}}`,
		`{"ok":true,"user":{"id":"U2","team_id":"T1"}}`,
		`{"ok":true,"user":{"id":"U1","team_id":"T1","is_restricted":"true"}}`,
		`{"ok":false,"error":"user_not_found"}`,
	} {
		t.Run(body, func(t *testing.T) {
			c, _ := newRecorder(t, answers{"users.info": answerOf(200, body)})
			got, err := c.User(t.Context(), "U1")
			_ = sendError(t, err)
			if diff := cmp.Diff(User{}, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestChannel_Flags(t *testing.T) {
	for _, test := range []struct {
		name, fields string
		want         Channel
	}{
		{name: "public", fields: `"is_member":true`, want: Channel{Member: true}},
		{name: "private", fields: `"is_private":true`, want: Channel{Private: true}},
		{name: "archived", fields: `"is_archived":true`, want: Channel{Archived: true}},
		{name: "direct", fields: `"is_im":true`, want: Channel{Direct: true}},
		{name: "shared in the organization", fields: `"is_shared":true,"is_org_shared":true`, want: Channel{Shared: true}},
		{
			name:   "shared with another company",
			fields: `"is_shared":true,"is_ext_shared":true`,
			want:   Channel{Shared: true, ExtShared: true},
		},
		{name: "about to be", fields: `"is_pending_ext_shared":true`, want: Channel{ExtShared: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := newRecorder(t, answers{
				"conversations.info": answerOf(200, `{"ok":true,"channel":{"id":"C1","name":"deploys",`+test.fields+`}}`),
			})
			got, err := c.Channel(t.Context(), "C1")
			want := test.want
			want.ID, want.Name = "C1", "deploys"
			if err != nil || got != want {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		})
	}
}

func TestWhoami_TeamBotAndScopes(t *testing.T) {
	c, _ := newRecorder(t, answers{"auth.test": func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("X-OAuth-Scopes", "chat:write, commands,users:read")
		answerOf(200, `{"ok":true,"url":"https://acme.slack.com/","team":"Acme","team_id":"T1","user":"seraph",`+
			`"user_id":"U0","bot_id":"B1","enterprise_id":"E1"}`)(w, req)
	}})
	got, err := c.Whoami(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Identity{
		Team: "T1", TeamName: "Acme", TeamURL: "https://acme.slack.com/", Enterprise: "E1", User: "U0", Bot: "B1",
		Scopes: []string{"chat:write", "commands", "users:read"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestWhoami_RefusesATokenOfAPerson(t *testing.T) {
	c, _ := newRecorder(t, answers{"auth.test": answerOf(200, `{"ok":true,"team_id":"T1","user_id":"U0"}`)})
	_, err := c.Whoami(t.Context())
	if e := sendError(t, err); e.Kind != notify.SendFace {
		t.Errorf("got %v, want %s", e, notify.SendFace)
	}
}

func TestViews_Send(t *testing.T) {
	view := View{
		Callback: "confirm",
		Metadata: "intent",
		Title:    "Deploy",
		Submit:   "Deploy now",
		Close:    "No",
		Blocks:   []goslack.Block{goslack.NewDividerBlock()},
	}
	const modalJSON = `{"type":"modal","blocks":[{"type":"divider"}],` +
		`"title":{"type":"plain_text","emoji":false,"text":"Deploy"},` +
		`"submit":{"type":"plain_text","emoji":false,"text":"Deploy now"},` +
		`"close":{"type":"plain_text","emoji":false,"text":"No"},` +
		`"private_metadata":"intent","callback_id":"confirm"}`
	const opened = `{"ok":true,"view":{"id":"V1","hash":"h2"}}`
	c, r := newRecorder(t, answers{
		"views.open":    answerOf(200, opened),
		"views.update":  answerOf(200, opened),
		"views.publish": answerOf(200, opened),
	})

	want := ViewID{ID: "V1", Hash: "h2"}
	if got, err := c.OpenView(t.Context(), "trigger", view); err != nil || got != want {
		t.Errorf("open: got %v, %v, want %v", got, err, want)
	}
	wantJSON(t, r.last(t), `{"trigger_id":"trigger","view":`+modalJSON+`}`)

	if got, err := c.UpdateView(t.Context(), ViewID{ID: "V1", Hash: "h1"}, view); err != nil || got != want {
		t.Errorf("update: got %v, %v, want %v", got, err, want)
	}
	wantJSON(t, r.last(t), `{"view_id":"V1","hash":"h1","view":`+modalJSON+`}`)

	if err := c.PublishHome(t.Context(), "U1", view); err != nil {
		t.Errorf("publish: got %v", err)
	}
	wantJSON(t, r.last(t), `{"user_id":"U1","view":{"type":"home","blocks":[{"type":"divider"}],`+
		`"private_metadata":"intent","callback_id":"confirm"}}`)
}

// wantJSON wants a body, and the token in the header only.
func wantJSON(t *testing.T, got request, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got.body), &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("%s: want -, got +:\n%s", got.path, diff)
	}
	if want := "Bearer " + testToken; got.authorization != want {
		t.Errorf("%s: got authorization %q, want %q", got.path, got.authorization, want)
	}
}
