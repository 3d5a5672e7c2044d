package github

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// testClock is a clock that a test turns.
type testClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newTestCache() (*cache, *testClock) {
	c := &testClock{at: now}
	return &cache{now: c.now, entries: map[string]*entry{}}, c
}

// Each kind of answer is asked for again when its time is over, and not before. The time runs from
// the question on.
func TestMemosLiveAsLongAsTheyMay(t *testing.T) {
	failure := errors.New("no")
	for name, c := range map[string]struct {
		takes, life, want time.Duration // want: how long after the answer it is still good
		err               error
	}{
		"a fact":                {0, time.Minute, time.Minute, nil},
		"a slow one":            {9 * time.Second, time.Minute, 51 * time.Second, nil},
		"slower than its life":  {9 * time.Second, 5 * time.Second, 0, nil},
		"a failure":             {9 * time.Second, time.Hour, ttlError, failure},
		"a person that is gone": {0, time.Hour, ttlNegative, fmt.Errorf("x: %w", ErrNoPerson)},
	} {
		t.Run(name, func(t *testing.T) {
			m, clock := newTestCache()
			asked := 0
			ask := func() {
				_, err := cached(t.Context(), m, "k", func(context.Context) (int, time.Duration, error) {
					asked++
					clock.advance(c.takes)
					return asked, c.life, c.err
				})

				if !errors.Is(err, c.err) {
					t.Fatal(err)
				}
			}

			ask()
			if c.want > 0 {
				clock.advance(c.want - 1)
				if ask(); asked != 1 {
					t.Fatal("asked again too early")
				}

				clock.advance(1)
			}

			if ask(); asked != 2 {
				t.Error("an answer outlived its time")
			}

			clock.advance(-time.Hour)
			if ask(); asked != 3 {
				t.Error("an answer lives on because the clock was set back")
			}
		})
	}
}

// Whoever asks what is being asked waits for that answer; whoever loses patience goes, and if it
// was the one that asked, another asks.
func TestOneQuestionAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &cache{now: time.Now, entries: map[string]*entry{}}
		var asked atomic.Int32
		ask := func(ctx context.Context) (int32, error) {
			return cached(ctx, m, "k", func(ctx context.Context) (int32, time.Duration, error) {
				n := asked.Add(1)
				select {
				case <-time.After(10 * time.Second):
					return n, time.Minute, nil
				case <-ctx.Done():
					return 0, 0, context.Cause(ctx)
				}
			})
		}

		hasty, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		go func() {
			if _, err := ask(hasty); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the one that gave up: %v", err)
			}
		}()

		synctest.Wait()
		for range 8 {
			go func() {
				if n, err := ask(t.Context()); n != 2 || err != nil {
					t.Errorf("%d %v", n, err)
				}
			}()
		}

		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := ask(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller without patience: %v", err)
		}

		time.Sleep(time.Minute)
		if n := asked.Load(); n != 2 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	m, clock := newTestCache()
	put := func(key string, life time.Duration) {
		if _, err := cached(t.Context(), m, key, func(context.Context) (bool, time.Duration, error) { return true, life, nil }); err != nil {
			t.Fatal(err)
		}
	}

	for i := range 3 * maxEntries {
		put(fmt.Sprint(i), time.Minute)
		if len(m.entries) > maxEntries {
			t.Fatalf("%d answers are kept", len(m.entries))
		}
	}

	if len(m.entries) < maxEntries {
		t.Errorf("only %d answers are kept", len(m.entries))
	}

	clock.advance(time.Minute)
	put("one more", time.Minute)
	if len(m.entries) != 1 {
		t.Errorf("%d answers are kept that nobody may use", len(m.entries)-1)
	}
}

// One that panics while it asks leaves nobody waiting.
func TestAPanicLeavesNobodyWaiting(t *testing.T) {
	m, _ := newTestCache()
	func() {
		defer func() { _ = recover() }()
		_, _ = cached(t.Context(), m, "k", func(context.Context) (int, time.Duration, error) { panic("no") })
	}()

	if n, err := cached(t.Context(), m, "k", func(context.Context) (int, time.Duration, error) { return 7, time.Minute, nil }); n != 7 ||
		err != nil {
		t.Errorf("%d %v", n, err)
	}
}
