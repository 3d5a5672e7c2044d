package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

const (
	hubotToken = "a-token-of-hubot-that-speaks-for-slack"
	room       = "C0DEPLOYS1"
)

// chatRoutes are routes that people can name, of whom Slack knows alice, bob and carol.
func chatRoutes(h *harness) string {
	people := ""
	for _, login := range []string{"alice", "bob", "carol"} {
		people += fmt.Sprintf("\n  - {id: %d, login: %s, slack: U0%s}", h.writer("acme/api", login), login, strings.ToUpper(login))
	}

	return `
slack: {workspace: T0ACME001}
people:` + people + `
routes:
  - repository: acme/api
    environment: production
    circleci: {branch: main}
    ask: [` + room + `]
    allow: {users: [alice, bob, carol]}
    approvals: {count: 1, users: [bob, carol]}` + chatParameters + `
  - repository: acme/api
    environment: staging
    circleci: {branch: main}
    holds: {approve: {users: [bob]}}
    allow: {users: [alice, bob]}` + chatParameters
}

const chatParameters = `
    parameters:
      seraph_key: "{{ .Key }}"
      deployment_id: {value: "{{ .ID }}", type: integer}
      deploy_sha: "{{ .SHA }}"
      sim_scenario: "{{ .Payload.scenario }}"
`

// chat is a harness with chatRoutes, whose room somebody speaks in.
type chat struct {
	*harness
	messages int
}

func newChat(t *testing.T) *chat {
	t.Helper()
	tokens := "e2e:read:" + apiToken + ",hubot:behalf=hubot-slack/T0ACME001:" + hubotToken
	h := newHarness(t, setup{env: map[string]string{"API_TOKENS": tokens}})
	h.gh.AddRepository("acme/api")
	h.env["ROUTES"] = chatRoutes(h)
	return &chat{harness: h.start()}
}

// chatAnswer is what a line is answered with.
type chatAnswer struct {
	Text       string `json:"text"`
	Deployment *struct {
		ID    int64  `json:"id"`
		State string `json:"state"`
	} `json:"deployment"`
}

// post sends a line as the message of somebody in Slack.
func (c *chat) post(login, place, request, text string) (int, []byte) {
	c.t.Helper()
	body := fmt.Sprintf(`{"person":{"face":"hubot-slack","workspace":"T0ACME001","user":"U0%s"},"text":%q,"place":%q,"request":%q}`,
		strings.ToUpper(login), text, place, request)
	header := http.Header{"Authorization": {"Bearer " + hubotToken}}
	return c.send(http.MethodPost, "/api/v1/commands", []byte(body), header)
}

// say sends a line and checks the answer, whose parts must come in this order.
func (c *chat) say(login, text string, about ...string) chatAnswer {
	c.t.Helper()
	c.messages++
	return c.sayAgain(login, fmt.Sprint("message ", c.messages), text, about...)
}

func (c *chat) sayAgain(login, request, text string, about ...string) chatAnswer {
	c.t.Helper()
	code, body := c.post(login, room, request, text)
	if code != http.StatusOK {
		c.t.Fatalf("%s: %s: got %d %s, want 200", login, text, code, body)
	}

	var a chatAnswer
	decode(c.t, body, &a)
	rest := a.Text
	for _, part := range about {
		_, after, found := strings.Cut(rest, part)
		if !found {
			c.t.Errorf("%s: %s: got %q, want %q in it", login, text, a.Text, part)
		}
		rest = after
	}
	return a
}

