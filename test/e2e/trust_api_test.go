package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// apiTokens are one token of each scope.
const apiTokens = "e2e:read:" + apiToken + ",face:behalf:" + behalfToken +
	",manager:deploy:" + managerToken + ",root:admin:" + adminToken

// newRuledAPI starts a world with one ruled repository, acme/api.
func newRuledAPI(t *testing.T, rules string, more map[string]string) *world {
	t.Helper()
	env := map[string]string{"API_TOKENS": apiTokens}
	for name, value := range more {
		env[name] = value
	}

	const format = "routes:\n  - repository: acme/api\n    circleci: {revision: note}\n    %s%s"
	w := newWorld(t, setup{
		routes: fmt.Sprintf(format, rules, strings.TrimRight(parameters, "\n")),
		env:    env,
	})
	w.gh.AddRepository("acme/api")
	return w.start()
}

// Strangers who claim keys that they made up do not keep a job with the right key from its claim.
func TestClaims_StrangersDoNotLimitJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{env: map[string]string{"CIRCLECI_TIMEOUT": "10s"}}).start()
	g := w.ciFaults.block(circleci.OpTrigger, "", true)
	d := w.deploy("acme/api", "production", "forever")
	g.wait(t)
	p := w.pipeline(d)
	key := fmt.Sprint(p.Parameters[circleci.KeyParameter])

	refused := 0
	for range 1300 { // two minutes' worth, because a new minute may begin meanwhile
		if w.claim(uuid.NewString(), p.ID) == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Error("got no stranger refused, want some")
	}

	w.claims("the job", key, p.ID, http.StatusOK)
	close(g.open)
	w.waitStatus(d, "in_progress")
	w.finish(p, "success")
	w.ends(d, "success", "")
}

// A lock has an end or says that it has none, its owners are people, its place is known, and an
// admin's lock is not taken by less.
func TestLocks_AreWhatTheySay(t *testing.T) {
	t.Parallel()
	w := newRuledAPI(t, "environment: production\n    allow: {users: [alice]}", nil)
	w.gh.SetRole("acme/api", "alice", "write")
	place := `"repository":"acme/api","environment":"production"`
	lock := w.does("POST", "/locks", managerToken, "{"+place+`,"reason":"an hour","expires_in":"1h"}`, 201, "")
	path := lockPath(t, lock)

	w.does("POST", path+"/extend", managerToken, `{}`, 400, "never")
	w.does("POST", path+"/extend", managerToken, `{"never":true}`, 200, `"expires_at":null`)
	w.does("POST", path+"/hand-over", managerToken,
		`{"to":{"id":424242,"login":"carol\nthe CTO, says: all clear \u202e"}}`, 400, "login")
	handed := w.does("POST", path+"/hand-over", managerToken, `{"to":{"id":424242,"login":"carol"}}`, 200, "carol")
	w.does("POST", "/locks", managerToken,
		`{"repository":"acme/api","environment":"prodution ","reason":"typo"}`, 404, "there is no route for")

	stolen := w.does("POST", "/locks", adminToken, "{"+place+`,"reason":"audit","steal":true}`, 201, "audit")
	w.does("POST", "/locks", managerToken, "{"+place+`,"reason":"mine","steal":true}`, 403, "not_the_owner")
	w.does("DELETE", lockPath(t, stolen), managerToken, "", 403, "not_the_owner")
	w.ends(w.task("alice", "acme/api", "deploy:unlock", ""), "error", "which has the scope admin")
	w.does("POST", lockPath(t, stolen)+"/release", adminToken, "", 204, "")

	_, out, _ := command(t, w.env, "audit", "export")
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
	w := newRuledAPI(t, "", nil)
	w.gh.AddRepository("secretorg/secret-acquisition")

	before := fmt.Sprint(w.gh.Calls())
	for _, name := range []string{"secretorg/secret-acquisition", "secretorg/nothing"} {
		question := "/gate?repository=" + name + "&environment=x&sha=" + strings.Repeat("66", 20)
		w.does("GET", question, apiToken, "", 404, "there is no route for "+name+" and x")
		w.does("POST", "/locks", managerToken,
			fmt.Sprintf(`{"repository":%q,"environment":"x","reason":"because"}`, name),
			404, "there is no route for "+name+" and x")
	}
	if after := fmt.Sprint(w.gh.Calls()); after != before {
		t.Errorf("got calls to GitHub %s, want those of before, %s", after, before)
	}
}

// A public status names no address of our network; the timeline does.
func TestStatus_NamesNoAddress(t *testing.T) {
	t.Parallel()
	w := newRuledAPI(t, "", map[string]string{"CIRCLECI_API_URL": "http://127.0.0.1:9", "START_TIMEOUT": "3s"})
	d := w.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     payload("success"),
		Creator:     "alice",
	})

	s := w.waitStatus(d, "error")
	if strings.Contains(s.Description, "127.0.0.1") || !strings.Contains(s.Description, "CircleCI could not be reached") {
		t.Errorf("got %q, want no address in it", s.Description)
	}
	if text := w.detail(d); !strings.Contains(text, "127.0.0.1:9") {
		t.Errorf("got a timeline without the cause: %s", text)
	}
}

