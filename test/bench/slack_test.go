package bench

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// The people of the simulated workspace: octocat asks, mona approves.
const (
	octocatID   = 583231
	monaID      = 583232
	octocatUser = "U0OCTOCAT1"
	monaUser    = "U0MONALISA"
)

// slackHarness is a harness with a simulated Slack.
type slackHarness struct {
	*harness
	slack *slack.Server
	calls *sim.Plan // which calls to Slack fail
}

// newSlackHarness returns a harness whose routes have cards in channels. Cards are edited as often as anything changes,
// because Slack's limits are not measured here.
func newSlackHarness(b *testing.B, in database, channels []string, routes ...string) *slackHarness {
	b.Helper()
	s := &slackHarness{calls: sim.NewPlan(1)}
	s.slack = slack.New(slack.Options{Commands: []string{"/deploy", "/seraph"}, Plan: s.calls})
	if err := s.slack.Start(""); err != nil {
		b.Fatal(err)
	}

	b.Cleanup(func() { s.calls.Close(); s.slack.Close() })
	for _, channel := range channels {
		s.slack.AddChannel(slack.Channel{ID: channel})
	}
	for _, user := range []string{octocatUser, monaUser} {
		s.slack.AddUser(slack.User{ID: user})
	}

	s.harness = newHarness(b, in,
		"SERAPH_ROUTES="+slackHead+strings.Join(routes, ""),
		"SERAPH_SLACK_BOT_TOKEN="+slack.DefaultToken,
		"SERAPH_SLACK_SIGNING_SECRET="+slack.DefaultSigningSecret,
		"SERAPH_SLACK_API_URL="+s.slack.URL(),
		"SERAPH_SLACK_EDITS_PER_MINUTE=100000",
	)
	s.slack.SetRequestURL("http://" + s.addr + "/webhooks/slack")
	s.github.AddUserWithID("octocat", octocatID)
	s.github.AddUserWithID("mona", monaID)

	return s
}

// slackHead is the routes file above its routes.
var slackHead = fmt.Sprintf(`
people:
  - {id: %d, login: octocat, slack: %s}
  - {id: %d, login: mona, slack: %s}
slack:
  workspace: %s
routes:`, octocatID, octocatUser, monaID, monaUser, slack.DefaultTeam)

// slackRoute is a route with a card for each deployment in each of some channels. rules are more of its keys, in YAML's
// flow style.
func slackRoute(repository, rules string, channels ...string) string {
	var notify []string
	for _, channel := range channels {
		notify = append(notify, fmt.Sprintf("{slack: %s, as: card, states: [waiting, running, held, ends]}", channel))
	}

	return fmt.Sprintf(`
  - repository: %s
    circleci: {revision: note}
    notify: [%s]
    parameters:
      seraph_key: "{{ .Key }}"
      deployment_id: {value: "{{ .ID }}", type: integer}
    %s`, repository, strings.Join(notify, ", "), rules)
}

// ownRooms returns a channel and a route for each of n repositories, so that a post to one channel does not have to
// wait for the one before.
func ownRooms(n int, rules string) (channels, routes []string) {
	for i := range n {
		channel := fmt.Sprintf("C0ROOM%04d", i)
		channels = append(channels, channel)
		routes = append(routes, slackRoute(repository(i), rules, channel))
	}
	return channels, routes
}

// waitCards waits until n messages are as wanted, and returns them.
func (s *slackHarness) waitCards(b *testing.B, n int, wanted func(slack.Message) bool) (found []slack.Message) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()

	err := s.slack.Wait(ctx, func() bool {
		found = nil
		for _, m := range s.slack.Messages("") {
			if wanted(m) {
				found = append(found, m)
			}
		}
		return len(found) >= n
	})
	if err != nil {
		b.Fatalf("got %d cards, want %d: %v", len(found), n, err)
	}

	return found
}

// BenchmarkSlackAck measures how long Slack waits for the answer to a slash command: 20 commands a second for 15 s,
// while 200 deployments end, and the card of each is edited.
func BenchmarkSlackAck(b *testing.B) { onBoth(b, slackAck) }

