package policy

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the same zones on every machine, also where the system has none

	"github.com/robfig/cron/v3"
)

// schedule says when the windows of a recurring freeze begin, by the local time of a zone.
//
// Local times are kept as a time.Time in UTC with the same reading. Such a reading is never missing
// and never occurs twice, so a freeze that begins or ends in the hour of a clock change is not lost
// (robfig/cron skips it when it calculates in the zone itself). The zone is used only to turn a
// reading into an instant.
type schedule struct {
	cron cron.Schedule
	zone *time.Location
}

// schedules caches what loadSchedule read. It does not grow beyond the freezes of the routes file.
var schedules sync.Map // scheduleKey to schedule

type scheduleKey struct{ cron, zone string }

func loadSchedule(expression, zone string) (schedule, error) {
	key := scheduleKey{expression, zone}
	if cached, ok := schedules.Load(key); ok {
		return cached.(schedule), nil
	}

	location, err := LoadZone(zone)
	if err != nil {
		return schedule{}, err
	}

	parsed, err := parseCron(expression)
	if err != nil {
		return schedule{}, err
	}

	s := schedule{cron: parsed, zone: location}
	schedules.Store(key, s)
	return s, nil
}

// LoadZone returns the time zone of an IANA name. An empty name is UTC.
func LoadZone(name string) (*time.Location, error) {
	if strings.EqualFold(name, "local") {
		return nil, errors.New(`"Local" depends on the machine: name a time zone, such as Europe/Berlin`)
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone, such as Europe/Berlin", name)
	}
	return location, nil
}

// ValidateCron returns what is wrong with a cron expression of five fields.
func ValidateCron(text string) error {
	_, err := parseCron(text)
	return err
}

var cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

func parseCron(text string) (cron.Schedule, error) {
	// The parser would accept a TZ= prefix, and panics on one without a zone.
	if strings.Contains(text, "=") {
		return nil, errors.New("a time zone belongs under zone")
	}

	parsed, err := cronParser.Parse(text)
	if err != nil {
		return nil, err
	}

	// Next looks five years ahead. From here on, that includes a 29 February.
	if parsed.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, errors.New("the schedule never occurs")
	}

	return parsed, nil
}

// activeUntil returns the end of a freeze whose windows last so long by local time; the zero time if
// it is not in force now. It looks at the windows in order, from the first that may include now to
// the last that follows without a gap.
func (s schedule) activeUntil(now time.Time, duration time.Duration) time.Time {
	var until time.Time
	joined := 0

	for begin := s.cron.Next(s.searchFrom(now, duration)); !begin.IsZero(); begin = s.cron.Next(begin) {
		from, _ := ResolveLocal(begin, s.zone)
		if from.After(now) && from.After(until) {
			break
		}

		if _, to := ResolveLocal(begin.Add(duration), s.zone); to.After(now) && to.After(until) {
			until = to
			joined++
		}
		if joined == maxWindows || until.Sub(now) > maxFreezeEnd {
			break
		}
	}

	return until
}

// maxClockShift is more than any zone has ever moved its clocks.
const maxClockShift = 25 * time.Hour

// searchFrom returns the local time after which a window must begin to include now or to follow on
// one that does.
func (s schedule) searchFrom(now time.Time, duration time.Duration) time.Time {
	from := localReading(now, s.zone).Add(-duration)

	begin, end := now.In(s.zone).ZoneBounds()
	changedLately := !begin.IsZero() && now.Sub(begin) < maxClockShift
	changesSoon := !end.IsZero() && end.Sub(now) < maxClockShift
	if changedLately || changesSoon {
		return from.Add(-maxClockShift)
	}

	return from
}

// ResolveLocal returns the first and the last instant at which the clocks of a zone show a local
// time, which is given as a time in UTC. They differ where clocks are set back over it. Where clocks
// are set forward over it, both are the instant of the change.
func ResolveLocal(local time.Time, zone *time.Location) (first, last time.Time) {
	t := time.Date(local.Year(), local.Month(), local.Day(),
		local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), zone)
	begin, end := t.ZoneBounds()

	// time.Date picks one of both offsets for a local time that does not exist.
	reading := localReading(t, zone)
	switch {
	case reading.After(local):
		return begin, begin
	case reading.Before(local):
		return end, end
	}

	first, last = t, t
	if !begin.IsZero() {
		if earlier := withOffsetOf(local, begin.Add(-time.Second), zone); earlier.Before(begin) {
			first = earlier
		}
	}

	if !end.IsZero() {
		if later := withOffsetOf(local, end, zone); !later.Before(end) {
			last = later
		}
	}

	return first, last
}

// localReading returns what the clocks of a zone show, as a time in UTC.
func localReading(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// withOffsetOf returns the instant of a local time if the zone's offset were that of another time.
func withOffsetOf(local, other time.Time, zone *time.Location) time.Time {
	_, offset := other.In(zone).Zone()
	return local.Add(-time.Duration(offset) * time.Second).In(zone)
}
