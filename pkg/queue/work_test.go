package queue

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWork_OneWorkerPerKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		working, done, most := map[int]int{}, map[int]int{}, 0

		w := NewWork(3, func(_ context.Context, key int) {
			mu.Lock()
			working[key]++
			if working[key] > 1 {
				t.Errorf("key %d has %d workers, want 1", key, working[key])
			}
			most = max(most, len(working))
			mu.Unlock()

			time.Sleep(time.Second) // synthetic time

			mu.Lock()
			delete(working, key)
			done[key]++
			mu.Unlock()
		})

		w.Open()
		for key := range 6 {
			w.Add(key, key) // the second is a duplicate
		}

		time.Sleep(500 * time.Millisecond)
		w.Add(0, 0) // is being worked: once more
		time.Sleep(10 * time.Second)
		w.Close(t.Context())

		mu.Lock()
		defer mu.Unlock()
		if most != 3 {
			t.Errorf("got %d workers at once, want 3", most)
		}
		if done[0] != 2 {
			t.Errorf("key 0, added again while it was worked: worked %d times, want 2", done[0])
		}
		if done[5] != 1 {
			t.Errorf("key 5, added twice while it waited: worked %d times, want 1", done[5])
		}
	})
}

func TestWork_CloseCancelsAfterGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var canceled atomic.Bool
		w := NewWork(1, func(ctx context.Context, _ int) {
			<-ctx.Done()
			canceled.Store(true)
		})

		w.Open()
		w.Add(1, 2)
		synctest.Wait()

		grace, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		w.Close(grace)

		if !canceled.Load() {
			t.Error("the worker's context was not canceled")
		}
		if got := time.Since(start); got != 20*time.Second {
			t.Errorf("Close took %v, want 20s", got)
		}

		w.Add(3) // is dropped
		w.Close(grace)
	})
}