func slackAck(b *testing.B, in database) {
	const perSecond, commands, deployments = 20, 300, 200
	var times []time.Duration
	edits := 0
	for range b.N {
		channels, routes := ownRooms(deployments, "")
		h := newSlackHarness(b, in, channels, routes...)
		h.keepPipelinesRunning(b, deployments)
		h.start(b)
		h.create(b, deployments, perSecond)
		h.waitCards(b, deployments, func(m slack.Message) bool { return strings.Contains(m.Text, ": running") })

		before := len(h.slack.Calls("chat.update"))
		var ending sync.WaitGroup
		ending.Go(func() { h.finishAll(b, commands/perSecond*time.Second) })
		typed := typeCommands(h.slack, commands, perSecond)
		edits += len(h.slack.Calls("chat.update")) - before

		for i, c := range typed {
			if c.err != nil || c.sent.Status != http.StatusOK || len(c.sent.Answer) > 0 {
				b.Errorf("command %d: got %d %s, %v, want an empty 200", i, c.sent.Status, c.sent.Answer, c.err)
			}
			times = append(times, c.sent.Duration)
		}

		ending.Wait()
		h.waitSuccess(b)
		h.waitCards(b, deployments, func(m slack.Message) bool { return strings.Contains(m.Text, ": succeeded") })
		h.stop(b)
	}

	reportTimes(b, times)
	b.ReportMetric(float64(edits)/float64(b.N), "edits")
	p50, p99 := percentile(times, 0.5), percentile(times, 0.99)
	b.Logf("acknowledged after p50 %.1f ms, p99 %.1f ms (bar 150: %s), with %d edits of cards meanwhile (bar %d: %s)",
		p50, p99, verdict(p99 <= 150), edits, deployments*b.N*9/10, verdict(edits >= deployments*b.N*9/10))
}

// finishAll has all pipelines succeed, evenly over a period.
func (h *harness) finishAll(b *testing.B, period time.Duration) {
	pipelines := h.circleci.Pipelines()
	tick := time.NewTicker(period / time.Duration(len(pipelines)))
	defer tick.Stop()

	for _, p := range pipelines {
		if err := h.circleci.Finish(p.ID, "success"); err != nil {
			b.Errorf("finish %s: %v", p.Project, err)
		}
		<-tick.C
	}
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
		typing.Go(func() { typed[i].sent, typed[i].err = sim.Slash(octocatUser, "C0ROOM0000", "/seraph", "help") })
		<-tick.C
	}

	typing.Wait()
	return typed
}

// BenchmarkCardClick measures the time from a click on Approve until the card shows what it did: 20 deployments, one
// click after the other, more than 3 s after the card was posted. Slack, GitHub and CircleCI answer at once. The routes
// do not lead to production, where a click asks before it acts.
func BenchmarkCardClick(b *testing.B) { onBoth(b, cardClick) }

func cardClick(b *testing.B, in database) {
	const deployments, perSecond = 20, 20
	var times []time.Duration
	for range b.N {
		channels, routes := ownRooms(deployments, "production: false\n    approvals: {count: 1, users: [mona]}")
		h := newSlackHarness(b, in, channels, routes...)
		h.keepPipelinesRunning(b, deployments)
		for i := range deployments {
			h.github.AddRepository(repository(i))
			h.github.SetRole(repository(i), "mona", "write")
		}

		h.start(b)
		h.create(b, deployments, perSecond)
		cards := h.waitCards(b, deployments, waitsForApproval)
		<-time.After(3 * time.Second) // a card is edited at most so often, and nobody reads it faster
		for _, card := range cards {
			times = append(times, h.approve(b, card))
		}

		h.stop(b)
	}

	reportTimes(b, times)
	p50 := percentile(times, 0.5)
	b.Logf("from the click to the changed card: p50 %.1f ms (bar 300: %s)", p50, verdict(p50 <= 300))
}

func waitsForApproval(m slack.Message) bool {
	_, waits := m.Button("seraph_approve")
	return waits
}

