package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/pgtest"
	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// The bounds of TestCards.
const (
	cardRepositories = 30  // each has two channels of its own
	cardFailures     = 0.2 // share of the calls to Slack that fail
	maxCardCalls     = 8   // of one card, its replies included
	meanCardCalls    = 4.0
	cardsWait        = 6 * time.Minute // until every card must show the end
)

// fewCards are the deployments of the small run, each with two cards.
const fewCards = 20

// cards runs the cluster between simulators of GitHub, CircleCI and Slack.
type cards struct {
	*cluster
	settings
	github   *github.Server
	circleci *circleci.Server
	slack    *slack.Server
	faults   *sim.Plan
}

// TestCards deploys while processes are killed every second and a fifth of the calls to Slack fails. Then it compares
// what the channels show with what became of the deployments: each has one card in each of its two channels, which
// has shown the states in their order, ends with the deployment's end, and took few calls.
//
// In the small run the clocks of the program, of Slack and of CircleCI go faster than time.
func TestCards(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}

	var flags []string
	if !wantsLarge() {
		flags = append(flags, "-overlay="+writeFastClock(t))
	}
	binary := build(t, flags...)

	for _, database := range databases(t) {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			s := readSettings(t, database)
			s.deployments = min(s.deployments, 300)
			if !s.large {
				s.deployments = fewCards
			}

			c := newCards(t, s, binary)
			c.start(t)
			ctx, stop := context.WithCancel(t.Context())
			var killing sync.WaitGroup
			killing.Go(func() { c.killUntil(ctx) })
			c.deployAll(t)
			c.waitEnds(t)
			stop()
			killing.Wait()

			began := time.Now()
			c.waitCards(t)
			t.Logf("%d kills; all cards at their ends %s after the last one", c.kills(), time.Since(began).Round(time.Second))
			c.verify(t)
			if t.Failed() {
				for _, p := range c.processes {
					t.Log(tail(p.readLog(), 40))
				}
			}
		})
	}
}

func newCards(t *testing.T, s settings, binary string) *cards {
	t.Helper()
	c := &cards{settings: s, cluster: &cluster{}, faults: sim.NewPlan(s.seed)}
	began := time.Now()
	now, step := time.Now, 1500*time.Millisecond
	if !s.large {
		now, step = fastClock(began), step/3
	}

	c.prepareCluster(t, binary)
	c.github = github.New(github.Options{WebhookURL: c.address + "/webhooks/github", WebhookSecret: hookSecret})
	c.circleci = circleci.New(circleci.Options{
		AnyProject:    true,
		AnyBranch:     true,
		Step:          step,
		Now:           now,
		WebhookURL:    c.address + "/webhooks/circleci",
		WebhookSecret: ciSecret,
	})
	c.slack = slack.New(slack.Options{Plan: c.faults, Now: now})
	for _, start := range []func(string) error{c.github.Start, c.circleci.Start, c.slack.Start} {
		if err := start(""); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		c.faults.Close()
		c.slack.Close()
		c.github.Close()
		c.circleci.Close()
	})

	c.github.AddToken(token, "seraph-bot", nil)
	c.github.SetBudget(githubBudget)
	c.github.AddUser(mayDeploy)
	for i := range cardRepositories {
		c.github.AddRepository(cardRepository(i))
		c.circleci.AddProject("gh/"+cardRepository(i), "main")
		for _, channel := range cardChannels(i) {
			c.slack.AddChannel(slack.Channel{ID: channel})
		}
	}

	c.failCalls(t)
	c.configure(
		"SERAPH_ROUTES="+cardRoutes(),
		"SERAPH_GITHUB_API_URL="+c.github.URL()+"/",
		"SERAPH_GITHUB_TOKEN="+token,
		"SERAPH_GITHUB_WEBHOOK_SECRETS="+hookSecret,
		"SERAPH_GITHUB_WRITES_PER_MINUTE=0",
		"SERAPH_CIRCLECI_API_URL="+c.circleci.URL(),
		"SERAPH_CIRCLECI_TOKEN="+circleci.DefaultToken,
		"SERAPH_CIRCLECI_WEBHOOK_SECRETS="+ciSecret,
		"SERAPH_CIRCLECI_READS_PER_SECOND=0",
		"SERAPH_SLACK_BOT_TOKEN="+slack.DefaultToken,
		"SERAPH_SLACK_SIGNING_SECRET="+slack.DefaultSigningSecret,
		"SERAPH_SLACK_API_URL="+c.slack.URL(),
		"SERAPH_SLACK_EDITS_PER_MINUTE=2000",
		fmt.Sprintf("%s=%d", beganVariable, began.UnixNano()),
	)
	c.configure(s.env...)
	return c
}

