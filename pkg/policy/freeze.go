package policy

import (
	"fmt"
	"slices"
	"time"
)

// How far windows of freezes that follow on one another are joined.
const (
	mostWindows = 400 // of one freeze
	mostRounds  = 32  // of all of them
	horizon     = 366 * 24 * time.Hour
)

// openFreeze is a freeze that holds now, and until when.
type openFreeze struct {
	Freeze
	until time.Time
}

// freeze waits for the end of all freezes that hold, or refuses where one of them says so.
func (j *evaluation) freeze() Outcome {
	var holds []openFreeze
	for _, f := range j.p.Freezes {
		end, err := f.ends(j.now)
		if err != nil { // the routes file is checked: a freeze that cannot be read must not be none
			return unknown("the freeze"+f.quoted(), err.Error())
		}
		if !end.IsZero() {
			holds = append(holds, openFreeze{f, end})
		}
	}

	if len(holds) == 0 {
		return allow("no freeze holds")
	}

	until := slices.MaxFunc(holds, func(a, b openFreeze) int { return a.until.Compare(b.until) }).until
	return slices.MaxFunc(holds, harderHold).outcome(j.thaw(until), j.now)
}

// harderHold orders by mode, then by end: the last one speaks for all.
func harderHold(a, b openFreeze) int {
	switch {
	case a.Mode == b.Mode || a.Mode != RejectMode && b.Mode != RejectMode:
		return a.until.Compare(b.until)
	case a.Mode == RejectMode:
		return 1
	default:
		return -1
	}
}

// thaw is the end of whatever follows without a gap.
func (j *evaluation) thaw(until time.Time) time.Time {
	for range mostRounds {
		next := until
		for _, f := range j.p.Freezes {
			if end, err := f.ends(until); err == nil && end.After(next) {
				next = end
			}
		}

		if next.Equal(until) || next.Sub(j.now) > horizon {
			return next
		}

		until = next
	}

	return until
}

func (f Freeze) outcome(until, now time.Time) Outcome {
	o := Outcome{Decision: DecisionWait, Code: CodeFrozen, Until: until}
	c, err := clockOf("", f.Zone)
	if err != nil {
		return unknown("the freeze"+f.quoted(), err.Error())
	}

	at := clockTime(until.In(c.zone), now)
	o.Message = fmt.Sprintf("the freeze%s to end (%s)", f.quoted(), at)
	if f.Mode == RejectMode {
		o.Decision, o.Message = DecisionReject, fmt.Sprintf("the freeze%s holds until %s", f.quoted(), at)
	}

	return o
}

func (f Freeze) quoted() string {
	if f.Message == "" {
		return ""
	}
	return fmt.Sprintf(" %q", f.Message)
}

// ends says until when the freeze holds; zero: it does not hold now.
func (f Freeze) ends(now time.Time) (time.Time, error) {
	if f.Cron == "" {
		if f.From.After(now) || !now.Before(f.To) {
			return time.Time{}, nil
		}

		return f.To, nil
	}

	c, err := clockOf(f.Cron, f.Zone)
	if err != nil {
		return time.Time{}, err
	}

	return c.ends(now, f.Duration), nil
}

// ends walks along the windows, from the first that may hold to the last that follows without a
// gap.
func (c clock) ends(now time.Time, lasts time.Duration) time.Time {
	var until time.Time
	joined := 0
	for begins := c.schedule.Next(c.before(now, lasts)); !begins.IsZero(); begins = c.schedule.Next(begins) {
		from, _ := c.instants(begins)
		if from.After(now) && from.After(until) {
			break
		}
		if _, to := c.instants(begins.Add(lasts)); to.After(now) && to.After(until) {
			until = to
			joined++
		}
		if joined == mostWindows || until.Sub(now) > horizon {
			break
		}
	}

	return until
}