// approve clicks on Approve, and returns how long it took until the card had no such button any more.
func (s *slackHarness) approve(b *testing.B, card slack.Message) time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()

	began := time.Now()
	d, err := s.slack.Click(monaUser, card.Channel, card.TS, "seraph_approve")
	if err != nil || !d.Accepted() {
		b.Fatalf("click: got %v, %s", err, d.Failure)
	}

	err = s.slack.Wait(ctx, func() bool {
		m, found := s.slack.Message(card.Channel, card.TS)
		return found && !waitsForApproval(m)
	})
	if err != nil {
		b.Fatalf("got no change of the card: %v", err)
	}

	return time.Since(began)
}

// BenchmarkSlackDown compares two times with a Slack that answers at once and with one that does not: half of its calls
// are cut without an answer, and the others hang. They are the time from a deployment at GitHub to its trigger, and
// from the end of a pipeline to the status at GitHub: 100 deployments, 20 a second, each with a card in two channels.
// Both take turns, so that a busy machine slows both down.
func BenchmarkSlackDown(b *testing.B) { onBoth(b, slackDown) }

func slackDown(b *testing.B, in database) {
	const rounds, deployments, perSecond = 2, 100, 20
	up, down := slackTimes{name: "up"}, slackTimes{
		name:   "down",
		faults: []sim.Fault{{ResetBefore: true}, {Delay: time.Hour}},
	}
	for round := range rounds * b.N {
		order := []*slackTimes{&up, &down}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, t := range order {
			t.measure(b, in, deployments, perSecond)
		}
	}

	b.ReportMetric(0, "ns/op") // has no meaning here
	up.report(b)
	down.report(b)
	if up.cards < deployments/10 || down.cards > 0 {
		b.Errorf("got %d cards with Slack and %d without it, want some and none", up.cards, down.cards)
	}
}

// numberPattern is the number of a deployment in a message.
var numberPattern = regexp.MustCompile(`#\d+`)

// slackTimes are what was measured with a Slack in one condition.
type slackTimes struct {
	name               string
	faults             []sim.Fault // each call to Slack has one of them; none: it is answered at once
	triggers, statuses []time.Duration
	cpu                time.Duration // of the service
	calls, cards       int           // calls that Slack saw, and deployments that messages show, by themselves or in lists
}

// measure deploys n deployments, perSecond of them each second.
func (t *slackTimes) measure(b *testing.B, in database, n, perSecond int) {
	b.Helper()
	rooms := []string{"C0DEPLOYS1", "C0DEPLOYS2"}
	h := newSlackHarness(b, in, rooms, slackRoute("acme/*", "", rooms...))
	h.calls.Random("", 1, t.faults...)
	h.start(b)
	before := h.cpu(b)
	h.deploy(b, n, perSecond)
	t.cpu += h.cpu(b) - before

	t.triggers = append(t.triggers, h.triggerTimes()...)
	t.statuses = append(t.statuses, h.statusTimes()...)
	t.calls += len(h.slack.Calls(""))
	for _, m := range h.slack.Messages("") {
		t.cards += len(numberPattern.FindAllString(m.Words(), -1))
	}
	h.stop(b)
}

func (t *slackTimes) report(b *testing.B) {
	b.Helper()
	trigger, status := percentile(t.triggers, 0.5), percentile(t.statuses, 0.5)
	triggerP99, statusP99 := percentile(t.triggers, 0.99), percentile(t.statuses, 0.99)

	b.ReportMetric(trigger, t.name+"-trigger-p50-ms")
	b.ReportMetric(triggerP99, t.name+"-trigger-p99-ms")
	b.ReportMetric(status, t.name+"-status-p50-ms")
	b.ReportMetric(statusP99, t.name+"-status-p99-ms")
	cpu := 1000 * t.cpu.Seconds() / float64(len(t.triggers))
	b.ReportMetric(cpu, t.name+"-cpu-ms/deployment")
	b.Logf("Slack %s: webhook to trigger p50 %.1f ms, p99 %.1f ms; end to status p50 %.1f ms, p99 %.1f ms; %d calls, %d cards",
		t.name, trigger, triggerP99, status, statusP99, t.calls, t.cards)
}
