package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// task makes a deployment that only locks or unlocks production.
func (w *world) task(login, repository, task, reason string) github.Deployment {
	w.t.Helper()
	return w.create(repository, github.NewDeployment{
		Environment: "production",
		Task:        task,
		Creator:     login,
		Description: reason,
	})
}

// Heaven's contract: tasks lock and unlock and end success; who is locked out waits, and goes on by
// himself, in order.
func TestLockTasks(t *testing.T) {
	t.Parallel()
	w := newRuled(t)
	before := w.as("alice", "acme/api", "success")
	w.ends(before, "success", "")
	w.ends(
		w.task("alice", "acme/api", "deploy:lock", "the database is being moved"),
		"success",
		"Locked production for alice",
	)

	if told := w.gh.Statuses(before.Repository, before.ID); told[len(told)-1].State != "success" {
		t.Errorf("a lock made GitHub say that what is deployed is not: %+v", told)
	}

	first, second := w.as("bob", "acme/api", "success"), w.as("bob", "acme/api", "success")
	w.waits(first, "alice", "the database is being moved")
	w.ends(w.as("alice", "acme/web", "success"), "success", "") // another repository
	w.ends(w.task("bob", "acme/api", "deploy:lock", "mine"), "error", "acme/api production is locked by alice")
	w.ends(w.task("alice", "acme/api", "deploy:unlock", ""), "success", "Unlocked production")
	w.ends(first, "success", "")
	w.ends(second, "success", "")
	w.ranInOrder([]github.Deployment{first, second})
	if n := len(w.ci.Triggers()); n != 4 {
		t.Errorf("%d triggers, want 4: a lock starts no pipeline", n)
	}

	w.ends(w.task("alice", "acme/heaven", "deploy:lock", "hands off"), "success", "")
	w.ends(w.as("bob", "acme/heaven", "success"), "error", "locked")
	w.ends(w.as("alice", "acme/heaven", "success"), "success", "") // the owner's own lock
	// by whatever door, and whatever the route's task
	for _, repository := range []string{"acme/allow", "acme/migrate"} {
		w.ends(w.task("mallory", repository, "deploy:lock", ""), "error", "mallory is not allowed to deploy")
		w.does(
			"POST",
			"/locks",
			behalfToken,
			fmt.Sprintf(
				`{"actor":{"id":%d,"login":"mallory"},"repository":%q,"environment":"production","reason":"mine"}`,
				w.gh.AddUser("mallory"),
				repository,
			),
			403,
			"mallory is not allowed to deploy",
		)
	}
}

// lockPath is where the API has a lock.
func lockPath(t *testing.T, text string) string {
	t.Helper()
	var lock struct {
		ID int64 `json:"id"`
	}
	decode(t, []byte(text), &lock)
	return fmt.Sprintf("/locks/%d", lock.ID)
}

