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
      deployment_id: {value: "{{ .ID }}", type: integer} # by which a trigger is told from another
`

// world is the program between its two vendors.
type world struct {
	*process
	github   *github.Server
	circleci *circleci.Server
	watch    *watch
	made     int // orders
}

// database makes an empty one and gives its URL.
type database func(b *testing.B) string

func sqlite(b *testing.B) string { return "sqlite:" + filepath.Join(b.TempDir(), "seraph.db") }

func postgres(b *testing.B) string { return pgtest.Database(b) }

// onBoth measures the same on either database. Without a PostgreSQL server its part is skipped.
func onBoth(b *testing.B, measure func(*testing.B, database)) {
	b.Run("sqlite", func(b *testing.B) { measure(b, sqlite) })
	b.Run("postgres", func(b *testing.B) { measure(b, postgres) })
}

func newWorld(b *testing.B, in database, env ...string) *world {
	b.Helper()
	url := in(b) // before the process, so that it is dropped after it
	build(b)
	w := &world{process: newProcess(b, binary, "serve"), watch: newWatch()}
	w.github = github.New(github.Options{
		WebhookURL:    "http://" + w.addr + "/webhooks/github",
		WebhookSecret: hookSecret,
		Plan:          w.watch,
	})

	w.circleci = circleci.New(circleci.Options{
		AnyProject:    true,
		AnyBranch:     true,
		Step:          100 * time.Millisecond,
		Plan:          w.watch,
		WebhookURL:    "http://" + w.addr + "/webhooks/circleci",
		WebhookSecret: ciSecret,
	})

	b.Cleanup(func() { w.github.Close(); w.circleci.Close() })
	for _, start := range []func(string) error{w.github.Start, w.circleci.Start} {
		if err := start(""); err != nil {
			b.Fatal(err)
		}
	}

	w.github.SetBudget(1 << 30) // calls an hour: an installation's limit is not what is measured
	w.env = append([]string{
		"SERAPH_ADDR=" + w.addr, "SERAPH_DATABASE_URL=" + url, "SERAPH_LOG_LEVEL=error",
		"SERAPH_GITHUB_WEBHOOK_SECRETS=" + hookSecret, "SERAPH_GITHUB_TOKEN=" + github.DefaultToken, "SERAPH_GITHUB_API_URL=" + w.github.URL(),
		"SERAPH_CIRCLECI_TOKEN=" + circleci.DefaultToken, "SERAPH_CIRCLECI_API_URL=" + w.circleci.URL(), "SERAPH_CIRCLECI_WEBHOOK_SECRETS=" + ciSecret,
		"SERAPH_GITHUB_WRITES_PER_MINUTE=0", "SERAPH_CIRCLECI_READS_PER_SECOND=0", "SERAPH_ROUTES=" + routes,
	}, env...)

	return w
}

// deploy makes n deployments of as many repositories, perSecond of them each second, and waits
// until all have ended at GitHub.
func (w *world) deploy(b *testing.B, n, perSecond int) {
	b.Helper()
	for i := range n {
		w.github.AddRepository(repository(i))
	}

	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for i := range n {
		if _, err := w.github.CreateDeployment(repository(i), github.NewDeployment{Ref: "main"}); err != nil {
			b.Fatal(err)
		}

		<-tick.C
	}

	w.waitEnds(b)
}

func repository(i int) string { return fmt.Sprintf("acme/r%03d", i) }

// hosts makes the payload of a deployment as large as people's are, and an event 8 to 10 KB.
var hosts = json.RawMessage(`{"hosts":"` + strings.Repeat("web-01.example.com,", 60) + `","actor":"mona"}`)

// orders makes n deployments, each of an environment of its own, of so many repositories in turn.
// GitHub tells nobody: the webhooks are given back, to be sent when the time has come.
func (w *world) orders(b *testing.B, n, repositories int) []shot {
	b.Helper()
	for i := range repositories {
		w.github.AddRepository(repository(i))
	}

	w.github.Hooks().Next("deployment", hookshot.Treatment{Lose: true}, n)
	shots := make([]shot, n)
	for i := range shots {
		order := github.NewDeployment{
			Ref:         "main",
			Environment: fmt.Sprintf("review-%05d", w.made),
			Payload:     hosts,
			Description: "Deploy of the review app",
		}

		w.made++
		d, err := w.github.CreateDeployment(repository(i%repositories), order)
		if err != nil {
			b.Fatal(err)
		}

		shots[i] = newShot(d.ID, w.github.EventBody(d.ID))
	}

	return shots
}

func (w *world) waitEnds(b *testing.B) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	for _, d := range w.github.Deployments() {
		if err := w.github.WaitStatus(ctx, d.Repository, d.ID, github.Reached("success")); err != nil {
			b.Fatalf("deployment %d of %s has not ended: %v", d.ID, d.Repository, err)
		}
	}
}

// ended tells for each project when the last workflow of its pipeline stopped.
func (w *world) ended() map[string]time.Time {
	at := map[string]time.Time{}
	for _, p := range w.circleci.Pipelines() {
		for _, flow := range p.Workflows {
			if flow.StoppedAt.After(at[p.Project]) {
				at[p.Project] = flow.StoppedAt
			}
		}
	}

	return at
}

// share is the time that a part of times does not exceed, in ms. It sorts them.
func share(times []time.Duration, part float64) float64 {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return float64(times[int(part*float64(len(times)-1))].Microseconds()) / 1000
}

// show prints the spread of times as metrics.
func show(b *testing.B, times []time.Duration) {
	b.Helper()
	if len(times) == 0 {
		b.Fatal("nothing was measured")
	}
	b.ReportMetric(0, "ns/op") // says nothing here
	b.ReportMetric(share(times, 0.5), "p50-ms")
	b.ReportMetric(share(times, 0.99), "p99-ms")
	b.ReportMetric(share(times, 1), "max-ms")
}

// verdict says how a figure stands to its bar.
func verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}
