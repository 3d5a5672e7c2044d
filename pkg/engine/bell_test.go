package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func alarm(row int64) deployment.Task {
	return deployment.Task{Kind: deployment.TaskAdvance, Row: row}
}

// An alarm is in one hand at a time, one that rings while it is worked is worked once more, and no
// more than limit are worked at once.
func TestBellWorksEachAlarmInOneHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		hands, done, most := map[int64]int{}, map[int64]int{}, 0
		b := newBell(3, func(_ context.Context, a deployment.Task) {
			mu.Lock()
			hands[a.Row]++
			if hands[a.Row] > 1 {
				t.Errorf("row %d is in two hands", a.Row)
			}

			most = max(most, len(hands))
			mu.Unlock()
			time.Sleep(time.Second) // synthetic time
			mu.Lock()
			delete(hands, a.Row)
			done[a.Row]++
			mu.Unlock()
		})

		b.open()
		for row := range int64(6) {
			b.ring(alarm(row), alarm(row)) // rings twice before it is worked: one alarm
		}

		time.Sleep(500 * time.Millisecond)
		b.ring(alarm(0), alarm(0)) // is being worked: once more
		time.Sleep(10 * time.Second)
		b.close(t.Context())
		mu.Lock()
		defer mu.Unlock()
		if most != 3 || done[0] != 2 || done[5] != 1 {
			t.Errorf("at most %d at once, row 0 worked %d times, row 5 %d times", most, done[0], done[5])
		}
	})
}

func TestBellCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cut atomic.Bool
		b := newBell(1, func(ctx context.Context, _ deployment.Task) {
			<-ctx.Done()
			cut.Store(true)
		})

		b.open()
		b.ring(alarm(1), alarm(2))
		synctest.Wait()
		grace, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		b.close(grace)
		if !cut.Load() || time.Since(start) != 20*time.Second {
			t.Errorf("cut %v after %v", cut.Load(), time.Since(start))
		}

		b.ring(alarm(3)) // nobody answers any more
		b.close(grace)
	})
}
