package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// BenchmarkWebhookToTrigger measures the time from the creation of a deployment at GitHub to its trigger
// at CircleCI: 20 deployments a second for 10 s, each in an environment and a project of its own.
func BenchmarkWebhookToTrigger(b *testing.B) { onBoth(b, webhookToTrigger) }

func webhookToTrigger(b *testing.B, in database) {
	var times []time.Duration
	for range b.N {
		h := newHarness(b, in)
		h.start(b)
		h.deploy(b, 200, 20)
		times = append(times, h.triggerTimes()...)

		h.stop(b)
	}

	reportTimes(b, times)
	p50, p99 := percentile(times, 0.5), percentile(times, 0.99)
	b.Logf("from webhook to trigger: p50 %.1f ms (bar 5: %s), p99 %.1f ms (bar 25: %s)",
		p50, verdict(p50 <= 5), p99, verdict(p99 <= 25))
}

// BenchmarkWebhookToTriggerWithRules measures the same on a route with allow, refs and checks, and a GitHub
// that answers at once. GitHub is asked for the deployment, the requester, their permission, statuses, check
// runs and the ref.
func BenchmarkWebhookToTriggerWithRules(b *testing.B) { onBoth(b, webhookToTriggerWithRules) }

func webhookToTriggerWithRules(b *testing.B, in database) {
	const n = 200
	var times []time.Duration
	for range b.N {
		h := newHarness(b, in, "SERAPH_ROUTES="+ruledRoutes)
		h.revision = func(project, branch string) string {
			sha, _ := h.github.Head(strings.TrimPrefix(project, "gh/"), branch)
			return sha
		}
		for i := range n {
			h.github.AddRepository(repository(i))
			h.github.SetRole(repository(i), "octocat", "write")
			h.github.AddCheck(github.Commit(repository(i), "main"), github.CheckRun{Name: "build"})
		}

		h.start(b)
		h.deploy(b, n, 20)
		times = append(times, h.triggerTimes()...)

		calls := h.github.Calls()
		if calls[github.OpGetRef] < n || calls[github.OpGetDeployment] < n || calls[github.OpCheckRuns] < n {
			b.Fatalf("got calls %v, want every deployment compared, its checks and its ref read", calls)
		}
		h.stop(b)
	}

	reportTimes(b, times)
	p50, p99 := percentile(times, 0.5), percentile(times, 0.99)
	b.Logf("from webhook to trigger with rules: p50 %.1f ms, p99 %.1f ms (bar 40: %s)", p50, p99, verdict(p99 <= 40))
}

// BenchmarkEndToStatus measures the time from the end of a pipeline to the final status at GitHub: with
// CircleCI's webhooks and the default poll interval, and by polling once a second without webhooks.
func BenchmarkEndToStatus(b *testing.B) {
	b.Run("webhook", func(b *testing.B) {
		onBoth(b, func(b *testing.B, in database) {
			p50 := endToStatus(b, in, true)
			b.Logf("from the end of the pipeline to the status: p50 %.1f ms (bar 25: %s)", p50, verdict(p50 <= 25))
		})
	})
	b.Run("poll=1s", func(b *testing.B) { endToStatus(b, sqlite, false, "SERAPH_POLL_MIN=1s", "SERAPH_POLL_MAX=1s") })
}

func endToStatus(b *testing.B, in database, webhooks bool, env ...string) (p50 float64) {
	var times []time.Duration
	for range b.N {
		h := newHarness(b, in, env...)
		h.circleci.Webhooks(webhooks)
		h.start(b)
		h.deploy(b, 100, 10)

		times = append(times, h.statusTimes()...)

		h.stop(b)
	}

	reportTimes(b, times)
	return percentile(times, 0.5)
}

// triggerTimes returns how long after each deployment at GitHub its trigger arrived at CircleCI.
func (h *harness) triggerTimes() (times []time.Duration) {
	for _, d := range h.github.Deployments() {
		times = append(times, h.recorder.triggeredAt(d.ID).Sub(d.At))
	}
	return times
}

// statusTimes returns how long after the end of each pipeline the last status arrived at GitHub.
func (h *harness) statusTimes() (times []time.Duration) {
	ends := h.pipelineEnds()
	for _, d := range h.github.Deployments() {
		times = append(times, d.Statuses[len(d.Statuses)-1].At.Sub(ends["gh/"+d.Repository]))
	}
	return times
}
