package chaos

import (
	"context"
	"os"
	"testing"
	"time"
)

// TestChaos lets one trouble follow the other while one call in five goes wrong, lets the world come to rest, and asks the simulators.
func TestChaos(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		if only := os.Getenv("SERAPH_CHAOS_DATABASE"); only != "" && only != database {
			continue
		}
		t.Run(database, func(t *testing.T) {
			w := newWorld(t, readSettings(t), database)
			w.wake(t)
			w.misbehave()
			w.rage(t)
			w.behave()
			w.wake(t)
			w.rest(t)
			w.judge(t)
		})
	}
}

// rest waits until every deployment has ended at GitHub, as far as that takes no longer than it may.
func (w *world) rest(t *testing.T) {
	most := 3 * time.Minute
	if w.large {
		most = 8 * time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), most)
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
	t.Logf("%d kills, %d stops; %d of %d deployments open %s after the last trouble", w.kills, w.stops, len(w.open()), w.deployments, time.Since(began).Round(time.Millisecond))
}
