package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

const orderRoutes = `
routes:
  - repository: acme/reviewed
    circleci: {branch: main}
    allow: {users: [alice, bob, carol]}
    refs: [main]
    approvals: {count: 1, users: [alice, carol]}` + orderParameters + `
  - repository: acme/*
    circleci: {branch: main}` + orderParameters

const orderParameters = `
    parameters:
      seraph_key: "{{ .Key }}"
      deployment_id: {value: "{{ .ID }}", type: integer}
      sim_scenario: "{{ .Payload.scenario }}"
      deploy_sha: "{{ .SHA }}"
`

// orderSetup is a setup whose API takes orders.
func orderSetup(s setup) setup {
	s.routes = orderRoutes
	env := map[string]string{"API_TOKENS": strings.Join([]string{
		"e2e:read:" + apiToken,
		"chat:behalf:" + chatToken,
		"manager:deploy:" + managerToken,
	}, ",")}
	maps.Copy(env, s.env)
	s.env = env

	return s
}

// startOrders starts a program whose API takes orders.
func startOrders(t *testing.T, s setup) *harness {
	t.Helper()
	h := newHarness(t, orderSetup(s))
	h.addOrderRepositories()
	return h.start()
}

// addOrderRepositories creates the repositories before the program looks for them: it remembers for a while
// that GitHub does not show one.
func (h *harness) addOrderRepositories() {
	h.gh.AddRepository("acme/api")
	h.gh.AddRepository("acme/reviewed")
}

// ordered is the answer to an order.
type ordered struct {
	Request    string        `json:"request"`
	Deployment *apiRequester `json:"deployment"`
}

// apiRequester is a deployment of the API, as far as the tests of orders look at it.
type apiRequester struct {
	ID        int64  `json:"id"`
	Ref       string `json:"ref"`
	SHA       string `json:"sha"`
	Creator   string `json:"creator"`
	State     string `json:"state"`
	Reason    string `json:"reason"`
	Requester struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Token string `json:"token"`
	} `json:"requester"`
}

// orderBody is an order by a user for main in production, with more fields.
func (h *harness) orderBody(login, repository, more string) string {
	return fmt.Sprintf(`{"actor":{"id":%d,"login":%q},"repository":%q,"environment":"production","ref":"main"%s}`,
		h.writer(repository, login), login, repository, more)
}

// writer returns the id of somebody who may write to a repository.
func (h *harness) writer(repository, login string) int64 {
	h.gh.AddRepository(repository)
	h.gh.SetRole(repository, login, "write")
	return h.gh.AddUser(login)
}

// order sends an order through the chat and returns the answer.
func (h *harness) order(key, body string, code int) ordered {
	h.t.Helper()
	got, answer := h.ask("/deployments", chatToken, key, body)
	if got != code {
		h.t.Fatalf("order %s: got %d %s, want %d", body, got, answer, code)
	}

	var o ordered
	decode(h.t, answer, &o)
	return o
}

// ask sends a request that creates a deployment. If GitHub has not answered within 10 s, it asks again
// with the same key, as the API wants it.
func (h *harness) ask(path, token, key, body string) (code int, answer []byte) {
	h.t.Helper()
	for begun := time.Now(); time.Since(begun) < maxWait; {
		header := http.Header{"Authorization": {"Bearer " + token}, "Idempotency-Key": {key}}
		code, answer = h.send("POST", "/api/v1"+path, []byte(body), header)
		if code != http.StatusAccepted {
			break
		}

		var o ordered
		decode(h.t, answer, &o)
		key = o.Request
	}
	return code, answer
}

// created returns the deployment at GitHub with an id.
func (h *harness) created(id int64) github.Deployment {
	h.t.Helper()
	for _, d := range h.gh.Deployments() {
		if d.ID == id {
			return d
		}
	}
	h.t.Fatalf("GitHub has no deployment %d", id)
	return github.Deployment{}
}

