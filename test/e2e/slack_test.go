package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// The channels of the simulated workspace.
const (
	deploysRoom = "C0DEPLOYS1"
	sharedRoom  = "C0SHARED01"
	otherTeam   = "T0OTHER001"
)

// slackRoutes are routes whose deployments are shown in a channel. alice, bob and carol are known in Slack; dave is
// somebody at GitHub whom nobody has linked.
func slackRoutes(h *harness) string {
	people := ""
	for _, login := range []string{"alice", "bob", "carol", "guest", "stranger"} {
		people += fmt.Sprintf("\n  - {id: %d, login: %s, slack: U0%s}", h.writer("acme/api", login), login, strings.ToUpper(login))
	}

	return `
slack: {workspace: ` + slack.DefaultTeam + `}
people:` + people + `
defaults:
  notify:
    - {slack: ` + deploysRoom + `}
routes:
  - repository: acme/api
    environment: production
    circleci: {branch: main}
    allow: {users: [alice, bob, carol]}
    approvals: {count: 1, users: [bob, carol]}` + chatParameters + `
  - repository: acme/api
    environment: staging
    circleci: {branch: main}
    holds: {approve: {users: [bob]}}` + chatParameters
}

// slackHarness is a harness with a simulated Slack.
type slackHarness struct {
	*harness
	slack *slack.Server
}

func newSlack(t *testing.T) *slackHarness {
	t.Helper()
	h := newHarness(t, setup{})
	s := &slackHarness{harness: h, slack: slack.New(slack.Options{
		Commands:   []string{"/deploy", "/seraph"},
		RequestURL: "http://" + h.addr + "/webhooks/slack",
	})}
	if err := s.slack.Start(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.slack.Close)

	s.slack.AddTeam(slack.Team{ID: otherTeam, Domain: "other", Name: "Other"})
	s.slack.AddChannel(slack.Channel{ID: deploysRoom})
	s.slack.AddChannel(slack.Channel{ID: sharedRoom, SharedWith: []string{otherTeam}, External: true})
	for _, u := range []slack.User{
		{ID: "U0ALICE"},
		{ID: "U0BOB"},
		{ID: "U0CAROL"},
		{ID: "U0DAVE"},
		{ID: "U0GUEST", Restricted: true},
		{ID: "U0STRANGER", Team: otherTeam},
		{ID: "U0ROBOT", Bot: true},
	} {
		s.slack.AddUser(u)
	}

	h.gh.AddRepository("acme/api")
	h.env["ROUTES"] = slackRoutes(h)
	h.env["SLACK_BOT_TOKEN"] = slack.DefaultToken
	h.env["SLACK_SIGNING_SECRET"] = slack.DefaultSigningSecret
	h.env["SLACK_API_URL"] = s.slack.URL()
	s.start()
	return s
}

// slash sends a slash command, which Slack must see accepted.
func (s *slackHarness) slash(user, channel, text string) {
	s.t.Helper()
	d, err := s.slack.Slash(user, channel, "/deploy", text)
	if err != nil || !d.Accepted() {
		s.t.Fatalf("/deploy %s: got %v, %s", text, err, d.Failure)
	}
}

// click presses a button of a message.
func (s *slackHarness) click(user string, m slack.Message, verb string) {
	s.t.Helper()
	s.press(user, m, s.button(m, verb))
}

func (s *slackHarness) button(m slack.Message, verb string) slack.Button {
	s.t.Helper()
	b, ok := m.Button("seraph_" + verb)
	if !ok {
		s.t.Fatalf("got the buttons %v, want %s", m.Buttons(), verb)
	}
	return b
}

func (s *slackHarness) press(user string, m slack.Message, b slack.Button) {
	s.t.Helper()
	d, err := s.slack.ClickButton(user, m.Channel, m.TS, b)
	if err != nil || !d.Accepted() {
		s.t.Fatalf("%s presses %s: got %v, %s", user, b.ActionID, err, d.Failure)
	}
}

// waitMessage waits for a message with these parts, in this order.
func (s *slackHarness) waitMessage(what string, wanted func(slack.Message) bool) slack.Message {
	s.t.Helper()
	ctx, cancel := s.waitContext()
	defer cancel()
	m, err := s.slack.WaitMessage(ctx, wanted)
	if err != nil {
		var all []string
		for _, m := range s.slack.Posted("") {
			all = append(all, fmt.Sprintf("%s %s (only for %q): %s", m.Channel, m.TS, m.OnlyFor, m.Words()))
		}
		s.t.Fatalf("no message %s: %v; there are\n%s", what, err, strings.Join(all, "\n"))
	}
	return m
}

