package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// refusal is one refusal in the audit.
type refusal struct {
	Person string `json:"person"`
	Act    string `json:"act"`
	Code   string `json:"code"`
}

// refusals reads the refusals in the audit.
func (s *slackHarness) refusals() (list []refusal, text string) {
	s.t.Helper()
	code, out, stderr := command(s.t, s.env, "audit", "export")
	if code != 0 {
		s.t.Fatalf("audit export: got %d %s", code, stderr)
	}
	for line := range strings.Lines(out) {
		var record struct{ Kind, Detail string }
		decode(s.t, []byte(line), &record)
		if record.Kind != "refused" {
			continue
		}
		var r refusal
		decode(s.t, []byte(record.Detail), &r)
		list = append(list, r)
	}
	return list, out
}

// wantRefusal waits for a refusal in the audit.
func (s *slackHarness) wantRefusal(user, act, code string) {
	s.t.Helper()
	list, _ := s.refusals()
	if want := (refusal{Person: "slack/" + slack.DefaultTeam + "/" + user, Act: act, Code: code}); !slices.Contains(list, want) {
		s.t.Errorf("got refusals %+v, want %s of %s: %s", list, act, user, code)
	}
}

// TestSlack_Attacks checks the ways in which somebody could get something done that they may not do. Each is refused
// with the reason, to them alone, and is in the audit; nothing is made at GitHub.
func TestSlack_Attacks(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.slash("U0ALICE", deploysRoom, "api to production scenario=success")
	card := s.card("waits for approval", "approve")

	for _, row := range []struct {
		name string
		do   func()
		user string
		want string
		act  string
		code string
	}{
		{
			name: "guest by command",
			do:   func() { s.slash("U0GUEST", deploysRoom, "api to staging") },
			user: "U0GUEST",
			want: "Guests of this workspace may not ask Seraph for anything, and nothing was done.",
			act:  "deploy",
			code: "guest",
		},
		{
			name: "command in a channel of two companies",
			do:   func() { s.slash("U0ALICE", sharedRoom, "api to staging") },
			user: "U0ALICE",
			want: "People of another company can read this channel, so Seraph does nothing here.",
			act:  "deploy",
			code: "shared_channel",
		},
		{
			name: "bot that presses a button",
			do:   func() { s.click("U0ROBOT", card, "approve") },
			user: "U0ROBOT",
			want: "Seraph does nothing for bots and workflows: a person has to ask.",
			act:  "approve",
			code: "bot",
		},
		{
			name: "the requester approves by command",
			do: func() {
				s.slash("U0ALICE", deploysRoom, fmt.Sprintf("approve #%d", s.deploymentsTo("production")[0].ID))
			},
			user: "U0ALICE",
			want: "That was not done: ",
			act:  "approve",
			code: "not_an_approver",
		},
		{
			name: "stranger in a channel that became shared",
			do: func() {
				if _, err := s.slack.Share(deploysRoom, otherTeam); err != nil {
					t.Fatal(err)
				}
				s.click("U0STRANGER", card, "approve")
			},
			user: "U0STRANGER",
			want: "Only members of this workspace may ask Seraph for something",
			act:  "approve",
			code: "stranger",
		},
		{
			name: "button in a channel that became shared",
			do:   func() { s.click("U0BOB", card, "approve") },
			user: "U0BOB",
			want: "People of another company can read this channel",
			act:  "approve",
			code: "shared_channel",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &slackHarness{harness: s.withT(t), slack: s.slack}
			row.do()
			s.reads(row.user, row.want)
			s.wantRefusal(row.user, row.act, row.code)
		})
	}

	if n := len(s.deploymentsTo("staging")); n != 0 {
		t.Errorf("got %d deployments to staging, want none", n)
	}
	if n := len(s.pipelines(s.deploymentsTo("production")[0])); n != 0 {
		t.Errorf("got %d pipelines in production, want none: nobody has approved", n)
	}
	s.unchecked[s.deploymentsTo("production")[0].ID] = true
}

