package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// The channels of the simulated workspace.
const (
	deploysRoom = "C0DEPLOYS1"
	sharedRoom  = "C0SHARED01"
	otherTeam   = "T0OTHER001"
)

// roomRoutes are routes whose deployments are shown in a channel. alice, bob and carol are known in Slack; dave is
// somebody at GitHub whom nobody has linked.
func roomRoutes(h *harness) string {
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
		// Slack gives 3 s. A busy machine may take longer, and what is tested here is not how fast it is.
		AckTimeout:  maxWait,
		TriggerLife: maxWait,
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
	h.env["ROUTES"] = roomRoutes(h)
	h.env["SLACK_BOT_TOKEN"] = slack.DefaultToken
	h.env["SLACK_SIGNING_SECRET"] = slack.DefaultSigningSecret
	h.env["SLACK_API_URL"] = s.slack.URL()
	s.start()
	t.Cleanup(s.waitEnds)
	return s
}

// waitEnds waits until GitHub shows the end of each deployment, which a card may show before.
func (s *slackHarness) waitEnds() {
	for _, d := range s.gh.Deployments() {
		if !s.t.Failed() && !s.unchecked[d.ID] {
			s.waitStatus(d, "success", "failure", "error")
		}
	}
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

// confirm presses a button of a card in production, and types the name that it asks for.
func (s *slackHarness) confirm(user string, m slack.Message, verb string) {
	s.t.Helper()
	s.click(user, m, verb)
	s.submit(user)
}

// submit types production into the modal that somebody sees.
func (s *slackHarness) submit(user string) {
	s.t.Helper()
	d, err := s.slack.Submit(s.modal(user).ID, map[string]string{"seraph_word": "production"})
	if err != nil || !d.Closed {
		s.t.Fatalf("%s types production: got %+v, %v, want the modal closed", user, d, err)
	}
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

// reads waits until somebody reads something that nobody else does.
func (s *slackHarness) reads(user string, parts ...string) slack.Message {
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

// only returns the one deployment at GitHub to an environment.
func (s *slackHarness) deploymentsTo(environment string) (list []github.Deployment) {
	for _, d := range s.gh.Deployments() {
		if d.Environment == environment {
			list = append(list, d)
		}
	}
	return list
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