// A lock's whole life, through the API.
func TestLockLife(t *testing.T) {
	t.Parallel()
	w := newRuled(t)
	alice, bob := w.gh.AddUser("alice"), w.gh.AddUser("bob")
	lock := func(login string, id int64, more string) string {
		return fmt.Sprintf(
			`{"actor":{"id":%d,"login":%q},"repository":"acme/api","environment":"production","reason":"testing"%s}`,
			id,
			login,
			more,
		)
	}

	text := w.does("POST", "/locks", behalfToken, lock("alice", alice, `,"expires_in":"1h"`), 201, `"owner":{"id":`)
	path := lockPath(t, text)
	w.does("POST", "/locks", behalfToken, lock("bob", bob, ""), 409, "acme/api production is locked by alice: testing")
	d := w.as("bob", "acme/api", "success")
	w.waits(d, "alice", "testing")
	w.does("GET", path, apiToken, "", 200, fmt.Sprintf(`"waiting":[{"id":%d,`, d.ID))
	w.does(
		"POST",
		path+"/extend",
		behalfToken,
		fmt.Sprintf(`{"actor":{"id":%d,"login":"bob"},"expires_in":"2h"}`, bob),
		403,
		"not_the_owner",
	)

	w.does(
		"POST",
		path+"/extend",
		behalfToken,
		fmt.Sprintf(`{"actor":{"id":%d,"login":"alice"},"expires_in":"2h"}`, alice),
		200,
		`"expires_at":"`,
	)

	text = w.does(
		"POST",
		path+"/hand-over",
		behalfToken,
		fmt.Sprintf(
			`{"actor":{"id":%d,"login":"alice"},"to":{"id":%d,"login":"carol"}}`,
			alice,
			w.gh.AddUser("carol"),
		),
		200,
		`"login":"carol"`,
	)

	w.does("DELETE", path, behalfToken, w.actor("alice"), 404, "no open lock") // carol's has an id of its own
	w.does("DELETE", lockPath(t, text), behalfToken, w.actor("alice"), 403, "carol")
	w.does("POST", "/locks", behalfToken, lock("bob", bob, `,"steal":true`), 201, `"login":"bob"`)
	w.does("GET", "/notices", apiToken, "", 200, "bob took your lock on acme/api production: testing")
	w.ends(d, "success", "") // the owner deploys through his own lock
	w.does("GET", "/locks", apiToken, "", 200, `"login":"bob"`)
	w.does("GET", path, apiToken, "", 404, "no open lock")
	w.does("POST", "/locks", managerToken, `{"reason":"stop the line"}`, 403, "admin")
	text = w.does("POST", "/locks", adminToken, `{"reason":"stop the line"}`, 201, `"environment":""`)
	stopped := w.as("carol", "acme/web", "success")
	w.waits(stopped, "stop the line")
	w.does("POST", lockPath(t, text)+"/extend", adminToken, `{"expires_in":"1s"}`, 200, `"expires_at":"`)
	w.ends(stopped, "success", "") // the lock runs out by itself
}

// TestGate asks as scripts do, and the record of it all is whole until somebody bends it.
func TestGate(t *testing.T) {
	t.Parallel()
	w := newRuled(t)
	d := w.as("alice", "acme/api", "success")
	w.ends(d, "success", "")
	w.gh.AddRepository("acme/checks")
	w.gh.AddRepository("acme/shut")
	env := map[string]string{"API_URL": "http://" + w.addr, "API_TOKEN": apiToken}
	for name, c := range map[string]struct {
		args  []string
		code  int
		about string
	}{
		"it may":         {[]string{"--repository", "acme/api"}, 0, "allow"},
		"it must wait":   {[]string{"--repository", "acme/checks"}, 3, "checks_pending"},
		"he may not":     {[]string{"--repository", "acme/allow", "--actor", "reader"}, 4, "not_allowed"},
		"she may":        {[]string{"--repository", "acme/allow", "--actor", "alice"}, 0, "alice is allowed to deploy"},
		"nobody asks":    {[]string{"--repository", "acme/allow"}, 4, "not_allowed"},
		"no such place":  {[]string{"--repository", "acme/nothing-at-all"}, 1, ""},
		"no such person": {[]string{"--repository", "acme/allow", "--actor", "nobody-at-all"}, 1, ""},
		"misspelt":       {[]string{"--repo", "acme/api"}, 2, ""},
	} {
		code, stdout, stderr := command(
			t,
			env,
			append([]string{"gate", "--environment", "production", "--sha", d.SHA}, c.args...)...)

		if code != c.code || !strings.Contains(stdout, c.about) {
			t.Errorf("%s: exit code %d, %s%s", name, code, stdout, stderr)
		}
	}

	w.does("GET", "/gate?repository=acme/shut&environment=production&sha="+d.SHA, apiToken, "", 200, `"code":"frozen"`)
	ask := "/gate?environment=production&sha=" + d.SHA + "&repository=acme/"
	w.gh.AddRepository("acme/bots")
	w.gh.AddUser("my-hubot[bot]")
	w.does("GET", ask+"bots&actor=my-hubot%5Bbot%5D", apiToken, "", 200, `"decision":"allow"`)
	w.does("GET", ask+"nothing-at-all", apiToken, "", 404, "not_found")
	w.gh.AddRepository("acme/away")
	w.ghFaults.of("acme/away").Random(github.OpGetRepository, 1, sim.Fault{Status: 502, Body: "{}"})
	w.does("GET", ask+"away", apiToken, "", 503, "try again")
}