const scenarioSuccess = `,"payload":{"scenario":"success"},"reason":"release"`

// TestOrder_Deploys checks that an order becomes a deployment at GitHub, whose webhook comes back, and that it
// runs to its end as the deployment of whoever asked.
func TestOrder_Deploys(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		setup   func(*testing.T) setup
		creator string
		fault   string // of the call that creates
	}{
		{name: "by an App", setup: asApp, creator: "seraph[bot]"},
		{name: "by an App, webhook first", setup: asApp, creator: "seraph[bot]", fault: "webhook-first"},
		{name: "by an App, webhook last", setup: asApp, creator: "seraph[bot]", fault: "webhook-last"},
		{name: "by a token", setup: func(*testing.T) setup { return setup{} }, creator: "seraph-bot"},
		{
			name:    "by a token, webhook first",
			setup:   func(*testing.T) setup { return setup{} },
			creator: "seraph-bot",
			fault:   "webhook-first",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := startOrders(t, test.setup(t))
			body := h.orderBody("alice", "acme/api", scenarioSuccess)
			if test.fault != "" {
				if err := h.gh.NextNamed(github.OpCreateDeployment, test.fault, 1); err != nil {
					t.Fatal(err)
				}
			}

			o := h.order("message 1", body, http.StatusCreated)
			d := h.created(o.Deployment.ID)
			h.expectEnd(d, "success", "")

			sha := github.Commit("acme/api", "main")
			if got := o.Deployment; got.Requester.Login != "alice" || got.Requester.ID != h.gh.AddUser("alice") ||
				got.Creator != test.creator || got.Ref != "main" || got.SHA != sha {
				t.Errorf("got %+v, want main at %s, asked for by alice and created by %s", got, sha, test.creator)
			}
			if d.Ref != sha || d.Description != "alice via chat: release" {
				t.Errorf("got ref %s, description %q at GitHub, want the commit and who asked", d.Ref, d.Description)
			}

			again := h.order("message 1", body, http.StatusCreated)
			if again.Deployment.ID != d.ID || len(h.gh.Deployments()) != 1 {
				t.Errorf("same key: got deployment %d of %d at GitHub, want %d of 1",
					again.Deployment.ID, len(h.gh.Deployments()), d.ID)
			}
		})
	}
}

// TestOrder_AnswerLost checks that an order whose answer GitHub did not give becomes one deployment.
func TestOrder_AnswerLost(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"lost-answer", "half-answer", "late-error"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			h := startOrders(t, asApp(t))
			body := h.orderBody("alice", "acme/api", scenarioSuccess)
			if err := h.gh.NextNamed(github.OpCreateDeployment, fault, 1); err != nil {
				t.Fatal(err)
			}

			o := h.order("message 1", body, http.StatusCreated)
			h.expectEnd(h.created(o.Deployment.ID), "success", "")
			if got := o.Deployment.Requester.Login; got != "alice" || len(h.gh.Deployments()) != 1 {
				t.Errorf("got requester %s of %d deployments, want alice of 1", got, len(h.gh.Deployments()))
			}
		})
	}
}

// TestOrder_Rejected checks that nothing is created of what the rules reject or what does not exist, and that
// the answer says why.
func TestOrder_Rejected(t *testing.T) {
	t.Parallel()
	h := startOrders(t, asApp(t))
	main := github.Commit("acme/reviewed", "main")
	for _, test := range []struct {
		name  string
		login string
		more  string
		code  int
		about string
	}{
		{name: "not allowed", login: "mallory", code: 409, about: "mallory is not allowed to deploy to production"},
		{name: "ref", login: "alice", more: `,"ref":"main~"`, code: 422, about: `"code":"no_such_ref"`},
		{name: "moved", login: "alice", more: `,"sha":"0123456789"`, code: 409, about: main[:7]},
		{name: "force without the rule", login: "alice", more: `,"force":true,"reason":"x"`, code: 403, about: "not_allowed"},
		{name: "no route", login: "alice", more: `,"repository":"other/api"`, code: 404, about: "not_found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := h.orderBody(test.login, "acme/reviewed", test.more)
			answer := h.expectAPI("POST", "/deployments", chatToken, body, test.code, test.about)
			rejected := test.code == http.StatusConflict && test.more == ""
			if rejected && !strings.Contains(answer, `"verdict":{"decision":"reject"`) {
				t.Errorf("got %s, want the verdict", answer)
			}
		})
	}
	if got := h.gh.Deployments(); len(got) != 0 {
		t.Errorf("got %d deployments at GitHub, want none", len(got))
	}
}

