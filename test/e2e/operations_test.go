package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// operationRoutes have a task that deploys nothing.
const operationRoutes = `
routes:
  - repository: acme/*
    environment: staging
    task: "deploy:restart"
    deploys: false
    circleci: {branch: main}` + orderParameters + `
  - repository: acme/*
    environment: production
    after: [staging]
    circleci: {branch: main}` + orderParameters + `
  - repository: acme/*
    environment: staging
    require_ahead: true
    rollback: {allow: {users: [alice]}}
    circleci: {branch: main}` + orderParameters

// TestOperation_DeploysNothing checks that the success of a restart changes nothing about what is deployed: what
// GitHub shows as active, what a rollback goes back to, and what later deployments are compared with.
func TestOperation_DeploysNothing(t *testing.T) {
	t.Parallel()
	s := orderSetup(asApp(t))
	s.routes = operationRoutes
	h := newHarness(t, s).start()
	const repository = "acme/api"
	body := func(environment, more string) string {
		return fmt.Sprintf(`{"actor":{"id":%d,"login":"alice"},"repository":%q,"environment":%q,"ref":"main"%s%s}`,
			h.writer(repository, "alice"), repository, environment, scenarioSuccess, more)
	}
	deploy := func(more string) github.Deployment {
		t.Helper()
		d := h.created(h.order("", body("staging", more), http.StatusCreated).Deployment.ID)
		h.expectEnd(d, "success", "")
		return d
	}

	first := deploy("")
	h.gh.Push(repository, "main", "")
	second := deploy("")
	h.gh.Push(repository, "main", "")
	restart := deploy(`,"task":"deploy:restart"`)
	if len(h.pipelines(restart)) != 1 {
		t.Errorf("got %d pipelines of the restart, want 1", len(h.pipelines(restart)))
	}

	active := func(d github.Deployment) bool {
		all := h.gh.Statuses(repository, d.ID)
		return all[len(all)-1].State == "success"
	}
	if active(first) || !active(second) {
		t.Errorf("got active at GitHub: first %v, second %v, want only the second", active(first), active(second))
	}

	// Staging has not run the commit of the restart.
	h.expectAPI("POST", "/deployments", chatToken, body("production", ""), http.StatusConflict, "staging")

	back := fmt.Sprintf(`{"actor":{"id":%d,"login":"alice"},"repository":%q,"environment":"staging","current":%d}`,
		h.writer(repository, "alice"), repository, second.ID)
	var o ordered
	decode(t, []byte(h.expectAPI("POST", "/rollbacks", chatToken, back, http.StatusCreated, "")), &o)
	rolledBack := h.created(o.Deployment.ID)
	h.expectEnd(rolledBack, "success", "")
	if rolledBack.SHA != first.SHA || !strings.HasPrefix(rolledBack.Description, "Roll back to "+first.SHA[:7]) {
		t.Errorf("got %s with %q, want the success before what was deployed, %s", rolledBack.SHA, rolledBack.Description,
			first.SHA)
	}
}
