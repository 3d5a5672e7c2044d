package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// rollback asks for a rollback through the chat and returns the answer.
func (h *harness) rollback(login, repository, more string, code int, about string) ordered {
	h.t.Helper()
	body := fmt.Sprintf(`{"actor":{"id":%d,"login":%q},"repository":%q,"environment":"production"%s}`,
		h.writer(repository, login), login, repository, more)
	got, answer := h.ask("/rollbacks", chatToken, "", body)
	if got != code || !strings.Contains(string(answer), about) {
		h.t.Errorf("rollback %s: got %d %s, want %d with %q", body, got, answer, code, about)
	}

	var o ordered
	if code == http.StatusCreated && !h.t.Failed() {
		decode(h.t, answer, &o)
	}
	return o
}

// orderMain has the head of main deployed and waits for its success.
func (h *harness) orderMain(repository, host string) github.Deployment {
	h.t.Helper()
	more := fmt.Sprintf(`,"payload":{"scenario":"success","host":%q}`, host)
	o := h.order("", h.orderBody("alice", repository, more), http.StatusCreated)
	d := h.created(o.Deployment.ID)
	h.expectEnd(d, "success", "")
	return d
}

// deployedSHA returns the commit that the pipeline of a deployment was to deploy.
func (h *harness) deployedSHA(d github.Deployment) string {
	h.t.Helper()
	p := h.waitPipeline(d)
	return fmt.Sprint(p.Parameters["deploy_sha"])
}

// TestRollback checks the rollback: to the success before, with its payload, by whoever asks; and never to
// what was rolled back from.
func TestRollback(t *testing.T) {
	t.Parallel()
	h := startOrders(t, asApp(t))
	const repository = "acme/api"
	first := h.orderMain(repository, "one")
	h.gh.Push(repository, "main", "")
	second := h.orderMain(repository, "two")
	h.gh.Push(repository, "main", "")
	third := h.orderMain(repository, "three")

	h.rollback("bob", repository, fmt.Sprintf(`,"current":%d`, second.ID), http.StatusConflict, `"code":"moved"`)
	o := h.rollback("bob", repository, fmt.Sprintf(`,"current":%d,"reason":"errors"`, third.ID), http.StatusCreated, "")
	back := h.created(o.Deployment.ID)
	h.expectEnd(back, "success", "")
	if back.SHA != second.SHA || !strings.Contains(string(back.Payload), `"host":"two"`) {
		t.Errorf("got %s with payload %s, want %s with that of #%d", back.SHA, back.Payload, second.SHA, second.ID)
	}
	if want := "Roll back to " + second.SHA[:7] + " by bob via chat: errors"; back.Description != want {
		t.Errorf("got description %q, want %q", back.Description, want)
	}
	if o.Deployment.Requester.Login != "bob" || h.deployedSHA(back) != second.SHA {
		t.Errorf("got %s deployed for %s, want %s for bob", h.deployedSHA(back), o.Deployment.Requester.Login, second.SHA)
	}

	// Back again leads further back, and never to what was left.
	again := h.created(h.rollback("bob", repository, "", http.StatusCreated, "").Deployment.ID)
	h.expectEnd(again, "success", "")
	if again.SHA != first.SHA {
		t.Errorf("second rollback: got %s, want %s", again.SHA, first.SHA)
	}
	h.rollback("bob", repository, "", http.StatusConflict, `"code":"no_target"`)

	// What is named is deployed, and what succeeds again is good again.
	named := h.created(h.rollback("bob", repository, `,"to":"`+third.SHA[:10]+`"`, http.StatusCreated, "").Deployment.ID)
	h.expectEnd(named, "success", "")
	if named.SHA != third.SHA {
		t.Errorf("named: got %s, want %s", named.SHA, third.SHA)
	}
	h.rollback("bob", repository, "", http.StatusConflict, `"code":"no_target"`)
	byHand := h.orderBody("alice", repository, `,"ref":"`+first.SHA+`","payload":{"scenario":"success"}`)
	h.expectEnd(h.created(h.order("", byHand, http.StatusCreated).Deployment.ID), "success", "")
	last := h.created(h.rollback("bob", repository, "", http.StatusCreated, third.SHA).Deployment.ID)
	h.expectEnd(last, "success", "")
}

// TestRollback_SupersedesOlder checks that a deployment that waits when somebody rolls back does not undo the
// rollback afterwards, that approvals hold for the rollback as well, and that it ends nothing before it has them.
func TestRollback_SupersedesOlder(t *testing.T) {
	t.Parallel()
	h := startOrders(t, asApp(t))
	const repository = "acme/reviewed"
	approve := func(d github.Deployment) {
		t.Helper()
		h.expectAPI("POST", fmt.Sprintf("/deployments/%d/approve", d.ID), chatToken, h.actorBody("carol"), http.StatusOK, "")
	}
	deploy := func(host string) github.Deployment {
		t.Helper()
		more := fmt.Sprintf(`,"payload":{"scenario":"success","host":%q}`, host)
		return h.created(h.order("", h.orderBody("alice", repository, more), http.StatusCreated).Deployment.ID)
	}

	for _, host := range []string{"one", "two"} {
		d := deploy(host)
		approve(d)
		h.expectEnd(d, "success", "")
		h.gh.Push(repository, "main", "")
	}

	waits := deploy("three")
	back := h.created(h.rollback("bob", repository, "", http.StatusCreated, "").Deployment.ID)
	h.expectWaiting(back, "1 approval")
	h.expectWaiting(waits, "1 approval")
	h.rollback("mallory", repository, "", http.StatusConflict, `"code":"rejected"`)

	approve(back)
	h.expectEnd(waits, "error", fmt.Sprintf("superseded by #%d", back.ID))
	h.expectEnd(back, "success", "")
	if got := len(h.pipelines(waits)); got != 0 {
		t.Errorf("got %d pipelines of what was superseded, want none", got)
	}
}

