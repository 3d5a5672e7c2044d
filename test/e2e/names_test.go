package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// newHarnessWithRule has one route with rules, and one without for everything else. It is not started.
func newHarnessWithRule(t *testing.T, rules string) *harness {
	t.Helper()
	const route = "\n  - repository: %s\n    circleci: {revision: note}\n    %s%s"
	h := newHarness(t, setup{
		routes: "routes:" +
			fmt.Sprintf(route, "acme/api", rules, strings.TrimRight(parameters, "\n")) +
			fmt.Sprintf(route, "acme/*", "timeout: 1h", parameters),
		env: map[string]string{
			"API_TOKENS": "e2e:read:" + apiToken + ",chat:behalf:" + chatToken + ",root:admin:" + adminToken,
		},
	})
	h.gh.AddRepository("acme/api")
	return h
}

// Rules cannot be avoided by what the requester writes into a deployment.
func TestNames_RulesCannotBeAvoided(t *testing.T) {
	h := newHarnessWithRule(t, "environment: production\n    task: deploy\n    allow: {users: [alice]}")
	h.start()

	for name, c := range map[string]struct {
		made github.NewDeployment
		want string
	}{
		"the route with rules": {
			made: github.NewDeployment{Environment: "production"},
			want: "mallory is not allowed to deploy to production",
		},
		"another task": {
			made: github.NewDeployment{Environment: "production", Task: "deploy:x"},
			want: `task "deploy:x" avoids the rules of line 2`,
		},
		"a space": {
			made: github.NewDeployment{Environment: "production "},
			want: "looks like production",
		},
		"a zero width space": {
			made: github.NewDeployment{Environment: "production\u200b"},
			want: "looks like production",
		},
		"a look-alike": {
			made: github.NewDeployment{Environment: "pr\u043eduction"},
			want: "looks like production",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := h.withT(t)
			c.made.Creator, c.made.Payload = "mallory", payload("success")
			h.expectEnd(h.create("acme/api", c.made), "error", c.want)
		})
	}

	h.expectEnd(h.create("acme/api", github.NewDeployment{
		Environment: "staging",
		Creator:     "mallory",
		Payload:     payload("success"),
	}), "success", "")
}

func TestNames_RouteThatMatchesNothingIsAnError(t *testing.T) {
	h := newHarnessWithRule(t, "environment: |\n      production\n    allow: {users: [alice]}")

	code, stdout, stderr := command(t, h.env, "check", "--offline")
	if code != 2 || !strings.Contains(stdout+stderr, "begins or ends with white space") {
		t.Errorf("got code %d, %s%s, want 2 and the reason", code, stdout, stderr)
	}
}

// An approval counts no more when its giver has left.
func TestNames_ApproverLeft(t *testing.T) {
	h := newHarnessWithRule(t, "approvals: {count: 1, teams: [acme/leads]}")
	h.gh.SetTeamMember("acme", "leads", "dave", "active")
	h.gh.SetTeamMember("acme", "leads", "erin", "active")
	h.start()

	lock := h.expectAPI("POST", "/locks", adminToken, `{"reason":"hold"}`, 201, "")
	d := h.deployAs("alice", "acme/api", "success")
	h.expectWaiting(d, "hold")

	approve := fmt.Sprintf("/deployments/%d/approve", d.ID)
	h.expectAPI("POST", approve, chatToken, h.actorBody("dave"), 200, "")
	h.gh.SetTeamMember("acme", "leads", "dave", "")
	h.gh.RemoveUser("dave")
	h.stop()
	h.start() // what GitHub said before is kept for a minute

	h.expectAPI("DELETE", lockPath(t, lock), adminToken, "", 204, "")
	explain := fmt.Sprintf("/deployments/%d/explain", d.ID)
	h.expectAPI("GET", explain, apiToken, "", 200, "dave's GitHub account, which could not be read")
	h.expectAPI("POST", approve, chatToken, h.actorBody("erin"), 200, "")
	h.expectEnd(d, "success", "")
}

// Whoever asked a bot cannot approve what it deploys alone.
func TestNames_AskerOfABotApproves(t *testing.T) {
	h := newHarnessWithRule(t, "apps: [my-hubot]\n    approvals: {count: 1, users: [alice, bob]}")
	h.start()

	d := h.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     json.RawMessage(`{"scenario":"success","actor":"alice"}`),
		Creator:     "my-hubot[bot]",
		App:         "my-hubot",
	})
	h.expectWaiting(d, "2 approvals")

	approve := fmt.Sprintf("/deployments/%d/approve", d.ID)
	h.expectAPI("POST", approve, chatToken, h.actorBody("alice"), 200, `"decision":"wait"`)
	h.expectAPI("POST", approve, chatToken, h.actorBody("bob"), 200, `"decision":"allow"`)
	h.expectEnd(d, "success", "")
}

// Whoever makes a team of a name that is free again does not get the rights of the former one.
func TestNames_NameOfAFormerTeam(t *testing.T) {
	h := newHarnessWithRule(t, "allow: {teams: [acme/sre]}")
	h.gh.SetTeamMember("acme", "sre", "alice", "active")
	h.start()
	h.expectEnd(h.deployAs("alice", "acme/api", "success"), "success", "")

	h.gh.RenameTeam("acme", "sre", "platform")
	h.gh.SetTeamMember("acme", "sre", "mallory", "active")
	h.stop()
	h.start()

	d := h.deployAs("mallory", "acme/api", "success")
	h.expectWaiting(d, "mallory's membership in acme/sre")
	h.expectAPI("POST", fmt.Sprintf("/deployments/%d/cancel", d.ID), adminToken, `{}`, 202, "")
	h.expectEnd(d, "error", "Canceled")
}

// Whoever takes a login that is free again does not get the rights of the former one.
func TestNames_LoginOfAFormerPerson(t *testing.T) {
	h := newHarnessWithRule(t, "allow: {users: [erin]}")
	h.gh.AddUser("erin")
	h.start()
	h.expectEnd(h.deployAs("erin", "acme/api", "success"), "success", "")

	h.gh.RenameUser("erin", "eve")
	d := h.deployAs("erin", "acme/api", "success")
	h.expectWaiting(d, "erin is another user than before")
	h.expectAPI("POST", fmt.Sprintf("/deployments/%d/cancel", d.ID), adminToken, `{}`, 202, "")
	h.expectEnd(d, "error", "Canceled")
}

// A repository keeps its rules under another name.
func TestNames_RenamedRepository(t *testing.T) {
	h := newHarnessWithRule(t, "allow: {users: [alice]}")
	h.start()
	h.expectEnd(h.deployAs("mallory", "acme/api", "success"), "error", "mallory is not allowed")

	h.gh.Rename("acme/api", "acme/api2", true)
	h.expectEnd(h.deployAs("mallory", "acme/api2", "success"), "error", "acme/api2 was acme/api, whose route has rules")
}
