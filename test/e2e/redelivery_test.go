package e2e

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// TestRedelivery_RequestedAtStart checks that the program asks GitHub at its start for what could not be
// delivered, if neither a route nor the database names the repository.
func TestRedelivery_RequestedAtStart(t *testing.T) {
	t.Parallel()
	h := newHarness(t, asApp(t)).withoutListing() // which could find the second once the first has a row
	one, two := h.deploy("acme/api", "one", "success"), h.deploy("acme/api", "two", "fail")
	h.waitDeliveries("deployment", 2) // they fail: the program is down
	h.start()
	h.expectEnd(one, "success", "")
	h.expectEnd(two, "failure", "")
	h.waitLog("deployment recovered", `"source":"redelivery"`, logID(one))
	h.waitLog("deployment recovered", `"source":"redelivery"`, logID(two))

	if detail, want := h.apiDetail(one), "GitHub was asked to deliver it again"; !contains(detail, want) {
		t.Errorf("timeline: got no %q: %s", want, detail)
	}
	_, metrics := h.get("/metrics", "")
	if want := `seraph_recovered_total{how="redelivery"} 2`; !contains(metrics, want) {
		t.Errorf("metrics: got no %s:\n%s", want, metrics)
	}

	h.stop()
	h.start()
	h.deployOneMore()
	if got := h.gh.Calls()[github.OpRedeliver]; got != 2 {
		t.Errorf("requests for redelivery: got %d, want 2", got)
	}
}

// TestRecovery_ListAndRedelivery checks that recovery by GitHub's list of deployments and by redelivery
// together run nothing twice. With a token, Seraph finds the hook by its URL.
func TestRecovery_ListAndRedelivery(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{routes: namedRoutes})
	h.env["PUBLIC_URL"] = "http://" + h.addr
	d := h.deploy("acme/api", "production", "success")
	h.gh.AddToken("ghp_that_may_read_hooks", "seraph-bot", nil)
	h.env["GITHUB_TOKEN"] = "ghp_that_may_read_hooks"
	h.waitDeliveries("deployment", 1)
	h.start()
	h.expectEnd(d, "success", "")
	h.deployOneMore()
	if got := h.triggerCount(d.ID); got != 1 {
		t.Errorf("triggers: got %d, want 1", got)
	}
}

// TestRedelivery_SwitchedOff checks that with RECOVER_DELIVERIES=false the program does not list
// deliveries, and works otherwise.
func TestRedelivery_SwitchedOff(t *testing.T) {
	t.Parallel()
	s := asApp(t)
	s.env["RECOVER_DELIVERIES"] = "false"
	h := newHarness(t, s)
	lost := h.deploy("acme/api", "lost", "success")
	h.unchecked[lost.ID] = true
	h.waitDeliveries("deployment", 1)
	h.start()
	h.deployOneMore()
	if got := h.gh.Calls()[github.OpListDeliveries]; got != 0 {
		t.Errorf("lists of deliveries: got %d, want 0", got)
	}
}

// TestRedelivery_TooLate checks that a redelivered deployment older than RECOVER_MAX_AGE ends with a
// reason and does not run.
func TestRedelivery_TooLate(t *testing.T) {
	t.Parallel()
	s := asApp(t)
	s.env["RECOVER_MAX_AGE"] = "1h"
	h := newHarness(t, s)
	d := h.create("acme/api", github.NewDeployment{
		Environment: "old",
		Payload:     payload("success"),
		CreatedAt:   time.Now().Add(-3 * time.Hour),
	})

	h.waitDeliveries("deployment", 1)
	h.start()
	h.expectEnd(d, "error", "arrived too late, deploy again")
}
