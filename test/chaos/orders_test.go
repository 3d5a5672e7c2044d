package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim"
	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

// TestOrders has people ask for deployments through the API while a fifth of GitHub's and CircleCI's calls
// fail and processes are killed. Their clients repeat a request with its key until they have an answer. Then
// it compares what the simulators saw with what was asked for: no request is lost, none becomes two
// deployments that run, and each deployment is that of the person who asked for it.
func TestOrders(t *testing.T) {
	t.Parallel()
	for _, database := range databases(t) {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := newOrders(t, orderSettings(t, database))
			o.warmUp(t)
			o.placeAll(t)
			o.finish(t)
			o.verify(t)
		})
	}
}

// The tokens of clients that ask for other people. The second one may speak only for people of one chat.
const (
	chatToken = "chaos-chat-token-0123456789abcdef0123"
	botToken  = "chaos-bot-token-0123456789abcdef01234"
)

// client is a program that asks for people.
type client struct{ name, token, via string }

var clients = []client{
	{name: "chat", token: chatToken, via: "chat"},
	{name: "hubot", token: botToken, via: "hubot-slack"},
}

// person asks for deployments.
type person struct {
	id           int64
	login, slack string
}

const (
	fewOrders     = 12 // of the small run
	rollbackEvery = 10 // how many orders there are for each rollback
)

// orderSettings are those of the small run, because it kills as often as is wanted here, with more of
// everything where SERAPH_CHAOS_ORDERS says how many orders there are.
func orderSettings(t *testing.T, database string) settings {
	t.Helper()
	s := settings{
		seed:        defaultSeed,
		database:    database,
		deployments: fewOrders,
		faultPeriod: 6 * time.Second,
		failureRate: 0.2,
		size:        small,
	}
	s.keyless, s.ruled, s.projects = 0, 0, 2
	s.maxWait = 8 * time.Minute // proving that GitHub created nothing takes 90 s, and up to three times

	readVariable(t, "SERAPH_CHAOS_SEED", &s.seed, parseSeed)
	readVariable(t, "SERAPH_CHAOS_ORDERS", &s.deployments, strconv.Atoi)
	if s.deployments > fewOrders {
		s.faultPeriod, s.projects = 150*time.Second, 9
		readVariable(t, "SERAPH_CHAOS_DURATION", &s.faultPeriod, time.ParseDuration)
	}
	t.Logf("SERAPH_CHAOS_SEED=%d SERAPH_CHAOS_DATABASE=%s SERAPH_CHAOS_ORDERS=%d SERAPH_CHAOS_DURATION=%s",
		s.seed, s.database, s.deployments, s.faultPeriod)

	return s
}

// isLarge says whether the run is larger than the one of go test.
func (o *orders) isLarge() bool { return o.deployments > fewOrders }

// orders is a harness whose deployments are asked for through the API.
type orders struct {
	*harness
	people  []person
	first   map[string]string // by repository: the commit that was deployed first to production
	clients *http.Client

	mu  sync.Mutex
	all []*order
}

func newOrders(t *testing.T, s settings) *orders {
	t.Helper()
	o := &orders{
		harness: newHarness(t, s),
		first:   map[string]string{},
		clients: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 15 * time.Second},
	}
	// Where the list of our own pipelines is empty, one call that fails is enough to leave it open whether
	// CircleCI has started a pipeline. TestChaos is about that.
	o.repositories = slices.DeleteFunc(o.repositories, func(name string) bool { return name == emptyMine })
	for _, login := range []string{"alice", "bob", "carol", "dave"} {
		for _, name := range o.repositories {
			o.github.SetRole(name, login, "write")
		}
		o.people = append(o.people, person{o.github.AddUser(login), login, "U0" + strings.ToUpper(login)})
	}

	tokens := "reader:read:" + apiToken
	for _, c := range clients {
		scope := "behalf"
		if c.token == botToken {
			scope += "=hubot-slack/T0ACME001"
		}
		tokens += fmt.Sprintf(",%s:%s:%s", c.name, scope, c.token)
	}

	o.configure("SERAPH_ROUTES="+o.routes(), "SERAPH_API_TOKENS="+tokens) // later variables win
	return o
}

// routes returns a routes file that knows the people. Nobody else may deploy, and the account that
// creates the deployments at GitHub is nobody of them.
func (o *orders) routes() string {
	var logins []string
	text := "slack: {workspace: T0ACME001}\npeople:"
	for _, p := range o.people {
		logins = append(logins, p.login)
		text += fmt.Sprintf("\n  - {id: %d, login: %s, slack: %s}", p.id, p.login, p.slack)
	}

	text += "\nroutes:"
	for _, name := range o.repositories {
		text += fmt.Sprintf("\n  - repository: %s\n    allow: {users: [%s]}\n    circleci: {branch: main}\n"+
			"    parameters: {%sdeployment_id: \"{{ .ID }}\", deploy_sha: \"{{ .SHA }}\", "+
			"sim_scenario: \"{{ .Payload.scenario }}\"}", name, strings.Join(logins, ", "), withKey)
	}

	return text
}

