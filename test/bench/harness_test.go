package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/pgtest"
	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

const (
	hookSecret = "bench-hook-secret-0123456789"
	ciSecret   = "bench-circleci-secret-0123456789"
)

const routes = `
routes:
  - repository: acme/*
    circleci: {revision: note}
    parameters:
      seraph_key: "{{ .Key }}"
      deployment_id: {value: "{{ .ID }}", type: integer} # identifies the deployment of a trigger
`

// ruledRoutes has the rules of a route to production: people, refs and checks. The configuration is read from
// the ref that was asked for, so that the ref is looked up before the trigger.
const ruledRoutes = `
routes:
  - repository: acme/*
    allow: {users: [octocat], permission: write}
    refs: [main]
    checks: [build]
    parameters:
      seraph_key: "{{ .Key }}"
      deploy_sha: "{{ .SHA }}"
      deployment_id: {value: "{{ .ID }}", type: integer}
`

// harness runs the program between the simulated GitHub and CircleCI.
type harness struct {
	*process
	github   *github.Server
	circleci *circleci.Server
	recorder *recorder
	created  int // prepared deliveries, so that each has an environment of its own

	revision func(project, branch string) string // commit that CircleCI builds
}

// database creates an empty database and returns its URL.
type database func(b *testing.B) string

func sqlite(b *testing.B) string { return "sqlite:" + filepath.Join(b.TempDir(), "seraph.db") }

func postgres(b *testing.B) string { return pgtest.Database(b) }

// onBoth measures the same on SQLite and on PostgreSQL. Without a PostgreSQL server the latter is
// skipped.
func onBoth(b *testing.B, measure func(*testing.B, database)) {
	b.Run("sqlite", func(b *testing.B) { measure(b, sqlite) })
	b.Run("postgres", func(b *testing.B) { measure(b, postgres) })
}

func newHarness(b *testing.B, in database, env ...string) *harness {
	b.Helper()
	url := in(b) // before the process, so that it is dropped after the process has ended
	build(b)

	h := &harness{process: newProcess(b, binary, "serve"), recorder: newRecorder()}
	h.revision = func(_, branch string) string { return circleci.RevisionOf(branch) }
	h.github = github.New(github.Options{
		WebhookURL:    "http://" + h.addr + "/webhooks/github",
		WebhookSecret: hookSecret,
		Plan:          h.recorder,
	})

	h.circleci = circleci.New(circleci.Options{
		AnyProject:    true,
		AnyBranch:     true,
		Step:          100 * time.Millisecond,
		Revision:      func(project, branch string) string { return h.revision(project, branch) },
		Plan:          h.recorder,
		WebhookURL:    "http://" + h.addr + "/webhooks/circleci",
		WebhookSecret: ciSecret,
	})

	b.Cleanup(func() { h.github.Close(); h.circleci.Close() })
	for _, start := range []func(string) error{h.github.Start, h.circleci.Start} {
		if err := start(""); err != nil {
			b.Fatal(err)
		}
	}

	h.github.SetBudget(1 << 30) // calls an hour: GitHub's limit is not measured here
	h.env = append([]string{
		"SERAPH_ADDR=" + h.addr,
		"SERAPH_DATABASE_URL=" + url,
		"SERAPH_LOG_LEVEL=error",
		"SERAPH_ROUTES=" + routes,
		"SERAPH_GITHUB_API_URL=" + h.github.URL(),
		"SERAPH_GITHUB_TOKEN=" + github.DefaultToken,
		"SERAPH_GITHUB_WEBHOOK_SECRETS=" + hookSecret,
		"SERAPH_GITHUB_WRITES_PER_MINUTE=0",
		"SERAPH_CIRCLECI_API_URL=" + h.circleci.URL(),
		"SERAPH_CIRCLECI_TOKEN=" + circleci.DefaultToken,
		"SERAPH_CIRCLECI_WEBHOOK_SECRETS=" + ciSecret,
		"SERAPH_CIRCLECI_READS_PER_SECOND=0",
	}, env...)

	return h
}

// deploy creates n deployments of as many repositories, perSecond of them each second, and waits until
// all have succeeded at GitHub.
func (h *harness) deploy(b *testing.B, n, perSecond int) {
	b.Helper()
	h.create(b, n, perSecond)
	h.waitSuccess(b)
}

// create creates n deployments of as many repositories, perSecond of them each second.
func (h *harness) create(b *testing.B, n, perSecond int) {
	b.Helper()
	for i := range n {
		h.github.AddRepository(repository(i))
	}

	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for i := range n {
		if _, err := h.github.CreateDeployment(repository(i), github.NewDeployment{Ref: "main"}); err != nil {
			b.Fatal(err)
		}

		<-tick.C
	}
}

func repository(i int) string { return fmt.Sprintf("acme/r%03d", i) }

// payload has the size of a typical payload, which makes an event of 8 to 10 KB.
var payload = json.RawMessage(`{"hosts":"` + strings.Repeat("web-01.example.com,", 60) + `","actor":"mona"}`)

// prepare creates n deployments, each in an environment of its own, in turn over a number of
// repositories. GitHub does not send their webhooks: they are returned, to be sent later.
func (h *harness) prepare(b *testing.B, n, repositories int) []delivery {
	b.Helper()
	for i := range repositories {
		h.github.AddRepository(repository(i))
	}

	h.github.Hooks().Next("deployment", hookshot.Treatment{Lose: true}, n)
	deliveries := make([]delivery, n)
	for i := range deliveries {
		d, err := h.github.CreateDeployment(repository(i%repositories), github.NewDeployment{
			Ref:         "main",
			Environment: fmt.Sprintf("review-%05d", h.created),
			Payload:     payload,
			Description: "Deploy of the review app",
		})
		if err != nil {
			b.Fatal(err)
		}

		h.created++
		deliveries[i] = newDelivery(d.ID, h.github.EventBody(d.ID))
	}

	return deliveries
}

// waitSuccess waits until all deployments have succeeded at GitHub.
func (h *harness) waitSuccess(b *testing.B) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	for _, d := range h.github.Deployments() {
		if err := h.github.WaitStatus(ctx, d.Repository, d.ID, github.Reached("success")); err != nil {
			b.Fatalf("deployment %d of %s: got no success: %v", d.ID, d.Repository, err)
		}
	}
}

// pipelineEnds returns when the last workflow of each project stopped.
func (h *harness) pipelineEnds() map[string]time.Time {
	at := map[string]time.Time{}
	for _, p := range h.circleci.Pipelines() {
		for _, flow := range p.Workflows {
			if flow.StoppedAt.After(at[p.Project]) {
				at[p.Project] = flow.StoppedAt
			}
		}
	}

	return at
}

// percentile returns the time that a share of times does not exceed, in ms. It sorts times.
func percentile(times []time.Duration, share float64) float64 {
	if len(times) == 0 {
		return 0
	}

	slices.Sort(times)
	return float64(times[int(share*float64(len(times)-1))].Microseconds()) / 1000
}

// reportTimes reports percentiles of times as metrics.
func reportTimes(b *testing.B, times []time.Duration) {
	b.Helper()
	if len(times) == 0 {
		b.Fatal("got no measurement")
	}

	b.ReportMetric(0, "ns/op") // has no meaning here
	b.ReportMetric(percentile(times, 0.5), "p50-ms")
	b.ReportMetric(percentile(times, 0.99), "p99-ms")
	b.ReportMetric(percentile(times, 1), "max-ms")
}

// verdict says whether a bar is met.
func verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}
