package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// TestShutdown_UnderLoad checks that a stop with much work in progress ends in time, accepts webhooks
// until the load balancer has noticed it, and loses nothing.
func TestShutdown_UnderLoad(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{env: map[string]string{"SHUTDOWN_DELAY": "15s", "SHUTDOWN_GRACE": "5s"}}).start()
	var all []github.Deployment
	for i := range 20 {
		scenario := []string{"hold-then-success", "slow-success", "forever"}[i%3]
		all = append(all, h.deploy("acme/api", fmt.Sprintf("env-%d", i), scenario))
	}

	for _, d := range all {
		h.waitDelivery(d)
	}
	h.waitCI("three pipelines", func() bool { return len(h.ci.Pipelines()) >= 3 })
	h.signal(syscall.SIGTERM)
	h.waitLog(`"message":"stopping"`)
	if code, body := h.get("/readyz", ""); code != http.StatusServiceUnavailable {
		t.Errorf("GET /readyz during shutdown: got %d %s, want 503", code, body)
	}

	late := h.deploy("acme/api", "late", "success")
	if got, want := deliveryResult(t, h.waitDelivery(late)), "202 accepted"; got != want {
		t.Errorf("webhook during shutdown: got %s, want %s", got, want)
	}
	if code := h.waitExit(time.Minute); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}

	h.start()
	for i, d := range append(all, late) {
		if i%3 == 2 && i < 20 {
			h.finish(h.waitPipeline(d), "success")
		}

		h.expectEnd(d, "success", "")
	}
}

// TestShutdown_SecondSignal checks that a second signal ends the program at once.
func TestShutdown_SecondSignal(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{env: map[string]string{"SHUTDOWN_DELAY": "1h"}}).start()
	d := h.deploy("acme/api", "production", "forever")
	p := h.waitPipeline(d)
	h.signal(syscall.SIGTERM)
	h.waitLog(`"message":"stopping"`)
	h.signal(syscall.SIGINT)
	if code := h.waitExit(maxWait); code != 1 {
		t.Errorf("exit code after the second signal: got %d, want 1", code)
	}

	h.env["SHUTDOWN_DELAY"] = "0s"
	h.start()
	h.finish(p, "success")
	h.expectEnd(d, "success", "")
}

// TestSecondProcess_Waits checks that a second process on the same SQLite file logs that it waits, and
// starts when the first one has ended.
func TestSecondProcess_Waits(t *testing.T) {
	onlySQLite(t)
	t.Parallel()
	h := newHarness(t, setup{}).start()
	d := h.deploy("acme/api", "production", "forever")
	p := h.waitPipeline(d)
	second := launch(t, h.env)
	second.waitLog("another process uses the database", "waiting for it to end")
	if code, _ := h.get("/readyz", ""); code != http.StatusOK {
		t.Errorf("GET /readyz of the first process: got %d, want 200", code)
	}

	h.stop()
	second.waitLog(`"message":"ready"`)
	h.process = second
	h.finish(p, "success")
	h.expectEnd(d, "success", "")
}

// TestSecondProcess_StopsWhileWaiting checks that a process that waits for the database can be stopped.
func TestSecondProcess_StopsWhileWaiting(t *testing.T) {
	onlySQLite(t)
	t.Parallel()
	h := newHarness(t, setup{}).start()
	second := launch(t, h.env)
	second.waitLog("another process uses the database")
	second.signal(syscall.SIGTERM)
	if code := second.waitExit(maxWait); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
}

// TestServe_PortInUse checks that the program exits with the address in its message if the port is in use.
func TestServe_PortInUse(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	env := maps.Clone(h.env)
	env["DATABASE_URL"] = "sqlite:" + h.file + ".other"

	code, _, stderr := command(t, env)
	if want := "cannot listen on " + h.addr; code != 1 || !contains(stderr, want) {
		t.Errorf("got exit code %d, want 1 and %q:\n%s", code, want, stderr)
	}
}