// prepareCluster gives the cluster its database, its processes, which do not run yet, and the proxy before them.
func (c *cards) prepareCluster(t *testing.T, binary string) {
	t.Helper()
	size := 1
	c.url = "sqlite:" + filepath.Join(t.TempDir(), "seraph.db")
	if c.database == postgres {
		size = 2
		c.url = pgtest.Database(t)
	}

	for i := range size {
		c.processes = append(c.processes, newProcess(t, fmt.Sprint("seraph-", i), binary))
	}
	c.address = (&proxy{processes: c.processes}).listen(t)
}

func (c *cards) kills() (n int) {
	for _, p := range c.processes {
		n += p.kills
	}
	return n
}

func cardRepository(i int) string { return fmt.Sprintf("acme/c%02d", i) }

func cardChannels(i int) []string {
	return []string{fmt.Sprintf("C0CARD%02dA", i), fmt.Sprintf("C0CARD%02dB", i)}
}

// cardRoutes returns a routes file with two channels for each repository.
func cardRoutes() string {
	const route = `
  - repository: %s
    circleci: {revision: note}
    parameters: {seraph_key: "{{ .Key }}", deployment_id: "{{ .ID }}", sim_scenario: "{{ .Payload.scenario }}"}
    notify:
      - {slack: %s, states: [waiting, running, held, ends], broadcast: [failed]}
      - {slack: %s, states: [waiting, running, held, ends]}`

	var text strings.Builder
	text.WriteString("slack: {workspace: " + slack.DefaultTeam + "}\nroutes:")
	for i := range cardRepositories {
		channels := cardChannels(i)
		text.WriteString(fmt.Sprintf(route, cardRepository(i), channels[0], channels[1]))
	}
	return text.String()
}

// failCalls makes a part of the calls to Slack fail, in all the ways that Slack and proxies have.
func (c *cards) failCalls(t *testing.T) {
	t.Helper()
	var faults []sim.Fault
	for _, name := range []string{
		"rate-limited", "rate-limited-200", "rate-limited-after", "empty-object", "empty-object-after", "html",
		"html-after", "server-error", "error-after", "fatal-error", "no-answer", "lost-answer", "half-answer",
		"late-effect", "redirect-307",
	} {
		f, found := c.slack.Fault(name)
		if !found {
			t.Fatalf("no fault %q", name)
		}
		if !c.large {
			f.LateEffect /= clockSpeed
		}
		faults = append(faults, f)
	}
	bare := sim.Fault{Status: http.StatusTooManyRequests, Body: "slow down"} // without Retry-After: 30 s
	faults = append(faults, bare)

	for _, method := range []string{"chat.postMessage", "chat.update", "conversations.history", "conversations.replies"} {
		c.faults.Random(method, cardFailures, faults...)
	}
	c.slack.SetHistoryLag(2 * time.Second)
}

func (c *cards) killUntil(ctx context.Context) {
	rng := c.rng(streamKill)
	for {
		pause(ctx, interval{300 * time.Millisecond, 1500 * time.Millisecond}.pick(rng))
		if ctx.Err() != nil {
			return
		}
		c.processes[rng.IntN(len(c.processes))].kill()
	}
}

