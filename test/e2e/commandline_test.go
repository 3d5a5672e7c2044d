package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// person is somebody who asks a running service from the command line.
type person struct {
	t   *testing.T
	env map[string]string
}

// at returns a person with a token.
func (h *harness) at(token string) person {
	return person{h.t, map[string]string{"API_URL": "http://" + h.addr, "API_TOKEN": token}}
}

// types runs a command, checks the exit code and parts of its output, and returns its output.
func (p person) types(line string, code int, about ...string) string {
	p.t.Helper()
	got, stdout, stderr := command(p.t, p.env, strings.Fields(line)...)
	if got != code {
		p.t.Errorf("seraph %s: got exit code %d\n%s%s\nwant %d", line, got, stdout, stderr, code)
	}
	for _, part := range about {
		if !strings.Contains(stdout+stderr, part) {
			p.t.Errorf("seraph %s: got\n%s%s\nwant %q in it", line, stdout, stderr, part)
		}
	}
	return stdout
}

// TestCommandLine_Deploys checks that a person deploys, watches and looks at the result.
func TestCommandLine_Deploys(t *testing.T) {
	t.Parallel()
	h := newHarness(t, orderSetup(setup{})).start()
	h.gh.AddRepository("acme/api")
	me := h.at(managerToken)

	watched := me.types("deploy acme/api@main staging -f scenario=success --reason release --watch", 0, "succeeded")
	id := regexp.MustCompile(`^deployment (\d+): main \([0-9a-f]{7}\) of acme/api to staging\n`).FindStringSubmatch(watched)
	if id == nil {
		t.Fatalf("got %q, want the deployment in the first line", watched)
	}

	me.types("show "+id[1], 0, "state:        succeeded", "by:           token manager", "reports to GitHub:")
	me.types("list acme/api staging --state succeeded", 0, id[1], "token manager")
	me.types("watch "+id[1], 0, "succeeded")
	me.types("deploy acme/api@main staging -f scenario=fail --watch --output json", 1, `"state":"failed"`)
	me.types("status acme/api", 0, "acme/api    staging      main (", "token manager")
	me.types("list acme/apo", 0, "Seraph knows of no deployment of acme/apo; did you mean acme/api?")
	me.types("whoami", 0, "service:  http://"+h.addr+" (SERAPH_API_URL)", "token:    manager", "scope:    deploy")
	me.types("deploy acme/api@no-such-branch staging", 1, "no-such-branch")
	h.at(apiToken).types("deploy acme/api@main staging", 1, "this needs deploy", "seraph whoami")

	first := me.types("deploy acme/api@main production --key job-7 -f scenario=success --output json", 0, `"deployment":`)
	again := me.types("deploy acme/api@main production --key job-7 -f scenario=success --watch --output json", 0)
	if want := regexp.MustCompile(`"id":\d+`).FindString(first); !strings.Contains(again, want) {
		t.Errorf("got %s with the same key, want %s", again, want)
	}

	for _, d := range h.gh.Deployments() {
		h.waitStatus(d, "success", "failure")
	}
}

// TestCommandLine_RollsBack checks that a person goes back to what ran before, and is refused with words where there is
// no way.
func TestCommandLine_RollsBack(t *testing.T) {
	t.Parallel()
	h := newHarness(t, orderSetup(setup{})).start()
	h.gh.AddRepository("acme/api")
	me := h.at(managerToken)
	me.types("rollback acme/api production", 1, "Seraph answered 4")

	before := h.gh.Push("acme/api", "main", "")
	me.types("deploy acme/api@main production -f scenario=success --watch", 0, "succeeded")
	after := h.gh.Push("acme/api", "main", "")
	me.types("deploy acme/api@main production -f scenario=success --watch", 0, "succeeded")
	me.types("status acme/api production --output json", 0, after)

	me.types("rollback acme/api production --reason errors --watch", 0, before[:7], "succeeded")
	me.types("status acme/api production --output json", 0, before)
	for _, d := range h.gh.Deployments() {
		h.waitStatus(d, "success")
	}
}

