package e2e

import (
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// gateRuns are runs of `seraph gate`, as scripts call it.
var gateRuns = map[string]struct {
	args   []string
	code   int
	output string // part of it
}{
	"allowed": {
		args:   []string{"--repository", "acme/api"},
		code:   0,
		output: "allow",
	},
	"must wait": {
		args:   []string{"--repository", "acme/checks"},
		code:   3,
		output: "checks_pending",
	},
	"actor may not deploy": {
		args:   []string{"--repository", "acme/allow", "--actor", "reader"},
		code:   4,
		output: "not_allowed",
	},
	"actor may deploy": {
		args:   []string{"--repository", "acme/allow", "--actor", "alice"},
		code:   0,
		output: "alice is allowed to deploy",
	},
	"no actor": {
		args:   []string{"--repository", "acme/allow"},
		code:   4,
		output: "not_allowed",
	},
	"unknown repository": {
		args: []string{"--repository", "acme/nothing-at-all"},
		code: 1,
	},
	"unknown actor": {
		args: []string{"--repository", "acme/allow", "--actor", "nobody-at-all"},
		code: 1,
	},
	"misspelled flag": {
		args: []string{"--repo", "acme/api"},
		code: 2,
	},
}

// TestGate_ExitCodes checks the answers of `seraph gate` and of the API behind it.
func TestGate_ExitCodes(t *testing.T) {
	t.Parallel()
	h := newHarnessWithRules(t)
	d := h.deployAs("alice", "acme/api", "success")
	h.expectEnd(d, "success", "")
	h.gh.AddRepository("acme/checks")
	h.gh.AddRepository("acme/shut")

	env := map[string]string{"API_URL": "http://" + h.addr, "API_TOKEN": apiToken}
	for name, c := range gateRuns {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"gate", "--environment", "production", "--sha", d.SHA}, c.args...)
			code, stdout, stderr := command(t, env, args...)
			if code != c.code || !strings.Contains(stdout, c.output) {
				t.Errorf("got %d %s%s, want %d and %q", code, stdout, stderr, c.code, c.output)
			}
		})
	}

	path := "/gate?environment=production&sha=" + d.SHA + "&repository=acme/"
	h.expectAPI("GET", path+"shut", apiToken, "", 200, `"code":"frozen"`)
	h.gh.AddRepository("acme/bots")
	h.gh.AddUser("my-hubot[bot]")
	h.expectAPI("GET", path+"bots&actor=my-hubot%5Bbot%5D", apiToken, "", 200, `"decision":"allow"`)
	h.expectAPI("GET", path+"nothing-at-all", apiToken, "", 404, "not_found")

	missing := strings.Repeat("5e", 20)
	for _, repository := range []string{"acme/api", "acme/checks"} { // no rule reads the commit, and one does
		h.gh.RemoveCommit(repository, missing)
		args := []string{"gate", "--environment", "production", "--sha", missing, "--repository", repository}
		code, stdout, stderr := command(t, env, args...)
		if code != 1 || !strings.Contains(stderr, "commit 5e5e5e5 of "+repository+" cannot be found") {
			t.Errorf("a missing commit of %s: got %d %s%s", repository, code, stdout, stderr)
		}
	}

	h.gh.AddRepository("acme/away")
	h.ghFaults.of("acme/away").Random(github.OpGetRepository, 1, sim.Fault{Status: 502, Body: "{}"})
	h.expectAPI("GET", path+"away", apiToken, "", 503, "try again")
}
