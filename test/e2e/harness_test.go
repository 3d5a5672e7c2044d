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
	"time"

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

// keyed are the usual routes.
const keyed = `
routes:
  - repository: acme/*
    circleci: {revision: note}` + parameters

// setup says how a world differs from the usual one.
type setup struct {
	routes string            // default keyed
	env    map[string]string // beside and over the usual variables, without prefix
	github func(*github.Options)
	ci     func(*circleci.Options)
	claims bool // each pipeline claims its key before it deploys
}

// world is one program between its own two simulators.
type world struct {
	*process // the newest run of the program
	t        *testing.T
	gh       *github.Server
	ci       *circleci.Server
	ghFaults *faults
	ciFaults *faults
	addr     string
	file     string // the database
	env      map[string]string
	silent   map[int64]bool // deployments that need not end with exactly one final status
}

// newWorld starts the simulators; start starts the program. When the test is over the program is
// stopped and everything that happened is held against what must always hold.
func newWorld(t *testing.T, s setup) *world {
	t.Helper()
	w := &world{
		t:        t,
		addr:     freeAddr(t),
		file:     filepath.Join(t.TempDir(), "seraph.db"),
		silent:   map[int64]bool{},
		ghFaults: &faults{},
		ciFaults: &faults{},
	}

	w.startGitHub(s)
	w.startCircleCI(s)
	w.env = map[string]string{
		"ADDR": w.addr, "DATABASE_URL": w.database(), "LOG_LEVEL": "debug", "API_TOKENS": "e2e:read:" + apiToken,
		"GITHUB_WEBHOOK_SECRETS": secret, "GITHUB_TOKEN": github.DefaultToken, "GITHUB_API_URL": w.gh.URL() + "/",
		"GITHUB_WRITES_PER_MINUTE": "0", "CIRCLECI_READS_PER_SECOND": "0",
		"CIRCLECI_TOKEN": circleci.DefaultToken, "CIRCLECI_API_URL": w.ci.URL(), "CIRCLECI_WEBHOOK_SECRETS": circleciSecret,
		"CIRCLECI_TIMEOUT": "1s", "LOOKUP_GRACE": "500ms", "WORKFLOW_GRACE": "2s", "POLL_MIN": "100ms", "POLL_MAX": "300ms",
		"SHUTDOWN_GRACE": "5s", "ROUTES": keyed,
	}

	if s.routes != "" {
		w.env["ROUTES"] = s.routes
	}

	maps.Copy(w.env, s.env)
	t.Cleanup(w.end)
	return w
}

// onPostgres says that the suite runs on PostgreSQL: SERAPH_TEST_DATABASE=postgres.
func onPostgres() bool { return os.Getenv("SERAPH_TEST_DATABASE") == "postgres" }

// onlySQLite leaves out what is about an SQLite file.
func onlySQLite(t *testing.T) {
	t.Helper()
	if onPostgres() {
		t.Skip("this is about an SQLite file")
	}
}

// database is the URL of a fresh one.
func (w *world) database() string {
	if onPostgres() {
		return pgtest.Database(w.t)
	}
	return "sqlite:" + w.file
}

func (w *world) startGitHub(s setup) {
	o := github.Options{
		WebhookURL:    "http://" + w.addr + "/webhooks/github",
		WebhookSecret: secret,
		Plan:          w.ghFaults,
		Wrap:          func(next http.Handler) http.Handler { return shapes.Check(next, func(v string) { w.gh.Report(v) }) },
	}

	if s.github != nil {
		s.github(&o)
	}

	w.gh = github.New(o)
	if err := w.gh.Start(""); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) startCircleCI(s setup) {
	o := circleci.Options{
		AnyProject:    true,
		AnyBranch:     true,
		Plan:          w.ciFaults,
		WebhookURL:    "http://" + w.addr + "/webhooks/circleci",
		WebhookSecret: circleciSecret,
		Revision:      func(project, ref string) string { return github.Commit(strings.TrimPrefix(project, "gh/"), ref) },
	}

	if s.claims {
		o.ClaimURL = "http://" + w.addr + "/webhooks/claim"
	}
	if s.ci != nil {
		s.ci(&o)
	}

	w.ci = circleci.New(o)
	if err := w.ci.Start(""); err != nil {
		w.t.Fatal(err)
	}
}