// TestChat_Deploys checks that a line of text becomes a deployment, once, as the person's who typed it, and
// that the same message gets the same answer, also after a restart.
func TestChat_Deploys(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	const line = "deploy api scenario=success because of the release"
	first := c.sayAgain("alice", "message A", line,
		"#", "deploys acme/api@main at", "to staging.", `"why #`)
	if first.Deployment == nil {
		t.Fatalf("got %+v, want a deployment", first)
	}

	d := c.created(first.Deployment.ID)
	if d.Description != "alice via hubot-slack: of the release" || d.Environment != "staging" {
		t.Errorf("got %q to %s at GitHub, want what alice asked for, to staging", d.Description, d.Environment)
	}
	c.expectEnd(d, "success", "")
	c.say("bob", fmt.Sprintf("why #%d", d.ID), "acme/api@main at", "asked for by alice) succeeded after")
	c.say("alice", "status api in staging", "api in staging: main at", fmt.Sprintf("as #%d for alice", d.ID))
	c.say("alice", "deploys api", "asked for by alice) succeeded after")

	again := c.sayAgain("alice", "message A", line)
	c.kill()
	c.start()
	restarted := c.sayAgain("alice", "message A", line)
	if again.Text != first.Text || restarted.Text != first.Text || restarted.Deployment.State != "succeeded" {
		t.Errorf("got %q, and %+v after a restart, want %q and that it succeeded", again.Text, restarted, first.Text)
	}
	if n := len(c.gh.Deployments()); n != 1 {
		t.Errorf("got %d deployments at GitHub, want 1", n)
	}

	code, body := c.post("alice", room, "message A", "deploy api to production")
	if code != http.StatusConflict || !bytes.Contains(body, []byte("request_reused")) {
		t.Errorf("another line with the same id: got %d %s, want 409 request_reused", code, body)
	}
	code, body = c.post("bob", room, "message A", line)
	if code != http.StatusConflict {
		t.Errorf("the same line of somebody else: got %d %s, want 409", code, body)
	}
}

// TestChat_Rules checks that the rules hold for what people type, and that the answers say who can help.
func TestChat_Rules(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	c.say("carol", "deploy api to staging", "acme/api@main to staging is not deployed: carol is not allowed",
		"Those who may: alice, bob.", "Nothing was made at GitHub.")
	c.say("alice", "deploy api@nope to staging", "That was not done: acme/api has", "nope")
	c.say("alice", "deploy api to prod", `Did you mean "deploy api to production"?`)
	c.say("alice", "don't deploy api to production", "Nothing was done")
	if n := len(c.gh.Deployments()); n != 0 {
		t.Fatalf("got %d deployments at GitHub, want none", n)
	}

	for _, place := range []string{"C0RANDOM", ""} {
		code, body := c.post("alice", place, "from "+place+".", "deploy api to production")
		if code != http.StatusOK || !bytes.Contains(body, []byte("may not be deployed to production from this room")) {
			t.Errorf("in the room %q: got %d %s, want that it is the wrong room", place, code, body)
		}
	}
	if code, body := c.post("mallory", room, "m", "deploy api to staging"); code != http.StatusForbidden ||
		!bytes.Contains(body, []byte("not_linked")) {
		t.Errorf("a stranger: got %d %s, want 403 not_linked", code, body)
	}

	asked := c.say("alice", "deploy api to production scenario=success", "It waits for 1 approval from bob, carol",
		`one of bob, carol says "approve #`)
	id := asked.Deployment.ID
	c.say("alice", fmt.Sprintf("why #%d", id), "- approvals: it waits for 1 approval")
	c.say("alice", fmt.Sprintf("approve #%d", id), "That was not done: ", fmt.Sprintf(`"why #%d"`, id))
	c.say("bob", fmt.Sprintf("approve #%d looks good", id), "bob approved #", "It starts as soon as it is its turn.")
	c.expectEnd(c.created(id), "success", "")
	c.say("bob", fmt.Sprintf("cancel #%d", id), "That was not done: ", "too late")
}

