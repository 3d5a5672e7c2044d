package engine

import (
	"testing"
	"time"
)

// Many pollers share the budget in turn; a hinted row does not stand behind them; nobody is granted more than there is.
func TestBudget(t *testing.T) {
	b := newBudget(10)
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	granted, last := 0, time.Duration(0)
	for row := range int64(100) {
		wait := b.wait(row, 2, false, now)
		if wait == 0 {
			granted++
		}
		if wait < last {
			t.Errorf("row %d waits %v, less than the one before it (%v)", row, wait, last)
		}
		last = wait
	}
	if granted != 5 || last < 20*time.Second || last > 25*time.Second {
		t.Errorf("%d granted at once, the last waits %v", granted, last)
	}
	if wait := b.wait(99, 2, true, now); wait != 0 {
		t.Errorf("a hinted row waits %v", wait)
	}
	if wait := b.wait(50, 2, false, now.Add(time.Second)); wait <= 0 {
		t.Error("a row read before its turn")
	}
	if wait := b.wait(98, 2, false, now.Add(last)); wait != 0 {
		t.Errorf("a row whose turn has come waits %v more", wait)
	}
	if wait := newBudget(0).wait(1, 100, false, now); wait != 0 {
		t.Errorf("without a limit: %v", wait)
	}
}
