package github

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func newTestCache() (*cache, *testClock) {
	clock := &testClock{at: now}
	return &cache{now: clock.now, entries: map[string]*entry{}}, clock
}

// Each kind of result is loaded again when it has expired, and not before. Its time runs from the
// start of its load.
func TestCache_Expiry(t *testing.T) {
	failure := errors.New("no")
	tests := []struct {
		name      string
		takes     time.Duration // how long a load takes
		ttl       time.Duration // what the load returns
		err       error
		wantValid time.Duration // how long the result is used after its load
	}{
		{name: "fact", ttl: time.Minute, wantValid: time.Minute},
		{name: "slow fact", takes: 9 * time.Second, ttl: time.Minute, wantValid: 51 * time.Second},
		{name: "slower than its time to live", takes: 9 * time.Second, ttl: 5 * time.Second, wantValid: 0},
		{name: "error", takes: 9 * time.Second, ttl: time.Hour, err: failure, wantValid: 5 * time.Second},
		{name: "no such person", ttl: time.Hour, err: fmt.Errorf("x: %w", ErrNoPerson), wantValid: 15 * time.Second},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, clock := newTestCache()
			loads := 0
			read := func() {
				t.Helper()
				_, err := cached(t.Context(), c, "k", func(context.Context) (int, time.Duration, error) {
					loads++
					clock.advance(tt.takes)
					return loads, tt.ttl, tt.err
				})
				if !errors.Is(err, tt.err) {
					t.Fatalf("got error %v, want %v", err, tt.err)
				}
			}

			read()
			if tt.wantValid > 0 {
				clock.advance(tt.wantValid - 1)
				if read(); loads != 1 {
					t.Fatalf("before it expires: got %d loads, want 1", loads)
				}

				clock.advance(1)
			}

			if read(); loads != 2 {
				t.Errorf("when it expires: got %d loads, want 2", loads)
			}

			clock.advance(-time.Hour)
			if read(); loads != 3 {
				t.Errorf("with the clock set back: got %d loads, want 3", loads)
			}
		})
	}
}

// Callers wait for a load that is under way. One whose context ends stops waiting, and if it was
// the one that loads, another caller loads.
func TestCache_ConcurrentCallersShareALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cache{now: time.Now, entries: map[string]*entry{}}
		var loads atomic.Int32
		read := func(ctx context.Context) (int32, error) {
			return cached(ctx, c, "k", func(ctx context.Context) (int32, time.Duration, error) {
				n := loads.Add(1)
				select {
				case <-time.After(10 * time.Second):
					return n, time.Minute, nil
				case <-ctx.Done():
					return 0, 0, context.Cause(ctx)
				}
			})
		}

		loading, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		go func() {
			if _, err := read(loading); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("loading caller with 4s: got error %v, want %v", err, context.DeadlineExceeded)
			}
		}()

		synctest.Wait()
		for range 8 {
			go func() {
				if n, err := read(t.Context()); n != 2 || err != nil {
					t.Errorf("waiting caller: got %d (%v), want 2", n, err)
				}
			}()
		}

		waiting, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := read(waiting); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting caller with 1s: got error %v, want %v", err, context.DeadlineExceeded)
		}

		time.Sleep(time.Minute)
		if n := loads.Load(); n != 2 {
			t.Errorf("got %d loads, want 2", n)
		}
	})
}

func TestCache_IsBounded(t *testing.T) {
	c, clock := newTestCache()
	add := func(key string) {
		t.Helper()
		load := func(context.Context) (bool, time.Duration, error) { return true, time.Minute, nil }
		if _, err := cached(t.Context(), c, key, load); err != nil {
			t.Fatal(err)
		}
	}

	for i := range 3 * maxEntries {
		add(fmt.Sprint(i))
		if len(c.entries) > maxEntries {
			t.Fatalf("got %d entries, want at most %d", len(c.entries), maxEntries)
		}
	}

	if len(c.entries) < maxEntries {
		t.Errorf("got %d entries, want %d", len(c.entries), maxEntries)
	}

	clock.advance(time.Minute)
	add("one more")
	if len(c.entries) != 1 {
		t.Errorf("after the others have expired: got %d entries, want 1", len(c.entries))
	}
}

// A load that panics leaves no caller waiting.
func TestCache_PanicInLoad(t *testing.T) {
	c, _ := newTestCache()
	func() {
		defer func() { _ = recover() }()
		_, _ = cached(t.Context(), c, "k", func(context.Context) (int, time.Duration, error) { panic("no") })
	}()

	load := func(context.Context) (int, time.Duration, error) { return 7, time.Minute, nil }
	if n, err := cached(t.Context(), c, "k", load); n != 7 || err != nil {
		t.Errorf("got %d (%v), want 7", n, err)
	}
}
