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

// A stop in the middle of much work ends cleanly in time, takes webhooks until the load balancer
// has noticed, and loses nothing.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{env: map[string]string{"SHUTDOWN_DELAY": "1s", "SHUTDOWN_GRACE": "5s"}}).start()
	var all []github.Deployment
	for i := range 20 {
		all = append(
			all,
			w.deploy(
				"acme/api",
				fmt.Sprintf("env-%d", i),
				[]string{"hold-then-success", "slow-success", "forever"}[i%3],
			),
		)
	}

	w.waitCI("three pipelines", func() bool { return len(w.ci.Pipelines()) >= 3 })
	w.signal(syscall.SIGTERM)
	w.waitLog(`"message":"stopping"`)
	if code, body := w.get("/readyz", ""); code != http.StatusServiceUnavailable {
		t.Errorf("GET /readyz while draining: %d %s", code, body)
	}

	late := w.deploy("acme/api", "late", "success")
	if got := result(t, w.deliveries("deployment", 21)[20]); got != "202 accepted" {
		t.Errorf("a webhook while draining: %s", got)
	}
	if code := w.exit(7 * time.Second); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}

	w.start()
	for i, d := range append(all, late) {
		if i%3 == 2 && i < 20 {
			w.finish(w.pipeline(d), "success")
		}

		w.ends(d, "success", "")
	}
}

// A second signal does not wait for anything.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{env: map[string]string{"SHUTDOWN_DELAY": "50s"}}).start()
	d := w.deploy("acme/api", "production", "forever")
	p := w.pipeline(d)
	w.signal(syscall.SIGTERM)
	w.waitLog(`"message":"stopping"`)
	w.signal(syscall.SIGINT)
	if code := w.exit(5 * time.Second); code != 1 {
		t.Errorf("exit code %d after the second signal, want 1", code)
	}

	w.env["SHUTDOWN_DELAY"] = "0s"
	w.start()
	w.finish(p, "success")
	w.ends(d, "success", "")
}

// Two programs never use one database: the second one says that it waits, and goes on when the
// first has ended.
func TestSecondProcessWaits(t *testing.T) {
	onlySQLite(t)
	t.Parallel()
	w := newWorld(t, setup{}).start()
	d := w.deploy("acme/api", "production", "forever")
	p := w.pipeline(d)
	second := launch(t, w.env)
	second.waitLog("another process uses the database", "waiting for it to end")
	if code, _ := w.get("/readyz", ""); code != http.StatusOK {
		t.Errorf("the first one is not ready: %d", code)
	}

	w.stop()
	second.waitLog(`"message":"ready"`)
	w.process = second
	w.finish(p, "success")
	w.ends(d, "success", "")
}

// A program that waits for the database can be told to end.
func TestWaitingProcessStops(t *testing.T) {
	onlySQLite(t)
	t.Parallel()
	w := newWorld(t, setup{}).start()
	second := launch(t, w.env)
	second.waitLog("another process uses the database")
	second.signal(syscall.SIGTERM)
	if code := second.exit(5 * time.Second); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// A port that is taken ends the program with a word about it.
func TestPortIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	env := maps.Clone(w.env)
	env["DATABASE_URL"] = "sqlite:" + w.file + ".other"
	code, _, stderr := command(t, env)
	if code != 1 || !contains(stderr, "cannot listen on "+w.addr) {
		t.Errorf("exit code %d, want 1 and a word about the address:\n%s", code, stderr)
	}
}
