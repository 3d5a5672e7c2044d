package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// turns is a budget under a clock that the test turns.
type turns struct {
	*budget
	now  time.Time
	rung []int64
}

func newTurns(perSecond int) *turns {
	c := &turns{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	c.budget = newBudget(perSecond, func() time.Time { return c.now }, func(row int64) { c.rung = append(c.rung, row) })
	return c
}

// later turns the clock and gives the rows whose turn has come.
func (c *turns) later(d time.Duration) []int64 {
	c.now = c.now.Add(d)
	c.mu.Lock()
	rows := c.serve(0)
	c.mu.Unlock()
	return rows
}

// Many rows share the budget in turn; a hinted row does not stand behind them; nobody is granted
// more than there is.
func TestBudget(t *testing.T) {
	c := newTurns(10)
	defer c.close()
	granted := 0
	for row := range int64(100) {
		if c.may(row+1, "acme/api", 2, 0, false, false) {
			granted++
		}
	}

	if granted != 5 {
		t.Errorf("%d granted at once", granted)
	}
	if c.may(100, "acme/api", 2, 0, true, false) {
		t.Error("a hinted row read what is not there")
	}
	if got := c.later(time.Second); !slices.Equal(got, []int64{100, 6, 7, 8, 9}) {
		t.Errorf("a second later: %v", got)
	}
	if !c.inLine(10) || c.inLine(6) {
		t.Error("who is in line is not known")
	}
	if !c.may(6, "acme/api", 2, 0, false, false) || c.may(6, "acme/api", 2, 0, false, false) {
		t.Error("a turn is taken once")
	}

	c.hold(time.Minute)
	if got := c.later(30 * time.Second); len(got) != 0 {
		t.Errorf("read although CircleCI wants a pause: %v", got)
	}
	if got := c.later(31 * time.Second); len(got) != 5 {
		t.Errorf("after the pause: %v", got)
	}
	if !newTurns(0).may(1, "acme/api", 100, 0, false, false) {
		t.Error("held back without a limit")
	}
}

// A row that is nudged while it stands in line goes first, though its time had come before that.
// What is read beside the budget is paid for later.
func TestBudgetHearsOfNudges(t *testing.T) {
	c := newTurns(10)
	defer c.close()
	for row := range int64(20) {
		c.may(row+1, "acme/api", 2, 3, false, false)
	}

	if c.may(20, "acme/api", 2, 4, false, false) {
		t.Error("a nudged row read what is not there")
	}

	c.spend(2)
	if got := c.later(time.Second); !slices.Equal(got, []int64{20, 6, 7, 8}) {
		t.Errorf("a second later: %v", got)
	}
}

// A repository with a thousand pipelines takes turns with one that has three; a row near its end
// jumps half its line.
func TestBudgetIsFair(t *testing.T) {
	c := newTurns(8)
	defer c.close()
	c.may(1, "acme/warm", 8, 0, false, false) // what there is for a start
	for row := range int64(1000) {
		c.may(100+row, "acme/noisy", 2, 0, false, false)
	}

	for row := range int64(3) {
		c.may(10+row, "acme/quiet", 2, 0, false, false)
	}

	c.may(5000, "acme/noisy", 2, 0, false, true)
	var order []int64
	for len(order) < 900 {
		order = append(order, c.later(time.Second)...)
	}

	if at := slices.Index(order, 12); at < 0 || at > 8 {
		t.Errorf("the quiet repository's last row was number %d", at)
	}
	if at := slices.Index(order, 5000); at < 400 || at > 600 {
		t.Errorf("the row near its end was number %d", at)
	}
}

// Whoever asks, every row gets its turn in the time that the budget needs for all.
func TestBudgetReachesAll(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newTurns(10)
		defer c.close()
		reads := 0
		left := map[int64]bool{}
		for row := range int64(rapid.IntRange(1, 200).Draw(r, "rows")) {
			n := rapid.SampledFrom([]int{2, 4}).Draw(r, "reads")
			reads += n
			if !c.may(
				row+1,
				fmt.Sprint(rapid.IntRange(0, 3).Draw(r, "repository")),
				n,
				0,
				rapid.Bool().Draw(r, "hinted"),
				rapid.Bool().Draw(r, "near"),
			) {
				left[row+1] = true
			}
		}

		for range reads + 5 { // a read takes 100 ms
			for _, row := range c.later(100 * time.Millisecond) {
				delete(left, row)
			}
		}

		if len(left) > 0 {
			r.Fatalf("%d rows never had their turn", len(left))
		}
	})
}

func TestDurations(t *testing.T) {
	var m durations
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	d := deployment.Deployment{Project: deployment.Project{ID: "p"}, StartedAt: began}
	if m.near(d, began.Add(time.Hour)) {
		t.Error("near the end of what was never seen to end")
	}

	d.EndedAt = began.Add(10 * time.Minute)
	m.took(d)
	if m.near(d, began.Add(5*time.Minute)) || !m.near(d, began.Add(9*time.Minute)) {
		t.Error("the end is expected at another time")
	}
}
