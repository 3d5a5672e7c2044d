package policy

import (
	"fmt"
	"slices"
	"time"
)

// Windows that follow one another without a gap count as one freeze. These limits keep the search
// for its end short where there is none.
const (
	maxWindows    = 400 // of one freeze
	maxExtensions = 32  // by other freezes
	maxFreezeEnd  = 366 * 24 * time.Hour
)

// activeFreeze is a freeze that is in force, and the end of its windows that follow without a gap.
type activeFreeze struct {
	Freeze
	until time.Time
}

// evaluateFreeze waits for the end of all freezes that are in force, or rejects if one of them says
// so. The routes file is checked when it is read; if a freeze cannot be read here after all, the
// deployment waits rather than passes.
func (e *evaluation) evaluateFreeze() Outcome {
	var active []activeFreeze
	for _, f := range e.policy.Freezes {
		until, err := f.activeUntil(e.now)
		if err != nil {
			return unknown("the freeze"+f.quotedMessage(), err.Error())
		}
		if !until.IsZero() {
			active = append(active, activeFreeze{f, until})
		}
	}

	if len(active) == 0 {
		return allow("no freeze is in force")
	}

	last := slices.MaxFunc(active, func(a, b activeFreeze) int { return a.until.Compare(b.until) })
	shown := slices.MaxFunc(active, compareFreezes)
	return shown.outcome(e.extendFreeze(last.until), e.now)
}

// compareFreezes orders freezes by what is shown to people: one that rejects before one that waits,
// then the one that ends last.
func compareFreezes(a, b activeFreeze) int {
	aRejects, bRejects := a.Mode == ModeReject, b.Mode == ModeReject
	switch {
	case aRejects == bRejects:
		return a.until.Compare(b.until)
	case aRejects:
		return 1
	default:
		return -1
	}
}

// extendFreeze moves the end of a freeze to the end of all other freezes that follow without a gap.
func (e *evaluation) extendFreeze(until time.Time) time.Time {
	for range maxExtensions {
		next := until
		for _, f := range e.policy.Freezes {
			if end, err := f.activeUntil(until); err == nil && end.After(next) {
				next = end
			}
		}

		if next.Equal(until) || next.Sub(e.now) > maxFreezeEnd {
			return next
		}

		until = next
	}

	return until
}

func (f Freeze) outcome(until, now time.Time) Outcome {
	zone, err := LoadZone(f.Zone)
	if err != nil {
		return unknown("the freeze"+f.quotedMessage(), err.Error())
	}

	end := formatTime(until.In(zone), now)
	o := wait(CodeFrozen, "the freeze%s to end (%s)", f.quotedMessage(), end)
	if f.Mode == ModeReject {
		o = reject(CodeFrozen, "the freeze%s lasts until %s", f.quotedMessage(), end)
	}

	o.Until = until
	return o
}

// quotedMessage is the message in quotes, with a space before it; empty if there is none.
func (f Freeze) quotedMessage() string {
	if f.Message == "" {
		return ""
	}
	return fmt.Sprintf(" %q", f.Message)
}

// activeUntil returns when the freeze ends; the zero time if it is not in force now.
func (f Freeze) activeUntil(now time.Time) (time.Time, error) {
	if f.Cron == "" {
		if f.From.After(now) || !now.Before(f.To) {
			return time.Time{}, nil
		}

		return f.To, nil
	}

	s, err := loadSchedule(f.Cron, f.Zone)
	if err != nil {
		return time.Time{}, err
	}

	return s.activeUntil(now, f.Duration), nil
}
