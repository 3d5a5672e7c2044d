package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// botToken may speak only for people of hubot-slack/T0ACME001.
const botToken = "a-token-of-a-bot-in-the-chat-of-acme"

// personBody is the body of a request for a user of a chat system.
func personBody(face, workspace, user string) string {
	return fmt.Sprintf(`{"person":{"face":%q,"workspace":%q,"user":%q}}`, face, workspace, user)
}

// TestPersons_ApproveThroughABot lets people of a chat approve as whom they are at GitHub, and nobody else.
func TestPersons_ApproveThroughABot(t *testing.T) {
	t.Parallel()
	routes := filepath.Join(t.TempDir(), "routes.yaml")
	h := newHarness(t, setup{env: map[string]string{
		"ROUTES":      "",
		"ROUTES_FILE": routes,
		"API_TOKENS":  "e2e:read:" + apiToken + ",hubot:behalf=hubot-slack/T0ACME001:" + botToken,
	}})
	h.gh.AddRepository("acme/api")

	write := func(people string) {
		text := "slack: {workspace: T0ACME001}\npeople:\n" + people +
			"routes:\n  - repository: acme/api\n    approvals: {count: 1, users: [dave]}\n    circleci: {revision: note}" + parameters
		if err := os.WriteFile(routes, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entry := func(login, slack string) string {
		return fmt.Sprintf("  - {id: %d, login: %s, slack: %s}\n", h.gh.AddUser(login), login, slack)
	}

	write(entry("alice", "U0ALICE01"))
	h.start()
	d := h.create("acme/api", github.NewDeployment{Environment: "staging", Payload: payload("success"), Creator: "alice"})
	h.expectWaiting(d, "dave")

	approve := fmt.Sprintf("/deployments/%d/approve", d.ID)
	dave := personBody("hubot-slack", "T0ACME001", "U0DAVE001")
	h.expectAPI("POST", approve, botToken, dave, 403, `"not_linked"`)
	h.expectAPI("POST", approve, botToken, h.actorBody("dave"), 403, `"forbidden"`)
	h.expectAPI("POST", approve, botToken, personBody("hubot-slack", "T0OTHER", "U0DAVE001"), 403, `"forbidden"`)
	h.expectAPI("POST", approve, botToken, `{}`, 400, `in \"person\"`)
	h.expectAPI("POST", approve, botToken, personBody("hubot-slack", "T0ACME001", "U0ALICE01"), 403,
		"alice requested the deployment, so somebody else must approve it")

	write(entry("alice", "U0ALICE01") + entry("dave", "U0DAVE001"))
	h.signal(syscall.SIGHUP)
	h.waitLog("routes read again")
	h.expectAPI("POST", approve, botToken, dave, 200, `"decision":"allow"`)
	h.expectEnd(d, "success", "")
}

// TestPersons_WhoAskedABotCannotApprove orders a deployment through a bot. It belongs to the person who asked, and
// neither this person nor the bot itself can approve it.
func TestPersons_WhoAskedABotCannotApprove(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.gh.AddRepository("acme/api")
	h.env["API_TOKENS"] = "e2e:read:" + apiToken + ",hubot:behalf=hubot-slack/T0ACME001:" + botToken
	h.env["ROUTES"] = fmt.Sprintf("slack: {workspace: T0ACME001}\npeople:\n"+
		"  - {id: %d, login: alice, slack: U0ALICE01}\n  - {id: %d, login: dave, slack: U0DAVE001}\n"+
		"routes:\n  - repository: acme/api\n    approvals: {count: 1, users: [alice, dave]}\n    circleci: {branch: main}",
		h.writer("acme/api", "alice"), h.writer("acme/api", "dave")) + orderParameters
	h.start()

	alice := `"person":{"face":"hubot-slack","workspace":"T0ACME001","user":"U0ALICE01"}`
	body := "{" + alice + `,"repository":"acme/api","environment":"production","ref":"main"` + scenarioSuccess + "}"
	code, answer := h.ask("/deployments", botToken, "", body)
	if code != http.StatusCreated {
		t.Fatalf("got %d %s, want 201", code, answer)
	}
	var o ordered
	decode(t, answer, &o)
	if got := o.Deployment.Requester; got.ID != h.gh.AddUser("alice") || got.Login != "alice" || got.Token != "hubot" {
		t.Errorf("got requester %+v, want alice by hubot", got)
	}

	d := h.created(o.Deployment.ID)
	h.expectWaiting(d, "dave")
	approve := fmt.Sprintf("/deployments/%d/approve", d.ID)
	h.expectAPI("POST", approve, botToken, "{"+alice+"}", 403, "alice requested the deployment")
	h.expectAPI("POST", approve, botToken, "{}", 400, "")
	h.expectAPI("POST", approve, botToken, personBody("hubot-slack", "T0ACME001", "U0DAVE001"), 200, `"decision":"allow"`)
	h.expectEnd(d, "success", "")
}
