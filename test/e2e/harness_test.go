package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seraph-deploy/seraph/test/pgtest"
	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/shapes"
)

const (
	secret         = "the secret of the e2e webhooks"
	circleciSecret = "the secret of CircleCI's webhooks"
	apiToken       = "an-api-token-of-at-least-32-characters"
)

// wildcardRoutes are the default routes.
const wildcardRoutes = `
routes:
  - repository: acme/*
    circleci: {revision: note}` + parameters

// setup says how a harness differs from the default.
type setup struct {
	routes string            // default keyed
	env    map[string]string // beside and over the usual variables, without prefix
	github func(*github.Options)
	ci     func(*circleci.Options)
	claims bool // each pipeline claims its key before it deploys
}

// harness runs one program between two simulators of its own.
type harness struct {
	*process  // the latest run of the program
	t         *testing.T
	gh        *github.Server
	ci        *circleci.Server
	ghFaults  *faults
	ciFaults  *faults
	addr      string
	file      string // the database
	env       map[string]string
	unchecked map[int64]bool // deployments without exactly one final status
}

// newHarness starts the simulators; start starts the program. At the end of the test the program is stopped
// and the invariants are checked.
func newHarness(t *testing.T, s setup) *harness {
	t.Helper()
	h := &harness{
		t:         t,
		addr:      freeAddr(t),
		file:      filepath.Join(t.TempDir(), "seraph.db"),
		unchecked: map[int64]bool{},
		ghFaults:  &faults{},
		ciFaults:  &faults{},
	}

	h.startGitHub(s)
	h.startCircleCI(s)
	h.env = map[string]string{
		"ADDR":           h.addr,
		"DATABASE_URL":   h.database(),
		"LOG_LEVEL":      "debug",
		"API_TOKENS":     "e2e:read:" + apiToken,
		"ROUTES":         wildcardRoutes,
		"SHUTDOWN_GRACE": "5s",

		"GITHUB_API_URL":           h.gh.URL() + "/",
		"GITHUB_TOKEN":             github.DefaultToken,
		"GITHUB_WEBHOOK_SECRETS":   secret,
		"GITHUB_WRITES_PER_MINUTE": "0",

		"CIRCLECI_API_URL":          h.ci.URL(),
		"CIRCLECI_TOKEN":            circleci.DefaultToken,
		"CIRCLECI_WEBHOOK_SECRETS":  circleciSecret,
		"CIRCLECI_READS_PER_SECOND": "0",
		"CIRCLECI_TIMEOUT":          "5s",

		"LOOKUP_GRACE":   "500ms",
		"WORKFLOW_GRACE": "5s",
		"POLL_MIN":       "100ms",
		"POLL_MAX":       "300ms",
	}

	if s.routes != "" {
		h.env["ROUTES"] = s.routes
	}

	maps.Copy(h.env, s.env)
	t.Cleanup(h.end)
	return h
}

// onPostgres reports whether the tests run on PostgreSQL: SERAPH_TEST_DATABASE=postgres.
func onPostgres() bool { return os.Getenv("SERAPH_TEST_DATABASE") == "postgres" }

// onlySQLite skips a test on PostgreSQL.
func onlySQLite(t *testing.T) {
	t.Helper()
	if onPostgres() {
		t.Skip("the test needs a SQLite file")
	}
}

// database returns the URL of an empty database.
func (h *harness) database() string {
	if onPostgres() {
		return pgtest.Database(h.t)
	}
	return "sqlite:" + h.file
}

func (h *harness) startGitHub(s setup) {
	o := github.Options{
		WebhookURL:    "http://" + h.addr + "/webhooks/github",
		WebhookSecret: secret,
		Plan:          h.ghFaults,
		Wrap: func(next http.Handler) http.Handler {
			return shapes.Check(next, func(v string) { h.gh.Report(v) })
		},
	}

	if s.github != nil {
		s.github(&o)
	}

	h.gh = github.New(o)
	if err := h.gh.Start(""); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) startCircleCI(s setup) {
	o := circleci.Options{
		AnyProject:    true,
		AnyBranch:     true,
		Plan:          h.ciFaults,
		WebhookURL:    "http://" + h.addr + "/webhooks/circleci",
		WebhookSecret: circleciSecret,
		Revision:      func(project, ref string) string { return github.Commit(strings.TrimPrefix(project, "gh/"), ref) },
	}

	if s.claims {
		o.ClaimURL = "http://" + h.addr + "/webhooks/claim"
	}
	if s.ci != nil {
		s.ci(&o)
	}

	h.ci = circleci.New(o)
	if err := h.ci.Start(""); err != nil {
		h.t.Fatal(err)
	}
}

