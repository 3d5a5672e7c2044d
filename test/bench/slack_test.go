package bench

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// slackRoutes are routes with a card for each deployment.
const slackRoutes = `
people:
  - {id: 583231, login: octocat, slack: U0ALICE01}
slack:
  workspace: ` + slack.DefaultTeam + `
routes:
  - repository: acme/*
    circleci: {revision: note}
    notify:
      - {slack: C0DEPLOYS1, as: card, states: [waiting, running, held, ends]}
    parameters:
      seraph_key: "{{ .Key }}"
      deployment_id: {value: "{{ .ID }}", type: integer}
`

// BenchmarkSlackAck measures how long Slack waits for the answer to a slash command: 20 commands a second for 15 s,
// while 200 deployments start, run and end, each with a card.
func BenchmarkSlackAck(b *testing.B) { onBoth(b, slackAck) }

func slackAck(b *testing.B, in database) {
	const perSecond, commands, deployments = 20, 300, 200
	var times []time.Duration
	for range b.N {
		sim := slack.New(slack.Options{Commands: []string{"/deploy", "/seraph"}})
		if err := sim.Start(""); err != nil {
			b.Fatal(err)
		}
		sim.AddChannel(slack.Channel{ID: "C0DEPLOYS1"})
		sim.AddUser(slack.User{ID: "U0ALICE01"})

		h := newHarness(b, in,
			"SERAPH_ROUTES="+slackRoutes,
			"SERAPH_SLACK_BOT_TOKEN="+slack.DefaultToken,
			"SERAPH_SLACK_SIGNING_SECRET="+slack.DefaultSigningSecret,
			"SERAPH_SLACK_API_URL="+sim.URL(),
		)
		h.start(b)
		sim.SetRequestURL("http://" + h.addr + "/webhooks/slack")

		var typed []typedCommand
		var typing sync.WaitGroup
		typing.Go(func() { typed = typeCommands(sim, commands, perSecond) })
		h.deploy(b, deployments, perSecond)
		typing.Wait()

		for i, c := range typed {
			if c.err != nil || c.sent.Status != http.StatusOK || len(c.sent.Answer) > 0 {
				b.Fatalf("command %d: got %d %s, %v, want an empty 200", i, c.sent.Status, c.sent.Answer, c.err)
			}
			times = append(times, c.sent.Duration)
		}

		b.Logf("%d posts and %d edits of cards meanwhile", len(sim.Calls("chat.postMessage")), len(sim.Calls("chat.update")))
		h.stop(b)
		sim.Close()
	}

	reportTimes(b, times)
	p50, p99 := percentile(times, 0.5), percentile(times, 0.99)
	b.Logf("acknowledged after p50 %.1f ms, p99 %.1f ms (bar 150: %s)", p50, p99, verdict(p99 <= 150))
}

// typedCommand is a command, and how it was answered.
type typedCommand struct {
	sent slack.Delivery
	err  error
}

// typeCommands has somebody type commands at a steady pace, without waiting for the answer to the one before.
func typeCommands(sim *slack.Server, n, perSecond int) []typedCommand {
	typed := make([]typedCommand, n)
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()

	var typing sync.WaitGroup
	for i := range n {
		typing.Go(func() { typed[i].sent, typed[i].err = sim.Slash("U0ALICE01", "C0DEPLOYS1", "/seraph", "help") })
		<-tick.C
	}

	typing.Wait()
	return typed
}