// TestSlack_HostileText checks that names that others choose neither mention anybody nor change what is read.
func TestSlack_HostileText(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	for _, ref := range []string{"<!channel>", "*bold*`code`", "a\u202eb"} {
		s.slash("U0ALICE", deploysRoom, "api@"+ref+" to staging")
	}
	s.gh.Push("acme/api", "feature/_x_-y", "")
	s.slash("U0ALICE", deploysRoom, "api@feature/_x_-y to staging scenario=success because `*<!here>* <https://evil.test|https://github.com>")
	s.card("succeeded", "")

	for _, m := range s.slack.Posted("") {
		blocks, _ := json.Marshal(m.Blocks)
		for _, bad := range []string{"<!", "evil.test|", `"broadcast"`} {
			if m.BotID != "" && strings.Contains(m.Text, bad) || strings.Contains(string(blocks), `"type":"broadcast"`) {
				t.Errorf("got %q in %q %s", bad, m.Text, blocks)
			}
		}
		if strings.Contains(string(blocks), `"url":"https://evil.test`) {
			t.Errorf("got a link to another host in %s", blocks)
		}
	}
}

// TestSlack_Secrets checks that nothing that gives anybody a right at Slack is in the log, in the audit or, once a
// request is done, in the database.
func TestSlack_Secrets(t *testing.T) {
	t.Parallel()
	onlySQLite(t)
	s := newSlack(t)
	s.slash("U0ALICE", deploysRoom, "api to production scenario=success")
	card := s.card("waits for approval", "approve")
	s.click("U0GUEST", card, "approve")
	s.reads("U0GUEST", "Guests of this workspace may not")
	if err := s.slack.NextNamed("response_url", "server-error", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.slack.NextNamed("views.open", "internal-error", 1); err != nil {
		t.Fatal(err)
	}
	s.click("U0BOB", card, "why")
	s.reads("U0BOB", "waits for 1 approval")
	s.click("U0BOB", card, "approve")
	s.reads("U0BOB", "did not let Seraph ask you to confirm in time")
	s.confirm("U0BOB", card, "approve")
	s.card("succeeded", "")
	_, audit := s.refusals()
	s.waitEnds()
	s.stop()

	database := s.dump()
	secrets := map[string]string{"token": slack.DefaultToken, "signing secret": slack.DefaultSigningSecret}
	pattern := regexp.MustCompile(`response_url|trigger_id`)
	for _, d := range s.slack.Deliveries() {
		body := string(d.Body)
		if form, err := url.ParseQuery(body); err == nil {
			body = form.Get("payload") + fmt.Sprintf("%q", form)
		}
		if pattern.MatchString(body) {
			for _, m := range regexp.MustCompile(`https?://[^"\]]*/(?:commands|actions)/[^"\]]+`).FindAllString(body, -1) {
				secrets["response_url "+strconv.Itoa(len(secrets))] = m[strings.LastIndex(m, "/")+1:]
			}
		}
		if d.Kind != slack.KindEvent && d.Key != "" {
			secrets["trigger_id "+strconv.Itoa(len(secrets))] = d.Key
		}
	}
	if len(secrets) < 8 {
		t.Fatalf("got %d secrets, want those of all requests: %v", len(secrets), secrets)
	}

	for name, secret := range secrets {
		for where, text := range map[string]string{"log": s.output(), "audit": audit, "database": database} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s has a %s", where, name)
			}
		}
	}
}

// dump returns all that is in the SQLite file of the stopped program.
func (s *slackHarness) dump() string {
	s.t.Helper()
	db, err := sql.Open("sqlite", s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()

	var tables []string
	rows, err := db.Query(`SELECT name FROM sqlite_master WHERE type = 'table'`)
	if err != nil {
		s.t.Fatal(err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			s.t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}

	var text strings.Builder
	for _, table := range tables {
		rows, err := db.Query(`SELECT * FROM "` + table + `"`)
		if err != nil {
			s.t.Fatal(err)
		}
		columns, _ := rows.Columns()
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				s.t.Fatal(err)
			}
			for _, v := range values {
				if raw, ok := v.([]byte); ok {
					v = string(raw)
				}
				fmt.Fprintln(&text, v)
			}
		}
		if err := rows.Err(); err != nil {
			s.t.Fatal(err)
		}
	}
	return text.String()
}