// start starts the program and waits until it is ready. After kill or stop it starts it again, on the same
// database and port.
func (h *harness) start() *harness {
	h.t.Helper()
	h.process = launch(h.t, h.env)
	h.waitLog(`"message":"ready"`)
	return h
}

// stop ends the program as an orchestrator does.
func (h *harness) stop() {
	h.t.Helper()
	h.signal(syscall.SIGTERM)
	if code := h.waitExit(maxWait); code != 0 {
		h.t.Errorf("exit code after SIGTERM: got %d, want 0", code)
	}
}

// end stops the program and the simulators, and checks the invariants.
func (h *harness) end() {
	if h.process != nil && !h.hasExited() {
		h.stop()
	}
	h.ci.Close()
	h.gh.Close()
	h.ciFaults.close()
	h.ghFaults.close()
	h.checkInvariants()
}

// deploy creates a deployment of main whose pipeline follows the scenario.
func (h *harness) deploy(repository, environment, scenario string) github.Deployment {
	h.t.Helper()
	return h.create(repository, github.NewDeployment{Environment: environment, Payload: payload(scenario)})
}

func payload(scenario string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"scenario":%q}`, scenario))
}

func (h *harness) create(repository string, wanted github.NewDeployment) github.Deployment {
	h.t.Helper()
	h.gh.AddRepository(repository)
	if wanted.Ref == "" {
		wanted.Ref = "main"
	}

	d, err := h.gh.CreateDeployment(repository, wanted)
	if err != nil {
		h.t.Fatal(err)
	}

	return d
}

// waitContext ends after maxWait. A cleanup function may use it, too: the context of the test has ended by then.
func (h *harness) waitContext() (context.Context, context.CancelFunc) {
	ctx := context.WithoutCancel(h.t.Context())
	return context.WithTimeoutCause(ctx, maxWait, fmt.Errorf("waited %s", maxWait))
}

// waitStatus waits until the latest status at GitHub has one of these states, and returns it.
func (h *harness) waitStatus(d github.Deployment, states ...string) github.Status {
	h.t.Helper()
	ctx, cancel := h.waitContext()
	defer cancel()
	var found github.Status
	err := h.gh.WaitStatus(ctx, d.Repository, d.ID, func(all []github.Status) bool {
		for _, s := range all {
			if s.State != "inactive" { // written by GitHub itself when a newer deployment succeeds
				found = s
			}
		}

		return slices.Contains(states, found.State)
	})

	if err != nil {
		h.t.Fatalf("statuses of deployment %d in %s: got %+v, want one of %q: %v",
			d.ID, d.Environment, h.gh.Statuses(d.Repository, d.ID), states, err)
	}

	return found
}

// expectEnd waits for the end of a deployment and compares it with a state and a part of the description.
func (h *harness) expectEnd(d github.Deployment, state, about string) github.Status {
	h.t.Helper()
	s := h.waitStatus(d, "success", "failure", "error")
	if s.State != state || !strings.Contains(s.Description, about) {
		h.t.Errorf("end of deployment %d of %s in %s: got %s %q, want %s with %q",
			d.ID, d.Repository, d.Environment, s.State, s.Description, state, about)
	}

	return s
}

// pipelines returns the ids of a deployment's pipelines.
func (h *harness) pipelines(d github.Deployment) []string {
	return h.ci.ByParameter("deployment_id")[fmt.Sprint(d.ID)]
}

// waitPipeline waits until a deployment has a pipeline, and returns it.
func (h *harness) waitPipeline(d github.Deployment) circleci.Pipeline {
	h.t.Helper()
	h.waitCI("pipeline of the deployment", func() bool { return len(h.pipelines(d)) > 0 })
	p, _ := h.ci.Pipeline(h.pipelines(d)[0])
	return p
}

func (h *harness) waitCI(what string, done func() bool) {
	h.t.Helper()
	ctx, cancel := h.waitContext()
	defer cancel()
	if err := h.ci.Wait(ctx, done); err != nil {
		h.t.Fatalf("got no %s: %v", what, err)
	}
}

// finish ends a pipeline of the scenario "forever".
func (h *harness) finish(p circleci.Pipeline, status string) {
	h.t.Helper()
	h.waitCI("workflow", func() bool { now, _ := h.ci.Pipeline(p.ID); return len(now.Workflows) > 0 })
	if err := h.ci.Finish(p.ID, status); err != nil {
		h.t.Fatal(err)
	}
}

// withT returns the same harness for another test, which gets its failures.
func (h *harness) withT(t *testing.T) *harness {
	inner := *h
	inner.t = t
	return &inner
}

// logID returns the id of a deployment as the log shows it.
func logID(d github.Deployment) string { return fmt.Sprintf(`"deployment":%d`, d.ID) }

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
}
