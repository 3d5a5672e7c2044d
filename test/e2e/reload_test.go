package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// routesFile is a routes file that the program is made to read again.
type routesFile struct {
	h    *harness
	path string
}

// newReloading has one route, in a file. The program is started.
func newReloading(t *testing.T, route string) routesFile {
	t.Helper()
	f := routesFile{path: filepath.Join(t.TempDir(), "routes.yaml")}
	f.h = newHarness(t, setup{env: map[string]string{
		"ROUTES":      "",
		"ROUTES_FILE": f.path,
		"API_TOKENS":  "e2e:read:" + apiToken + ",root:admin:" + adminToken,
	}})
	f.write(routeLines(route))
	f.h.start()
	return f
}

// routeLines is a file of one route, without a rule that the revision has to be the deployment's.
func routeLines(route string) string {
	return "routes:\n  - " + route + "\n    circleci: {revision: note}" + parameters
}

func (f routesFile) write(text string) {
	f.h.t.Helper()
	if err := os.WriteFile(f.path, []byte(text), 0o600); err != nil {
		f.h.t.Fatal(err)
	}
}

// reload makes the program read the file again, and waits for a log line with a text.
func (f routesFile) reload(logged ...string) {
	f.h.t.Helper()
	f.h.signal(syscall.SIGHUP)
	f.h.waitLog(logged...)
}

func (f routesFile) expectMetric(value string) {
	f.h.t.Helper()
	const name = "seraph_routes_last_reload_successful "
	if _, body := f.h.get("/metrics", ""); !strings.Contains(body, "\n"+name+value+"\n") {
		f.h.t.Errorf("got no metric %s%s", name, value)
	}
}

// TestReload_RoutesFile replaces the routes of a service that runs: by others, by bad ones, and by none.
func TestReload_RoutesFile(t *testing.T) {
	t.Parallel()
	f := newReloading(t, "repository: acme/api")
	h := f.h
	f.expectMetric("1")

	f.expectIgnored("acme/web", "staging")

	f.write(routeLines("repository: acme/*") + "  - repository: other/api\n")
	f.reload("routes read again", `"routes":2`)
	h.expectEnd(h.deploy("acme/web", "staging", "success"), "success", "")

	f.write(routeLines("repository: '*/web'\n    enviroment: staging"))
	f.reload("routes not read again", "the former ones stay in use", `"problems":2`)
	h.waitLog("routes refused", f.path+":2: repository", "the owner must be written out")
	h.waitLog("routes refused", f.path+":3: a route: unknown key", "did you mean")
	f.expectMetric("0")
	h.expectEnd(h.deploy("acme/web", "staging", "success"), "success", "")

	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	f.reload("routes refused", f.path+": read the file")
	h.expectEnd(h.deploy("acme/web", "staging", "success"), "success", "")

	f.write(routeLines("repository: acme/api"))
	f.reload("routes read again", `"routes":1`)
	f.expectMetric("1")
	f.expectIgnored("acme/web", "production")
}

// expectIgnored creates a deployment that no route matches.
func (f routesFile) expectIgnored(repository, environment string) {
	f.h.t.Helper()
	d := f.h.deployDelivered(repository, environment, "success")
	f.h.unchecked[d.ID] = true

	about := fmt.Sprintf(`"deployment":%d,"repository":%q`, d.ID, repository)
	f.h.expectAPI("GET", "/deliveries?environment="+environment, apiToken, "", 200, about)
}

// TestReload_RulesAndNames gives a route rules, whose names keep their ids from then on.
func TestReload_RulesAndNames(t *testing.T) {
	t.Parallel()
	f := newReloading(t, "repository: acme/api")
	h := f.h
	h.gh.AddRepository("acme/api")
	h.gh.AddUser("erin")
	h.expectEnd(h.deployAs("mallory", "acme/api", "success"), "success", "")

	f.write(routeLines("repository: acme/api\n    allow: {users: [erin]}"))
	f.reload("routes read again")
	h.expectEnd(h.deployAs("mallory", "acme/api", "success"), "error", "mallory is not allowed to deploy to production")
	h.expectEnd(h.deployAs("erin", "acme/api", "success"), "success", "")

	h.gh.RenameUser("erin", "eve")
	d := h.deployAs("erin", "acme/api", "success")
	h.expectWaiting(d, "erin is another user than before")

	// What waits is judged by the rules as they are then.
	f.write(routeLines("repository: acme/api\n    allow: {users: [erin, mallory]}") + "  - repository: acme/web\n")
	f.reload("routes read again", `"routes":2`)
	h.expectEnd(h.deployAs("mallory", "acme/web", "success"), "success", "")
	h.expectAPI("POST", fmt.Sprintf("/deployments/%d/cancel", d.ID), adminToken, `{}`, 202, "")
	h.expectEnd(d, "error", "Canceled")
}

// TestReload_RoutesInTheEnvironment says that these cannot be read again, and keeps them.
func TestReload_RoutesInTheEnvironment(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()

	h.signal(syscall.SIGHUP)
	h.waitLog("routes refused", "SERAPH_ROUTES: the environment of a process that runs cannot be changed")
	h.waitLog("routes not read again")
	h.expectEnd(h.deploy("acme/api", "staging", "success"), "success", "")
}
