package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// newTrustWorld has one route with rules, and one without for everything else. It is not started.
func newTrustWorld(t *testing.T, rules string) *world {
	t.Helper()
	const route = "\n  - repository: %s\n    circleci: {revision: note}\n    %s%s"
	w := newWorld(t, setup{
		routes: "routes:" +
			fmt.Sprintf(route, "acme/api", rules, strings.TrimRight(parameters, "\n")) +
			fmt.Sprintf(route, "acme/*", "timeout: 1h", parameters),
		env: map[string]string{
			"API_TOKENS": "e2e:read:" + apiToken + ",face:behalf:" + behalfToken + ",root:admin:" + adminToken,
		},
	})
	w.gh.AddRepository("acme/api")
	return w
}

// Rules cannot be avoided by what the requester writes into a deployment.
func TestTrust_RulesCannotBeAvoided(t *testing.T) {
	w := newTrustWorld(t, "environment: production\n    task: deploy\n    allow: {users: [alice]}")
	w.start()

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
			w := w.in(t)
			c.made.Creator, c.made.Payload = "mallory", payload("success")
			w.ends(w.create("acme/api", c.made), "error", c.want)
		})
	}

	w.ends(w.create("acme/api", github.NewDeployment{
		Environment: "staging",
		Creator:     "mallory",
		Payload:     payload("success"),
	}), "success", "")
}

func TestTrust_RouteThatMatchesNothingIsAnError(t *testing.T) {
	w := newTrustWorld(t, "environment: |\n      production\n    allow: {users: [alice]}")

	code, stdout, stderr := command(t, w.env, "check", "--offline")
	if code != 2 || !strings.Contains(stdout+stderr, "begins or ends with white space") {
		t.Errorf("got code %d, %s%s, want 2 and the reason", code, stdout, stderr)
	}
}

// An approval counts no more when its giver has left.
func TestTrust_ApproverLeft(t *testing.T) {
	w := newTrustWorld(t, "approvals: {count: 1, teams: [acme/leads]}")
	w.gh.SetTeamMember("acme", "leads", "dave", "active")
	w.gh.SetTeamMember("acme", "leads", "erin", "active")
	w.start()

	lock := w.does("POST", "/locks", adminToken, `{"reason":"hold"}`, 201, "")
	d := w.as("alice", "acme/api", "success")
	w.waits(d, "hold")

	approve := fmt.Sprintf("/deployments/%d/approve", d.ID)
	w.does("POST", approve, behalfToken, w.actor("dave"), 200, "")
	w.gh.SetTeamMember("acme", "leads", "dave", "")
	w.gh.RemoveUser("dave")
	w.stop()
	w.start() // what GitHub said before is kept for a minute

	w.does("DELETE", lockPath(t, lock), adminToken, "", 204, "")
	explain := fmt.Sprintf("/deployments/%d/explain", d.ID)
	w.does("GET", explain, apiToken, "", 200, "dave's GitHub account, which could not be read")
	w.does("POST", approve, behalfToken, w.actor("erin"), 200, "")
	w.ends(d, "success", "")
}

// Whoever asked a bot cannot approve what it deploys alone.
func TestTrust_AskerOfABotApproves(t *testing.T) {
	w := newTrustWorld(t, "apps: [my-hubot]\n    approvals: {count: 1, users: [alice, bob]}")
	w.start()

	d := w.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     json.RawMessage(`{"story":"success","actor":"alice"}`),
		Creator:     "my-hubot[bot]",
		App:         "my-hubot",
	})
	w.waits(d, "2 approvals")

	approve := fmt.Sprintf("/deployments/%d/approve", d.ID)
	w.does("POST", approve, behalfToken, w.actor("alice"), 200, `"decision":"wait"`)
	w.does("POST", approve, behalfToken, w.actor("bob"), 200, `"decision":"allow"`)
	w.ends(d, "success", "")
}

// Whoever makes a team of a name that is free again does not get the rights of the former one.
func TestTrust_NameOfAFormerTeam(t *testing.T) {
	w := newTrustWorld(t, "allow: {teams: [acme/sre]}")
	w.gh.SetTeamMember("acme", "sre", "alice", "active")
	w.start()
	w.ends(w.as("alice", "acme/api", "success"), "success", "")

	w.gh.RenameTeam("acme", "sre", "platform")
	w.gh.SetTeamMember("acme", "sre", "mallory", "active")
	w.stop()
	w.start()

	d := w.as("mallory", "acme/api", "success")
	w.waits(d, "mallory's membership in acme/sre")
	w.does("POST", fmt.Sprintf("/deployments/%d/cancel", d.ID), adminToken, `{}`, 202, "")
	w.ends(d, "error", "Canceled")
}

// A repository keeps its rules under another name.
func TestTrust_RenamedRepository(t *testing.T) {
	w := newTrustWorld(t, "allow: {users: [alice]}")
	w.start()
	w.ends(w.as("mallory", "acme/api", "success"), "error", "mallory is not allowed")

	w.gh.Rename("acme/api", "acme/api2", true)
	w.ends(w.as("mallory", "acme/api2", "success"), "error", "acme/api2 was acme/api, whose route has rules")
}
