package chaos

import (
	"context"
	"sync"
	"testing"
	"time"
)

// TestChaos kills the program every 0.3 to 1.5 s while one call in five goes wrong, lets it come to rest, and asks the simulators.
func TestChaos(t *testing.T) {
	w := newWorld(t, readSettings(t))
	w.start(t)
	w.waitReady(t)
	w.misbehave()
	w.rage(t)
	w.behave()
	w.start(t)
	w.waitReady(t)
	w.rest(t)
	w.judge(t)
}

// rage makes all deployments while the process is killed and started again. It leaves the process dead.
func (w *world) rage(t *testing.T) {
	var making sync.WaitGroup
	making.Go(func() {
		for i := range w.deployments {
			w.deploy(t, i)
			pause(t, w.killing*3/4/time.Duration(w.deployments))
		}
	})
	dice, end := w.dice(1), time.Now().Add(w.killing)
	for {
		pause(t, 300*time.Millisecond+time.Duration(dice.Int64N(int64(1200*time.Millisecond))))
		w.kill(t)
		if !time.Now().Before(end) {
			break
		}
		w.start(t)
	}
	making.Wait()
}

// rest waits until every deployment has ended at GitHub, as far as that takes no longer than it may.
func (w *world) rest(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	began := time.Now()
	for ctx.Err() == nil && len(w.open()) > 0 {
		changed := w.github.Changed()
		if len(w.open()) == 0 {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	t.Logf("%d kills; %d of %d deployments open %s after the last start", w.kills, len(w.open()), w.deployments, time.Since(began).Round(time.Millisecond))
}
