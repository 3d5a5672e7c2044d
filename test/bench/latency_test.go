package bench

import (
	"testing"
	"time"
)

// BenchmarkWebhookToTrigger measures from the moment GitHub has a deployment to the moment CircleCI
// gets the trigger: 20 deployments a second for 10 s, each of an environment and a project of its
// own.
func BenchmarkWebhookToTrigger(b *testing.B) { onBoth(b, webhookToTrigger) }

func webhookToTrigger(b *testing.B, in database) {
	var times []time.Duration
	for range b.N {
		w := newWorld(b, in)
		w.start(b)
		w.deploy(b, 200, 20)
		for _, d := range w.github.Deployments() {
			times = append(times, w.watch.triggeredAt(d.ID).Sub(d.At))
		}

		w.stop(b)
	}

	show(b, times)
	p50, p99 := share(times, 0.5), share(times, 0.99)
	b.Logf(
		"from webhook to trigger: p50 %.1f ms (bar 5: %s), p99 %.1f ms (bar 25: %s)",
		p50,
		verdict(p50 <= 5),
		p99,
		verdict(p99 <= 25),
	)
}

// BenchmarkEndToStatus measures from the end of a pipeline to the final status at GitHub: told by
// CircleCI's webhook with the usual poll interval, and found by looking once a second without any
// webhook.
func BenchmarkEndToStatus(b *testing.B) {
	b.Run("webhook", func(b *testing.B) {
		onBoth(b, func(b *testing.B, in database) {
			p50 := endToStatus(b, in, true)
			b.Logf("from the end to its status: p50 %.1f ms (bar 25: %s)", p50, verdict(p50 <= 25))
		})
	})
	b.Run("poll=1s", func(b *testing.B) { endToStatus(b, sqlite, false, "SERAPH_POLL_MIN=1s", "SERAPH_POLL_MAX=1s") })
}

func endToStatus(b *testing.B, in database, webhooks bool, env ...string) (p50 float64) {
	var times []time.Duration
	for range b.N {
		w := newWorld(b, in, env...)
		w.circleci.Webhooks(webhooks)
		w.start(b)
		w.deploy(b, 100, 10)
		ended := w.ended()
		for _, d := range w.github.Deployments() {
			times = append(times, d.Statuses[len(d.Statuses)-1].At.Sub(ended["gh/"+d.Repository]))
		}

		w.stop(b)
	}

	show(b, times)
	return share(times, 0.5)
}
