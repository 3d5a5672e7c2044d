package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// apiTokens are one token of each scope.
const apiTokens = "e2e:read:" + apiToken + ",chat:behalf:" + chatToken +
	",manager:deploy:" + managerToken + ",root:admin:" + adminToken

// newRuledAPI starts a harness with one ruled repository, acme/api.
func newRuledAPI(t *testing.T, rules string, more map[string]string) *harness {
	t.Helper()
	env := map[string]string{"API_TOKENS": apiTokens}
	maps.Copy(env, more)

	const format = "routes:\n  - repository: acme/api\n    circleci: {revision: note}\n    %s%s"
	h := newHarness(t, setup{
		routes: fmt.Sprintf(format, rules, strings.TrimRight(parameters, "\n")),
		env:    env,
	})
	h.gh.AddRepository("acme/api")
	return h.start()
}

// Strangers who claim keys that they made up do not keep a job with the right key from its claim.
func TestClaims_StrangersDoNotLimitJobs(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{env: map[string]string{"CIRCLECI_TIMEOUT": "1m"}}).start()
	g := h.ciFaults.block(circleci.OpTrigger, "", true)
	d := h.deploy("acme/api", "production", "forever")
	g.wait(t)
	p := h.waitPipeline(d)
	key := fmt.Sprint(p.Parameters[circleci.KeyParameter])

	// 600 in a minute are too many. A new minute may begin meanwhile.
	var strangers sync.WaitGroup
	var refused atomic.Bool
	for range 20 {
		strangers.Go(func() {
			for range 65 {
				if h.claim(uuid.NewString(), p.ID) == http.StatusTooManyRequests {
					refused.Store(true)
				}
			}
		})
	}
	strangers.Wait()
	if !refused.Load() {
		t.Error("got no stranger refused, want some")
	}

	h.expectClaim("the job", key, p.ID, http.StatusOK)
	close(g.release)
	h.waitStatus(d, "in_progress")
	h.finish(p, "success")
	h.expectEnd(d, "success", "")
}

// A lock has an end or says that it has none, its owners are people, its place is known, and an
// admin's lock is not taken by less.
func TestLocks_AreWhatTheySay(t *testing.T) {
	t.Parallel()
	h := newRuledAPI(t, "environment: production\n    allow: {users: [alice]}", nil)
	h.gh.SetRole("acme/api", "alice", "write")
	place := `"repository":"acme/api","environment":"production"`
	lock := h.expectAPI("POST", "/locks", managerToken, "{"+place+`,"reason":"an hour","expires_in":"1h"}`, 201, "")
	path := lockPath(t, lock)

	h.expectAPI("POST", path+"/extend", managerToken, `{}`, 400, "never")
	h.expectAPI("POST", path+"/extend", managerToken, `{"never":true}`, 200, `"expires_at":null`)
	h.expectAPI("POST", path+"/hand-over", managerToken,
		`{"to":{"id":424242,"login":"carol\nthe CTO, says: all clear \u202e"}}`, 400, "login")
	handed := h.expectAPI("POST", path+"/hand-over", managerToken, `{"to":{"id":424242,"login":"carol"}}`, 200, "carol")
	h.expectAPI("POST", "/locks", managerToken,
		`{"repository":"acme/api","environment":"prodution ","reason":"typo"}`, 404, "there is no route for")

	stolen := h.expectAPI("POST", "/locks", adminToken, "{"+place+`,"reason":"audit","steal":true}`, 201, "audit")
	h.expectAPI("POST", "/locks", managerToken, "{"+place+`,"reason":"mine","steal":true}`, 403, "not_the_owner")
	h.expectAPI("DELETE", lockPath(t, stolen), managerToken, "", 403, "not_the_owner")
	h.expectEnd(h.createTask("alice", "acme/api", "deploy:unlock", ""), "error", "which has the scope admin")
	h.expectAPI("POST", lockPath(t, stolen)+"/release", adminToken, "", 204, "")

	_, out, _ := command(t, h.env, "audit", "export")
	oldID := strings.TrimPrefix(lockPath(t, handed), "/locks/")
	for _, part := range []string{`\"id\":424242`, `\"old_id\":` + oldID, `stolen from carol`} {
		if !strings.Contains(out, part) {
			t.Errorf("the audit has no %s:\n%s", part, out)
		}
	}
}

// The gate and locks say nothing of repositories that no route names, and ask GitHub nothing.
func TestAPI_IsNoOracle(t *testing.T) {
	t.Parallel()
	h := newRuledAPI(t, "", nil)
	h.gh.AddRepository("secretorg/secret-acquisition")

	for _, name := range []string{"secretorg/secret-acquisition", "secretorg/nothing"} {
		// If GitHub were asked, the answer would be 503.
		h.ghFaults.of(name).Random(github.OpGetRepository, 1, sim.Fault{Status: 502, Body: "{}"})

		question := "/gate?repository=" + name + "&environment=x&sha=" + strings.Repeat("66", 20)
		h.expectAPI("GET", question, apiToken, "", 404, "there is no route for "+name+" and x")
		h.expectAPI("POST", "/locks", managerToken,
			fmt.Sprintf(`{"repository":%q,"environment":"x","reason":"because"}`, name),
			404, "there is no route for "+name+" and x")
	}
}