// card waits for a card in the channel whose words have a part, and which has a button; empty: any.
func (s *slackHarness) card(part, verb string) slack.Message {
	s.t.Helper()
	return s.waitMessage("with "+part, func(m slack.Message) bool {
		_, has := m.Button("seraph_" + verb)
		return m.Channel == deploysRoom && m.Metadata != nil && m.Thread == "" &&
			strings.Contains(m.Words(), part) && (has || verb == "")
	})
}

// told waits until somebody reads something that nobody else does.
func (s *slackHarness) told(user string, parts ...string) slack.Message {
	s.t.Helper()
	direct := s.slack.Direct(user)
	return s.waitMessage(fmt.Sprintf("to %s with %q", user, parts), func(m slack.Message) bool {
		return (m.OnlyFor == user || m.Channel == direct) && inOrder(m.Text+" "+m.Words(), parts)
	})
}

func inOrder(text string, parts []string) bool {
	for _, part := range parts {
		_, after, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = after
	}
	return true
}

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

// only returns the one deployment at GitHub to an environment.
func (s *slackHarness) deploymentsTo(environment string) (list []github.Deployment) {
	for _, d := range s.gh.Deployments() {
		if d.Environment == environment {
			list = append(list, d)
		}
	}
	return list
}

// TestSlack_Story tells the whole story in a channel: alice asks, may not approve her own, guests, strangers and
// people whom nobody knows may do nothing, bob approves, the pipeline succeeds, and the card has said so all along. A
// button of an earlier state does nothing.
func TestSlack_Story(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.slash("U0ALICE", deploysRoom, "api to production scenario=success because of the release")
	public := s.waitMessage("about the deployment", func(m slack.Message) bool {
		return m.Channel == deploysRoom && m.Metadata == nil && m.OnlyFor == "" && strings.Contains(m.Words(), "deploys acme/api@main at")
	})
	if !strings.Contains(public.Words(), "It waits for 1 approval from bob, carol") {
		t.Errorf("got %q, want why it waits", public.Words())
	}

	card := s.card("waits for approval", "approve")
	approve := s.button(card, "approve")
	d := s.deploymentsTo("production")[0]

	s.click("U0ALICE", card, "approve")
	s.told("U0ALICE", "That was not done: ", "alice", fmt.Sprintf(`"why #%d"`, d.ID))
	s.click("U0GUEST", card, "approve")
	s.told("U0GUEST", "Guests of this workspace may not ask Seraph for anything")
	s.click("U0DAVE", card, "approve")
	s.told("U0DAVE", "Seraph does not know who you are at GitHub", "The entry for people in the routes file is {id: ID, login: LOGIN, slack: U0DAVE}")
	s.click("U0BOB", card, "why")
	s.told("U0BOB", fmt.Sprintf("#%d (acme/api@main", d.ID), "approvals: it waits for 1 approval")
	if m, _ := s.slack.Message(card.Channel, card.TS); !strings.Contains(m.Words(), "waits for approval") {
		t.Fatalf("got %q, want it to wait still", m.Words())
	}

	s.click("U0BOB", card, "approve")
	s.told("U0BOB", "bob approved #")
	s.expectEnd(d, "success", "")
	ended := s.card("succeeded", "")
	if ended.TS != card.TS {
		t.Errorf("got another card %s, want the same one %s edited", ended.TS, card.TS)
	}

	s.press("U0CAROL", ended, approve)
	s.told("U0CAROL", "That button belongs to an earlier state of the deployment, so it did nothing.", "succeeded after")
	if n := len(s.pipelines(d)); n != 1 {
		t.Errorf("got %d pipelines, want 1", n)
	}

	s.wantRefusal("U0ALICE", "approve", "not_an_approver")
	s.wantRefusal("U0GUEST", "approve", "guest")
	s.wantRefusal("U0DAVE", "approve", "not_linked")
	s.wantRefusal("U0CAROL", "approve", "stale")
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
		told string
		act  string
		code string
	}{
		{
			name: "guest by command",
			do:   func() { s.slash("U0GUEST", deploysRoom, "api to staging") },
			user: "U0GUEST",
			told: "Guests of this workspace may not ask Seraph for anything, and nothing was done.",
			act:  "deploy",
			code: "guest",
		},
		{
			name: "command in a channel of two companies",
			do:   func() { s.slash("U0ALICE", sharedRoom, "api to staging") },
			user: "U0ALICE",
			told: "People of another company can read this channel, so Seraph does nothing here.",
			act:  "deploy",
			code: "shared_channel",
		},
		{
			name: "bot that presses a button",
			do:   func() { s.click("U0ROBOT", card, "approve") },
			user: "U0ROBOT",
			told: "Seraph does nothing for bots and workflows: a person has to ask.",
			act:  "approve",
			code: "bot",
		},
		{
			name: "the requester approves by command",
			do: func() {
				s.slash("U0ALICE", deploysRoom, fmt.Sprintf("approve #%d", s.deploymentsTo("production")[0].ID))
			},
			user: "U0ALICE",
			told: "That was not done: ",
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
			told: "Only members of this workspace may ask Seraph for something",
			act:  "approve",
			code: "stranger",
		},
		{
			name: "button in a channel that became shared",
			do:   func() { s.click("U0BOB", card, "approve") },
			user: "U0BOB",
			told: "People of another company can read this channel",
			act:  "approve",
			code: "shared_channel",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &slackHarness{harness: s.withT(t), slack: s.slack}
			row.do()
			s.told(row.user, row.told)
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

// TestSlack_Production checks the way back in production: the modal, a wrong name, the right one, and a person who was
// deactivated in between.
func TestSlack_Production(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.gh.Push("acme/api", "old", "")
	for _, ref := range []string{"old", "main"} {
		s.slash("U0ALICE", deploysRoom, "api@"+ref+" to production scenario=success")
		card := s.card("waits for approval", "approve")
		s.click("U0BOB", card, "approve")
		s.waitMessage("that "+ref+" succeeded", func(m slack.Message) bool {
			return m.TS == card.TS && strings.Contains(m.Words(), "succeeded")
		})
	}

	card := s.card("succeeded", "rollback")
	s.click("U0CAROL", card, "rollback")
	s.click("U0ALICE", card, "rollback")
	carol, own := s.modal("U0CAROL"), s.modal("U0ALICE")
	s.slack.AddUser(slack.User{ID: "U0CAROL", Deleted: true})
	if _, err := s.slack.Submit(carol.ID, map[string]string{"seraph_word": "production"}); err != nil {
		t.Fatal(err)
	}
	s.wait("refusal of somebody who has left", func() bool {
		list, _ := s.refusals()
		return slices.ContainsFunc(list, func(r refusal) bool { return r.Code == "deactivated" })
	})

	wrong, err := s.slack.Submit(own.ID, map[string]string{"seraph_word": "staging"})
	if err != nil || wrong.Closed || len(wrong.Errors) != 1 {
		t.Fatalf("a wrong name: got %+v, %v, want the modal to stay open", wrong, err)
	}
	right, err := s.slack.Submit(own.ID, map[string]string{"seraph_word": "production", "seraph_reason": "errors"})
	if err != nil || !right.Closed {
		t.Fatalf("the right name: got %+v, %v, want the modal closed", right, err)
	}
	s.told("U0ALICE", "rolls production back to acme/api@old at")

	all := s.deploymentsTo("production")
	if len(all) != 3 || all[2].Ref != github.Commit("acme/api", "old") {
		t.Errorf("got %d deployments to production, want one more, of old", len(all))
	}
	s.click("U0BOB", s.card("waits for approval", "approve"), "approve")
	s.expectEnd(all[len(all)-1], "success", "")
}

func (s *slackHarness) modal(user string) slack.View {
	s.t.Helper()
	ctx, cancel := s.waitContext()
	defer cancel()
	v, err := s.slack.WaitView(ctx, func(v slack.View) bool {
		return v.User == user && v.Type == "modal" && v.CallbackID == "seraph_confirm"
	})
	if err != nil {
		s.t.Fatalf("modal of %s: %v", user, err)
	}
	return v
}

// TestSlack_Hold checks that a job that CircleCI holds is approved by a button, and by nobody else but whom the route
// names.
func TestSlack_Hold(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.slash("U0ALICE", deploysRoom, "api to staging scenario=hold-forever")
	card := s.card("held", "approve-hold")
	s.click("U0ALICE", card, "approve-hold")
	s.told("U0ALICE", "That was not done: ")
	s.click("U0BOB", card, "approve-hold")
	s.told("U0BOB", "bob approved the job that CircleCI held for #")
	s.card("succeeded", "")
	s.wantRefusal("U0ALICE", "approve-hold", "not_allowed")
}

// TestSlack_Lock checks that the owner of a lock is told who waits for it, and that the one who waits is told so.
func TestSlack_Lock(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	s.slash("U0ALICE", deploysRoom, "lock api in staging because of a migration")
	s.waitMessage("that it is locked", func(m slack.Message) bool {
		return m.Channel == deploysRoom && m.OnlyFor == "" && strings.Contains(m.Words(), "acme/api in staging is locked by alice")
	})
	s.slash("U0BOB", deploysRoom, "api to staging scenario=success")
	card := s.card("waits for a lock", "ask-for-lock")
	s.click("U0BOB", card, "ask-for-lock")
	s.told("U0BOB", "alice is told that #")
	direct := s.slack.Direct("U0ALICE")
	s.waitMessage("to alice", func(m slack.Message) bool {
		return m.Channel == direct && strings.Contains(m.Words(), "asks you to release your lock on acme/api in staging")
	})
	s.slash("U0ALICE", deploysRoom, "unlock api in staging")
	s.card("succeeded", "")
}

// TestSlack_Direct checks that a direct message is answered in place, and that the home tab shows what its owner asked
// for.
func TestSlack_Direct(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	direct := s.slack.Direct("U0ALICE")
	if _, _, err := s.slack.Say("U0ALICE", direct, "deploy api to staging scenario=success", ""); err != nil {
		t.Fatal(err)
	}
	s.waitMessage("in the direct messages", func(m slack.Message) bool {
		return m.Channel == direct && m.BotID != "" && strings.Contains(m.Words(), "deploys acme/api@main at")
	})
	s.card("succeeded", "")

	if _, err := s.slack.HomeOpened("U0ALICE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := s.waitContext()
	defer cancel()
	_, err := s.slack.WaitView(ctx, func(v slack.View) bool {
		return v.Type == "home" && v.User == "U0ALICE" && strings.Contains(v.Words(), "Deployments of alice") &&
			strings.Contains(v.Words(), "staging: succeeded")
	})
	if err != nil {
		view, _ := s.slack.Home("U0ALICE")
		t.Errorf("got %q, want what alice asked for: %v", view.Words(), err)
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
	s.told("U0GUEST", "Guests of this workspace may not")
	if err := s.slack.NextNamed("response_url", "server-error", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.slack.NextNamed("views.open", "internal-error", 1); err != nil {
		t.Fatal(err)
	}
	s.click("U0BOB", card, "why")
	s.told("U0BOB", "waits for 1 approval")
	s.click("U0BOB", card, "approve")
	ended := s.card("succeeded", "")
	if _, ok := ended.Button("seraph_rollback"); ok {
		s.click("U0BOB", ended, "rollback")
		s.told("U0BOB", "did not let Seraph ask you to confirm in time")
	}
	_, audit := s.refusals()
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

// TestSlack_ClickIsFast checks that a card shows what a button did within 300 ms.
func TestSlack_ClickIsFast(t *testing.T) {
	t.Parallel()
	s := newSlack(t)
	var took []time.Duration
	for range 5 {
		s.slash("U0ALICE", deploysRoom, "api to production scenario=success")
		card := s.card("waits for approval", "cancel")
		time.Sleep(3 * time.Second) // cards are edited at most every 3 s
		began := time.Now()
		s.click("U0ALICE", card, "cancel")
		ctx, cancel := context.WithTimeout(t.Context(), maxWait)
		err := s.slack.Wait(ctx, func() bool {
			m, _ := s.slack.Message(card.Channel, card.TS)
			return strings.Contains(m.Words(), "canceled")
		})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("click to changed card: %v", took)
	if p50 := took[len(took)/2]; p50 > 300*time.Millisecond && !raceEnabled {
		t.Errorf("got %s in the middle of %v, want at most 300 ms", p50, took)
	}
}