// TestRollback_RouteBuildsRef checks that a route that builds the requester's ref says why it cannot roll back.
func TestRollback_RouteBuildsRef(t *testing.T) {
	t.Parallel()
	s := orderSetup(asApp(t))
	s.routes = strings.ReplaceAll(orderRoutes, "circleci: {branch: main}", "circleci: {revision: note}")
	h := newHarness(t, s)
	h.addOrderRepositories()
	h.start()
	h.orderMain("acme/api", "one")
	h.gh.Push("acme/api", "main", "")
	h.orderMain("acme/api", "two")
	h.rollback("bob", "acme/api", "", http.StatusUnprocessableEntity, "circleci.branch")
	if got := len(h.gh.Deployments()); got != 2 {
		t.Errorf("got %d deployments at GitHub, want 2", got)
	}
}

// TestRollback_WhileCreating checks that a deployment that GitHub creates while somebody rolls back does not
// run afterwards, whichever of the two GitHub creates first.
func TestRollback_WhileCreating(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		afterEffect bool // GitHub has created it before the rollback
	}{{name: "created later"}, {name: "created before, answer later", afterEffect: true}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := startOrders(t, asApp(t)).withoutRecovery() // which could start it before the rollback
			const repository = "acme/api"
			first := h.orderMain(repository, "one")
			h.gh.Push(repository, "main", "")
			h.orderMain(repository, "two")
			h.gh.Push(repository, "main", "")

			h.gh.Next(github.OpCreateDeployment, github.WebhookLast, 1)
			call := h.ghFaults.block(github.OpCreateDeployment, "three", test.afterEffect)
			late := make(chan ordered, 1)
			body := h.orderBody("alice", repository, `,"payload":{"scenario":"success","host":"three"}`)
			go func() { late <- h.order("", body, http.StatusCreated) }()
			call.wait(t)

			back := h.created(h.rollback("bob", repository, "", http.StatusCreated, "").Deployment.ID)
			close(call.release)
			d := h.created((<-late).Deployment.ID)
			if older := d.ID < back.ID; older != test.afterEffect {
				t.Errorf("got #%d created before #%d: %v, want %v", d.ID, back.ID, older, test.afterEffect)
			}

			// The rollback may have started before the answer to the older one came.
			end := h.expectEnd(d, "error", "superseded by ")
			started := test.afterEffect && end.Description == fmt.Sprintf("superseded by #%d", back.ID)
			if want := "superseded by the rollback that bob asked for"; end.Description != want && !started {
				t.Errorf("got %q, want %q", end.Description, want)
			}
			h.expectEnd(back, "success", "")
			if back.SHA != first.SHA || len(h.pipelines(d)) != 0 {
				t.Errorf("got %s deployed and %d pipelines of what was superseded, want %s and none",
					back.SHA, len(h.pipelines(d)), first.SHA)
			}
		})
	}
}

// TestRollback_Operation checks that an operation, which deploys nothing, is not what is deployed: not for a
// rollback, not for rules, and not at GitHub, where the deployment before it stays active.
func TestRollback_Operation(t *testing.T) {
	t.Parallel()
	s := orderSetup(asApp(t))
	s.routes = `
routes:
  - repository: acme/api
    environment: staging
    task: deploy:restart
    deploys: false
    circleci: {branch: main}` + orderParameters + `
  - repository: acme/api
    environment: production
    after: [staging]
    circleci: {branch: main}` + orderParameters + `
  - repository: acme/api
    circleci: {branch: main}` + orderParameters
	h := newHarness(t, s)
	h.addOrderRepositories()
	h.start()

	order := func(environment, more string) github.Deployment {
		t.Helper()
		more = fmt.Sprintf(`,"environment":%q,"payload":{"scenario":"success"}%s`, environment, more)
		d := h.created(h.order("", h.orderBody("alice", "acme/api", more), http.StatusCreated).Deployment.ID)
		h.expectEnd(d, "success", "")
		return d
	}

	first := order("staging", "")
	h.gh.Push("acme/api", "main", "")
	order("staging", `,"task":"deploy:restart"`)
	for _, status := range h.gh.Statuses("acme/api", first.ID) {
		if status.State == "inactive" {
			t.Error("the operation made the deployment before it inactive")
		}
	}

	h.expectAPI("POST", "/deployments", chatToken, h.orderBody("alice", "acme/api", ""), http.StatusConflict, "after_missing")
	body := fmt.Sprintf(`{"actor":{"id":%d,"login":"bob"},"repository":"acme/api","environment":"staging"}`,
		h.writer("acme/api", "bob"))
	h.expectAPI("POST", "/rollbacks", chatToken, body, http.StatusConflict, "no commit but "+first.SHA[:7])
}