// deployAll creates the deployments. GitHub delivers again what it could not deliver, as a person would have it do.
func (c *cards) deployAll(t *testing.T) {
	t.Helper()
	for i := range c.deployments {
		rng := c.rng(streamDeployment + i)
		scenario := []string{"success", "success", "success", "slow-success", "fail", "canceled"}[rng.IntN(6)]
		_, err := c.github.CreateDeployment(cardRepository(i%cardRepositories), github.NewDeployment{
			Ref:         "main",
			Environment: fmt.Sprintf("review-%d", i/cardRepositories),
			Payload:     json.RawMessage(fmt.Sprintf(`{"scenario":%q}`, scenario)),
			Creator:     mayDeploy,
		})
		if err != nil {
			t.Fatal(err)
		}
		pause(t.Context(), time.Duration(rand.New(rand.NewPCG(c.seed, uint64(i))).IntN(300))*time.Millisecond)
	}
}

// waitEnds waits until every deployment has ended at GitHub.
func (c *cards) waitEnds(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(c.maxWait)
	for time.Now().Before(deadline) {
		open := slices.DeleteFunc(c.github.Deployments(), ended)
		if len(open) == 0 {
			return
		}
		for _, d := range c.github.Deliveries() {
			if d.StatusCode/100 != 2 && !d.Redelivery && !c.delivered(d.GUID) {
				_ = c.github.Hooks().Redeliver(d.ID) // it is asked again
			}
		}
		pause(t.Context(), time.Second)
	}
	t.Fatalf("%d deployments are open after %s", len(slices.DeleteFunc(c.github.Deployments(), ended)), c.maxWait)
}

func (c *cards) delivered(guid string) bool {
	for _, d := range c.github.Deliveries() {
		if d.GUID == guid && d.StatusCode/100 == 2 {
			return true
		}
	}
	return false
}

// waitCards waits until every channel shows the end of each of its deployments.
func (c *cards) waitCards(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(cardsWait)
	for time.Now().Before(deadline) {
		if len(c.missing()) == 0 {
			return
		}
		pause(t.Context(), time.Second)
	}
}

// missing lists the deployments and channels where no card shows the end.
func (c *cards) missing() (list []string) {
	shown := map[string]bool{}
	for i := range cardRepositories {
		for _, channel := range cardChannels(i) {
			for _, m := range c.slack.Messages(channel) {
				if number := cardNumber(m); number != "" && m.Thread == "" {
					shown[channel+" "+number+" "+endWord(m.Text)] = true
				}
			}
		}
	}

	for _, d := range c.github.Deployments() {
		for _, channel := range channelsOf(d) {
			want := fmt.Sprintf("%s %d %s", channel, d.ID, endOf(d))
			if !shown[want] {
				list = append(list, want)
			}
		}
	}
	return list
}

func channelsOf(d github.Deployment) []string {
	for i := range cardRepositories {
		if d.Repository == cardRepository(i) {
			return cardChannels(i)
		}
	}
	return nil
}

var (
	numberPattern = regexp.MustCompile(`Deployment #(\d+)`)
	notePattern   = regexp.MustCompile(`#(\d+): It `)
)

func numberIn(blocks string) string {
	for _, pattern := range []*regexp.Regexp{numberPattern, notePattern} {
		if found := pattern.FindStringSubmatch(blocks); found != nil {
			return found[1]
		}
	}
	return ""
}

func cardNumber(m slack.Message) string {
	text, err := json.Marshal(m.Blocks)
	if err != nil {
		return ""
	}
	return numberIn(string(text))
}

// endWord is GitHub's word for the end that the text of a card says; empty: it says none.
func endWord(text string) string {
	for words, state := range map[string]string{
		": succeeded": "success", ": failed": "failure", ": could not be run": "error", ": canceled": "error",
		": rejected": "error",
	} {
		if strings.Contains(text, words) {
			return state
		}
	}
	return ""
}

