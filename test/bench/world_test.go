package bench

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

const (
	hookSecret = "bench-hook-secret-0123456789"
	ciSecret   = "bench-circleci-secret-0123456789"
	routes     = `routes: [{repository: acme/*, circleci: {revision: note}, parameters: {seraph_key: "{{ .Key }}"}}]`
)

// world is the program between its two vendors.
type world struct {
	*process
	github   *github.Server
	circleci *circleci.Server
}

func newWorld(b *testing.B, env ...string) *world {
	b.Helper()
	w := &world{process: newProcess(b, env...)}
	w.github = github.New(github.Options{WebhookURL: "http://" + w.addr + "/webhooks/github", WebhookSecret: hookSecret})
	w.circleci = circleci.New(circleci.Options{
		AnyProject: true, AnyBranch: true, Step: 100 * time.Millisecond,
		WebhookURL: "http://" + w.addr + "/webhooks/circleci", WebhookSecret: ciSecret,
	})
	b.Cleanup(func() { w.github.Close(); w.circleci.Close() })
	for _, start := range []func(string) error{w.github.Start, w.circleci.Start} {
		if err := start(""); err != nil {
			b.Fatal(err)
		}
	}
	w.env = append(w.env,
		"SERAPH_GITHUB_WEBHOOK_SECRETS="+hookSecret, "SERAPH_GITHUB_TOKEN="+github.DefaultToken, "SERAPH_GITHUB_API_URL="+w.github.URL(),
		"SERAPH_CIRCLECI_TOKEN="+circleci.DefaultToken, "SERAPH_CIRCLECI_API_URL="+w.circleci.URL(), "SERAPH_CIRCLECI_WEBHOOK_SECRETS="+ciSecret,
		"SERAPH_GITHUB_WRITES_PER_MINUTE=0", "SERAPH_CIRCLECI_READS_PER_SECOND=0", "SERAPH_ROUTES="+routes,
	)
	return w
}

// deploy makes n deployments of as many repositories, perSecond of them each second, and waits until all have ended at GitHub.
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

// triggered tells for each repository when the trigger of its deployment was received.
func (w *world) triggered() map[string]time.Time {
	at := map[string]time.Time{}
	for _, t := range w.circleci.Triggers() {
		at[t.Project] = t.At
	}
	return at
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

// show prints the spread of times as metrics.
func show(b *testing.B, times []time.Duration) {
	b.Helper()
	if len(times) == 0 {
		b.Fatal("nothing was measured")
	}
	slices.Sort(times)
	ms := func(part float64) float64 {
		return float64(times[int(part*float64(len(times)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(0, "ns/op") // says nothing here
	b.ReportMetric(ms(0.5), "p50-ms")
	b.ReportMetric(ms(0.99), "p99-ms")
	b.ReportMetric(ms(1), "max-ms")
}