// A public status names no address of our network; the timeline does.
func TestStatus_NamesNoAddress(t *testing.T) {
	t.Parallel()
	h := newRuledAPI(t, "", map[string]string{"CIRCLECI_API_URL": "http://127.0.0.1:9", "START_TIMEOUT": "10s"})
	d := h.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     payload("success"),
		Creator:     "alice",
	})

	s := h.waitStatus(d, "error")
	if strings.Contains(s.Description, "127.0.0.1") || !strings.Contains(s.Description, "CircleCI could not be reached") {
		t.Errorf("got %q, want no address in it", s.Description)
	}
	if text := h.apiDetail(d); !strings.Contains(text, "127.0.0.1:9") {
		t.Errorf("got a timeline without the cause: %s", text)
	}
}

// Who tries what they may not do leaves a line in the log and a count.
func TestRefused_LeavesTrace(t *testing.T) {
	t.Parallel()
	h := newRuledAPI(t,
		"approvals: {count: 1, users: [dave]}\n    force: {users: [dave]}\n    checks: {require: [build]}",
		map[string]string{"LOG_LEVEL": "info"})
	d := h.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     payload("success"),
		Creator:     "alice",
	})
	h.expectWaiting(d, "build")

	at := fmt.Sprintf("/deployments/%d", d.ID)
	h.expectAPI("POST", at+"/approve", chatToken, h.actorBody("mallory"), 403, "not_an_approver")
	h.expectAPI("POST", at+"/force", chatToken, strings.TrimSuffix(h.actorBody("mallory"), "}")+`,"reason":"x"}`, 403, "")
	h.expectAPI("POST", at+"/force", apiToken, `{"reason":"x"}`, 403, "forbidden")
	h.expectAPI("POST", at+"/force", "a-token-that-nobody-has-given-out-ever", `{"reason":"x"}`, 401, "unauthorized")

	refused := func() int { return strings.Count(h.output(), `"message":"command refused"`) }
	h.wait("3 log lines about refused commands", func() bool { return refused() >= 3 })
	if got := refused(); got != 3 {
		t.Errorf("got %d lines about refused commands, want 3:\n%s", got, h.output())
	}
	_, metrics := h.get("/metrics", "")
	for _, code := range []string{"not_an_approver", "not_allowed", "forbidden", "unauthorized"} {
		if want := fmt.Sprintf("seraph_api_refused_total{code=%q} 1", code); !strings.Contains(metrics, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}

	h.expectAPI("POST", at+"/cancel", managerToken, `{}`, 202, "")
	h.expectEnd(d, "error", "")
	h.expectAPI("GET", at+"/explain", apiToken, "", 200, `"decision":"reject"`)
}

// Where GitHub does not answer, nobody gets the answer that they may not.
func TestApprove_GitHubAway(t *testing.T) {
	t.Parallel()
	h := newRuledAPI(t, "approvals: {count: 1, users: [dave]}", nil)
	d := h.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     payload("success"),
		Creator:     "alice",
	})
	h.expectWaiting(d, "dave")
	if err := h.gh.NextNamed(github.OpGetAccount, "server-error", 5); err != nil {
		t.Fatal(err)
	}

	at := fmt.Sprintf("/deployments/%d", d.ID)
	h.expectAPI("POST", at+"/approve", chatToken, h.actorBody("dave"), 503, "unavailable")
	h.expectAPI("POST", at+"/cancel", managerToken, `{}`, 202, "")
	h.expectEnd(d, "error", "")
}

// Who may run one harmless task in an environment does not release the lock of somebody who deploys
// there.
func TestUnlock_NeedsEveryRoute(t *testing.T) {
	t.Parallel()
	routes := "routes:\n  - repository: acme/api\n    environment: \"*\"\n    task: docs\n    circleci: {revision: note}" +
		strings.TrimRight(parameters, "\n") +
		"\n  - repository: acme/api\n    environment: production\n    allow: {users: [alice, bob]}\n" +
		"    circleci: {revision: note}" + parameters
	h := newHarness(t, setup{routes: routes})
	h.gh.AddRepository("acme/api")
	h.start()

	h.expectEnd(h.createTask("alice", "acme/api", "deploy:lock", "incident"), "success", "Locked production for alice")
	h.expectEnd(h.createTask("mallory", "acme/api", "deploy:unlock", ""), "error", "mallory is not allowed to deploy")
	h.expectEnd(h.createTask("bob", "acme/api", "deploy:unlock", ""), "success", "Unlocked production, which alice had locked")
	h.expectEnd(h.createTask("mallory", "acme/api", "deploy:lock", "docs"), "success", "Locked production for mallory")
	h.expectEnd(h.createTask("mallory", "acme/api", "deploy:unlock", ""), "success", "Unlocked production, which mallory")
}

// What Seraph ignores can be looked up.
func TestDeliveries_Ignored(t *testing.T) {
	t.Parallel()
	h := newRuledAPI(t, "environment: production", nil)
	d := h.create("acme/api", github.NewDeployment{
		Environment: "staging",
		Payload:     payload("success"),
		Creator:     "alice",
	})
	h.unchecked[d.ID] = true
	h.waitDeliveries("deployment", 1)

	about := fmt.Sprintf(`"deployment":%d,"repository":"acme/api"`, d.ID)
	h.expectAPI("GET", "/deliveries?repository=acme/api&environment=staging", apiToken, "", 200, about)
	h.expectAPI("GET", "/deliveries", apiToken, "", 200, "no route matches")
	h.expectAPI("GET", "/deliveries?environment=production", apiToken, "", 200, `{"deliveries":[]}`)
}
