package e2e

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// What GitHub could not deliver while the program was down is asked for again at the next start,
// where neither route nor row names the repository.
func TestFailedDeliveriesAreAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asApp(t))
	one, two := w.deploy("acme/api", "one", "success"), w.deploy("acme/api", "two", "fail")
	w.deliveries("deployment", 2) // refused: nobody listens
	w.start()
	w.ends(one, "success", "")
	w.ends(two, "failure", "")
	w.waitLog("deployment recovered", `"source":"redelivery"`, number(one))
	w.waitLog("deployment recovered", `"source":"redelivery"`, number(two))
	if !contains(w.detail(one), "GitHub was asked to deliver it again") {
		t.Errorf("the timeline does not say so: %s", w.detail(one))
	}
	if _, text := w.get("/metrics", ""); !contains(text, `seraph_recovered_total{how="redelivery"} 2`) {
		t.Error("the metric does not say so")
	}

	w.stop()
	w.start()
	w.quiet()
	if n := w.gh.Calls()[github.OpRedeliver]; n != 2 {
		t.Errorf("GitHub was asked %d times", n)
	}
}

// With a token the hook is known by its address. Recovery by GitHub's list and by redelivery do
// nothing twice.
func TestBothWaysOfRecovery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{routes: literal})
	w.env["PUBLIC_URL"] = "http://" + w.addr
	d := w.deploy("acme/api", "production", "success")
	w.gh.AddToken("ghp_that_may_read_hooks", "seraph-bot", nil)
	w.env["GITHUB_TOKEN"] = "ghp_that_may_read_hooks"
	w.deliveries("deployment", 1)
	w.start()
	w.ends(d, "success", "")
	w.quiet()
	if n := w.triggers(d.ID); n != 1 {
		t.Errorf("%d triggers", n)
	}
}

// Without rights to read hooks, and when it is switched off, nothing is asked for, and nothing else
// suffers.
func TestNoRedelivery(t *testing.T) {
	t.Parallel()
	s := asApp(t)
	s.env["RECOVER_DELIVERIES"] = "false"
	w := newWorld(t, s)
	lost := w.deploy("acme/api", "lost", "success")
	w.silent[lost.ID] = true
	w.deliveries("deployment", 1)
	w.start()
	w.quiet()
	if n := w.gh.Calls()[github.OpListDeliveries]; n != 0 {
		t.Errorf("deliveries were listed %d times", n)
	}
}

// What is older than RECOVER_MAX_AGE when it comes is told so, and does not run.
func TestRedeliveredTooLate(t *testing.T) {
	t.Parallel()
	s := asApp(t)
	s.env["RECOVER_MAX_AGE"] = "1h"
	w := newWorld(t, s)
	d := w.create("acme/api", github.NewDeployment{
		Environment: "old",
		Payload:     payload("success"),
		CreatedAt:   time.Now().Add(-3 * time.Hour),
	})

	w.deliveries("deployment", 1)
	w.start()
	w.ends(d, "error", "arrived too late, deploy again")
}
