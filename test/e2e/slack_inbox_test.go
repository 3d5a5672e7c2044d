package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// startSlackInbox starts the program with a simulated Slack, in which alice can type commands in a channel.
func startSlackInbox(t *testing.T) (*harness, *slack.Server) {
	t.Helper()
	sim := slack.New(slack.Options{
		Commands:   []string{"/deploy", "/seraph"},
		RetryAfter: []time.Duration{},
		AckTimeout: maxWait,
	})
	if err := sim.Start(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	sim.AddChannel(slack.Channel{ID: "C0ASKING01"})
	sim.AddUser(slack.User{ID: "U0ALICE01"})

	h := newHarness(t, setup{
		routes: "people: [{id: 583231, login: alice, slack: U0ALICE01}]\nslack: {workspace: " + slack.DefaultTeam + "}" +
			wildcardRoutes,
		env: map[string]string{
			"SLACK_BOT_TOKEN":      slack.DefaultToken,
			"SLACK_SIGNING_SECRET": slack.DefaultSigningSecret,
			"SLACK_API_URL":        sim.URL(),
		},
	})
	h.start()
	sim.SetRequestURL("http://" + h.addr + "/webhooks/slack")
	return h, sim
}

// A command is answered once, however often Slack or somebody else sends it, also after a crash. Only a crash between
// the answer and its commit repeats the answer, so the process is ended in order before the one that is killed.
func TestSlackInbox_CommandOnce(t *testing.T) {
	h, sim := startSlackInbox(t)
	if err := sim.VerifyURL(); err != nil {
		t.Errorf("check of the address: %v", err)
	}
	if d, err := sim.Probe(); err != nil || d.Status != http.StatusOK {
		t.Errorf("probe: got %d, %v, want 200", d.Status, err)
	}

	typed, err := sim.Slash("U0ALICE01", "C0ASKING01", "/seraph", "help")
	if err != nil || typed.Status != http.StatusOK || len(typed.Answer) > 0 {
		t.Fatalf("got %d %s, %v, want an empty 200", typed.Status, typed.Answer, err)
	}
	ctx, cancel := h.waitContext()
	defer cancel()
	if _, err := sim.WaitMessage(ctx, func(m slack.Message) bool { return m.OnlyFor == "U0ALICE01" }); err != nil {
		t.Fatalf("no answer: %v; log: %s", err, h.output())
	}

	if d, err := sim.Replay(typed.ID); err != nil || d.Status != http.StatusUnauthorized {
		t.Errorf("replayed: got %d, %v, want 401", d.Status, err)
	}

	h.stop()
	h.start()
	h.kill()
	h.start()
	if d, err := sim.Replay(typed.ID); err != nil || d.Status != http.StatusUnauthorized {
		t.Errorf("replayed after a crash: got %d, %v, want 401", d.Status, err)
	}

	// Another command shows when a copy that was taken would have been answered.
	if _, err := sim.Slash("U0ALICE01", "C0ASKING01", "/seraph", "help deploy"); err != nil {
		t.Fatal(err)
	}
	if err := sim.Wait(ctx, func() bool { return len(sim.Ephemerals("U0ALICE01")) >= 2 }); err != nil {
		t.Fatalf("no second answer: %v", err)
	}
	if got := len(sim.Ephemerals("U0ALICE01")); got != 2 {
		t.Errorf("got %d answers to two commands, want 2", got)
	}

	h.stop()
	for _, hidden := range []string{typed.Key, "/commands/", slack.DefaultToken, slack.DefaultSigningSecret} {
		if strings.Contains(h.output(), hidden) {
			t.Errorf("the log shows %q", hidden)
		}
	}
}
