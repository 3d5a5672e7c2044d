package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
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
	cardRepositories = 31  // each has two channels of its own
	released         = 12  // deployments of the last one, which begin at the same time
	cardFailures     = 0.2 // share of the calls to Slack that fail
	maxCardCalls     = 8   // for one deployment in one channel, the replies and its share of a list included
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
// has shown the states in their order, ends with the deployment's end, and took few calls. Those that are released
// together have their line in a list instead, of which the same holds, or a card besides.
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
      - {slack: %s, lists: true, states: [waiting, running, held, ends], broadcast: [failed]}
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

// killUntil kills one process after the other until ctx ends. Three of four kills wait until the process is ready
// again: on a slow machine, where a start takes longer than the interval between two kills, nothing would be done
// otherwise.
func (c *cards) killUntil(ctx context.Context) {
	rng := c.rng(streamKill)
	for {
		p := c.processes[rng.IntN(len(c.processes))]
		if rng.IntN(4) > 0 && !p.isReady(ctx) {
			return
		}

		pause(ctx, interval{300 * time.Millisecond, 1500 * time.Millisecond}.pick(rng))
		if ctx.Err() != nil {
			return
		}
		p.kill()
	}
}

// deployAll creates the deployments. GitHub delivers again what it could not deliver, as a person would have it do.
func (c *cards) deployAll(t *testing.T) {
	t.Helper()
	for i := range released {
		c.deploy(t, c.deployments+i, cardRepositories-1, fmt.Sprintf("release-%d", i))
	}
	for i := range c.deployments {
		c.deploy(t, i, i%(cardRepositories-1), fmt.Sprintf("review-%d", i/(cardRepositories-1)))
		pause(t.Context(), time.Duration(rand.New(rand.NewPCG(c.seed, uint64(i))).IntN(300))*time.Millisecond)
	}
}

// deploy creates the deployment i, whose pipeline takes a course by chance.
func (c *cards) deploy(t *testing.T, i, repository int, environment string) {
	t.Helper()
	rng := c.rng(streamDeployment + i)
	scenario := []string{"success", "success", "success", "slow-success", "fail", "canceled"}[rng.IntN(6)]
	_, err := c.github.CreateDeployment(cardRepository(repository), github.NewDeployment{
		Ref:         "main",
		Environment: environment,
		Payload:     json.RawMessage(fmt.Sprintf(`{"scenario":%q}`, scenario)),
		Creator:     mayDeploy,
	})
	if err != nil {
		t.Fatal(err)
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