// TestOrder_NeedsWritePermission checks that a route without rules lets nobody deploy, lock or cancel whom
// GitHub would not let deploy, and that a permission which GitHub does not answer is no yes.
func TestOrder_NeedsWritePermission(t *testing.T) {
	t.Parallel()
	h := newHarness(t, orderSetup(asApp(t))).start()
	const repository = "acme/api"
	order := func(login string) string { return h.orderBody(login, repository, scenarioSuccess) }
	lock := func(login string) string {
		const format = `{"actor":{"id":%d,"login":%q},"repository":%q,"environment":"production","reason":"x"}`
		return fmt.Sprintf(format, h.gh.AddUser(login), login, repository)
	}

	order("alice") // gives her write permission
	held := lockPath(t, h.expectAPI("POST", "/locks", chatToken, lock("alice"), http.StatusCreated, ""))
	waits := h.created(h.order("", order("bob"), http.StatusCreated).Deployment.ID)
	h.expectWaiting(waits, "lock")

	cancel := fmt.Sprintf("/deployments/%d/cancel", waits.ID)
	for login, role := range map[string]string{"stranger": "", "reader": "read", "triager": "triage"} {
		body, needs := order(login), login+" needs write permission"
		h.gh.SetRole(repository, login, role)
		h.expectAPI("POST", "/deployments", chatToken, body, http.StatusConflict, needs)
		h.expectAPI("POST", "/locks", chatToken, lock(login), http.StatusForbidden, needs)
		h.expectAPI("POST", cancel, chatToken, h.actorBody(login), http.StatusForbidden, needs)
		h.expectAPI("DELETE", held, chatToken, h.actorBody(login), http.StatusForbidden, "")
	}

	order("carol")
	h.gh.Next(github.OpCollaborator, github.Refuse(http.StatusServiceUnavailable, "away"), 100)
	h.expectAPI("POST", cancel, chatToken, h.actorBody("carol"), http.StatusServiceUnavailable, "carol's permission")
	if got := len(h.gh.Deployments()); got != 1 {
		t.Errorf("got %d deployments at GitHub, want bob's alone", got)
	}

	h.expectAPI("POST", cancel, chatToken, h.actorBody("bob"), http.StatusAccepted, "")
	h.expectEnd(waits, "error", "Canceled")
}

// TestOrder_AskerCannotApprove checks that who asked a bot for a deployment cannot approve it, through any client.
func TestOrder_AskerCannotApprove(t *testing.T) {
	t.Parallel()
	h := startOrders(t, asApp(t))
	o := h.order("message 1", h.orderBody("alice", "acme/reviewed", scenarioSuccess), http.StatusCreated)
	d := h.created(o.Deployment.ID)
	h.expectWaiting(d, "1 approval")

	approve := fmt.Sprintf("/deployments/%d/approve", d.ID)
	h.expectAPI("POST", approve, chatToken, h.actorBody("alice"), http.StatusForbidden, "alice requested the deployment")
	h.expectAPI("POST", approve, chatToken, h.actorBody("carol"), http.StatusOK, `"decision":"allow"`)
	h.expectEnd(d, "success", "")
}