// start runs the program and waits until it takes webhooks. Once more after kill or stop it is on
// the same database and port.
func (w *world) start() *world {
	w.t.Helper()
	w.process = launch(w.t, w.env)
	w.waitLog(`"message":"ready"`)
	return w
}

// stop ends the program as an orchestrator does.
func (w *world) stop() {
	w.t.Helper()
	w.signal(syscall.SIGTERM)
	if code := w.exit(20 * time.Second); code != 0 {
		w.t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
}

func (w *world) end() {
	if w.process != nil && !w.over() {
		w.stop()
	}
	w.ci.Close()
	w.gh.Close()
	w.ciFaults.close()
	w.ghFaults.close()
	w.invariants()
}

// deploy makes a deployment of main whose pipeline plays the story.
func (w *world) deploy(repository, environment, story string) github.Deployment {
	w.t.Helper()
	return w.create(repository, github.NewDeployment{Environment: environment, Payload: payload(story)})
}

func payload(story string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"story":%q}`, story))
}

func (w *world) create(repository string, wanted github.NewDeployment) github.Deployment {
	w.t.Helper()
	w.gh.AddRepository(repository)
	if wanted.Ref == "" {
		wanted.Ref = "main"
	}

	d, err := w.gh.CreateDeployment(repository, wanted)
	if err != nil {
		w.t.Fatal(err)
	}

	return d
}

func (w *world) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(w.t.Context(), patience, fmt.Errorf("waited %s", patience))
}

// waitStatus waits until GitHub was told of a state, and returns that status, the newest of its
// kind.
func (w *world) waitStatus(d github.Deployment, states ...string) github.Status {
	w.t.Helper()
	ctx, cancel := w.patience()
	defer cancel()
	var found github.Status
	err := w.gh.WaitStatus(ctx, d.Repository, d.ID, func(all []github.Status) bool {
		for _, s := range all {
			if s.State != "inactive" { // GitHub's own word for what a newer deployment has replaced
				found = s
			}
		}

		return slices.Contains(states, found.State)
	})

	if err != nil {
		w.t.Fatalf(
			"%v for one of %q of deployment %d in %s; GitHub was told %+v",
			err,
			states,
			d.ID,
			d.Environment,
			w.gh.Statuses(d.Repository, d.ID),
		)
	}

	return found
}

// ends waits for the end of a deployment and holds it against a state and a part of the
// description.
func (w *world) ends(d github.Deployment, state, about string) github.Status {
	w.t.Helper()
	s := w.waitStatus(d, "success", "failure", "error")
	if s.State != state || !strings.Contains(s.Description, about) {
		w.t.Errorf(
			"deployment in %s of %s ended %s %q, want %s with %q",
			d.Environment,
			d.Repository,
			s.State,
			s.Description,
			state,
			about,
		)
	}

	return s
}

// pipelines are those of one deployment.
func (w *world) pipelines(d github.Deployment) []string {
	return w.ci.ByParameter("deployment_id")[fmt.Sprint(d.ID)]
}

// pipeline waits until a deployment has a pipeline.
func (w *world) pipeline(d github.Deployment) circleci.Pipeline {
	w.t.Helper()
	w.waitCI("a pipeline of the deployment", func() bool { return len(w.pipelines(d)) > 0 })
	p, _ := w.ci.Pipeline(w.pipelines(d)[0])
	return p
}

func (w *world) waitCI(what string, done func() bool) {
	w.t.Helper()
	ctx, cancel := w.patience()
	defer cancel()
	if err := w.ci.Wait(ctx, done); err != nil {
		w.t.Fatalf("%v for %s", err, what)
	}
}

// finish ends a pipeline that plays the story "forever".
func (w *world) finish(p circleci.Pipeline, status string) {
	w.t.Helper()
	w.waitCI("a workflow", func() bool { now, _ := w.ci.Pipeline(p.ID); return len(now.Workflows) > 0 })
	if err := w.ci.Finish(p.ID, status); err != nil {
		w.t.Fatal(err)
	}
}

// in is the same world for a subtest: failures belong to it.
func (w *world) in(t *testing.T) *world {
	inner := *w
	inner.t = t
	return &inner
}

// number is a deployment's id as the log shows it.
func number(d github.Deployment) string { return fmt.Sprintf(`"deployment":%d`, d.ID) }

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
