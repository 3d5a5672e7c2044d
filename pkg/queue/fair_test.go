package queue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fairTest is a Fair whose clock the test sets.
type fairTest struct {
	*Fair
	now time.Time
}

func newFairTest(perSecond int) *fairTest {
	f := &fairTest{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	f.Fair = NewFair(perSecond, func() time.Time { return f.now }, func(int64) {})
	return f
}

// after moves the clock and returns the keys whose turn has come.
func (f *fairTest) after(d time.Duration) []int64 {
	f.now = f.now.Add(d)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.serve(0)
}

func TestFair_GrantsNoMoreThanTheRate(t *testing.T) {
	f := newFairTest(10)
	defer f.Close()

	granted := 0
	for key := range int64(100) {
		if f.Take(Request{Key: key + 1, Group: "acme/api", Calls: 2}) {
			granted++
		}
	}
	if granted != 5 {
		t.Errorf("granted at once: got %d, want 5", granted)
	}

	if f.Take(Request{Key: 100, Group: "acme/api", Calls: 2, Urgent: true}) {
		t.Error("an urgent key was granted more than the rate allows")
	}
	if got, want := f.after(time.Second), []int64{100, 6, 7, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("a second later: got %v, want %v", got, want)
	}
	if !f.Waits(10) || f.Waits(6) {
		t.Errorf("waits: got %v for key 10 and %v for key 6, want true and false", f.Waits(10), f.Waits(6))
	}

	first := f.Take(Request{Key: 6, Group: "acme/api", Calls: 2})
	second := f.Take(Request{Key: 6, Group: "acme/api", Calls: 2})
	if !first || second {
		t.Errorf("taking one turn twice: got %v and %v, want true and false", first, second)
	}
}

func TestFair_HoldGrantsNothing(t *testing.T) {
	f := newFairTest(10)
	defer f.Close()

	for key := range int64(100) {
		f.Take(Request{Key: key + 1, Group: "acme/api", Calls: 2})
	}

	f.Hold(time.Minute)
	if got := f.after(30 * time.Second); len(got) != 0 {
		t.Errorf("while held: got %v, want none", got)
	}
	if got := f.after(31 * time.Second); len(got) != 5 {
		t.Errorf("after the hold: got %v, want 5 keys", got)
	}
}

// After the clock was set back a hold still ends.
func TestFair_HoldWithClockSetBack(t *testing.T) {
	f := newFairTest(10)
	defer f.Close()

	for key := range int64(100) {
		f.Take(Request{Key: key + 1, Group: "acme/api", Calls: 2})
	}

	f.Hold(time.Minute)
	if got := f.after(-24 * time.Hour); len(got) != 0 {
		t.Errorf("while held: got %v, want none", got)
	}

	f.after(longestHold) // from here on the rate counts again
	if got := f.after(time.Second); len(got) == 0 {
		t.Error("after the longest hold: got no key, want some")
	}
}

func TestFair_ZeroRateIsNoLimit(t *testing.T) {
	f := newFairTest(0)
	defer f.Close()

	if !f.Take(Request{Key: 1, Group: "acme/api", Calls: 100}) {
		t.Error("got false, want true")
	}
}

// A key that is hinted at while it waits becomes urgent, and calls without a turn delay the turns
// after them.
func TestFair_HintsWhileWaitingAreUrgent(t *testing.T) {
	f := newFairTest(10)
	defer f.Close()

	for key := range int64(20) {
		f.Take(Request{Key: key + 1, Group: "acme/api", Calls: 2, Hints: 3})
	}

	if f.Take(Request{Key: 20, Group: "acme/api", Calls: 2, Hints: 4}) {
		t.Error("a hinted key was granted more than the rate allows")
	}

	f.Spend(2)
	if got, want := f.after(time.Second), []int64{20, 6, 7, 8}; !slices.Equal(got, want) {
		t.Errorf("a second later: got %v, want %v", got, want)
	}
}

// A group with a thousand keys takes turns with one that has three, and a key that is to be soon
// waits half as long.
func TestFair_GroupsTakeTurns(t *testing.T) {
	f := newFairTest(8)
	defer f.Close()

	f.Take(Request{Key: 1, Group: "acme/first", Calls: 8}) // takes what is granted at once
	for key := range int64(1000) {
		f.Take(Request{Key: 100 + key, Group: "acme/large", Calls: 2})
	}
	for key := range int64(3) {
		f.Take(Request{Key: 10 + key, Group: "acme/small", Calls: 2})
	}
	f.Take(Request{Key: 5000, Group: "acme/large", Calls: 2, Soon: true})

	var order []int64
	for len(order) < 900 {
		order = append(order, f.after(time.Second)...)
	}

	if at := slices.Index(order, 12); at < 0 || at > 8 {
		t.Errorf("the last key of the small group: got position %d, want 0 to 8", at)
	}
	if at := slices.Index(order, 5000); at < 400 || at > 600 {
		t.Errorf("the key that is to be soon: got position %d, want 400 to 600", at)
	}
}

// Every key gets its turn within the time that the rate needs for all.
func TestFair_ReachesEveryKey(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := newFairTest(10)
		defer f.Close()

		calls := 0
		left := map[int64]bool{}
		for key := range int64(rapid.IntRange(1, 200).Draw(r, "keys")) {
			request := Request{
				Key:    key + 1,
				Group:  fmt.Sprint(rapid.IntRange(0, 3).Draw(r, "group")),
				Calls:  rapid.SampledFrom([]int{2, 4}).Draw(r, "calls"),
				Urgent: rapid.Bool().Draw(r, "urgent"),
				Soon:   rapid.Bool().Draw(r, "soon"),
			}

			calls += request.Calls
			if !f.Take(request) {
				left[request.Key] = true
			}
		}

		for range calls + 5 { // a call takes 100 ms
			for _, key := range f.after(100 * time.Millisecond) {
				delete(left, key)
			}
		}

		if len(left) > 0 {
			r.Fatalf("%d keys never had their turn", len(left))
		}
	})
}