func endOf(d github.Deployment) string {
	if len(d.Statuses) == 0 {
		return "none"
	}
	return d.Statuses[len(d.Statuses)-1].State
}

// stageOf is the place of what a card says among the states.
func stageOf(text string) int {
	switch {
	case endWord(text) != "":
		return 3
	case strings.Contains(text, "starting"):
		return 1
	case strings.Contains(text, ": running"), strings.Contains(text, ": held"), strings.Contains(text, "being canceled"):
		return 2
	default:
		return 0
	}
}

func (c *cards) verify(t *testing.T) {
	t.Helper()
	for _, missing := range c.missing() {
		t.Errorf("no card shows the end: %s", missing)
	}

	keys := map[string]int{}
	perCard := map[string]int{}
	for i := range cardRepositories {
		for _, channel := range cardChannels(i) {
			for _, m := range c.slack.Posted(channel) {
				if m.Metadata != nil {
					keys[fmt.Sprint(channel, m.Metadata.Payload)]++
				}
				if m.Thread == "" {
					perCard[channel+" "+cardNumber(m)]++
				}
				c.verifyOrder(t, m)
			}
		}
	}
	for key, n := range keys {
		if n > 1 {
			channel, _, _ := strings.Cut(key, "map[")
			t.Errorf("got the key %s posted %d times, by these calls:\n%s", key, n, c.callsTo(channel))
		}
	}
	for card, n := range perCard {
		if n > 1 {
			t.Errorf("got %d cards of %s, want one", n, card)
		}
	}

	c.verifyCalls(t, len(perCard))
}

// callsTo describes the calls about a channel.
func (c *cards) callsTo(channel string) string {
	var text strings.Builder
	for _, call := range c.slack.Calls("") {
		if call.Channel == channel && call.Method != "conversations.info" {
			fmt.Fprintf(&text, "%s %s: status %d, error %q, done %t, ts %q\n",
				call.At.Format("15:04:05.000"), call.Method, call.Status, call.Error, call.Done, call.TS)
		}
	}
	return text.String()
}

// verifyOrder checks that a card has never gone back to an earlier state.
func (c *cards) verifyOrder(t *testing.T, m slack.Message) {
	t.Helper()
	last := 0
	for _, v := range c.slack.Versions(m.Channel, m.TS) {
		if n := stageOf(v.Text); n < last && m.Thread == "" {
			t.Errorf("got a card in %s that went back to %q", m.Channel, v.Text)
		} else {
			last = n
		}
	}
}

// verifyCalls counts the calls for each deployment and channel that may have had an effect: not those that Slack refused
// because there were too many.
func (c *cards) verifyCalls(t *testing.T, want int) {
	t.Helper()
	calls := map[string]int{}
	total := 0
	for _, call := range c.slack.Calls("") {
		if !strings.HasPrefix(call.Method, "chat.") {
			continue
		}
		number := numberIn(call.Args["blocks"])
		if number == "" {
			t.Errorf("got a call of %s that names no deployment: %q", call.Method, call.Args["text"])
		}
		card := call.Channel + " " + number
		if call.Status == http.StatusTooManyRequests {
			calls[card] += 0 // the card may be there all the same
			continue
		}
		calls[card]++
		total++
	}

	most := 0
	for card, n := range calls {
		most = max(most, n)
		if n > maxCardCalls {
			t.Errorf("got %d calls for %s, want at most %d", n, card, maxCardCalls)
		}
	}

	mean := float64(total) / float64(max(len(calls), 1))
	if mean > meanCardCalls || len(calls) != want {
		t.Errorf("got %.2f calls for each of %d cards, want at most %.0f for each of %d", mean, len(calls), meanCardCalls, want)
	}
	t.Logf("%d cards, %.2f calls each, at most %d", len(calls), mean, most)
}
