package chaos

import (
	"context"
	"sync"
	"testing"
	"time"
)

// TestChaos lets one trouble follow the other while one call in five goes wrong, lets the world
// come to rest, and asks the simulators.
func TestChaos(t *testing.T) {
	for _, database := range databases(t) {
		t.Run(database, func(t *testing.T) {
			w := newWorld(t, readSettings(t, database))
			w.warmUp(t)
			w.storm(t)
			w.rest(t)
			w.judge(t)
		})
	}
}

// storm is deployments, kills and troubles, all at once.
func (w *world) storm(t *testing.T) {
	w.misbehave()
	end := time.Now().Add(w.rage)
	ctx, stop := context.WithDeadline(t.Context(), end)
	var beside sync.WaitGroup
	defer func() { stop(); beside.Wait() }()
	beside.Go(func() { w.killAll(ctx) })
	var making sync.WaitGroup
	making.Go(func() { w.deployAll(t) })
	defer making.Wait()
	w.suffer(t, end)
}

// rest takes all trouble away, and waits until every deployment has ended at GitHub, as far as that
// takes no longer than it may. The processes are stopped and started once more: what they do at a
// start finds what GitHub could not deliver since the last one.
func (w *world) rest(t *testing.T) {
	if w.large && w.onSQLite() {
		w.oversleep(t) // there is no other that could go on, so only the end has time for it
	}

	w.behave()
	began := time.Now()
	w.asleep.Wait()
	w.restart(t)
	if !w.large {
		w.redeliver(t)
	}

	ctx, cancel := context.WithTimeout(t.Context(), w.patience)
	defer cancel()
	w.waitEnded(ctx)
	t.Logf("%d kills; %d of %d deployments open %s after the last trouble",
		w.kills(), len(w.open()), len(w.github.Deployments()), time.Since(began).Round(time.Millisecond))
}

// waitEnded returns when GitHub has heard the end of every deployment, or when ctx ends.
func (w *world) waitEnded(ctx context.Context) {
	for ctx.Err() == nil {
		changed := w.github.Changed()
		if len(w.open()) == 0 {
			return
		}

		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// pause lets time pass, less when ctx ends.
func pause(ctx context.Context, long time.Duration) {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
