package bench

import (
	"testing"
	"time"
)

// BenchmarkWebhookToTrigger measures from the moment GitHub has a deployment to the moment CircleCI gets the trigger: 20 deployments a second
// for 10 s, each of an environment and a project of its own.
func BenchmarkWebhookToTrigger(b *testing.B) {
	var times []time.Duration
	for range b.N {
		w := newWorld(b)
		w.start(b)
		w.deploy(b, 200, 20)
		received := w.triggered()
		for _, d := range w.github.Deployments() {
			times = append(times, received["gh/"+d.Repository].Sub(d.At))
		}
		w.stop(b)
	}
	show(b, times)
}

// BenchmarkEndToStatus measures from the end of a pipeline to the final status at GitHub: told by CircleCI's webhook with the usual poll
// interval, and found by looking once a second without any webhook.
func BenchmarkEndToStatus(b *testing.B) {
	b.Run("webhook", func(b *testing.B) { endToStatus(b, true) })
	b.Run("poll=1s", func(b *testing.B) { endToStatus(b, false, "SERAPH_POLL_MIN=1s", "SERAPH_POLL_MAX=1s") })
}

func endToStatus(b *testing.B, webhooks bool, env ...string) {
	var times []time.Duration
	for range b.N {
		w := newWorld(b, env...)
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
}
