package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

const (
	chatToken    = "a-token-of-a-chat-that-knows-people"
	managerToken = "a-token-of-a-manager-that-may-deploy"
	adminToken   = "a-token-of-an-admin-of-this-service"
)

// ruleRoutes returns routes with a repository for each rule.
func ruleRoutes() string {
	now := time.Now()
	freeze := fmt.Sprintf("freeze: [{from: %q, to: %q, message: holidays, mode: reject}]",
		now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339))
	rules := map[string]string{
		"allow":    "allow: {users: [alice, erin], teams: [acme/sre], permission: write}",
		"bots":     "allow: {apps: [my-hubot]}\n    apps: [my-hubot, other-bot]",
		"refs":     "refs: [main, 'release/*']",
		"ahead":    "require_ahead: true",
		"checks":   "checks: {require: [build], wait: 1h}",
		"required": "checks: required",
		"all":      "checks: {require: all, ignore: ['codecov/*']}",
		"after":    "after: [staging]",
		"replace":  "concurrency: replace",
		"cancel":   "concurrency: cancel",
		"reject":   "concurrency: reject",
		"shut":     freeze,
		"approved": "approvals: {count: 1, users: [carol], teams: [acme/leads], tokens: [manager]}",
		"forced":   "checks: {require: [build]}\n    allow: {users: [alice, bob]}\n    force: {users: [alice]}",
		"unforced": "checks: {require: [build]}",
		"heaven":   "locked: reject",
		"maxwait":  "checks: {require: [build]}\n    max_wait: 3s",
		"migrate":  "task: migrate\n    allow: {users: [alice]}",
	}

	var text strings.Builder
	text.WriteString("routes:")
	for name, rule := range rules {
		text.WriteString(fmt.Sprintf("\n  - repository: acme/%s\n    %s\n    circleci: {revision: note}%s",
			name, rule, strings.TrimRight(parameters, "\n")))
	}

	return text.String() + fmt.Sprintf("\n  - repository: acme/*\n    circleci: {revision: note}%s", parameters)
}

// newHarnessWithRules returns a harness with ruleRoutes, with users in different roles and teams, and with
// API tokens of every scope. The program is started.
func newHarnessWithRules(t *testing.T) *harness {
	t.Helper()
	tokens := []string{
		"e2e:read:" + apiToken,
		"chat:behalf:" + chatToken,
		"manager:deploy:" + managerToken,
		"root:admin:" + adminToken,
	}
	h := newHarness(t, setup{
		routes: ruleRoutes(),
		env:    map[string]string{"API_TOKENS": strings.Join(tokens, ",")},
	})

	roles := map[string]string{
		"alice":  "write",
		"bob":    "admin",
		"carol":  "maintain",
		"erin":   "write",
		"reader": "read",
	}
	for _, name := range []string{"allow", "ahead", "forced", "api"} {
		h.gh.AddRepository("acme/" + name)
		for login, role := range roles {
			h.gh.SetRole("acme/"+name, login, role)
		}
	}

	h.gh.SetTeamMember("acme", "sre", "bob", "active")
	h.gh.SetTeamMember("acme", "sre", "reader", "active")
	h.gh.SetTeamMember("acme", "leads", "dave", "active")
	h.gh.SetTeamMember("acme", "leads", "pending-paul", "pending")

	return h.start()
}

// deployAs creates a deployment to production by a user.
func (h *harness) deployAs(login, repository, scenario string) github.Deployment {
	h.t.Helper()
	return h.create(repository, github.NewDeployment{
		Environment: "production",
		Payload:     payload(scenario),
		Creator:     login,
	})
}

// deployRef creates a deployment of a branch or a tag.
func (h *harness) deployRef(ref, repository string) github.Deployment {
	h.t.Helper()
	return h.create(repository, github.NewDeployment{Ref: ref, Payload: payload("success")})
}

// expectWaiting waits until GitHub has a status that says what a deployment waits for.
func (h *harness) expectWaiting(d github.Deployment, about ...string) {
	h.t.Helper()
	s := h.waitStatus(d, "queued")
	for _, part := range append([]string{"Waiting for "}, about...) {
		if !strings.Contains(s.Description, part) {
			h.t.Errorf("status of deployment %d of %s: got %q, want %q in it", d.ID, d.Repository, s.Description, part)
		}
	}
}

// expectAPI sends a request to the API, checks the status and a part of the answer, and returns the answer.
func (h *harness) expectAPI(method, path, token, body string, code int, about string) string {
	h.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + token}}
	got, answer := h.send(method, "/api/v1"+path, []byte(body), header)
	if got != code || !strings.Contains(string(answer), about) {
		h.t.Errorf("%s %s %s: got %d %s, want %d with %q", method, path, body, got, answer, code, about)
	}
	return string(answer)
}

// actorBody returns the body of a request that the chat token makes for a user.
func (h *harness) actorBody(login string) string {
	return fmt.Sprintf(`{"actor":{"id":%d,"login":%q}}`, h.gh.AddUser(login), login)
}
