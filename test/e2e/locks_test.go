package e2e

import (
	"fmt"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// createTask creates a deployment with a task, which locks or unlocks production.
func (h *harness) createTask(login, repository, task, reason string) github.Deployment {
	h.t.Helper()
	return h.create(repository, github.NewDeployment{
		Environment: "production",
		Task:        task,
		Creator:     login,
		Description: reason,
	})
}

// TestLocks_Tasks checks the tasks that Heaven has too: they lock and unlock and end as success; locked
// out deployments wait, and continue by themselves in order.
func TestLocks_Tasks(t *testing.T) {
	t.Parallel()
	h := newHarnessWithRules(t)
	before := h.deployAs("alice", "acme/api", "success")
	h.expectEnd(before, "success", "")
	lock := h.createTask("alice", "acme/api", "deploy:lock", "the database is being moved")
	h.expectEnd(lock, "success", "Locked production for alice")
	statuses := h.gh.Statuses(before.Repository, before.ID)
	if got := statuses[len(statuses)-1].State; got != "success" {
		t.Errorf("deployment before the lock: got state %s, want success: %+v", got, statuses)
	}

	first, second := h.deployAs("bob", "acme/api", "success"), h.deployAs("bob", "acme/api", "success")
	h.expectWaiting(first, "alice", "the database is being moved")
	h.expectEnd(h.deployAs("alice", "acme/web", "success"), "success", "") // another repository
	h.expectEnd(h.createTask("bob", "acme/api", "deploy:lock", "mine"), "error", "acme/api production is locked by alice")
	h.expectEnd(h.createTask("alice", "acme/api", "deploy:unlock", ""), "success", "Unlocked production")
	h.expectEnd(first, "success", "")
	h.expectEnd(second, "success", "")
	h.expectRanInOrder([]github.Deployment{first, second})
	if got := len(h.ci.Triggers()); got != 4 { // a lock starts no pipeline
		t.Errorf("triggers: got %d, want 4", got)
	}

	h.expectEnd(h.createTask("alice", "acme/heaven", "deploy:lock", "hands off"), "success", "")
	h.expectEnd(h.deployAs("bob", "acme/heaven", "success"), "error", "locked")
	h.expectEnd(h.deployAs("alice", "acme/heaven", "success"), "success", "") // the owner of the lock
}

// TestLocks_NeedPermission checks that who may not deploy may not lock either, by a task or by the API and
// whatever the task of the route.
func TestLocks_NeedPermission(t *testing.T) {
	t.Parallel()
	h := newHarnessWithRules(t)
	const refusal = "mallory is not allowed to deploy"
	mallory := h.gh.AddUser("mallory")
	for _, repository := range []string{"acme/allow", "acme/migrate"} {
		h.expectEnd(h.createTask("mallory", repository, "deploy:lock", ""), "error", refusal)

		body := fmt.Sprintf(
			`{"actor":{"id":%d,"login":"mallory"},"repository":%q,"environment":"production","reason":"mine"}`,
			mallory, repository)
		h.expectAPI("POST", "/locks", chatToken, body, 403, refusal)
	}
}

// lockPath returns the path of a lock in the API.
func lockPath(t *testing.T, text string) string {
	t.Helper()
	var lock struct {
		ID int64 `json:"id"`
	}
	decode(t, []byte(text), &lock)
	return fmt.Sprintf("/locks/%d", lock.ID)
}

// TestLocks_API creates, extends, hands over, takes over and expires locks through the API.
func TestLocks_API(t *testing.T) {
	t.Parallel()
	h := newHarnessWithRules(t)
	alice, bob := h.gh.AddUser("alice"), h.gh.AddUser("bob")
	lock := func(login string, id int64, more string) string {
		return fmt.Sprintf(
			`{"actor":{"id":%d,"login":%q},"repository":"acme/api","environment":"production","reason":"testing"%s}`,
			id, login, more)
	}
	extend := func(login string, id int64) string {
		return fmt.Sprintf(`{"actor":{"id":%d,"login":%q},"expires_in":"2h"}`, id, login)
	}

	text := h.expectAPI("POST", "/locks", chatToken, lock("alice", alice, `,"expires_in":"1h"`), 201, `"owner":{"id":`)
	path := lockPath(t, text)
	h.expectAPI("POST", "/locks", chatToken, lock("bob", bob, ""), 409, "acme/api production is locked by alice: testing")
	d := h.deployAs("bob", "acme/api", "success")
	h.expectWaiting(d, "alice", "testing")
	h.expectAPI("GET", path, apiToken, "", 200, fmt.Sprintf(`"waiting":[{"id":%d,`, d.ID))

	h.expectAPI("POST", path+"/extend", chatToken, extend("bob", bob), 403, "not_the_owner")
	h.expectAPI("POST", path+"/extend", chatToken, extend("alice", alice), 200, `"expires_at":"`)

	handOver := fmt.Sprintf(`{"actor":{"id":%d,"login":"alice"},"to":{"id":%d,"login":"carol"}}`,
		alice, h.gh.AddUser("carol"))
	text = h.expectAPI("POST", path+"/hand-over", chatToken, handOver, 200, `"login":"carol"`)
	h.expectAPI("DELETE", path, chatToken, h.actorBody("alice"), 404, "no open lock") // carol's has a new id
	h.expectAPI("DELETE", lockPath(t, text), chatToken, h.actorBody("alice"), 403, "carol")

	h.expectAPI("POST", "/locks", chatToken, lock("bob", bob, `,"steal":true`), 201, `"login":"bob"`)
	h.expectAPI("GET", "/notices", apiToken, "", 200, "bob took your lock on acme/api production: testing")
	h.expectEnd(d, "success", "") // the owner of a lock may deploy
	h.expectAPI("GET", "/locks", apiToken, "", 200, `"login":"bob"`)
	h.expectAPI("GET", path, apiToken, "", 404, "no open lock")

	const global = `{"reason":"stop the line"}`
	h.expectAPI("POST", "/locks", managerToken, global, 403, "admin")
	text = h.expectAPI("POST", "/locks", adminToken, global, 201, `"environment":""`)
	stopped := h.deployAs("carol", "acme/web", "success")
	h.expectWaiting(stopped, "stop the line")
	h.expectAPI("POST", lockPath(t, text)+"/extend", adminToken, `{"expires_in":"1s"}`, 200, `"expires_at":"`)
	h.expectEnd(stopped, "success", "") // the lock expires by itself
}