// TestOrder_BranchMoves checks that what was asked for is deployed, although the branch moves before GitHub
// has created the deployment, and that a person who has seen another commit is refused with words.
func TestOrder_BranchMoves(t *testing.T) {
	t.Parallel()
	h := startOrders(t, asApp(t))
	seen := github.Commit("acme/api", "main")
	body := h.orderBody("alice", "acme/api", scenarioSuccess+`,"sha":"`+seen+`"`)
	h.gh.Next(github.OpCreateDeployment, func(s *github.Server, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.Push("acme/api", "main", "")
			next.ServeHTTP(w, r)
		})
	}, 1)

	o := h.order("message 1", body, http.StatusCreated)
	d := h.created(o.Deployment.ID)
	if d.SHA != seen {
		t.Errorf("got %s deployed, want %s, which was asked for", d.SHA, seen)
	}
	h.expectEnd(d, "success", "")
	h.expectAPI("POST", "/deployments", chatToken, body, http.StatusConflict, `"code":"ref_moved"`)
}

// TestOrder_CopiedNonce checks that a deployment with the payload of another one is the deployment of whoever
// created it.
func TestOrder_CopiedNonce(t *testing.T) {
	t.Parallel()
	h := startOrders(t, asApp(t))
	o := h.order("message 1", h.orderBody("alice", "acme/api", scenarioSuccess), http.StatusCreated)
	d := h.created(o.Deployment.ID)
	h.expectEnd(d, "success", "")

	h.gh.AddUser("mallory")
	copied := h.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     d.Payload,
		Creator:     "mallory",
	})
	h.expectEnd(copied, "success", "")

	var detail apiRequester
	if err := json.Unmarshal([]byte(h.apiDetail(copied)), &detail); err != nil {
		t.Fatal(err)
	}
	if detail.Requester.Login != "mallory" {
		t.Errorf("got requester %s, want mallory", detail.Requester.Login)
	}
}

// TestOrder_Duplicate checks that of two deployments of one request the second is rejected and runs nothing.
func TestOrder_Duplicate(t *testing.T) {
	t.Parallel()
	h := startOrders(t, asApp(t))
	o := h.order("message 1", h.orderBody("alice", "acme/api", scenarioSuccess), http.StatusCreated)
	d := h.created(o.Deployment.ID)

	duplicate := h.create("acme/api", github.NewDeployment{
		Ref:         d.SHA,
		Environment: "production",
		Payload:     d.Payload,
		Creator:     "seraph[bot]",
		App:         "seraph",
	})
	h.expectEnd(duplicate, "error", fmt.Sprintf("duplicate of #%d", d.ID))
	h.expectEnd(d, "success", "")
	if got := h.pipelines(duplicate); len(got) != 0 {
		t.Errorf("got pipelines %q of the duplicate, want none", got)
	}
}

// TestOrder_Crash checks that an order outlives the death of the program while GitHub is being asked.
func TestOrder_Crash(t *testing.T) {
	t.Parallel()
	onlySQLite(t) // on PostgreSQL the row is leased for 45 s
	h := startOrders(t, asApp(t))
	body := h.orderBody("alice", "acme/api", scenarioSuccess)
	call := h.ghFaults.block(github.OpCreateDeployment, "", true)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		header := http.Header{"Authorization": {"Bearer " + chatToken}, "Idempotency-Key": {"message 1"}}
		r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+h.addr+"/api/v1/deployments", strings.NewReader(body))
		r.Header = header
		if answer, err := http.DefaultClient.Do(r); err == nil {
			_ = answer.Body.Close()
		}
	}()

	call.wait(t)
	h.kill()
	<-answered
	close(call.release)
	h.start()

	o := h.order("message 1", body, http.StatusCreated)
	h.expectEnd(h.created(o.Deployment.ID), "success", "")
	if got := len(h.gh.Deployments()); got != 1 || o.Deployment.Requester.Login != "alice" {
		t.Errorf("got %d deployments, requester %s, want 1 by alice", got, o.Deployment.Requester.Login)
	}
}
