package policy

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a zone must mean the same on every machine, and be there

	"github.com/robfig/cron/v3"
)

// clock is a recurring freeze's beginnings, on the wall of its zone.
//
// A reading of the wall is kept as a time in UTC. There no hour is missing and none comes twice, so
// that a freeze that begins or ends in such an hour is not lost (robfig/cron in the zone itself
// skips it), and the zone comes in only where a reading becomes an instant.
type clock struct {
	schedule cron.Schedule
	zone     *time.Location
}

// clocks keeps what was read: there are as many as freezes in the routes file.
var clocks sync.Map // of clockKey to clock

type clockKey struct{ cron, zone string }

func clockOf(expression, zone string) (clock, error) {
	key := clockKey{expression, zone}
	if known, ok := clocks.Load(key); ok {
		return known.(clock), nil
	}

	location, err := Zone(zone)
	if err != nil {
		return clock{}, err
	}

	c := clock{zone: location}
	if expression != "" {
		if c.schedule, err = parseCron(expression); err != nil {
			return clock{}, err
		}
	}

	clocks.Store(key, c)
	return c, nil
}

// Zone finds a zone by its IANA name; empty is UTC.
func Zone(name string) (*time.Location, error) {
	if strings.EqualFold(name, "local") {
		return nil, errors.New(`"Local" is a zone that depends on the machine: name one, such as Europe/Berlin`)
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is no time zone, such as Europe/Berlin", name)
	}
	return location, nil
}

// ParseCron says what is wrong with a cron expression of five fields.
func ParseCron(text string) error {
	_, err := parseCron(text)
	return err
}

var fiveFields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

func parseCron(text string) (cron.Schedule, error) {
	if strings.Contains(text, "=") {
		return nil, errors.New("a time zone goes under zone") // the parser would take TZ= too, and fall over a lone one
	}

	schedule, err := fiveFields.Parse(text)
	if err != nil {
		return nil, err
	}
	if schedule.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() { // a leap year follows at once
		return nil, errors.New("it never comes")
	}

	return schedule, nil
}

// longestShift is more than any zone has ever set its clocks.
const longestShift = 25 * time.Hour

// wall is what the clock on the wall reads.
func (c clock) wall(t time.Time) time.Time {
	_, offset := t.In(c.zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// before is the reading from which on beginnings may still matter for a freeze that lasts d on the
// wall.
func (c clock) before(now time.Time, d time.Duration) time.Time {
	from := c.wall(now).Add(-d)
	begin, end := now.In(c.zone).ZoneBounds()
	if !begin.IsZero() && now.Sub(begin) < longestShift || !end.IsZero() && end.Sub(now) < longestShift {
		return from.Add(-longestShift)
	}
	return from
}

// Instants are the first and the last moment at which the wall of a zone reads w, which is kept as
// a time in UTC.
func Instants(w time.Time, zone *time.Location) (first, last time.Time) {
	return clock{zone: zone}.instants(w)
}

// instants are the first and the last moment at which the wall reads w. When clocks are set back it
// comes twice; when they are set forward over w it is the moment at which that happens.
func (c clock) instants(w time.Time) (first, last time.Time) {
	t := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), w.Nanosecond(), c.zone)
	begin, end := t.ZoneBounds()
	if read := c.wall(t); !read.Equal(w) {
		if read.After(w) {
			return begin, begin
		}

		return end, end
	}

	first, last = t, t
	if !begin.IsZero() {
		if earlier := c.at(w, begin.Add(-time.Second)); earlier.Before(begin) {
			first = earlier
		}
	}

	if !end.IsZero() {
		if later := c.at(w, end); !later.Before(end) {
			last = later
		}
	}

	return first, last
}

// at is when the wall reads w with the offset of another time.
func (c clock) at(w, other time.Time) time.Time {
	_, offset := other.In(c.zone).Zone()
	return w.Add(-time.Duration(offset) * time.Second).In(c.zone)
}