// warmUp starts the cluster and deploys twice to production of each repository, without faults, so that
// everybody can roll back.
func (o *orders) warmUp(t *testing.T) {
	o.start(t)
	for round := range 2 {
		var placing sync.WaitGroup
		for i, name := range o.repositories {
			n := o.newOrder(t, round*len(o.repositories)+i, name, environments[0], "success")
			if round == 0 {
				o.first[name] = n.sha
			}
			placing.Go(func() { o.place(t.Context(), n) })
		}

		placing.Wait()
		o.waitEnded(t.Context())
	}
}

// placeAll places all other orders, distributed over most of the fault period, while processes are killed. It
// returns at the end of the fault period; clients without an answer go on.
func (o *orders) placeAll(t *testing.T) {
	o.startCallFaults()
	o.plans[atGitHub].Random(github.OpCreateDeployment, o.failureRate, o.createFaults()...)
	ctx, stop := context.WithTimeout(t.Context(), o.faultPeriod)
	defer stop()

	var killing sync.WaitGroup
	killing.Go(func() { o.killAll(ctx) })

	waiting, cancel := context.WithTimeout(t.Context(), o.faultPeriod+o.maxWait)
	t.Cleanup(cancel)
	gap := o.faultPeriod * 3 / 4 / time.Duration(o.deployments)
	for i := range o.deployments {
		n := o.drawOrder(t, 2*len(o.repositories)+i)
		o.treatCreation(n.rng)
		o.following.Go(func() { o.place(waiting, n) })
		pause(t.Context(), gap)
	}

	<-ctx.Done()
	killing.Wait()
}

// createFaults are the ways in which a call fails that creates a deployment. With all others it is known at
// once what became of it; in the small run only those are drawn where that is found out soon.
func (o *orders) createFaults() []sim.Fault {
	faults := []sim.Fault{
		{Status: http.StatusBadGateway, AfterEffect: true},
		{ResetAfter: true},
		{Truncate: true},
		{Delay: maxDelay},
		{Status: http.StatusAccepted, Body: `{"message":"Auto-merged main into main on deployment."}`},
		{Status: http.StatusConflict, Body: `{"message":"Conflict merging main into main."}`},
		{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}, Body: "Rate limited."},
		{ResetBefore: true, LateEffect: 2 * time.Second},
	}
	if o.isLarge() {
		faults = append(faults,
			sim.Fault{Status: http.StatusTooManyRequests, Body: "Rate limited."},
			sim.Fault{Status: http.StatusInternalServerError},
			sim.Fault{ResetBefore: true},
			sim.Fault{LateEffect: 20 * time.Second},
			sim.Fault{LateEffect: 100 * time.Second}, // after it counts as not created
		)
	}

	return faults
}

// treatCreation sometimes loses, doubles, delays or fails the webhook of the next deployment, or sends it
// before the answer.
func (o *orders) treatCreation(rng *rand.Rand) {
	switch rng.IntN(25) {
	case 0:
		o.github.Hooks().Next("deployment", hookshot.Treatment{Lose: true}, 1)
	case 1:
		o.github.Hooks().Next("deployment", hookshot.Treatment{Copies: 2}, 1)
	case 2:
		o.github.Hooks().Next("deployment", hookshot.Treatment{Delay: interval{time.Second, 3 * time.Second}.pick(rng)}, 1)
	case 3:
		o.github.Hooks().Next("deployment", hookshot.Treatment{Fail: http.StatusBadGateway}, 1)
	case 4, 5, 6:
		o.github.Next(github.OpCreateDeployment, github.WebhookFirst, 1)
	}
}

// finish stops all faults and waits until every client has its answer and every deployment its end.
func (o *orders) finish(t *testing.T) {
	o.stopCallFaults()
	o.github.ClearFaults()
	began := time.Now()
	o.following.Wait()
	o.plans[atGitHub].WaitLate()
	answered := time.Since(began)

	if o.isLarge() {
		o.restart(t) // recovery at a start finds what was created late and whose webhook was lost
	}
	ctx, cancel := context.WithTimeout(t.Context(), o.maxWait)
	defer cancel()
	o.waitEnded(ctx)
	t.Logf("%d kills; the last answer came %s and the last end %s after the last fault; %d deployments are open",
		o.kills(), answered.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), len(o.openDeployments()))
}