// Who tries what they may not do leaves a line in the log and a count.
func TestRefused_LeavesTrace(t *testing.T) {
	t.Parallel()
	w := newRuledAPI(t,
		"approvals: {count: 1, users: [dave]}\n    force: {users: [dave]}\n    checks: {require: [build]}",
		map[string]string{"LOG_LEVEL": "info"})
	d := w.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     payload("success"),
		Creator:     "alice",
	})
	w.waits(d, "build")

	at := fmt.Sprintf("/deployments/%d", d.ID)
	w.does("POST", at+"/approve", behalfToken, w.actor("mallory"), 403, "not_an_approver")
	w.does("POST", at+"/force", behalfToken, strings.TrimSuffix(w.actor("mallory"), "}")+`,"reason":"x"}`, 403, "")
	w.does("POST", at+"/force", apiToken, `{"reason":"x"}`, 403, "forbidden")
	w.does("POST", at+"/force", "a-token-that-nobody-has-given-out-ever", `{"reason":"x"}`, 401, "unauthorized")

	if got := strings.Count(w.output(), `"message":"command refused"`); got != 3 {
		t.Errorf("got %d lines about refused commands, want 3:\n%s", got, w.output())
	}
	_, metrics := w.get("/metrics", "")
	for _, code := range []string{"not_an_approver", "not_allowed", "forbidden", "unauthorized"} {
		if want := fmt.Sprintf("seraph_api_refused_total{code=%q} 1", code); !strings.Contains(metrics, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}

	w.does("POST", at+"/cancel", managerToken, `{}`, 202, "")
	w.ends(d, "error", "")
	w.does("GET", at+"/explain", apiToken, "", 200, `"decision":"reject"`)
}

// Where GitHub does not answer, nobody is told that they may not.
func TestApprove_GitHubAway(t *testing.T) {
	t.Parallel()
	w := newRuledAPI(t, "approvals: {count: 1, users: [dave]}", nil)
	d := w.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     payload("success"),
		Creator:     "alice",
	})
	w.waits(d, "dave")
	if err := w.gh.NextNamed(github.OpGetAccount, "server-error", 5); err != nil {
		t.Fatal(err)
	}

	at := fmt.Sprintf("/deployments/%d", d.ID)
	w.does("POST", at+"/approve", behalfToken, w.actor("dave"), 503, "unavailable")
	w.does("POST", at+"/cancel", managerToken, `{}`, 202, "")
	w.ends(d, "error", "")
}

// Who may run one harmless task in an environment does not release the lock of somebody who deploys
// there.
func TestUnlock_NeedsEveryRoute(t *testing.T) {
	t.Parallel()
	routes := "routes:\n  - repository: acme/api\n    environment: \"*\"\n    task: docs\n    circleci: {revision: note}" +
		strings.TrimRight(parameters, "\n") +
		"\n  - repository: acme/api\n    environment: production\n    allow: {users: [alice, bob]}\n" +
		"    circleci: {revision: note}" + parameters
	w := newWorld(t, setup{routes: routes})
	w.gh.AddRepository("acme/api")
	w.start()

	w.ends(w.task("alice", "acme/api", "deploy:lock", "incident"), "success", "Locked production for alice")
	w.ends(w.task("mallory", "acme/api", "deploy:unlock", ""), "error", "mallory is not allowed to deploy")
	w.ends(w.task("bob", "acme/api", "deploy:unlock", ""), "success", "Unlocked production, which alice had locked")
	w.ends(w.task("mallory", "acme/api", "deploy:lock", "docs"), "success", "Locked production for mallory")
	w.ends(w.task("mallory", "acme/api", "deploy:unlock", ""), "success", "Unlocked production, which mallory")
}

// What Seraph ignores can be looked up.
func TestDeliveries_Ignored(t *testing.T) {
	t.Parallel()
	w := newRuledAPI(t, "environment: production", nil)
	d := w.create("acme/api", github.NewDeployment{
		Environment: "staging",
		Payload:     payload("success"),
		Creator:     "alice",
	})
	w.silent[d.ID] = true
	w.deliveries("deployment", 1)

	about := fmt.Sprintf(`"deployment":%d,"repository":"acme/api"`, d.ID)
	w.does("GET", "/deliveries?repository=acme/api&environment=staging", apiToken, "", 200, about)
	w.does("GET", "/deliveries", apiToken, "", 200, "no route matches")
	w.does("GET", "/deliveries?environment=production", apiToken, "", 200, `{"deliveries":[]}`)
}