// TestChat_Locks checks that people lock and unlock by text.
func TestChat_Locks(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	c.say("alice", "lock api in staging for 2 hours because of a migration",
		"acme/api in staging is locked by alice for 2 h", ": of a migration.", `"unlock api in staging"`)
	c.say("bob", "locks", "acme/api in staging is locked by alice")
	c.say("bob", "status", "api in staging: Seraph knows of no deployment there. Locked by alice")
	waiting := c.say("bob", "deploy api to staging scenario=success", "It waits for alice's lock",
		"The lock can be released by alice")
	c.say("bob", "unlock api in staging", "That was not done: the lock belongs to alice")
	c.say("alice", "unlock api in staging", "acme/api in staging is no longer locked. 1 deployment that waited goes on.")
	c.expectEnd(c.created(waiting.Deployment.ID), "success", "")
	c.say("alice", "unlock api in staging", "api in staging is not locked.")

	held := c.say("alice", "lock api in staging because of tests")
	second := c.say("bob", "deploy api to staging", "It waits for alice's lock")
	c.say("bob", fmt.Sprintf("cancel #%d because of a mistake", second.Deployment.ID), "was canceled by bob")
	if held.Deployment != nil {
		t.Errorf("got the deployment %+v with a lock, want none", held.Deployment)
	}
	c.expectEnd(c.created(second.Deployment.ID), "error", "Canceled")
}

// TestChat_Rollback checks that a line takes an environment back to what ran there before.
func TestChat_Rollback(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	c.say("alice", "rollback api in staging", "That was not done: ")
	c.gh.Push("acme/api", "old", "")
	for _, ref := range []string{"old", "main"} {
		asked := c.say("alice", "deploy api@"+ref+" to staging scenario=success")
		c.expectEnd(c.created(asked.Deployment.ID), "success", "")
	}

	c.say("carol", "rollback api in staging", "an earlier commit of acme/api to staging is not deployed: carol is not allowed")
	back := c.say("alice", "rollback api in staging because of errors", "rolls staging back to acme/api@old at")
	d := c.created(back.Deployment.ID)
	c.expectEnd(d, "success", "")
	if d.Ref != github.Commit("acme/api", "old") {
		t.Errorf("got %s at GitHub, want the commit of old", d.Ref)
	}
	c.say("bob", "rollback api in staging to #1", "That was not done: ")
}

// TestChat_Holds checks that people approve, by text, a job that CircleCI holds, if the route says that they may.
func TestChat_Holds(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	asked := c.say("alice", "deploy api to staging scenario=hold-forever")
	id := asked.Deployment.ID
	c.waitStatus(c.created(id), "pending")
	c.say("alice", fmt.Sprintf("why #%d", id), "waits for the approval of a job in CircleCI",
		fmt.Sprintf(`"approve-hold #%d" approves the job`, id))
	c.say("alice", fmt.Sprintf("approve-hold #%d", id), "That was not done: ", "alice")
	c.say("bob", fmt.Sprintf("approve-hold #%d", id), "bob approved the job that CircleCI held for #")
	c.expectEnd(c.created(id), "success", "")
}

// TestChat_Talk checks what changes nothing, and that a token which somebody types is answered with a
// warning and kept nowhere.
func TestChat_Talk(t *testing.T) {
	t.Parallel()
	onlySQLite(t)
	c := newChat(t)
	c.say("alice", "whoami", "For Seraph you are alice at GitHub")
	c.say("alice", "where can I deploy api?", "production and staging", `"deploy api to staging"`)
	c.say("alice", "help lock", "lock APP in ENV [for 2h] because REASON")
	c.say("alice", "link", "You need no link: the routes file says that you are alice at GitHub")
	c.say("alice", "why #1", "That was not done: no deployment has this id")

	const typed = "ghp_ThisIsATokenThatNobodyShouldType00"
	c.say("alice", "deploy-token:set:github "+typed, "Seraph takes no tokens through chat", "revoke the token")
	c.stop()
	for _, suffix := range []string{"", "-wal"} {
		if raw, err := os.ReadFile(c.file + suffix); err == nil && bytes.Contains(raw, []byte(typed)) {
			t.Errorf("the database %s holds the token", c.file+suffix)
		}
	}
	if strings.Contains(c.output(), typed) {
		t.Error("the log holds the token")
	}
	c.start()
	if n := len(c.gh.Deployments()); n != 0 {
		t.Errorf("got %d deployments at GitHub, want none", n)
	}
}