// TestCommandLine_Controls checks what a person does about a deployment that waits, and about locks.
func TestCommandLine_Controls(t *testing.T) {
	t.Parallel()
	h := newHarnessWithRules(t)
	manager, admin := h.at(managerToken), h.at(adminToken)

	waiting := h.deployAs("alice", "acme/approved", "success")
	h.expectWaiting(waiting)
	id := fmt.Sprint(waiting.ID)
	manager.types("list --state waiting", 0, id, "acme/approved", "waits for ")
	manager.types("why "+id, 0, "approvals_missing", "who can change it: ")
	manager.types("watch "+id+" --timeout 5s", 3, "waiting", "seraph cancel "+id)
	manager.types("approve "+id+" looks good", 0, "approved: deployment "+id)
	manager.types("watch "+id, 0, "succeeded")
	manager.types("approve "+id, 1, "only a waiting deployment can be approved")

	canceled := h.deployAs("alice", "acme/approved", "success")
	h.expectWaiting(canceled)
	manager.types(fmt.Sprintf("cancel %d --reason mistake", canceled.ID), 0, "was canceled by")
	manager.types(fmt.Sprintf("watch %d", canceled.ID), 5, "canceled")

	forced := h.deployAs("alice", "acme/forced", "success")
	h.expectWaiting(forced)
	manager.types(fmt.Sprintf("force %d --reason outage", forced.ID), 1, "scope admin")
	chat := h.at(chatToken)
	chat.types(fmt.Sprintf("force %d --reason outage", forced.ID), 1, "with --as LOGIN:ID")
	alice := h.gh.AddUser("alice")
	chat.types(fmt.Sprintf("force %d --reason outage --as alice:%d", forced.ID, alice), 0, "forced: deployment")
	manager.types(fmt.Sprintf("watch %d", forced.ID), 0, "succeeded")
	manager.types(fmt.Sprintf("show %d", forced.ID), 0, "forced:", "by alice: outage")
	rejected := h.deployAs("alice", "acme/shut", "success")
	h.expectEnd(rejected, "error", "")
	manager.types(fmt.Sprintf("watch %d", rejected.ID), 4, "rejected")

	manager.types("lock acme/api production --for 2h --reason migration", 0, "locked: production of acme/api, until 20")
	locked := h.deployAs("alice", "acme/api", "success")
	h.expectWaiting(locked)
	manager.types("locks", 0, "production of acme/api", "token manager", "migration")
	manager.types("unlock acme/api staging", 1, "is not locked", "locked are: production of acme/api")
	manager.types("unlock acme/api production", 0, "unlocked: production of acme/api")
	manager.types(fmt.Sprintf("watch %d", locked.ID), 0, "succeeded")
	admin.types("lock --everything --reason incident", 0, "locked: everything")
	admin.types("unlock --everything", 0, "unlocked: everything")
	for _, d := range h.gh.Deployments() {
		h.waitStatus(d, "success", "error")
	}
}

// TestCommandLine_WatchesThroughARestart checks that a watch goes on while the service restarts.
func TestCommandLine_WatchesThroughARestart(t *testing.T) {
	t.Parallel()
	h := newHarnessWithRules(t)
	d := h.deployAs("alice", "acme/approved", "success")
	h.expectWaiting(d)

	env := h.at(managerToken).env
	watch := launch(t, env, "watch", fmt.Sprint(d.ID), "--timeout", "10m")
	watch.waitLog("waiting")
	h.kill()
	watch.waitLog("the deployment goes on meanwhile")
	h.start()
	h.at(managerToken).types(fmt.Sprintf("approve %d", d.ID), 0)
	if got := watch.waitExit(maxWait); got != 0 || !strings.Contains(watch.output(), "succeeded") {
		t.Errorf("got exit code %d and %s, want 0 and the end", got, watch.output())
	}
	h.expectEnd(d, "success", "")
}
