package chaos

import (
	"context"
	"sync"
	"testing"
	"time"
)

// TestChaos injects faults of every kind while deployments run: a fifth of all calls fails, processes
// are killed, and one incident follows the other. Then it stops all faults, waits until every deployment
// has ended, and compares what the simulators saw with what Seraph promises.
func TestChaos(t *testing.T) {
	t.Parallel()
	for _, database := range databases(t) {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, readSettings(t, database))
			h.warmUp(t)
			h.injectFaults(t)
			h.finish(t)
			h.verify(t)
		})
	}
}

// injectFaults creates deployments, kills processes and runs incidents, all at the same time.
func (h *harness) injectFaults(t *testing.T) {
	h.startCallFaults()
	end := time.Now().Add(h.faultPeriod)
	ctx, stop := context.WithDeadline(t.Context(), end)

	var killing sync.WaitGroup
	defer func() { stop(); killing.Wait() }()
	killing.Go(func() { h.killAll(ctx) })

	var creating sync.WaitGroup
	creating.Go(func() { h.deployAll(t) })
	defer creating.Wait()

	h.runIncidents(t, end)
}

// finish stops all faults and waits until every deployment has ended at GitHub, for at most maxWait. The
// processes are restarted once, because recovery at a start finds what GitHub could not deliver since
// the previous one.
func (h *harness) finish(t *testing.T) {
	if h.large && h.onSQLite() {
		h.freezePastLease(t) // no other replica could go on, so it happens at the end
	}

	h.stopCallFaults()
	h.following.Wait()
	began := time.Now()
	h.freezing.Wait()
	h.restart(t)
	if !h.large {
		h.redeliver(t)
	}

	ctx, cancel := context.WithTimeout(t.Context(), h.maxWait)
	defer cancel()
	h.waitEnded(ctx)
	t.Logf("%d kills; %d of %d deployments open %s after the last fault",
		h.kills(), len(h.openDeployments()), len(h.github.Deployments()), time.Since(began).Round(time.Millisecond))
}

// waitEnded returns when GitHub has a final status of every deployment, or when ctx ends.
func (h *harness) waitEnded(ctx context.Context) {
	for ctx.Err() == nil {
		changed := h.github.Changed()
		if len(h.openDeployments()) == 0 {
			return
		}

		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// pause waits for a duration, or until ctx ends.
func pause(ctx context.Context, duration time.Duration) {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
